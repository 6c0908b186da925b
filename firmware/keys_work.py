"""Loading a key at the terminal: what the terminal table's guards and effects for it do.

Two or three custodians type one component each. The digits go from the keypad into the secure room
(`firmware.secure.component_entry`); here only their number is seen. What is shown in clear are check values,
the one that a custodian types and those that the secure room answers with.
"""

from __future__ import annotations

from dataclasses import replace

from firmware.key_entry import HexEditor, KeyChoice
from firmware.operators import ADMINISTRATOR
from firmware.secure.component_entry import (
    CHECK_VALUE_DIGITS,
    COMPONENTS_MAX,
    COMPONENTS_MIN,
    SERIAL_NUMBER_DIGITS,
    ComponentCancelled,
    ComponentDigits,
    ComponentEvent,
    ComponentTooShort,
    ComponentTyped,
    KeyCeremony,
)
from firmware.secure.errors import SecureError
from firmware.secure.key_loading import KeyKind
from firmware.secure.key_use import KeyUse
from firmware.secure.memory import wipe
from firmware.txn.schema import Keys
from firmware.work import Guards, Parts, Signal, Work
from hal.api import Key


class KeyLoadingWork(Work):
    """The part of the terminal's work that loads a key from components."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self.ceremony = KeyCeremony()
        self.choice = self._new_choice()
        self.check_digits = HexEditor(CHECK_VALUE_DIGITS)
        self.serial_digits = self._new_serial_digits()
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
        if mode is Keys.SERIAL_NUMBER:
            return _typed(self.serial_digits, key, Signal("serial_number_typed"))
        if mode is Keys.CHECK_VALUE:
            return _typed(self.check_digits, key, Signal("check_value_typed"))
        return None

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
        self.choice = self._new_choice()

    def begin_serial_number(self, _data: object) -> None:
        """The initial key's serial number is typed in the open: it goes with every message."""
        self.serial_digits = self._new_serial_digits()

    def begin_component(self, _data: object) -> None:
        """The keypad belongs to the secure room until the component is typed."""
        self.component_digits = 0
        self.ceremony.algorithm = self._kind.algorithm
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
        self.serial_digits.reset()
        self.shown_check_value = ""
        self.key_error = ""

    # --- their parts --------------------------------------------------------------------------------

    def _store(self, key: bytearray) -> None:
        self.parts.secure.load_key(self._kind, key)

    @property
    def _kind(self) -> KeyKind:
        """What the key at hand is to be."""
        kind = self.parts.secure.kind_of_key(self.choice.use, self.choice.index)
        if kind.use is not KeyUse.DUKPT:
            return kind
        ksn = self.serial_digits.value()
        return replace(kind, ksn=ksn.ljust(SERIAL_NUMBER_DIGITS[kind.algorithm][-1] // 2, b"\0"))

    def _new_choice(self) -> KeyChoice:
        first = KeyUse.DUKPT if self.parts.secure.security.is_dukpt else KeyUse.TMK
        return KeyChoice(first, self.parts.settings.master_key_index)

    def _new_serial_digits(self) -> HexEditor:
        return HexEditor(SERIAL_NUMBER_DIGITS[self.parts.secure.kind_of_key(KeyUse.DUKPT).algorithm])

    def _refuse(self, error: SecureError) -> None:
        self.ceremony.abandon()
        self.key_error = f"{error.code} {error}"
        self.parts.kernel.post_first(Signal("key_refused"))


def _typed(editor: HexEditor, key: Key, done: Signal) -> Signal | bool:
    """What comes of a key while digits are typed: ENTER is good when there are enough."""
    if key is not Key.ENTER:
        return editor.press(key)
    return done if editor.is_complete else False


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

    def has_serial_number(self) -> bool:
        """The key that was chosen goes with a serial number: it is the initial key of DUKPT."""
        return self._keys.choice.use is KeyUse.DUKPT

    def check_value_fits(self) -> bool:
        """The component and the check value that was typed belong together."""
        return self._keys.ceremony.fits(self._keys.check_digits.value())

    def components_missing(self) -> bool:
        """The key needs another custodian."""
        return self._keys.ceremony.components < COMPONENTS_MIN

    def component_allowed(self) -> bool:
        """One more component may follow: there are fewer than three."""
        return self._keys.ceremony.components < COMPONENTS_MAX
