"""Receipt printers on USB: over python-escpos and a fake bus, and over a file like /dev/usb/lp0."""

import time
from pathlib import Path

import pytest

from hal.api import (
    DeviceEvent,
    DeviceMissing,
    ItemPrinted,
    PrinterReady,
    PrinterStatus,
    PrintImage,
    PrintStopped,
    PrintText,
)
from hal.host.clock import SystemClock
from hal.peripherals.printer import SoftwarePrinter
from hal.peripherals.shell import PtyShell
from hal.pi.printer import LpPrinter, UsbPrinter
from hal.virtual.clock import VirtualClock
from tests.contract.pty_line import served_on_pty
from tests.hal.fake_usb import FakeUsb, plug_in

NAME = "usb:04b8:0202"


def settle(printer: UsbPrinter, clock: VirtualClock, duration_ms: int) -> list[DeviceEvent]:
    events: list[DeviceEvent] = []
    for _ in range(duration_ms // 10):
        events += printer.poll()
        clock.advance(10)
    return events


def on_usb(monkeypatch: pytest.MonkeyPatch, far: SoftwarePrinter) -> tuple[UsbPrinter, VirtualClock, FakeUsb]:
    clock = VirtualClock()
    bus = FakeUsb(far, clock.monotonic_ms)
    plug_in(monkeypatch, bus)
    printer = UsbPrinter(NAME, clock, open_wait_ms=0)
    printer.open()
    assert settle(printer, clock, 300) == []
    return printer, clock, bus


def test_text_and_images_over_the_endpoints_of_the_printer_s_interface(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    far = SoftwarePrinter(speed_mm_per_s=300, flow_control="dtr")
    printer, clock, bus = on_usb(monkeypatch, far)
    assert printer.self_test().ok
    printer.submit(PrintText("over USB"))
    assert settle(printer, clock, 300) == [ItemPrinted()]
    printer.submit(PrintImage((b"\xff" * 70,) * 100))
    assert settle(printer, clock, 5_000) == [ItemPrinted()]
    assert far.slips[0].lines[0].text == "over USB"
    assert max(bus.packets) == 64
    assert far.lost_bytes == 0
    assert printer.deadline_ms() == clock.monotonic_ms() + 20  # there is no file to wait for


def test_pulled_out_and_plugged_in_again(monkeypatch: pytest.MonkeyPatch) -> None:
    far = SoftwarePrinter(speed_mm_per_s=100)
    printer, clock, bus = on_usb(monkeypatch, far)
    printer.submit(PrintText("lost"))
    bus.is_plugged = False
    assert settle(printer, clock, 1_000) == [PrintStopped(PrinterStatus.OFFLINE)]
    far.power_off()
    far.power_on()
    bus.is_plugged = True
    assert settle(printer, clock, 9_000) == [PrinterReady()]
    printer.submit(PrintText("kept"))
    assert settle(printer, clock, 300) == [ItemPrinted()]
    printer.close()
    printer.close()


def test_a_printer_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    plug_in(monkeypatch, FakeUsb(SoftwarePrinter(), lambda: 0))
    with pytest.raises(DeviceMissing, match="plug it in and switch it on"):
        UsbPrinter("usb:1234:5678", VirtualClock()).open()
    with pytest.raises(DeviceMissing, match="usblp"):
        LpPrinter("/dev/usb/lp99", VirtualClock()).open()


def test_a_device_that_is_no_printer(monkeypatch: pytest.MonkeyPatch) -> None:
    plug_in(monkeypatch, FakeUsb(SoftwarePrinter(), lambda: 0, interface_class=8))
    with pytest.raises(DeviceMissing, match="class of printers"):
        UsbPrinter(NAME, VirtualClock()).open()


def test_without_python_escpos_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "escpos.printer", None)
    with pytest.raises(DeviceMissing, match=r"pip install 'posterm\[pi\]'"):
        UsbPrinter(NAME, VirtualClock()).open()


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="as lsusb shows it"):
        UsbPrinter("epson", VirtualClock())


def test_the_kernel_s_driver(tmp_path: Path) -> None:
    """A pseudo-terminal in place of /dev/usb/lp0: a file that is read and written, and vanishes."""
    path = tmp_path / "lp0"
    first, second = SoftwarePrinter(speed_mm_per_s=0), SoftwarePrinter(speed_mm_per_s=0)
    printer = LpPrinter(str(path), SystemClock())
    with served_on_pty(first, PtyShell(first, link=path)):
        printer.open()
        assert printer.self_test().ok
        printer.submit(PrintText("one"))
        assert until_something(printer) == [ItemPrinted()]
    printer.poll()
    printer.submit(PrintText("two"))
    assert until_something(printer) == [PrintStopped(PrinterStatus.OFFLINE)]
    with served_on_pty(second, PtyShell(second, link=path)):
        assert until_something(printer) == [PrinterReady()]
        printer.submit(PrintText("three"))
        assert until_something(printer) == [ItemPrinted()]
    printer.close()
    assert [far.slips[0].text for far in (first, second)] == ["one", "three"]


def until_something(printer: LpPrinter) -> list[DeviceEvent]:
    for _ in range(10_000):
        if events := list(printer.poll()):
            return events
        time.sleep(0.002)
    raise AssertionError(f"nothing happens: {printer.self_test()}")
