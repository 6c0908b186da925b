"""The line to a printer on USB: the kernel's /dev/usb/lpN, or the printer's own endpoints.

The plan of this file. Both are a `hal.api.SerialPort` for `hal.escpos.printer`: bytes out, bytes in, loss and
return. `PrinterLine` is what they have in common; a subclass opens, reads and writes once, without waiting
longer than a few milliseconds.
"""

from __future__ import annotations

import contextlib
import errno
import os
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from hal.api import BytesReceived, Clock, DeviceEvent, DeviceMissing, PortLost, PortRestored, SelfTest
from hal.device import QuietDevice

_OUTGOING_BYTES_MAX = 65_536
_READ_BYTES = 1024
_LOOK_AGAIN_MS = 20
_RETRY_FIRST_MS, _RETRY_MAX_MS = 500, 8_000
_PACKET_BYTES = 64  # a bulk packet at full speed: it goes as a whole, or not at all
_WRITE_TIMEOUT_MS, _READ_TIMEOUT_MS = 20, 1
_PRINTER_CLASS = 7
_ADVICE = {
    errno.ENOENT: "it is not there: plug it in and switch it on, and see that the module usblp is loaded",
    errno.EACCES: "no permission: add your user to the group lp and log in again",
    errno.EBUSY: "another program prints: stop it (CUPS, for example)",
}
_DIRECTION_IN = 0x80


class PrinterLine(QuietDevice):
    """A line that comes back: when the printer is pulled, it is looked for after 0.5 s, 1 s, 2 s … 8 s."""

    bits_per_s = 0
    """USB is never what takes time."""

    def __init__(self, name: str, clock: Clock) -> None:
        super().__init__()
        self._name = name
        self._clock = clock
        self._is_there = False
        self._outgoing = bytearray()
        self._events: list[DeviceEvent] = []
        self._retry_at_ms = 0
        self._retry_after_ms = _RETRY_FIRST_MS

    # --- what a subclass does ------------------------------------------------------------------------

    @abstractmethod
    def _take(self) -> None:
        """Open. Raises DeviceMissing."""

    @abstractmethod
    def _give_back(self) -> None:
        """Close, whatever the state."""

    @abstractmethod
    def _read_once(self) -> bytes:
        """What has come in, or nothing. Raises OSError when the printer is gone."""

    @abstractmethod
    def _write_once(self, data: bytes) -> int:
        """Hand over a beginning of `data`; returns how much. Raises OSError when the printer is gone."""

    # --- hal.api.SerialPort --------------------------------------------------------------------------

    def open(self) -> None:
        """Take the printer. Raises DeviceMissing."""
        if not self._is_open:
            self._take()
            self._is_there = True
            super().open()

    def close(self) -> None:
        """Give it back. What was not sent yet is dropped."""
        if self._is_there:
            self._release()
        self._events.clear()
        super().close()

    def self_test(self) -> SelfTest:
        """Report whether the printer is plugged in."""
        return SelfTest(ok=self._is_there, detail="" if self._is_there else f"{self._name} is not there")

    def write(self, data: bytes) -> None:
        """Send, or queue what is not taken at once. While the printer is gone, drop."""
        if self._is_there:
            self._outgoing += data[: _OUTGOING_BYTES_MAX - len(self._outgoing)]
            self._work()

    def poll(self) -> Sequence[DeviceEvent]:
        """Send what waits, return what came in; look for the printer again when it is due."""
        if self._is_open and not self._is_there:
            self._try_again()
        self._work(read=True)
        events, self._events = self._events, []
        return events

    def deadline_ms(self) -> int | None:
        """When to look for the printer, to offer waiting bytes again, or to look for bytes."""
        if not self._is_open:
            return None
        if not self._is_there:
            return self._retry_at_ms
        needs_looking = bool(self._outgoing) or not self.filenos()
        return self._clock.monotonic_ms() + _LOOK_AGAIN_MS if needs_looking else None

    # --- inside --------------------------------------------------------------------------------------

    def _work(self, *, read: bool = False) -> None:
        if not self._is_there:
            return
        try:
            while self._outgoing and (taken := self._write_once(bytes(self._outgoing))):
                del self._outgoing[:taken]
            if read and (data := self._read_once()):
                self._events.append(BytesReceived(data))
        except OSError:
            self._release()
            self._events.append(PortLost())
            self._retry_after_ms = _RETRY_FIRST_MS
            self._retry_at_ms = self._clock.monotonic_ms() + self._retry_after_ms

    def _release(self) -> None:
        self._is_there = False
        self._outgoing.clear()
        self._give_back()

    def _try_again(self) -> None:
        now_ms = self._clock.monotonic_ms()
        if now_ms < self._retry_at_ms:
            return
        try:
            self._take()
        except DeviceMissing:
            self._retry_after_ms = min(2 * self._retry_after_ms, _RETRY_MAX_MS)
            self._retry_at_ms = now_ms + self._retry_after_ms
        else:
            self._is_there = True
            self._events.append(PortRestored())


class LpLine(PrinterLine):
    """The kernel's driver for USB printers: /dev/usb/lpN."""

    def __init__(self, path: str, clock: Clock) -> None:
        super().__init__(path, clock)
        self._path = path
        self._fileno = -1

    def filenos(self) -> Sequence[int]:
        """The open file."""
        return (self._fileno,) if self._is_there else ()

    def _take(self) -> None:
        try:
            self._fileno = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY)
        except OSError as error:
            advice = _ADVICE.get(error.errno or 0, error.strerror)
            raise DeviceMissing(f"printer {self._path}: {advice}") from None

    def _give_back(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self._fileno)
        self._fileno = -1

    def _read_once(self) -> bytes:
        try:
            return os.read(self._fileno, _READ_BYTES)
        except BlockingIOError:
            return b""

    def _write_once(self, data: bytes) -> int:
        try:
            return os.write(self._fileno, data)
        except BlockingIOError:
            return 0


class UsbLine(PrinterLine):
    """The printer's own endpoints, through python-escpos and libusb: where the module usblp is not wanted.

    vendor, product: the identity as `lsusb` shows it. A program other than this one cannot print meanwhile.
    """

    def __init__(self, vendor: int, product: int, clock: Clock) -> None:
        super().__init__(f"usb:{vendor:04x}:{product:04x}", clock)
        self._vendor, self._product = vendor, product
        self._usb: Any = None

    def _take(self) -> None:
        try:
            import usb.core
            from escpos.exceptions import DeviceNotFoundError
            from escpos.printer import Usb
        except ImportError:
            raise DeviceMissing(
                f"printer {self._name}: needs python-escpos with USB: pip install 'posterm[pi]'"
            ) from None
        try:
            found = usb.core.find(idVendor=self._vendor, idProduct=self._product)
            if found is None:
                raise DeviceMissing(f"printer {self._name}: it is not there: plug it in and switch it on")
            to_printer, from_printer = _endpoints(found)
            self._usb = Usb(self._vendor, self._product, in_ep=from_printer, out_ep=to_printer)
            self._usb.open()
        except usb.core.NoBackendError:
            raise DeviceMissing(
                f"printer {self._name}: libusb is missing: apt install libusb-1.0-0"
            ) from None
        except (usb.core.USBError, DeviceNotFoundError):
            raise DeviceMissing(
                f"printer {self._name}: it cannot be opened: give your user the right by a udev rule, and "
                "stop other programs that print"
            ) from None

    def _give_back(self) -> None:
        with contextlib.suppress(OSError):
            self._usb.close()
        self._usb = None

    def _read_once(self) -> bytes:
        if not self._usb.in_ep:
            return b""
        return bytes(
            _transferred(self._usb.device.read, self._usb.in_ep, _PACKET_BYTES, _READ_TIMEOUT_MS) or b""
        )

    def _write_once(self, data: bytes) -> int:
        packet = data[:_PACKET_BYTES]
        return int(_transferred(self._usb.device.write, self._usb.out_ep, packet, _WRITE_TIMEOUT_MS) or 0)


def _transferred(transfer: Callable[..., Any], *arguments: object) -> Any:
    """A transfer's result; None when it did not come about in its time. Raises OSError: any other failure."""
    import usb.core

    try:
        return transfer(*arguments)
    except usb.core.USBTimeoutError:
        return None


def _endpoints(device: Any) -> tuple[int, int]:
    """The addresses of the bulk endpoints out and in of the printer's interface; 0 where there is no "in".

    Raises DeviceMissing: the device is no printer. Source: USB Device Class Definition for Printing Devices
    1.1.
    """
    for configuration in device:
        for interface in configuration:
            if interface.bInterfaceClass != _PRINTER_CLASS:
                continue
            addresses = [
                endpoint.bEndpointAddress for endpoint in interface if endpoint.bmAttributes & 3 == 2
            ]
            out = [address for address in addresses if not address & _DIRECTION_IN]
            if out:
                return out[0], next((address for address in addresses if address & _DIRECTION_IN), 0)
    raise DeviceMissing("this USB device has no interface of the class of printers: name another one")
