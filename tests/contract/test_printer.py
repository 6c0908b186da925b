"""hal.api.Printer, over all backends. A rig makes the printer, lets its time pass, and stops and mends it."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from hal.api import (
    DeviceEvent,
    DeviceFault,
    ItemPrinted,
    OpenDrawer,
    PrintBarcode,
    PrintCut,
    Printer,
    PrinterReady,
    PrinterStatus,
    PrintFeed,
    PrintImage,
    PrintItem,
    PrintPair,
    PrintQr,
    PrintRule,
    PrintStopped,
    PrintText,
    Symbology,
)
from hal.peripherals.printer import SoftwarePrinter
from hal.pi.printer import UsbPrinter
from hal.serial.printer import SerialPrinter
from hal.virtual.clock import VirtualClock
from hal.virtual.printer import VirtualPrinter
from tests.hal.fake_usb import FakeUsb, plug_in
from tests.hal.serial_bench import URL, Bench, connect


@dataclass(frozen=True)
class Rig:
    """A printer, and the hands and the time around it."""

    printer: Printer
    wait: Callable[[int], None]  # let the time pass until this moment
    stop: dict[PrinterStatus, Callable[[], None]]
    mend: dict[PrinterStatus, Callable[[], None]]
    use_up_paper: Callable[[], None]  # until the sensor before its end sees it
    now_ms: Callable[[], int] | None = None  # of one that must be polled without end


def virtual(model: str, speed_mm_per_s: int) -> Rig:
    clock = VirtualClock()
    printer = VirtualPrinter(clock=clock, model=model, speed_mm_per_s=speed_mm_per_s)
    return Rig(
        printer,
        clock.advance_to,
        stop={
            PrinterStatus.PAPER_OUT: printer.run_out_of_paper,
            PrinterStatus.COVER_OPEN: printer.open_cover,
            PrinterStatus.OVERHEATED: printer.set_overheated,
            PrinterStatus.JAM: printer.jam,
            PrinterStatus.OFFLINE: printer.unplug,
        },
        mend={
            PrinterStatus.PAPER_OUT: printer.load_paper,
            PrinterStatus.COVER_OPEN: printer.close_cover,
            PrinterStatus.OVERHEATED: printer.cool_down,
            PrinterStatus.JAM: printer.clear_jam,
            PrinterStatus.OFFLINE: printer.plug,
        },
        use_up_paper=lambda: printer.load_paper(500),
    )


def usb(monkeypatch: pytest.MonkeyPatch, model: str) -> Rig:
    """The driver, python-escpos, a fake bus, and the printer in software."""
    far, clock = SoftwarePrinter(model=model, speed_mm_per_s=200, flow_control="dtr"), VirtualClock()
    bus = FakeUsb(far, clock.monotonic_ms)
    plug_in(monkeypatch, bus)
    printer = UsbPrinter("usb:04b8:0202", clock, model=model, open_wait_ms=0)
    printer.open()

    def settle() -> None:
        for _ in range(100):
            assert list(printer.poll()) == []
            clock.advance(10)

    def noticed(hand: Callable[[], None]) -> Callable[[], None]:
        def do() -> None:
            hand()
            settle()

        return do

    settle()
    return Rig(
        printer,
        clock.advance_to,
        stop={
            PrinterStatus.PAPER_OUT: noticed(far.run_out_of_paper),
            PrinterStatus.COVER_OPEN: noticed(far.open_cover),
            PrinterStatus.OVERHEATED: noticed(far.overheat),
            PrinterStatus.JAM: noticed(lambda: far.block_cutter(error=True)),
            PrinterStatus.OFFLINE: noticed(lambda: setattr(bus, "is_plugged", False)),
        },
        mend={
            PrinterStatus.PAPER_OUT: far.load_paper,
            PrinterStatus.COVER_OPEN: far.close_cover,
            PrinterStatus.OVERHEATED: far.cool_down,
            PrinterStatus.JAM: far.free_cutter,
            PrinterStatus.OFFLINE: lambda: setattr(bus, "is_plugged", True),
        },
        use_up_paper=noticed(lambda: far.load_paper(500)),
        now_ms=clock.monotonic_ms,
    )


def serial(monkeypatch: pytest.MonkeyPatch, model: str, bits_per_s: int) -> Rig:
    """The driver, a line of this rate, and the printer in software."""
    far = SoftwarePrinter(model=model, speed_mm_per_s=200)
    bench = Bench(far, bits_per_s=bits_per_s)
    connect(monkeypatch, bench)
    printer = SerialPrinter(URL, bench.clock, model=model, bits_per_s=bits_per_s, open_wait_ms=0)
    printer.open()
    bench.run(printer, 1_000)

    def noticed(hand: Callable[[], None]) -> Callable[[], None]:
        def do() -> None:
            hand()
            assert bench.run(printer, 1_000) == []

        return do

    return Rig(
        printer,
        bench.step,
        stop={
            PrinterStatus.PAPER_OUT: noticed(far.run_out_of_paper),
            PrinterStatus.COVER_OPEN: noticed(far.open_cover),
            PrinterStatus.OVERHEATED: noticed(far.overheat),
            PrinterStatus.JAM: noticed(lambda: far.block_cutter(error=True)),
            PrinterStatus.OFFLINE: noticed(bench.unplug),
        },
        mend={
            PrinterStatus.PAPER_OUT: far.load_paper,
            PrinterStatus.COVER_OPEN: far.close_cover,
            PrinterStatus.OVERHEATED: far.cool_down,
            PrinterStatus.JAM: far.free_cutter,
            PrinterStatus.OFFLINE: bench.plug,
        },
        use_up_paper=noticed(lambda: far.load_paper(500)),
    )


RIGS: dict[str, Callable[[pytest.MonkeyPatch], Rig]] = {
    "virtual-58mm": lambda _: virtual("58mm", 100),
    "virtual-80mm": lambda _: virtual("80mm", 300),
    "virtual-instant": lambda _: virtual("58mm", 0),
    "serial-58mm": lambda patch: serial(patch, "58mm", 9_600),
    "serial-80mm": lambda patch: serial(patch, "80mm", 115_200),
    "usb": lambda patch: usb(patch, "80mm"),
    "serial-slow": lambda patch: serial(patch, "80mm", 1_200),
}

ITEMS: tuple[PrintItem, ...] = (
    PrintText("签购单 SALES SLIP", bold=True, double_width=True, double_height=True),
    PrintText("long " * 50),
    PrintText("\x00\x1b@strange\n"),
    PrintPair("金额 AMOUNT", "RMB 128.50", bold=True, double_height=True),
    PrintPair("label " * 20, "value " * 20),
    PrintRule(),
    PrintRule("═"),
    PrintRule(""),
    PrintQr("https://pay.example/1"),
    PrintQr("x" * 5000),
    PrintBarcode("POSTERM 1"),
    PrintBarcode("4006381333931", Symbology.EAN13),
    PrintBarcode("not digits", Symbology.EAN13),
    PrintImage((b"\x55\xaa\x10\x04\x01",) * 20),
    PrintImage(()),
    OpenDrawer(1),
    PrintFeed(3),
    PrintFeed(0),
    PrintCut(),
    PrintCut(partial=True),
)

TROUBLES = [status for status in PrinterStatus if status is not PrinterStatus.READY]


@pytest.fixture(params=RIGS)
def rig(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Rig:
    made = RIGS[request.param](monkeypatch)
    made.printer.open()
    return made


def run(rig: Rig) -> list[DeviceEvent]:
    """All events until the printer has nothing more under way."""
    events = list(rig.printer.poll())
    end_ms = rig.now_ms() + 10_000 if rig.now_ms is not None else None
    while (at_ms := rig.printer.deadline_ms()) is not None and (end_ms is None or at_ms < end_ms):
        rig.wait(at_ms)
        events += rig.printer.poll()
    return events


def test_has_room_for_a_slip(rig: Rig) -> None:
    assert rig.printer.columns in {32, 48}
    assert rig.printer.status is PrinterStatus.READY


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: type(item).__name__)
def test_answers_every_item_with_item_printed(rig: Rig, item: PrintItem) -> None:
    rig.printer.submit(item)
    assert run(rig) == [ItemPrinted()]


TAKES_TIME = pytest.mark.parametrize(
    "rig", [name for name in RIGS if name != "virtual-instant"], indirect=True
)
SLIP = (PrintText("one"), PrintPair("label", "value"), PrintRule(), PrintFeed(2), PrintCut())


def test_answers_for_every_item_of_several(rig: Rig) -> None:
    rig.printer.submit(*SLIP)
    assert run(rig) == [ItemPrinted()] * len(SLIP)
    rig.printer.submit(PrintText("next"))
    assert run(rig) == [ItemPrinted()]


@TAKES_TIME
def test_takes_nothing_while_it_prints(rig: Rig) -> None:
    rig.printer.submit(PrintText("one"))
    with pytest.raises(DeviceFault, match="still being printed"):
        rig.printer.submit(PrintText("two"))
    assert run(rig) == [ItemPrinted()]


@TAKES_TIME
def test_finishes_no_more_than_the_item_at_hand_once_it_is_told_to_stop(rig: Rig) -> None:
    rig.printer.submit(*SLIP)
    assert rig.printer.cancel() == 1
    assert run(rig) == [ItemPrinted()]
    assert rig.printer.cancel() == 0
    rig.printer.submit(PrintText("next"))
    assert run(rig) == [ItemPrinted()]


def test_tells_how_many_answers_are_still_to_come(rig: Rig) -> None:
    rig.printer.submit(*SLIP)
    heard = list(rig.printer.poll())
    answers = rig.printer.cancel()
    assert heard + run(rig) == [ItemPrinted()] * (len(heard) + answers)


def test_trouble_ends_all_that_was_submitted(rig: Rig) -> None:
    rig.stop[PrinterStatus.COVER_OPEN]()
    rig.printer.submit(*SLIP)
    assert list(rig.printer.poll()) == [PrintStopped(PrinterStatus.COVER_OPEN)]
    assert rig.printer.cancel() == 0
    rig.mend[PrinterStatus.COVER_OPEN]()
    assert run(rig) == [PrinterReady()]
    rig.printer.submit(*SLIP)
    assert run(rig) == [ItemPrinted()] * len(SLIP)


def test_says_when_the_roll_is_near_its_end_and_prints_on(rig: Rig) -> None:
    assert not rig.printer.paper_low
    rig.use_up_paper()
    assert rig.printer.paper_low
    assert rig.printer.status is PrinterStatus.READY
    rig.printer.submit(PrintText("one"))
    assert run(rig) == [ItemPrinted()]


@pytest.mark.parametrize("trouble", TROUBLES)
def test_stops_and_goes_on(rig: Rig, trouble: PrinterStatus) -> None:
    rig.stop[trouble]()
    assert rig.printer.status is trouble
    rig.printer.submit(PrintText("one"))
    assert list(rig.printer.poll()) == [PrintStopped(trouble)]
    rig.mend[trouble]()
    assert run(rig) == [PrinterReady()]
    assert rig.printer.status is PrinterStatus.READY
    rig.printer.submit(PrintText("one"))
    assert run(rig) == [ItemPrinted()]


@pytest.mark.parametrize("trouble", TROUBLES)
def test_self_test_tells_trouble_and_moves_no_paper(rig: Rig, trouble: PrinterStatus) -> None:
    assert rig.printer.self_test().ok
    rig.stop[trouble]()
    result = rig.printer.self_test()
    assert not result.ok
    assert trouble.value.replace("_", " ") in result.detail
