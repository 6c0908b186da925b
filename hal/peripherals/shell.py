"""A peripheral in software on a pseudo-terminal: the I/O around the pure state machine.

Whoever has the shell turns it: `turn` whenever its descriptor is readable or its deadline has come. A
pseudo-terminal has no rate: `hal.peripherals.pacing` gives it one.
"""

from __future__ import annotations

import contextlib
import os
import pty
import socket
import tty
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from hal.peripherals.api import Peripheral

_READ_BYTES = 4096
_UNSENT_BYTES_MAX = 65_536


class Shell(Protocol):
    """What a peripheral's I/O has in common, whatever the line."""

    @property
    def path(self) -> str:
        """What the host opens as its serial port."""

    def filenos(self) -> Sequence[int]:
        """What to wait on."""

    def deadline_ms(self) -> int | None:
        """When to turn although nothing came in."""

    def turn(self, now_ms: int) -> bool:
        """Carry over what waits in both directions; whether anything moved."""

    def close(self) -> None:
        """Take the line away."""


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
        """The descriptor to wait on."""
        return self._master

    def filenos(self) -> Sequence[int]:
        """What to wait on."""
        return (self._master,)

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


class SocketShell:
    """A peripheral behind a TCP port of this machine: `socket://127.0.0.1:PORT` is its serial port.

    One host at a time; what comes while none is connected is lost, as on a cable that is not plugged in.
    """

    def __init__(self, peripheral: Peripheral, port: int) -> None:
        """Listen on 127.0.0.1; `port` 0 takes a free one. Raises OSError where the port cannot be had."""
        self.peripheral = peripheral
        self._server = socket.create_server(("127.0.0.1", port), backlog=1)
        self._server.setblocking(False)
        self._host: socket.socket | None = None

    @property
    def path(self) -> str:
        """The URL to open."""
        return f"socket://127.0.0.1:{self._server.getsockname()[1]}"

    def filenos(self) -> Sequence[int]:
        """What to wait on."""
        return (self._server.fileno() if self._host is None else self._host.fileno(),)

    def deadline_ms(self) -> int | None:
        """When to turn although nothing came in."""
        return self.peripheral.deadline_ms()

    def turn(self, now_ms: int) -> bool:
        """Carry over what waits in both directions; whether anything moved."""
        if self._host is None:
            with contextlib.suppress(BlockingIOError):
                self._host, _ = self._server.accept()
                self._host.setblocking(False)
        heard = self._read()
        self.peripheral.receive(heard, now_ms)
        said = self.peripheral.take_output()
        if said and self._host is not None:
            try:
                self._host.send(said)
            except BlockingIOError:
                pass  # nobody reads: a device's buffer is small
            except OSError:
                self._hang_up()
        return bool(heard or said)

    def close(self) -> None:
        """Hang up and listen no more. May be called twice."""
        self._hang_up()
        self._server.close()

    def _read(self) -> bytes:
        if self._host is None:
            return b""
        try:
            heard = self._host.recv(_READ_BYTES)
        except BlockingIOError:
            return b""
        except OSError:
            heard = b""
        if not heard:
            self._hang_up()
        return heard

    def _hang_up(self) -> None:
        host, self._host = self._host, None
        if host is not None:
            host.close()
