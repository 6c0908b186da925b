"""A peripheral in software on a pseudo-terminal: the I/O around the pure state machine.

Whoever has the shell turns it: `turn` whenever its descriptor is readable or its deadline has come. A
pseudo-terminal has no rate: `hal.peripherals.pacing` gives it one.
"""

from __future__ import annotations

import contextlib
import os
import pty
import tty
from pathlib import Path

from hal.peripherals.api import Peripheral

_READ_BYTES = 4096
_UNSENT_BYTES_MAX = 65_536


class PtyShell:
    """A peripheral behind a pseudo-terminal. Open `path`, or `link` where one is wanted, as a serial port.

    Its own end stays open when the host closes the port, as a device does not notice that a program ends.
    """

    def __init__(self, peripheral: Peripheral, *, link: Path | None = None) -> None:
        """Make the pseudo-terminal. Raises FileExistsError where `link` is something else than a link."""
        self.peripheral = peripheral
        self.link = link
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self._unsent = bytearray()
        self.sent_bytes = 0
        """How many bytes the host's port was given."""
        if link is not None:
            try:
                if link.is_symlink():
                    link.unlink()
                link.symlink_to(self.path)
            except OSError:
                self.close()
                raise

    @property
    def path(self) -> str:
        """The device to open."""
        return os.ttyname(self._slave)

    def fileno(self) -> int:
        """What to wait on."""
        return self._master

    def deadline_ms(self) -> int | None:
        """When to turn although nothing came in."""
        return self.peripheral.deadline_ms()

    def turn(self, now_ms: int) -> bool:
        """Carry over what waits in both directions; whether anything moved."""
        heard = self._read()
        self.peripheral.receive(heard, now_ms)
        self._unsent += self.peripheral.take_output()
        sent_before = self.sent_bytes
        with contextlib.suppress(BlockingIOError):
            while self._unsent:
                taken = os.write(self._master, self._unsent)
                del self._unsent[:taken]
                self.sent_bytes += taken
        del self._unsent[_UNSENT_BYTES_MAX:]  # nobody reads: a device's buffer is small
        return bool(heard) or self.sent_bytes > sent_before

    def close(self) -> None:
        """Take the pseudo-terminal away: the host sees its port vanish. May be called twice."""
        if self._master < 0:
            return
        if self.link is not None and self.link.is_symlink() and str(self.link.readlink()) == self.path:
            self.link.unlink()
        os.close(self._slave)
        os.close(self._master)
        self._master = self._slave = -1

    def _read(self) -> bytes:
        try:
            return os.read(self._master, _READ_BYTES)
        except BlockingIOError:
            return b""
