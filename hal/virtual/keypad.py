"""A keypad that is pressed by a script. How keys queue, repeat, stick and stay secret: `hal.cores.keys`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from hal.api import Clock, DeviceEvent, Key
from hal.cores.keys import QUEUE_KEYS_MAX, KeyQueue
from hal.device import QuietDevice

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


class VirtualKeypad(QuietDevice):
    """A keypad with 16 keys and, as layout "full", four function keys and four arrows.

    Keys pressed while the keypad is closed, or while its queue is full, are lost (`dropped_keys` counts).
    Not modelled: bounce, two keys at once, travel time between press and release (see `hold`).
    """

    def __init__(
        self,
        clock: Clock,
        *,
        layout: Literal["full", "compact"] = "full",
        queue_keys_max: int = QUEUE_KEYS_MAX,
    ) -> None:
        super().__init__()
        self.layout: tuple[KeyRow, ...] = _LAYOUTS[layout]
        """The rows of keys as they lie on the case, from the top."""
        self._has = frozenset(key for row in self.layout for key in row)
        self._clock = clock
        self._keys = KeyQueue(keys_max=queue_keys_max)
        self._dropped_while_closed = 0

    # --- the terminal's side ---

    @property
    def dropped_keys(self) -> int:
        """How many keys were lost."""
        return self._keys.dropped_keys + self._dropped_while_closed

    def begin_secure_entry(self, sink: Callable[[Key], None]) -> None:
        """Hand every key to `sink` from now on. Keys typed ahead are dropped: they were no PIN."""
        self._keys.begin_secure_entry(sink)

    def end_secure_entry(self) -> None:
        """Return to ordinary mode. A key that is still down counts as held from now on, without repeat."""
        self._keys.end_secure_entry(self._clock.monotonic_ms())

    def poll(self) -> Sequence[DeviceEvent]:
        """Return the keys since the last call, or hand them to the sink and return nothing."""
        return self._keys.take(self._clock.monotonic_ms())

    def deadline_ms(self) -> int | None:
        """When the held key repeats, or counts as stuck."""
        return self._keys.deadline_ms()

    def close(self) -> None:
        """Let go of everything: queue, held key and sink."""
        self._keys.clear()
        super().close()

    # --- the fingers ---

    def press(self, *keys: Key | str) -> None:
        """Press and release keys one after the other, given as Key or by name ("7", "enter").

        Raises ValueError for a key that this keypad does not have; none of the keys is pressed then.
        """
        for key in [self._key(key) for key in keys]:
            if self._is_open:
                self._keys.press(key)
            else:
                self._dropped_while_closed += 1

    def type_digits(self, digits: str) -> None:
        """Press the digit keys of `digits`, one a character. Raises ValueError for anything but 0 to 9."""
        if not (digits.isascii() and digits.isdigit()):
            raise ValueError("type_digits takes the digits 0 to 9 only; use press() for other keys")
        self.press(*digits)

    def hold(self, key: Key | str) -> None:
        """Press a key and keep it down until `release`; another key that is down is released first."""
        self._keys.hold(self._key(key), self._clock.monotonic_ms())

    def release(self) -> None:
        """Let the held key go. Harmless when there is none."""
        self._keys.release(self._clock.monotonic_ms())

    def is_busy(self, now_ms: int) -> bool:  # noqa: ARG002 - scripts ask every keypad
        """Never: a script's fingers take no time."""
        return False

    def _key(self, key: Key | str) -> Key:
        try:
            found = Key(key)
        except ValueError:
            raise ValueError(f"no key has this name; the names are: {self._key_names()}") from None
        if found not in self._has:
            raise ValueError(f"this keypad has no key {found.value!r}; it has: {self._key_names()}")
        return found

    def _key_names(self) -> str:
        return " ".join(key.value for row in self.layout for key in row)
