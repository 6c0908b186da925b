"""The virtual printer: what is on paper, and the physics and faults of printing it."""

import io
from pathlib import Path

import pytest
from PIL import Image

from hal.api import (
    Align,
    DeviceEvent,
    ItemPrinted,
    PrintCut,
    PrinterReady,
    PrinterStatus,
    PrintFeed,
    PrintItem,
    PrintPair,
    PrintQr,
    PrintRule,
    PrintStopped,
    PrintText,
)
from hal.raster import slip as raster
from hal.raster.width import text_columns
from hal.virtual.clock import VirtualClock
from hal.virtual.printer import VirtualPrinter

LINE = PrintText("one line")
LINE_MM = 30 / 8  # 24 dots and 6 of air, 8 dots a millimetre


def instant(model: str = "58mm", paper_mm: int = 30_000) -> VirtualPrinter:
    return VirtualPrinter(clock=VirtualClock(), model=model, speed_mm_per_s=0, paper_mm=paper_mm)


def print_all(printer: VirtualPrinter, *items: PrintItem) -> list[DeviceEvent]:
    events: list[DeviceEvent] = []
    for item in items:
        printer.submit(item)
        events += printer.poll()
    return events


def text(*items: PrintItem, columns: int = 32) -> list[str]:
    return raster.text_of([row for item in items for row in raster.lay_out(item, columns)])


# --- layout ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (PrintText("left"), ["left"]),
        (PrintText("金额", Align.CENTRE), [" " * 14 + "金额"]),
        (PrintText("right", Align.RIGHT), [" " * 27 + "right"]),
        (PrintText("odd", Align.CENTRE), [" " * 14 + "odd"]),
        (PrintText("POS", Align.CENTRE, double_width=True), [" " * 13 + "POS"]),
        (PrintText("SLIP", Align.CENTRE, double_width=True), [" " * 12 + "SLIP"]),
        (PrintText("END", Align.RIGHT, double_width=True), [" " * 26 + "END"]),
        (PrintText("seventeen columns", double_width=True), ["seventeen", "columns"]),
        (PrintText(""), [""]),
        (PrintRule(), ["-" * 32]),
        (PrintRule("═"), ["═" * 32]),
        (PrintRule("－"), ["－" * 16]),
        (PrintQr("https://pay.example"), ["[QR https://pay.example]"]),
        (PrintFeed(2), ["", ""]),
        (PrintCut(), []),
        (PrintPair("TID", "12345678"), ["TID" + " " * 21 + "12345678"]),
        (PrintPair("商户号", "898320154110001"), ["商户号" + " " * 11 + "898320154110001"]),
        (PrintPair("x" * 20, "y" * 11), ["x" * 20 + " " + "y" * 11]),
        (PrintPair("x" * 20, "y" * 12), ["x" * 20, " " * 20 + "y" * 12]),
        (PrintPair("label only", ""), ["label only"]),
        (PrintPair("", "value only"), [" " * 22 + "value only"]),
        (
            PrintPair("L", "word " * 7 + "word"),
            ["L", "   word word word word word word", " " * 23 + "word word"],
        ),
    ],
)
def test_text_column_by_column(item: PrintItem, expected: list[str]) -> None:
    assert text(item) == expected


def test_no_line_is_wider_than_the_paper() -> None:
    long = "交易 amount 128.50 aVeryLongWordThatDoesNotFitAnywhereAtAll " * 3
    for columns in (32, 48):
        for item in (
            PrintText(long),
            PrintText(long, Align.CENTRE, double_width=True),
            PrintPair(long, long),
        ):
            rows = raster.lay_out(item, columns)
            dots = raster.draw(rows, columns)
            assert dots.width == columns * 12
            for row in rows:
                assert isinstance(row, raster.TextRow)
                size = 2 if row.double_width else 1
                assert row.indent_columns + text_columns(row.text) * size <= columns


@pytest.mark.parametrize(
    ("item", "height_dots"),
    [
        (LINE, 30),
        (PrintText("x", double_height=True), 54),
        (PrintText("x", double_width=True), 30),
        (PrintFeed(3), 90),
        (PrintQr("12345678"), 240),
        (PrintCut(), 96),
    ],
)
def test_paper_that_an_item_takes(item: PrintItem, height_dots: int) -> None:
    rows = raster.lay_out(item, 32)
    assert raster.height_dots(rows) == height_dots == raster.draw(rows, 32).height


def test_double_width_is_drawn_over_twice_the_columns() -> None:
    canvas = raster.draw(raster.lay_out(PrintText("██", Align.RIGHT, double_width=True), 32), 32)
    middle = canvas.dots[15 * 384 : 16 * 384]
    assert middle == bytes(384 - 48) + bytes([1] * 48)


# --- slips -------------------------------------------------------------------------------------------


def test_slips_end_at_the_cut() -> None:
    printer = instant()
    print_all(printer, PrintText("first"), PrintCut(), PrintText("second"))
    assert [(slip.text, slip.complete) for slip in printer.slips] == [("first", True), ("second", False)]
    print_all(printer, PrintCut())
    assert [slip.complete for slip in printer.slips] == [True, True]
    assert printer.slips[1].items == (PrintText("second"), PrintCut())
    scissors = "---------------8<---------------"
    assert printer.paper_text() == f"first\n{scissors}\nsecond\n{scissors}\n"


def test_a_cut_on_clean_paper_makes_no_slip() -> None:
    printer = instant()
    print_all(printer, PrintCut(), PrintText("one"), PrintCut())
    assert [slip.text for slip in printer.slips] == ["one"]


def test_what_was_being_printed_is_lost_with_the_power() -> None:
    clock = VirtualClock()
    printer = VirtualPrinter(clock=clock)
    printer.open()
    printer.submit(PrintText("one"))
    printer.close()
    printer.open()
    clock.advance(1000)
    assert not printer.poll()
    printer.submit(PrintText("two"))
    clock.advance(1000)
    assert list(printer.poll()) == [ItemPrinted()]
    assert [slip.text for slip in printer.slips] == ["two"]


def test_a_torn_slip_stays_incomplete() -> None:
    printer = instant()
    print_all(printer, LINE)
    printer.tear()
    print_all(printer, LINE, PrintCut())
    assert [slip.complete for slip in printer.slips] == [False, True]


def test_pictures_show_the_dots_on_paper(tmp_path: Path) -> None:
    printer = instant()
    print_all(printer, PrintText("█" * 32), PrintCut(), PrintText("second"), PrintCut())
    one, all_ = tmp_path / "one.png", tmp_path / "all.png"
    printer.paper_png(one, slip=0)
    printer.paper_png(all_)
    picture = Image.open(io.BytesIO(one.read_bytes())).convert("RGBA")
    line = [picture.getpixel((x, 32 + 15)) for x in range(picture.width)]
    dark = [x for x, dot in enumerate(line) if isinstance(dot, tuple) and max(dot[:3]) < 80 and dot[3] == 255]
    assert dark == list(range(32, 32 + 384))
    corner = picture.getpixel((0, 0))
    assert isinstance(corner, tuple)
    assert corner[3] == 0  # torn off
    assert Image.open(io.BytesIO(all_.read_bytes())).height > 2 * picture.height
    doubled = Image.open(io.BytesIO(printer.paper_png(slip=0, scale=2)))
    assert doubled.size == (2 * picture.width, 2 * picture.height)


def test_a_picture_of_no_slip() -> None:
    printer = instant("80mm")
    assert Image.open(io.BytesIO(printer.paper_png())).width > 576
    with pytest.raises(IndexError):
        printer.paper_png(slip=0)


# --- physics -----------------------------------------------------------------------------------------


def test_printing_takes_time_and_paper() -> None:
    clock = VirtualClock()
    printer = VirtualPrinter(clock=clock, speed_mm_per_s=100, paper_mm=1000)
    printer.submit(PrintFeed(2))  # 7.5 mm: 75 ms
    assert printer.deadline_ms() == 75
    clock.advance(74)
    assert list(printer.poll()) == []
    assert printer.slips == []
    clock.advance(1)
    assert list(printer.poll()) == [ItemPrinted()]
    assert printer.paper_left_mm == 1000 - 2 * LINE_MM
    assert printer.deadline_ms() is None


def test_several_items_are_heard_of_as_they_come_out_and_waited_for_together() -> None:
    clock = VirtualClock()
    printer = VirtualPrinter(clock=clock, speed_mm_per_s=100)
    printer.submit(PrintFeed(2), PrintFeed(4), PrintFeed(2))  # 75, 150 and 75 ms
    assert printer.deadline_ms() == 300
    clock.advance(230)
    assert list(printer.poll()) == [ItemPrinted()] * 2
    assert printer.deadline_ms() == 300
    clock.advance(70)
    assert list(printer.poll()) == [ItemPrinted()]


TROUBLES_BY_ITSELF = {
    "paper": lambda printer: printer.load_paper(8),
    "script": lambda printer: printer.fail_after_items(2, PrinterStatus.JAM),
    "heat": lambda printer: printer._head.set_celsius(64.99, 0),
}


@pytest.mark.parametrize("trouble", TROUBLES_BY_ITSELF)
def test_trouble_by_itself_is_heard_of_when_it_comes(trouble: str) -> None:
    """Waiting from deadline to deadline meets it in the very millisecond in which item by item would."""
    stopped_at_ms = []
    for together in (True, False):
        clock = VirtualClock()
        printer = VirtualPrinter(clock=clock)
        TROUBLES_BY_ITSELF[trouble](printer)
        left = [PrintText("x" * 32, bold=True)] * 6
        printer.submit(*left if together else left[:1])
        while PrintStopped not in map(type, events := printer.poll()):
            if not together and events:
                del left[0]
                printer.submit(left[0])
            clock.advance_to(printer.deadline_ms() or 0)
        stopped_at_ms.append(clock.monotonic_ms())
    assert stopped_at_ms[0] == stopped_at_ms[1] > 0


def test_paper_ends_within_a_slip_and_the_slip_goes_on() -> None:
    printer = instant(paper_mm=10)
    events = print_all(printer, PrintText("one"), PrintText("two"), PrintText("three"))
    assert events == [ItemPrinted(), ItemPrinted(), PrintStopped(PrinterStatus.PAPER_OUT)]
    printer.load_paper()
    assert list(printer.poll()) == [PrinterReady()]
    assert print_all(printer, PrintText("three"), PrintCut()) == [ItemPrinted(), ItemPrinted()]
    (slip,) = printer.slips
    assert (slip.text, slip.complete, slip.roll_changes) == ("one\ntwo\nthree", True, (2,))
    assert [piece.height for piece in slip.pieces()] == [60, 30 + 96]


@pytest.mark.parametrize("status", [PrinterStatus.COVER_OPEN, PrinterStatus.JAM, PrinterStatus.OVERHEATED])
def test_trouble_during_an_item_loses_it(status: PrinterStatus) -> None:
    clock = VirtualClock()
    printer = VirtualPrinter(clock=clock, speed_mm_per_s=100)
    printer.submit(LINE)
    clock.advance(10)
    {
        PrinterStatus.COVER_OPEN: printer.open_cover,
        PrinterStatus.JAM: printer.jam,
        PrinterStatus.OVERHEATED: printer.set_overheated,
    }[status]()
    assert list(printer.poll()) == [PrintStopped(status)]
    assert printer.slips == []
    assert printer.paper_left_mm == 30_000


def test_an_item_that_was_finished_before_the_trouble_is_on_paper() -> None:
    clock = VirtualClock()
    printer = VirtualPrinter(clock=clock, speed_mm_per_s=100)
    printer.submit(LINE)
    clock.advance(1000)  # nobody polled since
    printer.open_cover()
    assert list(printer.poll()) == [ItemPrinted()]
    assert [slip.text for slip in printer.slips] == ["one line"]


def test_ready_only_when_the_last_trouble_is_over() -> None:
    printer = instant()
    printer.open_cover()
    printer.jam()
    seen = [printer.status]
    printer.close_cover()
    seen.append(printer.status)
    assert seen == [PrinterStatus.COVER_OPEN, PrinterStatus.JAM]
    assert list(printer.poll()) == []
    printer.clear_jam()
    assert list(printer.poll()) == [PrinterReady()]
    assert list(printer.poll()) == []


def test_printing_without_a_pause_overheats_and_rest_cures() -> None:
    clock = VirtualClock()
    printer = VirtualPrinter(clock=clock, speed_mm_per_s=300, paper_mm=100_000)
    stopped_at_ms = 0
    while not stopped_at_ms:
        printer.submit(PrintText("x" * 32))
        clock.advance_to(printer.deadline_ms() or 0)
        if list(printer.poll()) == [PrintStopped(PrinterStatus.OVERHEATED)]:
            stopped_at_ms = clock.monotonic_ms()
        assert clock.monotonic_ms() < 60_000
    assert stopped_at_ms > 5_000
    assert printer.head_celsius == pytest.approx(65, abs=1)
    cool_at_ms = printer.deadline_ms()
    assert cool_at_ms is not None
    clock.advance_to(cool_at_ms - 1)
    assert list(printer.poll()) == []
    clock.advance_to(cool_at_ms)
    assert printer.deadline_ms() == cool_at_ms, "it still has to tell, whoever asks first"
    assert list(printer.poll()) == [PrinterReady()]
    assert printer.deadline_ms() is None
    assert printer.head_celsius == pytest.approx(55, abs=0.1)


def test_slips_at_a_busy_counter_leave_the_head_cool() -> None:
    clock = VirtualClock()
    printer = VirtualPrinter(clock=clock, paper_mm=100_000)
    for _ in range(100):
        for _ in range(60):  # two slips of thirty full lines, then ten seconds for the next customer
            printer.submit(PrintText("x" * 32))
            clock.advance_to(printer.deadline_ms() or 0)
            assert list(printer.poll()) == [ItemPrinted()]
        clock.advance(10_000)
    assert printer.head_celsius < 55


def test_an_instant_printer_stays_cool() -> None:
    printer = instant(paper_mm=100_000)
    assert set(map(type, print_all(printer, *[PrintText("x" * 32)] * 5000))) == {ItemPrinted}
    assert printer.head_celsius == 25


@pytest.mark.parametrize("status", [status for status in PrinterStatus if status is not PrinterStatus.READY])
def test_a_scripted_fault_comes_after_its_items(status: PrinterStatus) -> None:
    printer = instant()
    printer.fail_after_items(2, status)
    assert print_all(printer, LINE, LINE, LINE) == [ItemPrinted(), ItemPrinted(), PrintStopped(status)]
    assert printer.status is status
    {
        PrinterStatus.PAPER_OUT: printer.load_paper,
        PrinterStatus.COVER_OPEN: printer.close_cover,
        PrinterStatus.OVERHEATED: printer.cool_down,
        PrinterStatus.JAM: printer.clear_jam,
        PrinterStatus.OFFLINE: printer.plug,
    }[status]()
    assert list(printer.poll()) == [PrinterReady()]
    assert print_all(printer, LINE, LINE, LINE, LINE) == [ItemPrinted()] * 4


def test_a_script_counts_from_now_on_whenever_somebody_polls() -> None:
    clock = VirtualClock()
    printer = VirtualPrinter(clock=clock, speed_mm_per_s=100)
    printer.submit(*[PrintFeed(2)] * 5)  # 75 ms each
    clock.advance(160)
    printer.fail_after_items(1, PrinterStatus.JAM)
    clock.advance(1_000)
    assert list(printer.poll()) == [ItemPrinted()] * 3 + [PrintStopped(PrinterStatus.JAM)]


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="known are 58mm, 80mm"):
        instant("112mm")
    with pytest.raises(ValueError, match="negative"):
        instant(paper_mm=-1)
    with pytest.raises(ValueError, match="other than READY"):
        instant().fail_after_items(1, PrinterStatus.READY)
