"""Serial ports, sockets and loopback, opened by name; and a null modem of two pseudo-terminals. Linux only.

`open_port` takes a device path (`/dev/ttyUSB0`, a pseudo-terminal), `socket://host:port`,
`rfc2217://host:port` (a serial port of another machine), `unix:///path` and `loop://`. A port never blocks:
`read` gives what is there, `write` drops what does not fit.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pty
import select
import socket
import termios
import time
import tty
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from host_link.errors import PortBusy, PortError, PortMissing, PortVanished
from host_link.port_holder import holders

_READ_BYTES = 4096
_POLL_INTERVAL_S = 0.05
_BUSY = frozenset({errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK})
_UNIX = "unix://"
_SCHEMES = "give a device path, socket://, rfc2217://, unix:// or loop://"

Tap = Callable[[str, bytes], None]
"""Is told what crosses a null modem: the end that sent it ("a" or "b"), and the bytes."""


class Driver(Protocol):
    """What a port needs of pyserial, whose objects have it, and of what stands in for it."""

    def fileno(self) -> int:
        """A descriptor to wait on. Raises OSError or AttributeError where there is none."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; none when there are none. Raises OSError when the other side is gone."""

    def write(self, data: bytes, /) -> int | None:
        """Send bytes."""

    def close(self) -> None:
        """Give it back."""


class QueueDriver(Driver, Protocol):
    """A driver without a descriptor: `read` waits up to the poll interval."""

    @property
    def in_waiting(self) -> int:
        """How many bytes `read` gives at once."""


@runtime_checkable
class RatedDriver(Driver, Protocol):
    """A driver of a line with a rate, as pyserial has them."""

    baudrate: int

    def reset_output_buffer(self) -> None:
        """Drop what was written and has not left yet."""


def has_rate(name: str) -> bool:
    """Whether a port of this name has a rate that can be set: TCP and Unix sockets have none."""
    return "://" not in name or name.startswith(("rfc2217://", "loop://"))


class Port:
    """An open port with a descriptor."""

    def __init__(self, name: str, driver: Driver) -> None:
        self.name = name
        self._driver = driver

    def fileno(self) -> int | None:
        """A descriptor that is readable when there are bytes; None for ports that have none (`loop://`)."""
        return self._driver.fileno()

    def read(self, *, timeout_s: float = 0.0) -> bytes:
        """The bytes that are there, after waiting up to `timeout_s` for the first. Raises PortVanished."""
        try:
            if timeout_s:
                select.select([self._driver], [], [], timeout_s)
            return self._read_now()
        except OSError as error:  # pyserial's SerialException is one
            raise self._vanished() from error

    def write(self, data: bytes) -> None:
        """Send bytes and return at once. What the port does not take is dropped, as on a cut line.

        Raises PortVanished.
        """
        try:
            self._write_now(data)
        except OSError as error:
            raise self._vanished() from error

    def set_rate(self, bits_per_s: int) -> bool:
        """Change to another rate; what was written and has not left yet is dropped.

        False: the port cannot do that, and keeps the rate that it has.
        """
        driver = self._driver
        if not has_rate(self.name) or not isinstance(driver, RatedDriver):
            return False
        before = driver.baudrate
        try:
            driver.reset_output_buffer()
            driver.baudrate = bits_per_s
        except (ValueError, OverflowError, OSError, termios.error):  # a vanished port: reading will tell
            with contextlib.suppress(ValueError, OSError, termios.error):
                driver.baudrate = before
            return False
        return True

    def close(self) -> None:
        """Give the port back. May be called twice."""
        with contextlib.suppress(OSError):
            self._driver.close()

    def _read_now(self) -> bytes:
        return bytes(self._driver.read(_READ_BYTES))

    def _write_now(self, data: bytes) -> None:
        # Not pyserial's write: it waits for room, and a pseudo-terminal that nobody reads has none.
        with contextlib.suppress(BlockingIOError):
            os.write(self._driver.fileno(), data)

    def _vanished(self) -> PortVanished:
        return PortVanished(f"{self.name} is gone: check the cable or the adapter")


class PortWithoutDescriptor(Port):
    """A port that pyserial keeps a queue for (`rfc2217://`, `loop://`): it is asked again and again.

    Its timeout is set once, to the poll interval: with `rfc2217://` every change of it is negotiated anew.
    """

    def __init__(self, name: str, driver: QueueDriver) -> None:
        super().__init__(name, driver)
        self._queue = driver

    def fileno(self) -> int | None:
        """There is none."""
        return None

    def read(self, *, timeout_s: float = 0.0) -> bytes:
        """As `Port.read`; waits in steps of the poll interval, and finds only then that the port is gone."""
        end_s = time.monotonic() + timeout_s
        try:
            while not self._queue.in_waiting:
                if time.monotonic() >= end_s:
                    return b""
                if data := self._queue.read(1):
                    return data + self._read_now()
            return self._read_now()
        except OSError as error:
            raise self._vanished() from error

    def _read_now(self) -> bytes:
        waiting = self._queue.in_waiting
        return self._queue.read(waiting) if waiting else b""

    def _write_now(self, data: bytes) -> None:
        self._driver.write(data)


class _UnixSocket:
    """A stream socket in the file system, as a driver."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.connect(path)
        except OSError:
            self._socket.close()
            raise
        self._socket.setblocking(False)

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self, size: int, /) -> bytes:
        try:
            data = self._socket.recv(size)
        except BlockingIOError:
            return b""
        if not data:
            raise ConnectionResetError("closed by the other side")
        return data

    def write(self, data: bytes, /) -> int:
        return self._socket.send(data)

    def close(self) -> None:
        self._socket.close()


def open_port(name: str, bits_per_s: int = 115_200) -> Port:
    """Open a port: 8N1, no flow control, for this process only.

    Raises PortMissing and PortBusy; the text says what to do.
    """
    try:
        if name.startswith(_UNIX):
            return Port(name, _UnixSocket(name.removeprefix(_UNIX)))
        return _open_serial(name, bits_per_s)
    except (OSError, ValueError) as error:
        raise _why_not(name, error) from error


def _open_serial(name: str, bits_per_s: int) -> Port:
    import serial

    has_descriptor = "://" not in name or name.startswith("socket://")
    timeout_s = 0 if has_descriptor else _POLL_INTERVAL_S
    driver = serial.serial_for_url(name, baudrate=bits_per_s, timeout=timeout_s, do_not_open=True)
    if "://" not in name:
        driver.exclusive = True
    driver.open()
    return Port(name, driver) if has_descriptor else PortWithoutDescriptor(name, driver)


def _why_not(name: str, error: Exception) -> PortError:
    """The many ways in which pyserial says no, as two."""
    number = getattr(error, "errno", None)
    if number in _BUSY or "exclusively lock" in str(error):
        others = [holder for holder in holders(name) if holder.pid != os.getpid()]
        who = " and ".join(map(str, others)) or "another process"
        return PortBusy(f"{name} is in use by {who}: end that one, or choose another port")
    if number == errno.EACCES:
        return PortMissing(
            f"{name} may not be opened: add yourself to the group that owns it (often dialout)"
        )
    if isinstance(error, ValueError):
        return PortMissing(f"{name} is not a port name: {_SCHEMES}")
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
