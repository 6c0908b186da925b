"""The clock of the machine that the terminal runs on."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from hal.device import QuietDevice


def _machine_wall() -> datetime:
    """The machine's local date and time, naive."""
    return datetime.now(tz=UTC).astimezone().replace(tzinfo=None)


class SystemClock(QuietDevice):
    """Real time. Setting it keeps an offset to the machine's clock, which is never touched.

    The offset is lost at power off: the bank's time comes again with the next sign-in.
    """

    def __init__(self) -> None:
        super().__init__()
        self._offset = timedelta()

    def monotonic_ms(self) -> int:
        """Milliseconds since some moment; corrections of the machine's clock do not show."""
        return time.monotonic_ns() // 1_000_000

    def wall(self) -> datetime:
        """The terminal's date and time, naive."""
        return _machine_wall() + self._offset

    def set_wall(self, now: datetime) -> None:
        """Set the terminal's date and time."""
        self._offset = now - _machine_wall()
