"""A queue of keys with repeat, stuck keys and the secure mode: the half of a keypad that is no hardware.

One queue holds the keys that went down and were not polled yet, bounded like the buffer of a real keypad
controller. In secure mode `take` empties it into the sink, and says nothing that would tell a digit: a held
key does not repeat, and it is not reported as stuck before the secure mode has ended.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hal.api import DeviceEvent, Key, KeyPressed, KeyStuck

REPEAT_DELAY_MS = 500
REPEAT_PERIOD_MS = 100
STUCK_AFTER_MS = 10_000
REPEATING_KEYS = frozenset({Key.CLEAR, Key.UP, Key.DOWN, Key.LEFT, Key.RIGHT})
"""Keys that repeat while held. Digits never do: a slow finger must not type an amount twice."""

QUEUE_KEYS_MAX = 64


@dataclass(slots=True)
class _HeldKey:
    """The key that is down now. `next_repeat_ms` is None when it does not (or no longer) repeat."""

    key: Key
    stuck_at_ms: int | None
    next_repeat_ms: int | None


class KeyQueue:
    """Keys between fingers and firmware."""

    def __init__(self, *, keys_max: int = QUEUE_KEYS_MAX) -> None:
        self.dropped_keys = 0
        """How many keys were lost because the queue was full."""
        self._keys_max = keys_max
        self._queue: deque[Key] = deque()
        self._held: _HeldKey | None = None
        self._sink: Callable[[Key], None] | None = None

    # --- the fingers ---

    def press(self, key: Key) -> None:
        """A key went down and up again."""
        if len(self._queue) < self._keys_max:
            self._queue.append(key)
        else:
            self.dropped_keys += 1

    def hold(self, key: Key, now_ms: int) -> None:
        """A key went down and stays; another one that is down counts as released."""
        self.press(key)
        self.hold_again(key, now_ms)

    def hold_again(self, key: Key, now_ms: int) -> None:
        """A key whose contact bounced is still the one that is down: it types nothing more."""
        repeats = key in REPEATING_KEYS and self._sink is None
        self._held = _HeldKey(key, now_ms + STUCK_AFTER_MS, now_ms + REPEAT_DELAY_MS if repeats else None)

    def release(self, now_ms: int, key: Key | None = None) -> None:
        """Let the held key go, if it is `key` (None: whichever it is)."""
        self._repeat_held_key(now_ms)
        if self._held is not None and key in {None, self._held.key}:
            self._held = None

    @property
    def held(self) -> Key | None:
        """The key that is down."""
        return self._held.key if self._held is not None else None

    # --- the firmware ---

    def begin_secure_entry(self, sink: Callable[[Key], None]) -> None:
        """Hand every key to `sink` from now on. Keys typed ahead are dropped: they were no PIN."""
        self._queue.clear()
        if self._held is not None:
            self._held.next_repeat_ms = None
        self._sink = sink

    def end_secure_entry(self, now_ms: int) -> None:
        """Return to ordinary mode. A key that is still down counts as held from now on, without repeat."""
        if self._sink is None:
            return
        self._sink = None
        self._queue.clear()
        if self._held is not None:
            self._held.stuck_at_ms = now_ms + STUCK_AFTER_MS

    @property
    def is_secure(self) -> bool:
        """True during a secure entry."""
        return self._sink is not None

    def take(self, now_ms: int) -> Sequence[DeviceEvent]:
        """Return the keys since the last call, or hand them to the sink and return nothing."""
        if self._held is not None:
            self._repeat_held_key(now_ms)
        if self._sink is not None:
            while self._queue and self._sink is not None:  # the sink itself may end the secure entry
                self._sink(self._queue.popleft())
            return ()
        if not self._queue and self._held is None:
            return []
        events: list[DeviceEvent] = [KeyPressed(key) for key in self._queue]
        self._queue.clear()
        return events + self._stuck_key(now_ms)

    def deadline_ms(self) -> int | None:
        """When the held key repeats, or counts as stuck."""
        if self._held is None or self._sink is not None:
            return None
        moments = (self._held.next_repeat_ms, self._held.stuck_at_ms)
        return min((at_ms for at_ms in moments if at_ms is not None), default=None)

    def clear(self) -> None:
        """Let go of everything: queue, held key and sink."""
        self._queue.clear()
        self._held = None
        self._sink = None

    def _repeat_held_key(self, now_ms: int) -> None:
        """Queue the repeats that are due, up to the moment at which the key counts as stuck."""
        held = self._held
        while held is not None and held.next_repeat_ms is not None:
            if held.next_repeat_ms > now_ms:
                return
            self.press(held.key)
            held.next_repeat_ms += REPEAT_PERIOD_MS
            if held.stuck_at_ms is None or held.next_repeat_ms >= held.stuck_at_ms:
                held.next_repeat_ms = None

    def _stuck_key(self, now_ms: int) -> list[DeviceEvent]:
        held = self._held
        if held is None or held.stuck_at_ms is None or held.stuck_at_ms > now_ms:
            return []
        held.stuck_at_ms = None
        return [KeyStuck(held.key)]
