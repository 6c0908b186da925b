"""A keypad in software: fingers on one side, the characters or key codes of a serial keypad on the other.

A finger takes time: a key is down for `HELD_MS`, and the next one comes `BETWEEN_KEYS_MS` after it, so that
whoever listens sees keys as a person types them. Contacts may bounce.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Literal

HELD_MS = 40
BETWEEN_KEYS_MS = 40
REPEAT_DELAY_MS, REPEAT_PERIOD_MS = 500, 90
_BOUNCE_MS = 4

KeypadProtocol = Literal["ascii", "scancodes"]

# What the keypad sends for a key, by the key's name. ASCII with a VT100's keys; make codes of IBM's set 1.
_CHARACTERS: Mapping[str, bytes] = {
    **{digit: digit.encode() for digit in "0123456789."},
    "00": b"00",
    "enter": b"\r",
    "clear": b"\x08",
    "cancel": b"\x1b",
    **{f"f{index}": b"\x1bO" + b"PQRS"[index - 1 : index] for index in range(1, 5)},
    **{
        name: b"\x1b[" + letter
        for name, letter in zip(("up", "down", "right", "left"), (b"A", b"B", b"C", b"D"), strict=True)
    },
}
_MAKE_CODES: Mapping[str, bytes] = {
    **{
        digit: bytes((code,))
        for digit, code in zip("7894561230.", b"\x47\x48\x49\x4b\x4c\x4d\x4f\x50\x51\x52\x53", strict=True)
    },
    "enter": b"\x1c",
    "clear": b"\x0e",
    "cancel": b"\x01",
    **{f"f{index}": bytes((0x3A + index,)) for index in range(1, 5)},
    "up": b"\xe0\x48",
    "down": b"\xe0\x50",
    "left": b"\xe0\x4b",
    "right": b"\xe0\x4d",
}


class Keypad:
    """A keypad's far side (`hal.peripherals.api.Peripheral`). What the host sends is ignored.

    `bounces`: how often a contact opens and closes again before it stays closed. Keys have the names of
    hal.api.Key; with key codes there is no "00", and a key that is held repeats its make code.
    """

    def __init__(self, protocol: KeypadProtocol = "ascii", *, bounces: int = 0) -> None:
        self.protocol = protocol
        self.bounces = bounces
        self._codes = _CHARACTERS if protocol == "ascii" else _MAKE_CODES
        self._now_ms = 0
        self._free_at_ms = 0  # when the next finger may come down
        self._coming: deque[tuple[int, bytes]] = deque()
        self._held: tuple[bytes, int] | None = None  # the key that is down, and when it repeats next
        self._output = bytearray()

    # --- the line ---

    def receive(self, data: bytes, now_ms: int) -> None:  # noqa: ARG002 - a keypad listens to nobody
        """Let time pass: keys that are due by `now_ms` are sent."""
        self._now_ms = max(self._now_ms, now_ms)
        while self._coming and self._coming[0][0] <= self._now_ms:
            self._output += self._coming.popleft()[1]
        while self._held is not None and self._held[1] <= self._now_ms:
            code, at_ms = self._held
            self._output += code
            self._held = (code, at_ms + REPEAT_PERIOD_MS)

    def take_output(self) -> bytes:
        """What the keypad has sent."""
        output = bytes(self._output)
        self._output.clear()
        return output

    def deadline_ms(self) -> int | None:
        """When the next key is due."""
        moments = [at_ms for at_ms, _ in list(self._coming)[:1]]
        moments += [self._held[1]] if self._held is not None else []
        return min(moments, default=None)

    # --- the fingers ---

    def press(self, *keys: str) -> None:
        """Press and release keys one after the other. Raises ValueError for an unknown key: none then."""
        for code in [self._code(key) for key in keys]:
            at_ms = max(self._now_ms, self._free_at_ms)
            self._strike(code, at_ms)
            if self.protocol == "scancodes":
                self._coming.append((at_ms + HELD_MS, _broken(code)))
            self._free_at_ms = at_ms + HELD_MS + BETWEEN_KEYS_MS
        self.receive(b"", self._now_ms)

    def hold(self, key: str) -> None:
        """Press a key and keep it down until `release`."""
        code = self._code(key)
        self._strike(code, self._now_ms)
        self._held = (code, self._now_ms + REPEAT_DELAY_MS)
        self.receive(b"", self._now_ms)

    def release(self) -> None:
        """Let the held key go."""
        if self._held is not None and self.protocol == "scancodes":
            self._output += _broken(self._held[0])
        self._held = None

    def is_busy(self, now_ms: int) -> bool:
        """While keys that were pressed are still being typed, the last finger's time included."""
        return now_ms < self._free_at_ms

    def _code(self, key: str) -> bytes:
        if key not in self._codes:
            raise ValueError(f"this keypad has no such key; it has: {' '.join(self._codes)}")
        return self._codes[key]

    def _strike(self, code: bytes, at_ms: int) -> None:
        for bounce in range(self.bounces):
            moment_ms = at_ms + bounce * _BOUNCE_MS
            self._coming.append((moment_ms, code))
            if self.protocol == "scancodes":
                self._coming.append((moment_ms + _BOUNCE_MS // 2, _broken(code)))
        self._coming.append((at_ms + self.bounces * _BOUNCE_MS, code))


def _broken(code: bytes) -> bytes:
    """The break code of a make code: its last byte with the high bit."""
    return code[:-1] + bytes((code[-1] | 0x80,))
