"""A keypad that is pressed by a script, with key repeat, stuck keys and the secure mode for PIN entry.

One queue holds the keys that went down and were not polled yet, bounded like the buffer of a real keypad
controller. In secure mode `poll` empties it into the sink, and says nothing that would tell a digit: a held
key does not repeat, and it is not reported as stuck before the secure mode has ended.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from hal.api import Clock, DeviceEvent, Key, KeyPressed, KeyStuck
from hal.device import QuietDevice

REPEAT_DELAY_MS = 500
REPEAT_PERIOD_MS = 100
STUCK_AFTER_MS = 10_000
REPEATING_KEYS = frozenset({Key.CLEAR, Key.UP, Key.DOWN, Key.LEFT, Key.RIGHT})
"""Keys that repeat while held. Digits never do: a slow finger must not type an amount twice."""

KeyRow = tuple[Key, ...]

_COMPACT: tuple[KeyRow, ...] = (
    (Key.DIGIT_1, Key.DIGIT_2, Key.DIGIT_3, Key.CANCEL),
    (Key.DIGIT_4, Key.DIGIT_5, Key.DIGIT_6, Key.CLEAR),
    (Key.DIGIT_7, Key.DIGIT_8, Key.DIGIT_9, Key.ENTER),
    (Key.DOUBLE_ZERO, Key.DIGIT_0, Key.POINT),
)
_FULL: tuple[KeyRow, ...] = (
    (Key.F1, Key.F2, Key.F3, Key.F4),
    (Key.LEFT, Key.UP, Key.DOWN, Key.RIGHT),
    *_COMPACT,
)
_LAYOUTS = {"compact": _COMPACT, "full": _FULL}


@dataclass(slots=True)
class _HeldKey:
    """The key that is down now. `next_repeat_ms` is None when it does not (or no longer) repeat."""

    key: Key
    stuck_at_ms: int | None
    next_repeat_ms: int | None


class VirtualKeypad(QuietDevice):
    """A keypad with 16 keys and, as layout "full", four function keys and four arrows.

    Keys pressed while the keypad is closed, or while its queue is full, are lost (`dropped_keys` counts).
    Not modelled: bounce, two keys at once, travel time between press and release (see `hold`).
    """

    def __init__(
        self, clock: Clock, *, layout: Literal["full", "compact"] = "full", queue_keys_max: int = 64
    ) -> None:
        super().__init__()
        self.layout: tuple[KeyRow, ...] = _LAYOUTS[layout]
        """The rows of keys as they lie on the case, from the top."""
        self.dropped_keys = 0
        self._clock = clock
        self._queue_keys_max = queue_keys_max
        self._queue: deque[Key] = deque()
        self._held: _HeldKey | None = None
        self._sink: Callable[[Key], None] | None = None

    # --- the terminal's side ---

    def begin_secure_entry(self, sink: Callable[[Key], None]) -> None:
        """Hand every key to `sink` from now on. Keys typed ahead are dropped: they were no PIN."""
        self._queue.clear()
        self._stop_repeat()
        self._sink = sink

    def end_secure_entry(self) -> None:
        """Return to ordinary mode. A key that is still down counts as held from now on, without repeat."""
        if self._sink is None:
            return
        self._sink = None
        self._queue.clear()
        if self._held is not None:
            self._held.stuck_at_ms = self._clock.monotonic_ms() + STUCK_AFTER_MS

    def poll(self) -> Sequence[DeviceEvent]:
        """Return the keys since the last call, or hand them to the sink and return nothing."""
        self._repeat_held_key()
        if self._sink is not None:
            while self._queue and self._sink is not None:  # the sink itself may end the secure entry
                self._sink(self._queue.popleft())
            return ()
        events: list[DeviceEvent] = [KeyPressed(key) for key in self._queue]
        self._queue.clear()
        return events + self._stuck_key()

    def deadline_ms(self) -> int | None:
        """When the held key repeats, or counts as stuck."""
        if self._held is None or self._sink is not None:
            return None
        moments = (self._held.next_repeat_ms, self._held.stuck_at_ms)
        return min((at_ms for at_ms in moments if at_ms is not None), default=None)

    def close(self) -> None:
        """Let go of everything: queue, held key and sink."""
        self._queue.clear()
        self._held = None
        self._sink = None
        super().close()

    # --- the fingers ---

    def press(self, *keys: Key | str) -> None:
        """Press and release keys one after the other, given as Key or by name ("7", "enter").

        Raises ValueError for a key that this keypad does not have; none of the keys is pressed then.
        """
        for key in [self._key(key) for key in keys]:
            self._enqueue(key)

    def type_digits(self, digits: str) -> None:
        """Press the digit keys of `digits`, one a character. Raises ValueError for anything but 0 to 9."""
        if not (digits.isascii() and digits.isdigit()):
            raise ValueError("type_digits takes the digits 0 to 9 only; use press() for other keys")
        self.press(*digits)

    def hold(self, key: Key | str) -> None:
        """Press a key and keep it down until `release`; another key that is down is released first."""
        held = self._key(key)
        now_ms = self._clock.monotonic_ms()
        repeats = held in REPEATING_KEYS and self._sink is None
        self._enqueue(held)
        self._held = _HeldKey(held, now_ms + STUCK_AFTER_MS, now_ms + REPEAT_DELAY_MS if repeats else None)

    def release(self) -> None:
        """Let the held key go. Harmless when there is none."""
        self._repeat_held_key()
        self._held = None

    def _key(self, key: Key | str) -> Key:
        try:
            found = Key(key)
        except ValueError:
            raise ValueError(f"no key has this name; the names are: {self._key_names()}") from None
        if not any(found in row for row in self.layout):
            raise ValueError(f"this keypad has no key {found.value!r}; it has: {self._key_names()}")
        return found

    def _key_names(self) -> str:
        return " ".join(key.value for row in self.layout for key in row)

    def _enqueue(self, key: Key) -> None:
        if self._is_open and len(self._queue) < self._queue_keys_max:
            self._queue.append(key)
        else:
            self.dropped_keys += 1

    def _repeat_held_key(self) -> None:
        """Queue the repeats that are due, up to the moment at which the key counts as stuck."""
        held = self._held
        while held is not None and held.next_repeat_ms is not None:
            if held.next_repeat_ms > self._clock.monotonic_ms():
                return
            self._enqueue(held.key)
            held.next_repeat_ms += REPEAT_PERIOD_MS
            if held.stuck_at_ms is None or held.next_repeat_ms >= held.stuck_at_ms:
                held.next_repeat_ms = None

    def _stop_repeat(self) -> None:
        if self._held is not None:
            self._held.next_repeat_ms = None

    def _stuck_key(self) -> list[DeviceEvent]:
        held = self._held
        if held is None or held.stuck_at_ms is None or held.stuck_at_ms > self._clock.monotonic_ms():
            return []
        held.stuck_at_ms = None
        return [KeyStuck(held.key)]
