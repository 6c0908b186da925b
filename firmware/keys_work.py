"""Loading a key at the terminal: what the terminal table's guards and effects for it do.

Two or three custodians type one component each. The digits go from the keypad into the secure room
(`firmware.secure.component_entry`); here only their number is seen. What is shown in clear are check values,
the one that a custodian types and those that the secure room answers with.
"""

from __future__ import annotations

from firmware.key_entry import CheckValueEditor, KeyChoice
from firmware.operators import ADMINISTRATOR
from firmware.secure.component_entry import (
    COMPONENTS_MAX,
    COMPONENTS_MIN,
    ComponentCancelled,
    ComponentDigits,
    ComponentEvent,
    ComponentTooShort,
    ComponentTyped,
    KeyCeremony,
)
from firmware.secure.errors import SecureError
from firmware.secure.memory import wipe
from firmware.secure.scheme import KeyScheme
from firmware.txn.schema import Keys
from firmware.work import Guards, Parts, Signal, Work
from hal.api import Key


class KeyLoadingWork(Work):
    """The part of the terminal's work that loads a key from components."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self.ceremony = KeyCeremony()
        self.choice = KeyChoice(parts.settings.master_key_index)
        self.check_digits = CheckValueEditor()
        self.component_digits = 0
        self.shown_check_value = ""  # of what was accepted last: a component, or the whole key
        self.key_error = ""

    @property
    def component_number(self) -> int:
        """Which component is at hand, from 1."""
        return min(self.ceremony.components + 1, COMPONENTS_MAX)

    def press_key(self, mode: Keys, key: Key) -> Signal | bool | None:
        """A key that is not CANCEL: what comes of it, or whether it counts; None: as always."""
        if mode is Keys.CUSTODIAN:
            return Signal("another_component") if key is Key.F1 else None
        if mode is Keys.KEY_CHOICE:
            return Signal("key_chosen") if key is Key.ENTER else self.choice.press(key)
        if mode is not Keys.CHECK_VALUE:
            return None
        if key is not Key.ENTER:
            return self.check_digits.press(key)
        return Signal("check_value_typed") if self.check_digits.is_complete else False

    def poll_components(self) -> None:
        """Turn what the secure room saw of the keypad into signals."""
        for event in self.ceremony.events():
            self._on_component(event)

    def _on_component(self, event: ComponentEvent) -> None:
        match event:
            case ComponentDigits(count):
                self.component_digits = count
                self.parts.kernel.post(Signal("component_digit"))
            case ComponentTooShort():
                self.beep_error(None)
            case ComponentTyped():
                self.parts.kernel.post(Signal("component_typed"))
            case ComponentCancelled():
                self.parts.kernel.post(Signal("cancel"))

    # --- effects ------------------------------------------------------------------------------------

    def begin_key_loading(self, _data: object) -> None:
        """Nothing is left of an earlier ceremony; the index in use is offered."""
        self.abandon_key(None)
        self.parts.duty.key_loading_approved = False
        self.choice = KeyChoice(self.parts.settings.master_key_index)

    def begin_component(self, _data: object) -> None:
        """The keypad belongs to the secure room until the component is typed."""
        self.component_digits = 0
        is_sm4 = self.parts.secure.security.key_scheme is KeyScheme.SM4
        self.ceremony.algorithm = "S" if is_sm4 and not self.choice.is_transport else "T"
        self.ceremony.begin_component(self.parts.board.keypad)

    def begin_check_value(self, _data: object) -> None:
        """The component's check value is typed in the open: it is on the key letter for everybody to see."""
        self.check_digits.reset()

    def keep_component(self, _data: object) -> None:
        """The component fits its check value."""
        self.check_digits.reset()
        self.shown_check_value = self.ceremony.keep().hex().upper()

    def drop_component(self, _data: object) -> None:
        """It does not: it is typed again."""
        self.check_digits.reset()
        self.ceremony.drop()

    def combine_key(self, _data: object) -> None:
        """All components are there: the custodians compare the key's check value with their letter."""
        try:
            self.shown_check_value = self.ceremony.combined_check_value().hex().upper()
        except SecureError as error:
            self._refuse(error)

    def load_key(self, _data: object) -> None:
        """Give the whole key to the vault. The working keys, made for another one, are discarded there."""
        try:
            key = self.ceremony.take_key()
            try:
                self._store(key)
            finally:
                wipe(key)
        except SecureError as error:
            self._refuse(error)
        else:
            self.parts.kernel.post_first(Signal("key_loaded"))

    def abandon_key(self, _data: object) -> None:
        """Everything that was typed is wiped."""
        self.ceremony.abandon()
        self.check_digits.reset()
        self.component_digits = 0
        self.shown_check_value = ""
        self.key_error = ""

    # --- their parts --------------------------------------------------------------------------------

    def _store(self, key: bytearray) -> None:
        if self.choice.is_transport:
            self.parts.secure.load_transport_key(bytes(key), index=self.choice.index)
        else:
            self.parts.secure.load_tmk(self.choice.index, bytes(key))

    def _refuse(self, error: SecureError) -> None:
        self.ceremony.abandon()
        self.key_error = f"{error.code} {error}"
        self.parts.kernel.post_first(Signal("key_refused"))


class KeyLoadingGuards(Guards):
    """The terminal table's questions about keys."""

    def __init__(self, keys: KeyLoadingWork) -> None:
        super().__init__()
        self._keys = keys

    def maintenance_allowed(self) -> bool:
        """Whether keys may be loaded: the administrator has approved, or has chosen no password yet.

        Such a terminal is new. Split knowledge holds without it: whoever loads a key must
        know all its components, and can load a key, not read one.
        """
        administrator = self._keys.parts.operators.find(ADMINISTRATOR)
        is_new = administrator is not None and administrator.has_default_password
        return is_new or self._keys.parts.duty.key_loading_approved

    def lacks_master_key(self) -> bool:
        """No master key can be had: none is loaded, or what is stored was sealed by another device key."""
        secure = self._keys.parts.secure
        return not secure.has_root_key or not secure.self_test().ok

    def check_value_fits(self) -> bool:
        """The component and the check value that was typed belong together."""
        return self._keys.ceremony.fits(self._keys.check_digits.value())

    def components_missing(self) -> bool:
        """The key needs another custodian."""
        return self._keys.ceremony.components < COMPONENTS_MIN

    def component_allowed(self) -> bool:
        """One more component may follow: there are fewer than three."""
        return self._keys.ceremony.components < COMPONENTS_MAX
