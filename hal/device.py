"""What most backends do alike: the parts of the Device contract that a simple device does not need."""

from __future__ import annotations

import select
from collections.abc import Sequence

from hal.api import DeviceEvent, SelfTest


def is_readable(fileno: int) -> bool:
    """Whether a read would return at once: with data, or because the other side is gone."""
    poller = select.poll()
    poller.register(fileno, select.POLLIN)
    return bool(poller.poll(0))


class QuietDevice:
    """A device that needs no opening, reports no events and wants no attention.

    Backends inherit from it and replace what is different for them. `is_open` is kept here.
    """

    def __init__(self) -> None:
        self._is_open = False

    @property
    def is_open(self) -> bool:
        """True between `open` and `close`."""
        return self._is_open

    def open(self) -> None:
        """Take the hardware: nothing to take."""
        self._is_open = True

    def close(self) -> None:
        """Give the hardware back."""
        self._is_open = False

    def self_test(self) -> SelfTest:
        """Report good health while open."""
        return SelfTest(ok=self._is_open, detail="" if self._is_open else "not open")

    def poll(self) -> Sequence[DeviceEvent]:
        """Return no events."""
        return ()

    def deadline_ms(self) -> int | None:
        """Return None: nothing is on its way."""
        return None

    def filenos(self) -> Sequence[int]:
        """Return nothing: there is no file to wait for."""
        return ()
