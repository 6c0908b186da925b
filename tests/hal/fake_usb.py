"""A USB bus with one printer on it, for pyusb and what stands on it: python-escpos, our driver."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from hal.peripherals.printer import SoftwarePrinter

VENDOR, PRODUCT = 0x04B8, 0x0202


class FakeUsb:
    """The device that `usb.core.find` finds while it is plugged in. `now`: the clock."""

    def __init__(self, printer: SoftwarePrinter, now: Callable[[], int], *, interface_class: int = 7) -> None:
        self.printer = printer
        self.now = now
        self.is_plugged = True
        self.packets: list[int] = []
        self.backend = _Backend()
        self._said = b""
        self._ctx = SimpleNamespace(dispose=lambda _: None)
        endpoints = [
            SimpleNamespace(bEndpointAddress=0x02, bmAttributes=2),
            SimpleNamespace(bEndpointAddress=0x83, bmAttributes=2),
        ]
        self._configurations = [[_Interface(3, []), _Interface(interface_class, endpoints)]]

    def __iter__(self) -> Any:
        return iter(self._configurations)

    def set_configuration(self) -> None:
        self._check()

    def reset(self) -> None:
        self._check()

    def turn(self) -> None:
        """Let the printer work; what it says is kept for the host."""
        self.printer.receive(b"", self.now())
        self._said += self.printer.take_output()

    def write(self, endpoint: int, data: bytes, timeout: int) -> int:
        import usb.core

        self._check()
        assert (endpoint, len(data) <= 64, timeout > 0) == (0x02, True, True)
        if not self.printer.lines.dsr:
            raise usb.core.USBTimeoutError("the printer takes nothing now")
        self.packets.append(len(data))
        self.printer.receive(data, self.now())
        return len(data)

    def read(self, endpoint: int, size: int, timeout: int) -> bytes:
        import usb.core

        self._check()
        assert (endpoint, timeout > 0) == (0x83, True)
        self.turn()
        if not self._said:
            raise usb.core.USBTimeoutError("nothing")
        data, self._said = self._said[:size], self._said[size:]
        return data

    def _check(self) -> None:
        import usb.core

        if not self.is_plugged:
            raise usb.core.USBError("No such device (it may have been disconnected)", errno=19)


class _Backend:
    """Not libusb1: python-escpos has no kernel driver to detach."""


class _Interface(list[Any]):
    def __init__(self, interface_class: int, endpoints: list[Any]) -> None:
        super().__init__(endpoints)
        self.bInterfaceClass = interface_class


def plug_in(monkeypatch: pytest.MonkeyPatch, device: FakeUsb) -> None:
    """From now on pyusb finds this device, as long as it is plugged in."""
    pytest.importorskip("usb.core", reason="printers on USB need python-escpos: pip install 'posterm[pi]'")

    def find(**wanted: object) -> FakeUsb | None:
        is_it = (wanted.get("idVendor"), wanted.get("idProduct")) == (VENDOR, PRODUCT)
        return device if is_it and device.is_plugged else None

    monkeypatch.setattr("usb.core.find", find)
