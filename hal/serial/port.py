"""The line to the host link over a real serial port, or over TCP to whatever plays one.

pyserial opens and sets up the port. Reading and writing is done on its file descriptor: pyserial's own
non-blocking write spins while the operating system's buffer is full, and its socket:// sleeps when it is
closed. So a port is anything with `fileno()` and `close()`, and a TCP connection is one as well.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import termios
from collections.abc import Callable, Sequence
from typing import Protocol
from urllib.parse import urlsplit

from hal.api import (
    BytesReceived,
    Clock,
    DeviceEvent,
    DeviceMissing,
    PortGone,
    PortLost,
    PortRestored,
    SelfTest,
)
from hal.device import QuietDevice

_SOCKET_SCHEME = "socket://"
_READ_BYTES_MAX = 4096
_OUTGOING_BYTES_MAX = 262_144  # more than twice what the link ever has on its way
_WRITE_AGAIN_MS = 5  # how soon to try again when the operating system's buffer was full
_RETRY_FIRST_MS, _RETRY_MAX_MS = 500, 8_000
_CONNECT_TIMEOUT_S = 3.0
_RECONNECT_TIMEOUT_S = 0.1  # happens inside poll(): a gateway on the same machine or LAN answers faster

_ADVICE = {
    errno.EACCES: "no permission: add your user to the port's group (often 'dialout') and log in again",
    errno.EAGAIN: "another process uses it: stop that one ('fuser -v PORT' names it), or take another port",
    errno.EBUSY: "another process uses it: stop that one ('fuser -v PORT' names it), or take another port",
}


class _Port(Protocol):
    """What is needed of an open port."""

    def fileno(self) -> int: ...

    def close(self) -> None: ...


class PyserialPort(QuietDevice):
    """hal.api.SerialPort on a device path (`/dev/ttyUSB0`) or `socket://HOST:PORT`.

    The port is taken for this process alone where the system can do that. When it vanishes, PortLost is
    reported once, and `poll` tries to open it again after 0.5 s, 1 s, 2 s … 8 s. Over TCP such a try may hold
    `poll` up for 0.1 s. Bytes that the system does not take at once wait here; over 256 KiB they are dropped.
    """

    def __init__(self, url: str, clock: Clock, *, bits_per_s: int = 115_200) -> None:
        super().__init__()
        if bits_per_s <= 0:
            raise ValueError(f"a line rate is positive, not {bits_per_s}")
        self.bits_per_s = bits_per_s
        self.dropped_bytes = 0
        """How many bytes given to `write` were dropped: port lost, or nobody took them."""
        self._url = url
        self._clock = clock
        self._port: _Port | None = None
        self._outgoing = bytearray()
        self._events: list[DeviceEvent] = []
        self._retry_at_ms = 0
        self._retry_after_ms = _RETRY_FIRST_MS

    def open(self) -> None:
        """Take the port. Raises DeviceMissing: not there, no permission, in use, or a rate it cannot do."""
        if self._is_open:
            return
        self._port = _open_port(self._url, self.bits_per_s, _CONNECT_TIMEOUT_S)
        super().open()

    def close(self) -> None:
        """Give the port back. What was not sent yet is dropped."""
        self._release()
        self._events.clear()
        super().close()

    def self_test(self) -> SelfTest:
        """Report whether the port is there now."""
        there = self._port is not None
        return SelfTest(ok=there, detail="" if there else f"serial port {self._url} is not there")

    def write(self, data: bytes) -> None:
        """Send, or queue what the system does not take at once. While the port is lost, drop."""
        room = _OUTGOING_BYTES_MAX - len(self._outgoing) if self._port is not None else 0
        self._outgoing += data[:room]
        self.dropped_bytes += len(data[room:])
        self._work(self._send)

    def poll(self) -> Sequence[DeviceEvent]:
        """Send what waits, return what came in; look for the port again when it is due."""
        if self._is_open and self._port is None:
            self._try_again()
        self._work(self._send)
        self._work(self._receive)
        events, self._events = self._events, []
        return events

    def deadline_ms(self) -> int | None:
        """When to look for the port again, or to offer waiting bytes again."""
        if self._is_open and self._port is None:
            return self._retry_at_ms
        return self._clock.monotonic_ms() + _WRITE_AGAIN_MS if self._outgoing else None

    def filenos(self) -> Sequence[int]:
        """The port's file descriptor; none while the port is lost."""
        return () if self._port is None else (self._port.fileno(),)

    def _work(self, action: Callable[[int], None]) -> None:
        """Do something with the open port, and note its loss."""
        if self._port is None:
            return
        try:
            action(self._port.fileno())
        except BlockingIOError:
            return  # later
        except (OSError, PortGone):
            self._release()
            self._events.append(PortLost())
            self._retry_after_ms = _RETRY_FIRST_MS
            self._retry_at_ms = self._clock.monotonic_ms() + self._retry_after_ms

    def _send(self, fileno: int) -> None:
        while self._outgoing:
            del self._outgoing[: os.write(fileno, self._outgoing)]

    def _receive(self, fileno: int) -> None:
        if not _readable(fileno):
            return
        data = os.read(fileno, _READ_BYTES_MAX)
        if not data:  # readable and empty: the far side is gone
            raise PortGone(f"serial port {self._url} is gone")
        self._events.append(BytesReceived(data))

    def _try_again(self) -> None:
        now_ms = self._clock.monotonic_ms()
        if now_ms < self._retry_at_ms:
            return
        try:
            self._port = _open_port(self._url, self.bits_per_s, _RECONNECT_TIMEOUT_S)
        except DeviceMissing:
            self._retry_after_ms = min(2 * self._retry_after_ms, _RETRY_MAX_MS)
            self._retry_at_ms = now_ms + self._retry_after_ms
        else:
            self._events.append(PortRestored())

    def _release(self) -> None:
        port, self._port = self._port, None
        self.dropped_bytes += len(self._outgoing)
        self._outgoing.clear()
        if port is not None:
            with contextlib.suppress(OSError, termios.error):  # a vanished port may refuse even this
                port.close()


def _readable(fileno: int) -> bool:
    poller = select.poll()
    poller.register(fileno, select.POLLIN)
    return bool(poller.poll(0))


def _open_port(url: str, bits_per_s: int, connect_timeout_s: float) -> _Port:
    if url.startswith(_SOCKET_SCHEME):
        return _connect(url, connect_timeout_s)
    if "://" in url:
        raise DeviceMissing(f"serial port {url}: give a device path or {_SOCKET_SCHEME}HOST:PORT")
    return _open_device(url, bits_per_s)


def _open_device(path: str, bits_per_s: int) -> _Port:
    try:
        import serial
    except ImportError:
        raise DeviceMissing("serial ports need pyserial: pip install pyserial") from None
    try:
        return serial.Serial(path, bits_per_s, timeout=0, exclusive=True)
    except (ValueError, OverflowError):
        raise DeviceMissing(
            f"serial port {path}: it cannot do {bits_per_s} bit/s: set a rate such as 9600 or 115200"
        ) from None
    except (OSError, termios.error) as error:
        number = getattr(error, "errno", None)
        if number == errno.ENOENT:
            raise DeviceMissing(f"serial port {path}: it is not there: {_ports_that_are_there()}") from None
        advice = _ADVICE.get(number or 0, "it cannot be set up as a serial port: is it one?")
        raise DeviceMissing(f"serial port {path}: {advice}") from None


def _ports_that_are_there() -> str:
    from serial.tools import list_ports

    names = ", ".join(sorted(port.device for port in list_ports.comports()))
    return f"plug it in, or take one of {names}" if names else "plug it in (there is no serial port at all)"


def _connect(url: str, timeout_s: float) -> _Port:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or not port:
        raise DeviceMissing(f"serial port {url}: write it as {_SOCKET_SCHEME}HOST:PORT")
    try:
        connection = socket.create_connection((host, port), timeout=timeout_s)
    except OSError as error:
        reason = error.strerror or "no answer"
        raise DeviceMissing(f"serial port {url}: {reason}: start the other side first") from None
    connection.setblocking(False)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection
