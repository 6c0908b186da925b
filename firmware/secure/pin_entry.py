"""PIN entry: from keys to a PIN, or to the reason why there is none.

The keypad hands each key to `PinEntry.press` while it is polled; the terminal asks `events` afterwards, with
the time. So the keys themselves carry no time: those handed over since the last question count as pressed
now. The rest of the firmware sees only the events below, and none of them tells a digit.

Digits live in one bytearray, one byte a digit, that is wiped when the entry is over, whatever the outcome.
"""

from __future__ import annotations

from dataclasses import dataclass

from firmware.secure.errors import PinFormat
from firmware.secure.memory import SecretBytes, wipe
from firmware.secure.pin_block import PIN_DIGITS_MAX, PIN_DIGITS_MIN
from hal.api import Key


@dataclass(frozen=True, slots=True)
class PinDigits:
    """The number of digits typed has changed to `count`: that many stars."""

    count: int


@dataclass(frozen=True, slots=True)
class PinTooShort:
    """ENTER came before enough digits were typed. The entry goes on."""


@dataclass(frozen=True, slots=True)
class PinReady:
    """The PIN is complete and enciphered; its block can be taken. The entry is over."""


@dataclass(frozen=True, slots=True)
class PinBypassed:
    """The cardholder pressed ENTER without a PIN, where that is allowed. The entry is over."""


@dataclass(frozen=True, slots=True)
class PinCancelled:
    """The cardholder pressed CANCEL. The entry is over."""


@dataclass(frozen=True, slots=True)
class PinTimedOut:
    """The whole entry, or one key, took too long. The entry is over."""


PinEvent = PinDigits | PinTooShort | PinReady | PinBypassed | PinCancelled | PinTimedOut


@dataclass(frozen=True, slots=True)
class PinRules:
    """How a PIN may be entered. Raises PinFormat unless 4 <= digits_min <= digits_max <= 12 (ISO 9564-1)."""

    digits_min: int = PIN_DIGITS_MIN
    digits_max: int = PIN_DIGITS_MAX
    total_timeout_ms: int = 60_000
    key_timeout_ms: int = 30_000
    bypass_allowed: bool = False

    def __post_init__(self) -> None:
        if not PIN_DIGITS_MIN <= self.digits_min <= self.digits_max <= PIN_DIGITS_MAX:
            raise PinFormat(
                f"PIN lengths {self.digits_min} to {self.digits_max} are not within"
                f" {PIN_DIGITS_MIN} to {PIN_DIGITS_MAX} digits"
            )


class PinEntry:
    """One cardholder typing one PIN."""

    __slots__ = (
        "_count",
        "_digits",
        "_events",
        "_key_seen",
        "_now_ms",
        "_open",
        "_rules",
        "_until_ms",
        "_wait_ms",
    )

    def __init__(self, rules: PinRules, *, now_ms: int) -> None:
        self._rules = rules
        self._digits = SecretBytes(
            PIN_DIGITS_MAX
        )  # full length from the start: growing it would leave copies
        self._count = 0
        self._events: list[PinEvent] = []
        self._open = True
        self._key_seen = False
        self._now_ms = now_ms
        self._until_ms = now_ms + rules.total_timeout_ms
        self._wait_ms = now_ms + rules.key_timeout_ms

    @property
    def is_open(self) -> bool:
        """True until the outcome is among the events."""
        return self._open

    def press(self, key: Key) -> None:
        """Take a key from the keypad. Keys that mean nothing here, DOUBLE_ZERO among them, are ignored."""
        if not self._open:
            return
        self._key_seen = True
        if key is Key.CANCEL:
            self._finish(PinCancelled())
        elif key is Key.CLEAR:
            self._clear()
        elif key is Key.ENTER:
            self._enter()
        elif len(key.digits) == 1:
            self._type(int(key.digits))

    def events(self, *, now_ms: int) -> list[PinEvent]:
        """What happened since the last call, oldest first. The last one is the outcome when not `is_open`."""
        self._now_ms = now_ms
        if self._key_seen:
            self._key_seen = False
            self._wait_ms = now_ms + self._rules.key_timeout_ms
        if self._open and now_ms >= min(self._until_ms, self._wait_ms):
            self._finish(PinTimedOut())
        events, self._events = self._events, []
        return events

    def deadline_ms(self) -> int | None:
        """When to call `events` next: at once when it has something to tell, else when time runs out."""
        if self._events:
            return self._now_ms
        return min(self._until_ms, self._wait_ms) if self._open else None

    def take_digits(self) -> bytearray:
        """Move the PIN out, one byte a digit; the caller wipes it."""
        digits = SecretBytes(self._count)
        digits[:] = memoryview(self._digits)[: self._count]
        self.wipe()
        return digits

    def wipe(self) -> None:
        """Forget the PIN."""
        wipe(self._digits)
        self._count = 0

    def _type(self, digit: int) -> None:
        if self._count < self._rules.digits_max:
            self._digits[self._count] = digit
            self._count += 1
            self._events.append(PinDigits(self._count))

    def _clear(self) -> None:
        if self._count:
            self.wipe()
            self._events.append(PinDigits(0))

    def _enter(self) -> None:
        if self._count >= self._rules.digits_min:
            self._open = False  # the digits stay until the PIN block has been made of them
            self._events.append(PinReady())
        elif self._count == 0 and self._rules.bypass_allowed:
            self._finish(PinBypassed())
        else:
            self._events.append(PinTooShort())

    def _finish(self, outcome: PinEvent) -> None:
        self.wipe()
        self._open = False
        self._events.append(outcome)
