"""A key typed in components: each custodian knows one, nobody knows the key.

The plan. While a component is typed the keypad hands each key to `ComponentEntry.press`, as it does for a
PIN; the terminal asks `KeyCeremony.events` afterwards and learns how many digits there are, never which. A
component that fits its check value is kept in clear, in this room's memory, until the key is combined or the
ceremony is abandoned; then everything is overwritten. Nothing is stored before the key is whole.

A keypad has no letters. The hexadecimal digits A to F are the function keys and two arrows (F1 F2 F3 F4 UP
DOWN), or, on a keypad without them, the point followed by 1 to 6.

Sources: ANSI X9.24-1 section 7.4 (components, split knowledge), PCI PIN requirements 6-1 and 12.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from firmware.secure.errors import KeyFormat
from firmware.secure.key_loading import check_value_of
from firmware.secure.memory import SecretBytes, wipe, xor_in_place
from firmware.secure.tdes import CHECK_VALUE_BYTES
from hal.api import Key, Keypad

KEY_BYTES = 16
COMPONENT_DIGITS = 2 * KEY_BYTES
COMPONENTS_MIN, COMPONENTS_MAX = 2, 3
CHECK_VALUE_DIGITS = (6, 8)  # three bytes by custom, four in UnionPay's key letters
SERIAL_NUMBER_DIGITS = {"T": (20,), "A": (16, 24)}
"""Of DUKPT, by the key's algorithm; for AES the initial key's id, with or without its counter."""

_LETTER_KEYS = {Key.F1: 10, Key.F2: 11, Key.F3: 12, Key.F4: 13, Key.UP: 14, Key.DOWN: 15}
_LETTERS_AFTER_POINT = {str(number): 9 + number for number in range(1, 7)}


class HexKeys:
    """Turns keys into hexadecimal digits."""

    __slots__ = ("_after_point",)

    def __init__(self) -> None:
        self._after_point = False

    def press(self, key: Key) -> int | None:
        """The digit, 0 to 15, that this key completes; None when it completes none."""
        after_point, self._after_point = self._after_point, key is Key.POINT
        if after_point:
            return _LETTERS_AFTER_POINT.get(key.value)
        if key in _LETTER_KEYS:
            return _LETTER_KEYS[key]
        return int(key.digits) if len(key.digits) == 1 else None


@dataclass(frozen=True, slots=True)
class ComponentDigits:
    """The number of digits typed has changed to `count`."""

    count: int


@dataclass(frozen=True, slots=True)
class ComponentTooShort:
    """ENTER came before 32 digits were typed. The entry goes on."""


@dataclass(frozen=True, slots=True)
class ComponentTyped:
    """The component has all its digits. The entry is over; its check value comes next."""


@dataclass(frozen=True, slots=True)
class ComponentCancelled:
    """The custodian pressed CANCEL. The entry is over, its digits are wiped."""


ComponentEvent = ComponentDigits | ComponentTooShort | ComponentTyped | ComponentCancelled


class ComponentEntry:
    """One custodian typing one component of 32 hexadecimal digits. CLEAR begins again."""

    __slots__ = ("_component", "_count", "_events", "_hex", "_open")

    def __init__(self) -> None:
        self._component = SecretBytes(KEY_BYTES)  # full length from the start: growing it would leave copies
        self._count = 0
        self._events: list[ComponentEvent] = []
        self._hex = HexKeys()
        self._open = True

    @property
    def is_open(self) -> bool:
        """True until the component is typed or cancelled."""
        return self._open

    def press(self, key: Key) -> None:
        """Take a key from the keypad; those that mean nothing here are ignored."""
        if not self._open:
            return
        digit = self._hex.press(key)
        if digit is not None:
            self._type(digit)
        elif key is Key.CLEAR:
            self.wipe()
            self._events.append(ComponentDigits(0))
        elif key is Key.CANCEL:
            self.wipe()
            self._finish(ComponentCancelled())
        elif key is Key.ENTER and self._count == COMPONENT_DIGITS:
            self._finish(ComponentTyped())
        elif key is Key.ENTER:
            self._events.append(ComponentTooShort())

    def events(self) -> list[ComponentEvent]:
        """What happened since the last call, oldest first."""
        events, self._events = self._events, []
        return events

    def take(self) -> bytearray:
        """Move the component out, 16 bytes; the caller wipes it."""
        component = SecretBytes(self._component)
        self.wipe()
        return component

    def wipe(self) -> None:
        """Forget what was typed."""
        wipe(self._component)
        self._count = 0

    def _type(self, digit: int) -> None:
        if self._count < COMPONENT_DIGITS:
            shift = 0 if self._count % 2 else 4
            self._component[self._count // 2] |= digit << shift
            self._count += 1
            self._events.append(ComponentDigits(self._count))

    def _finish(self, outcome: ComponentEvent) -> None:
        self._open = False
        self._events.append(outcome)


class KeyCeremony:
    """Collects a key's components, one custodian after the other.

    The order of calls: for each component `begin_component`, `events` until ComponentTyped, then `fits` and
    `keep` or `drop`; after two or three, `combined_check_value` and `take_key`. `abandon` is always harmless
    and leaves nothing behind.
    """

    __slots__ = ("_entry", "_kept", "_keypad", "_typed", "algorithm")

    def __init__(self) -> None:
        self.algorithm = "T"  # what check values are calculated with: T, A or S, as in `key_loading`
        self._keypad: Keypad | None = None
        self._entry: ComponentEntry | None = None
        self._typed: bytearray | None = None  # complete, its check value not yet known to be right
        self._kept: list[bytearray] = []

    @property
    def components(self) -> int:
        """How many components are kept."""
        return len(self._kept)

    def begin_component(self, keypad: Keypad) -> None:
        """Take the keypad over until the component is typed, cancelled or abandoned."""
        self.drop()
        entry = ComponentEntry()
        keypad.begin_secure_entry(entry.press)
        self._keypad, self._entry = keypad, entry

    def events(self) -> list[ComponentEvent]:
        """What happened since the last call; to be asked after each poll of the devices."""
        entry = self._entry
        if entry is None:
            return []
        events = entry.events()
        if not entry.is_open:
            if isinstance(events[-1], ComponentTyped):
                self._typed = entry.take()
            self._leave_entry()
        return events

    def fits(self, expected: bytes) -> bool:
        """Whether the component just typed has this check value (its first 3 or 4 bytes)."""
        if self._typed is None or not expected:
            return False
        return hmac.compare_digest(self._check_value(self._typed)[: len(expected)], expected)

    def keep(self) -> bytes:
        """Keep the component just typed; returns its check value, 4 bytes. KeyFormat when there is none."""
        if self._typed is None or len(self._kept) >= COMPONENTS_MAX:
            raise KeyFormat(f"a key has {COMPONENTS_MIN} or {COMPONENTS_MAX} components, each typed once")
        self._kept.append(self._typed)
        component, self._typed = self._typed, None
        return self._check_value(component)

    def drop(self) -> None:
        """Forget the component that is being or was just typed; those that are kept stay."""
        if self._typed is not None:
            wipe(self._typed)
            self._typed = None
        self._leave_entry()

    def combined_check_value(self) -> bytes:
        """The check value of all components together, 4 bytes.

        Raises KeyFormat: too few components, or together they are no key (all zeros, or both halves alike,
        which is single DES): a component was typed twice.
        """
        key = self._combined()
        try:
            return self._check_value(key)
        finally:
            wipe(key)

    def take_key(self) -> bytearray:
        """The combined key, 16 bytes, which the caller wipes; the ceremony is over. Raises as above."""
        try:
            return self._combined()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Wipe everything and give the keypad back."""
        for component in self._kept:
            wipe(component)
        self._kept.clear()
        self.drop()

    def _combined(self) -> bytearray:
        if len(self._kept) < COMPONENTS_MIN:
            raise KeyFormat(f"{len(self._kept)} components are no key: it needs {COMPONENTS_MIN} at least")
        key = SecretBytes(KEY_BYTES)
        for component in self._kept:
            xor_in_place(key, component)
        half = KEY_BYTES // 2
        if memoryview(key)[:half] == memoryview(key)[half:]:
            wipe(key)
            raise KeyFormat("the components together are no key: was one of them typed twice?")
        return key

    def _check_value(self, key: bytearray) -> bytes:
        return check_value_of(key, self.algorithm)[:CHECK_VALUE_BYTES]

    def _leave_entry(self) -> None:
        entry, keypad = self._entry, self._keypad
        self._entry = self._keypad = None
        if entry is not None:
            entry.wipe()
        if keypad is not None:
            keypad.end_secure_entry()
