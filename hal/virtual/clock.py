"""A clock that moves only when told to."""

from __future__ import annotations

from datetime import datetime, timedelta

from hal.device import QuietDevice

_START = datetime.fromisoformat("2030-01-07 09:00:00")


class VirtualClock(QuietDevice):
    """Virtual time: starts at 0 ms and `start`, and both clocks move together, unless the date's drifts.

    Not modelled: clocks that stop while the power is off (advance it yourself).
    """

    def __init__(self, *, start: datetime = _START) -> None:
        super().__init__()
        self._monotonic_ms = 0
        self._wall_at_zero = start
        self._drift_ppm = 0

    def monotonic_ms(self) -> int:
        """Milliseconds since the clock was made."""
        return self._monotonic_ms

    def wall(self) -> datetime:
        """The date and time, naive."""
        return self._wall_at_zero + self._run()

    def set_wall(self, now: datetime) -> None:
        """Set the date and time; `monotonic_ms` does not notice."""
        self._wall_at_zero = now - self._run()

    def drift(self, ppm: int) -> None:
        """From now on let the date and time run fast by so many millionths, or slow (negative)."""
        now = self.wall()
        self._drift_ppm = ppm
        self.set_wall(now)

    def _run(self) -> timedelta:
        """How far the clock face has moved by now."""
        drift_us = self._monotonic_ms * self._drift_ppm // 1000
        return timedelta(0, 0, self._monotonic_ms * 1000 + drift_us)

    def advance(self, duration_ms: int) -> None:
        """Let `duration_ms` pass. Raises ValueError when negative."""
        self.advance_to(self._monotonic_ms + duration_ms)

    def advance_to(self, at_ms: int) -> None:
        """Let time pass until `monotonic_ms()` is `at_ms`. Raises ValueError when that is in the past."""
        if at_ms < self._monotonic_ms:
            raise ValueError(
                f"time does not run backwards: it is {self._monotonic_ms} ms already, past {at_ms} ms"
            )
        self._monotonic_ms = at_ms
