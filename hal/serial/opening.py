"""How a serial port is opened, whatever it is: a device, a USB adapter by its identity, TCP, a pyserial URL.

The plan of this file. `open_port` gives an `OpenPort`, which never blocks. Where there is a file descriptor
it is read and written directly: pyserial's own non-blocking write spins while the operating system's buffer
is full, and its socket:// sleeps when it is closed. Ports that pyserial keeps a queue for (`rfc2217://`,
`loop://`, `spy://`) are asked by its own calls. Every reason why a port cannot be had becomes one line that
says what to do.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import termios
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, Protocol
from urllib.parse import urlsplit

from hal.api import DeviceMissing, PortGone
from hal.device import is_readable

Parity = Literal["none", "even", "odd", "mark", "space"]
FlowControl = Literal["none", "xonxoff", "rtscts", "dsrdtr"]

_SOCKET_SCHEME = "socket://"
_USB_SCHEME = "usb:"
_BY_DEVICE = ("hwgrep://", "alt://")  # pyserial's names for a device
_READ_BYTES_MAX = 4096

_ADVICE = {
    errno.EACCES: "no permission: add your user to the port's group (often 'dialout') and log in again",
    errno.EAGAIN: "another process uses it: stop that one ('fuser -v PORT' names it), or take another port",
    errno.EBUSY: "another process uses it: stop that one ('fuser -v PORT' names it), or take another port",
}


@dataclass(frozen=True, slots=True)
class LineSettings:
    """How bytes are put on the line. TCP has none of it. Raises ValueError."""

    bits_per_s: int = 115_200
    parity: Parity = "none"
    data_bits: int = 8
    stop_bits: int = 1
    flow_control: FlowControl = "none"
    mark_damage: bool = False
    """Characters with wrong parity come marked: FF 00 and the character; FF comes as FF FF (PARMRK)."""

    def __post_init__(self) -> None:
        if self.bits_per_s <= 0:
            raise ValueError(f"a line rate is positive, not {self.bits_per_s}")
        if self.data_bits not in {7, 8} or self.stop_bits not in {1, 2}:
            raise ValueError("a character has 7 or 8 data bits and 1 or 2 stop bits")

    @property
    def for_pyserial(self) -> dict[str, Any]:
        """The same as pyserial's arguments. DTR/DSR pacing is ours: POSIX has none."""
        return {
            "baudrate": self.bits_per_s,
            "parity": self.parity[0].upper(),
            "bytesize": self.data_bits,
            "stopbits": self.stop_bits,
            "xonxoff": self.flow_control == "xonxoff",
            "rtscts": self.flow_control == "rtscts",
        }


@dataclass(frozen=True, slots=True)
class ModemLines:
    """The control lines that the other side drives; True is asserted."""

    cts: bool
    dsr: bool
    dcd: bool


class OpenPort(Protocol):
    """An open port. Each call raises OSError or PortGone when the port has vanished."""

    def fileno(self) -> int | None:
        """What is readable when bytes wait; None where there is no descriptor: then ask again and again."""

    def read(self) -> bytes:
        """The bytes that are there, none when there are none."""

    def write(self, data: bytes | bytearray) -> int:
        """Take bytes for sending; returns how many were taken."""

    def apply(self, settings: LineSettings) -> bool:
        """Change rate and parity; False where the port has none, or cannot do these."""

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> bool:
        """Drive our control lines; False where the port has none."""

    def lines(self) -> ModemLines | None:
        """The control lines that we read; None where the port has none."""

    def marks_damage(self) -> bool:
        """True where damaged characters are marked: asked for, and a device that can."""

    def close(self) -> None:
        """Give it back."""


def open_port(url: str, settings: LineSettings, *, connect_timeout_s: float) -> OpenPort:
    """Open a port for this process alone, where the system can do that. Raises DeviceMissing.

    `url`: a device path; `usb:VENDOR:PRODUCT` or `usb:VENDOR:PRODUCT:SERIAL` (hexadecimal identities, as
    `lsusb` shows them), wherever the adapter is plugged in; `socket://HOST:PORT`; any other URL of pyserial's
    `serial_for_url` (`rfc2217://`, `hwgrep://`, `loop://` ...).
    """
    if url.startswith(_SOCKET_SCHEME):
        return _DescriptorPort(url, _connect(url, connect_timeout_s))
    if url.startswith("emulate:"):
        raise DeviceMissing(
            f"serial port {url}: only posterm run brings devices in software: name a port, or start one with "
            "posterm devices emulate"
        )
    try:
        import serial
    except ImportError:
        raise DeviceMissing("serial ports need pyserial: pip install pyserial") from None
    path = _usb_path(url) if url.startswith(_USB_SCHEME) else url
    try:
        if "://" not in path:
            device = serial.Serial(path, timeout=0, exclusive=True, **settings.for_pyserial)
            return _DescriptorPort(url, device, marks=settings.mark_damage)
        driver = serial.serial_for_url(path, timeout=0, **settings.for_pyserial)
    except (OSError, ValueError, OverflowError, termios.error) as error:
        raise DeviceMissing(f"serial port {url}: {_why_not(url, settings, error)}") from None
    return _DescriptorPort(url, driver) if path.startswith(_BY_DEVICE) else _QueuePort(driver)


class _DescriptorPort:
    """A port with a file descriptor: a pyserial device or a TCP connection."""

    def __init__(self, url: str, driver: Any, *, marks: bool = False) -> None:
        self._url = url
        self._driver = driver
        self._marks = marks
        if marks:
            _mark_damage(self.fileno())

    def marks_damage(self) -> bool:
        return self._marks

    def fileno(self) -> int:
        return int(self._driver.fileno())

    def read(self) -> bytes:
        fileno = self.fileno()
        if not is_readable(fileno):
            return b""
        data = os.read(fileno, _READ_BYTES_MAX)
        if not data:  # readable and empty: the far side is gone
            raise PortGone(f"serial port {self._url} is gone")
        return data

    def write(self, data: bytes | bytearray) -> int:
        try:
            return os.write(self.fileno(), data)
        except BlockingIOError:
            return 0

    def apply(self, settings: LineSettings) -> bool:
        done = _apply(self._driver, settings)
        if self._marks:
            _mark_damage(self.fileno())  # pyserial has set everything anew
        return done

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> bool:
        return _drive_lines(self._driver, dtr=dtr, rts=rts)

    def lines(self) -> ModemLines | None:
        return _read_lines(self._driver)

    def close(self) -> None:
        with contextlib.suppress(OSError, termios.error):  # a vanished port may refuse even this
            self._driver.close()


class _QueuePort:
    """A port whose bytes pyserial keeps in a queue of its own."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver

    def marks_damage(self) -> bool:
        return False

    def fileno(self) -> None:
        return None

    def read(self) -> bytes:
        waiting = self._driver.in_waiting
        return bytes(self._driver.read(min(waiting, _READ_BYTES_MAX))) if waiting else b""

    def write(self, data: bytes | bytearray) -> int:
        taken = self._driver.write(bytes(data))
        return len(data) if taken is None else int(taken)

    def apply(self, settings: LineSettings) -> bool:
        return _apply(self._driver, settings)

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> bool:
        return _drive_lines(self._driver, dtr=dtr, rts=rts)

    def lines(self) -> ModemLines | None:
        return _read_lines(self._driver)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._driver.close()


def _mark_damage(fileno: int) -> None:
    """Have the system check parity and mark what is wrong, instead of passing it on as good."""
    attributes = termios.tcgetattr(fileno)
    attributes[0] = (attributes[0] | termios.INPCK | termios.PARMRK) & ~(termios.IGNPAR | termios.ISTRIP)
    termios.tcsetattr(fileno, termios.TCSANOW, attributes)


def _apply(driver: Any, settings: LineSettings) -> bool:
    if not hasattr(driver, "dtr"):
        return False
    try:
        driver.parity = settings.for_pyserial["parity"]
        driver.baudrate = settings.bits_per_s
    except (ValueError, OverflowError, termios.error):
        return False
    return True


def _drive_lines(driver: Any, *, dtr: bool | None, rts: bool | None) -> bool:
    wanted = {name: value for name, value in (("dtr", dtr), ("rts", rts)) if value is not None}
    if not hasattr(driver, "dtr"):
        return False
    try:
        for name, value in wanted.items():
            setattr(driver, name, value)
    except OSError as error:
        if error.errno in _NO_LINES:
            return False
        raise
    return True


def _read_lines(driver: Any) -> ModemLines | None:
    if not hasattr(driver, "dtr"):
        return None
    try:
        return ModemLines(cts=driver.cts, dsr=driver.dsr, dcd=driver.cd)
    except OSError as error:
        if error.errno in _NO_LINES:
            return None
        raise


_NO_LINES = frozenset({errno.ENOTTY, errno.EINVAL})
"""What the system answers about control lines that do not exist, as those of a pseudo-terminal."""


# --- finding it --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FoundPort:
    """A serial port of this machine. `identity` is its `usb:` name, or "" where it is no USB adapter."""

    path: str
    identity: str
    description: str


def ports_of_this_machine() -> list[FoundPort]:
    """The serial ports that are there now, by path."""
    from serial.tools import list_ports

    return sorted(
        (FoundPort(port.device, _identity(port), port.description or "") for port in list_ports.comports()),
        key=lambda port: port.path,
    )


def _identity(port: Any) -> str:
    if port.vid is None or port.pid is None:
        return ""
    parts = [f"{port.vid:04x}", f"{port.pid:04x}", *([port.serial_number] if port.serial_number else [])]
    return _USB_SCHEME + ":".join(parts)


def _usb_path(url: str) -> str:
    """The device that a USB adapter has now. Raises DeviceMissing: none is such, or several."""
    vendor, _, rest = url.removeprefix(_USB_SCHEME).partition(":")
    product, _, serial_number = rest.partition(":")
    try:
        wanted = f"{_USB_SCHEME}{int(vendor, 16):04x}:{int(product, 16):04x}"
    except ValueError:
        raise DeviceMissing(
            f"serial port {url}: write it as usb:VENDOR:PRODUCT or usb:VENDOR:PRODUCT:SERIAL, "
            "as in usb:0403:6001"
        ) from None
    known = ports_of_this_machine()
    wanted = f"{wanted}:{serial_number}" if serial_number else wanted
    matching = [port for port in known if f"{port.identity}:".startswith(f"{wanted}:")]
    if not matching:
        raise DeviceMissing(f"serial port {url}: no such adapter: {_advice_to_plug_in(known)}")
    if len(matching) > 1:
        raise DeviceMissing(
            f"serial port {url}: {len(matching)} adapters are such: say which one: "
            + " or ".join(sorted({port.identity for port in matching} | {port.path for port in matching}))
        )
    return matching[0].path


def _advice_to_plug_in(known: Iterable[FoundPort]) -> str:
    names = ", ".join(f"{port.path} ({port.identity})" if port.identity else port.path for port in known)
    return f"plug it in, or take one of {names}" if names else "plug it in (there is no serial port at all)"


def _why_not(url: str, settings: LineSettings, error: Exception) -> str:
    """The many ways in which pyserial says no, as advice."""
    if isinstance(error, ValueError) and "://" in url and "invalid URL" in str(error):
        return "give a device path, usb:VENDOR:PRODUCT, socket://, rfc2217:// or another URL of pyserial"
    if isinstance(error, ValueError | OverflowError):
        return f"it cannot do {settings.bits_per_s} bit/s: set a rate such as 9600 or 115200"
    number = getattr(error, "errno", None)
    if number == errno.ENOENT:
        return f"it is not there: {_advice_to_plug_in(ports_of_this_machine())}"
    if "://" in url:
        return "no answer: start the other side first"
    return _ADVICE.get(number or 0, "it cannot be set up as a serial port: is it one?")


def _connect(url: str, timeout_s: float) -> socket.socket:
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
