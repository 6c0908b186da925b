"""Serial ports, sockets and loopback, opened by name; and a null modem of two pseudo-terminals. Linux only.

`open_port` takes what pyserial takes: a device path (`/dev/ttyUSB0`, a pseudo-terminal), `socket://host:port`,
`rfc2217://host:port`, `loop://`. A port never blocks: `read` gives what is there, `write` drops what does
not fit.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pty
import select
import tty
from collections.abc import Callable
from typing import TYPE_CHECKING

from host_link.errors import PortBusy, PortError, PortMissing, PortVanished

if TYPE_CHECKING:
    import serial

_READ_BYTES = 4096
_BUSY = frozenset({errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK})

Tap = Callable[[str, bytes], None]
"""Is told what crosses a null modem: the end that sent it ("a" or "b"), and the bytes."""


class Port:
    """An open port."""

    def __init__(self, name: str, port: serial.SerialBase) -> None:
        self.name = name
        self._port = port

    def fileno(self) -> int | None:
        """A descriptor that is readable when there are bytes; None for ports that have none (`loop://`)."""
        try:
            return int(self._port.fileno())
        except (AttributeError, OSError):  # io.UnsupportedOperation is an OSError
            return None

    def read(self, *, timeout_s: float = 0.0) -> bytes:
        """The bytes that are there, after waiting up to `timeout_s` for the first. Raises PortVanished."""
        try:
            first = self._wait_for_byte(timeout_s) if timeout_s else b""
            return first + bytes(self._port.read(_READ_BYTES))
        except OSError as error:  # pyserial's SerialException is one
            raise self._vanished() from error

    def write(self, data: bytes) -> None:
        """Send bytes and return at once. What the port does not take is dropped, as on a cut line.

        Raises PortVanished.
        """
        descriptor = self.fileno()
        try:
            if descriptor is None:
                self._port.write(data)
            else:
                # Not pyserial's write: it waits for room, and a pseudo-terminal that nobody reads has none.
                with contextlib.suppress(BlockingIOError):
                    os.write(descriptor, data)
        except OSError as error:
            raise self._vanished() from error

    def close(self) -> None:
        """Give the port back. May be called twice."""
        with contextlib.suppress(OSError):
            self._port.close()

    def _wait_for_byte(self, timeout_s: float) -> bytes:
        self._port.timeout = timeout_s
        try:
            return bytes(self._port.read(1))
        finally:
            self._port.timeout = 0

    def _vanished(self) -> PortVanished:
        return PortVanished(f"{self.name} is gone: check the cable or the adapter")


def open_port(name: str, bits_per_s: int = 115_200) -> Port:
    """Open a port: 8N1, no flow control, for this process only.

    Raises PortMissing and PortBusy; the text says what to do.
    """
    import serial

    try:
        port = serial.serial_for_url(name, baudrate=bits_per_s, timeout=0, do_not_open=True)
        if "://" not in name:
            port.exclusive = True
        port.open()
    except (OSError, ValueError) as error:
        raise _why_not(name, error) from error
    return Port(name, port)


def _why_not(name: str, error: Exception) -> PortError:
    """The many ways in which pyserial says no, as two."""
    number = getattr(error, "errno", None)
    if number in _BUSY or "exclusively lock" in str(error):
        return PortBusy(f"{name} is in use by another process: end that one, or choose another port")
    if number == errno.EACCES:
        return PortMissing(
            f"{name} may not be opened: add yourself to the group that owns it (often dialout)"
        )
    if isinstance(error, ValueError):
        return PortMissing(f"{name} is not a port name: give a device path, socket://, rfc2217:// or loop://")
    what = "connect it, or check its name" if "://" not in name else "start the other side first"
    return PortMissing(f"{name} cannot be opened: {what}")


class NullModem:
    """Two pseudo-terminals joined like by a cable: what is written to one is read from the other.

    `path_a` and `path_b` are what to open. The owner turns it: `pump()` whenever one of `filenos()` is
    readable. The cable can be pulled and plugged again; bytes written in between are lost, as on a real one.
    It has no rate: bytes cross at once.
    """

    def __init__(self, tap: Tap = lambda _end, _data: None) -> None:
        self._tap = tap
        self._plugged = True
        self._masters: dict[str, int] = {}
        self._slaves: dict[str, int] = {}
        for end in ("a", "b"):
            master, slave = pty.openpty()
            tty.setraw(slave)
            os.set_blocking(master, False)
            self._masters[end] = master
            # Held open, or reading the master would fail whenever nobody has the other end open.
            self._slaves[end] = slave

    @property
    def path_a(self) -> str:
        """The device of end "a"."""
        return os.ttyname(self._slaves["a"])

    @property
    def path_b(self) -> str:
        """The device of end "b"."""
        return os.ttyname(self._slaves["b"])

    def filenos(self) -> tuple[int, ...]:
        """What to wait on."""
        return tuple(self._masters.values())

    def plug(self) -> None:
        """Connect the ends. What was written while they were apart is gone."""
        self.pump()
        self._plugged = True

    def unplug(self) -> None:
        """Pull the cable: what has not crossed yet is lost."""
        self._plugged = False

    def pump(self, *, timeout_s: float = 0.0) -> int:
        """Carry over what waits, after waiting up to `timeout_s` for the first; returns how many bytes."""
        ready, _, _ = select.select(self.filenos(), [], [], timeout_s)
        return sum(self._carry(end) for end, master in self._masters.items() if master in ready)

    def close(self) -> None:
        """Take the ends away. May be called twice."""
        for descriptor in (*self._masters.values(), *self._slaves.values()):
            os.close(descriptor)
        self._masters.clear()
        self._slaves.clear()

    def _carry(self, end: str) -> int:
        data = os.read(self._masters[end], _READ_BYTES)
        if self._plugged:
            self._tap(end, data)
            # A reader that does not read loses bytes, as with a full receive buffer.
            with contextlib.suppress(BlockingIOError):
                os.write(self._masters["b" if end == "a" else "a"], data)
        return len(data)
