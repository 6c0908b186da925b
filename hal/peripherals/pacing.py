"""A line rate around a peripheral: bytes take their time in both directions."""

from __future__ import annotations

from collections import deque

from hal.peripherals.api import Peripheral

_QUEUED_BYTES_MAX = 65_536


class _Pace:
    """One direction of a line: bytes in, and out again one character's time after the other."""

    def __init__(self, character_us: float) -> None:
        self._character_us = character_us
        self._free_at_us = 0.0  # when the last character that was taken is through
        self._on_line: deque[tuple[float, int]] = deque()

    def put(self, data: bytes, now_ms: int) -> None:
        for byte in data[: _QUEUED_BYTES_MAX - len(self._on_line)]:
            self._free_at_us = max(self._free_at_us, now_ms * 1000.0) + self._character_us
            self._on_line.append((self._free_at_us, byte))

    def take(self, now_ms: int) -> bytes:
        through = bytearray()
        while self._on_line and self._on_line[0][0] <= now_ms * 1000.0:
            through.append(self._on_line.popleft()[1])
        return bytes(through)

    def deadline_ms(self) -> int | None:
        return int(-(-self._on_line[0][0] // 1000)) if self._on_line else None


class Paced:
    """A peripheral behind a line of `bits_per_s`; itself a peripheral.

    `bits_per_character`: 10 for 8N1 with its start and stop bit, 11 with parity.
    """

    def __init__(self, peripheral: Peripheral, bits_per_s: int, *, bits_per_character: int = 10) -> None:
        if bits_per_s <= 0:
            raise ValueError(f"a line rate is positive, not {bits_per_s}")
        character_us = bits_per_character * 1_000_000 / bits_per_s
        self.peripheral = peripheral
        self._to_peripheral, self._to_host = _Pace(character_us), _Pace(character_us)
        self._now_ms = 0

    def receive(self, data: bytes, now_ms: int) -> None:
        """Put bytes on the line; what has crossed it by now arrives."""
        self._now_ms = now_ms
        self._to_peripheral.put(data, now_ms)
        self.peripheral.receive(self._to_peripheral.take(now_ms), now_ms)

    def take_output(self) -> bytes:
        """What has crossed the line to the host."""
        self._to_host.put(self.peripheral.take_output(), self._now_ms)
        return self._to_host.take(self._now_ms)

    def deadline_ms(self) -> int | None:
        """When the next byte is through, or the peripheral wants to be called."""
        moments = (
            self._to_peripheral.deadline_ms(),
            self._to_host.deadline_ms(),
            self.peripheral.deadline_ms(),
        )
        return min((at_ms for at_ms in moments if at_ms is not None), default=None)
