"""The printer in software as a machine: time, paper, faults, status, buffer and flow control."""

import pytest

from hal.peripherals.api import DeviceLines, HostLines, LinePeripheral
from hal.peripherals.printer import BUFFER_BYTES, SoftwarePrinter
from hal.peripherals.printer_mechanism import Beeped, DrawerKicked, PaperCut
from tests.peripherals.printing import instant, printed

XON, XOFF = b"\x11", b"\x13"
CLEAR = b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08"
LINE_MS = 38  # 30 dots at 100 mm/s


def slow(**options: object) -> SoftwarePrinter:
    return SoftwarePrinter(speed_mm_per_s=100, **options)  # type: ignore[arg-type]


def run(printer: SoftwarePrinter, until_ms: int) -> None:
    """Call it at its deadlines."""
    calls = 0
    while (at_ms := printer.deadline_ms()) is not None and at_ms <= until_ms:
        printer.receive(b"", at_ms)
        calls += 1
        assert calls < 10_000, "it asks to be called for nothing"
    printer.receive(b"", until_ms)


def text(printer: SoftwarePrinter) -> str:
    return "|".join(slip.text.replace("\n", "|") for slip in printer.slips)


def ask(printer: SoftwarePrinter, request: bytes, now_ms: int = 0) -> bytes:
    printer.take_output()
    printer.receive(request, now_ms)
    return printer.take_output()


def test_it_has_the_shape_of_all_peripherals() -> None:
    printer: LinePeripheral = instant()
    printer.set_host_lines(HostLines(dtr=False), 0)
    assert printer.lines == DeviceLines()


# --- time and paper ----------------------------------------------------------------------------------


def test_lines_take_their_time() -> None:
    printer = slow()
    printer.receive(b"a\nb\n", 0)
    assert (text(printer), printer.deadline_ms()) == ("", LINE_MS)
    printer.receive(b"", LINE_MS - 1)
    assert text(printer) == ""
    printer.receive(b"", LINE_MS)
    assert (text(printer), printer.deadline_ms()) == ("a", 2 * LINE_MS)
    run(printer, 2 * LINE_MS)
    assert (text(printer), printer.deadline_ms()) == ("a|b", None)


def test_a_slip_ends_at_the_cut_and_its_events_have_their_moments() -> None:
    printer = slow()
    printer.receive(b"a\n\x1bp\x00\x19\xff\x07\x1dV\x42\x00b\n", 0)
    run(printer, 2_000)
    assert [slip.text for slip in printer.finished] == ["a"]
    assert [slip.text for slip in printer.slips] == ["a", "b"]
    feed_ms = 120
    assert printer.take_events() == [
        DrawerKicked(0, 50, LINE_MS + 50),
        Beeped(1, 100, LINE_MS + 50),
        PaperCut(True, LINE_MS + 50 + feed_ms + 200),
    ]
    assert printer.take_events() == []


def test_paper_is_used_up_and_its_end_is_seen_before_the_line_that_it_cannot_hold() -> None:
    printer = instant(paper_mm=10)
    assert printer.health.paper_near_end
    printer.receive(b"a\nb\nc\nd\n", 0)
    assert text(printer) == "a|b"
    assert printer.health.paper_out
    assert printer.paper_left_mm == 2.5
    printer.load_paper(2_000)
    printer.receive(b"", 0)
    assert text(printer) == "a|b|c|d"
    assert not printer.health.paper_near_end
    assert printer.slips[0].new_roll_at == (2,)


def test_what_is_interrupted_is_printed_anew() -> None:
    printer = slow()
    printer.receive(b"a\nb\n", 0)
    printer.receive(b"", LINE_MS + 20)
    printer.open_cover()
    run(printer, 5_000)
    assert text(printer) == "a"
    printer.close_cover()
    run(printer, 5_000 + LINE_MS)
    assert text(printer) == "a|b"


def test_printing_without_a_pause_overheats_and_rest_cures() -> None:
    printer = SoftwarePrinter(speed_mm_per_s=300, paper_mm=100_000)
    printer.receive(b"\x1b@\x1da\xff", 0)
    printer.take_output()
    now_ms = 0
    block = b"\x1dv0\x00\x48\x00\x18\x00" + b"\xff" * 72 * 24
    while True:
        printer.receive(block, now_ms)
        if printer.health.overheated:
            break
        now_ms = printer.deadline_ms() or now_ms
        assert now_ms < 60_000
    printer.take_output()
    assert ask(printer, b"\x10\x04\x03", now_ms) == b"\x52"
    cool_at_ms = printer.deadline_ms() or 0
    assert cool_at_ms > now_ms
    run(printer, cool_at_ms)
    assert not printer.health.overheated


def test_slips_are_forgotten_before_they_fill_the_memory() -> None:
    printer = instant(paper_mm=1_000_000)
    for number in range(80):
        printer.receive(b"%d\n\x1dV\x00" % number, 0)
    assert [slip.text for slip in printer.finished] == [str(number) for number in range(30, 80)]
    assert printer.finished_slips == 80
    printer.receive(b"x\n" * 1_000, 0)
    assert printer.finished_slips == 81, "a slip without end is ended"


# --- status ------------------------------------------------------------------------------------------


def broken(trouble: str) -> SoftwarePrinter:
    printer = instant(paper_mm=500 if trouble == "near end" else 30_000)
    match trouble:
        case "cover":
            printer.open_cover()
        case "paper":
            printer.run_out_of_paper()
        case "cutter":
            printer.block_cutter(error=True)
        case "heat":
            printer.overheat()
        case "feed":
            printer.hold_feed_button(held=True)
        case "drawer":
            printer.set_drawer_open(is_open=True)
    return printer


# The four answers to DLE EOT, then what GS a reports. Source: Epson, ESC/POS Command Reference.
@pytest.mark.parametrize(
    ("trouble", "real_time", "automatic"),
    [
        ("none", "12121212", "10000000"),
        ("near end", "1212121E", "10000300"),
        ("paper", "1A32127E", "18000F00"),
        ("cover", "1A161212", "38000000"),
        ("cutter", "1A521A12", "18080000"),
        ("heat", "1A525212", "18400000"),
        ("feed", "5A1A1212", "58000000"),
        ("drawer", "16121212", "14000000"),
    ],
)
def test_status_bytes(trouble: str, real_time: str, automatic: str) -> None:
    printer = broken(trouble)
    answers = b"".join(ask(printer, bytes([0x10, 4, number])) for number in (1, 2, 3, 4))
    assert answers.hex().upper() == real_time
    reports = instant(paper_mm=500 if trouble == "near end" else 30_000)
    assert ask(reports, b"\x1da\xff")[:1] == b"\x10"
    match trouble:
        case "cover":
            reports.open_cover()
        case "paper":
            reports.run_out_of_paper()
        case "cutter":
            reports.block_cutter(error=True)
        case "heat":
            reports.overheat()
        case "feed":
            reports.hold_feed_button(held=True)
        case "drawer":
            reports.set_drawer_open(is_open=True)
    if trouble not in {"none", "near end"}:
        assert reports.take_output().hex().upper() == automatic


def test_automatic_status_tells_changes_once_and_only_of_what_was_chosen() -> None:
    printer = instant()
    assert ask(printer, b"\x1da\x02") == b"\x10\x00\x00\x00"
    printer.set_drawer_open(is_open=True)
    printer.receive(b"", 0)
    assert printer.take_output() == b""
    printer.open_cover()
    printer.receive(b"", 0)
    assert printer.take_output() == b"\x3c\x00\x00\x00"
    printer.close_cover()
    printer.receive(b"", 0)
    assert printer.take_output() == b"\x14\x00\x00\x00"
    printer.receive(b"\x1da\x00", 0)
    printer.open_cover()
    assert printer.take_output() == b""


def test_requests_in_real_time_are_answered_whatever_stands_before_them() -> None:
    printer = slow()
    printer.receive(b"x\n" * 100, 0)
    assert ask(printer, b"\x10\x04\x01") == b"\x12"
    printer.open_cover()
    assert ask(printer, b"\x10\x04") == b""
    assert ask(printer, b"\x02") == b"\x16"  # in two pieces


def test_a_request_within_an_image_is_answered_too_and_stays_part_of_the_image() -> None:
    """As on real printers (Epson, DLE EOT, notes): a driver lives with answers that it did not ask for."""
    printer = instant()
    image = b"\x1dv0\x00\x01\x00\x03\x00\x10\x04\x01"
    assert ask(printer, image + b"\n") == b"\x12"
    assert printer.slips[0].lines[0].text == "[image 8x3]"


def test_answers_in_their_turn_come_when_the_lines_before_them_are_printed() -> None:
    printer = slow()
    assert ask(printer, b"a\n\x1dr\x01\x1d(H\x06\x0000ABCD") == b""
    run(printer, LINE_MS)
    assert printer.take_output() == b"\x00" + b"\x37\x22ABCD\x00"
    printer.run_out_of_paper()
    assert ask(printer, b"\x1dr\x01", LINE_MS) == b""


def test_it_says_what_it_is() -> None:
    printer = instant()
    assert ask(printer, b"\x1dI\x42") == b"\x5fposterm\x00"
    assert ask(printer, b"\x1dI\x01") == b"\x20"


# --- cutter ------------------------------------------------------------------------------------------


def test_a_blocked_cutter_stays_an_error_until_it_is_free_and_somebody_says_go_on() -> None:
    printer = instant()
    printer.block_cutter()
    printer.receive(b"a\n\x1dV\x00b\n", 0)
    assert printer.health.cutter_error
    assert text(printer) == "a"
    printer.receive(b"\x10\x05\x01", 0)
    assert printer.health.cutter_error
    printer.free_cutter()
    assert printer.health.cutter_error
    printer.receive(b"\x10\x05\x01", 0)
    printer.receive(b"", 0)
    assert [slip.text for slip in printer.slips] == ["a", "b"]


def test_recovery_may_drop_what_waits() -> None:
    printer = instant()
    printer.block_cutter()
    printer.receive(b"a\n\x1dV\x00b\n", 0)
    printer.free_cutter()
    printer.receive(b"\x10\x05\x02", 0)
    printer.receive(b"c\n", 0)
    assert text(printer) == "a|c"


def test_the_buffer_is_emptied_on_request_in_any_state() -> None:
    printer = instant()
    printer.run_out_of_paper()
    printer.receive(b"lost\n", 0)
    assert ask(printer, CLEAR) == b"\x37\x25\x00"
    printer.receive(b"lost\n" + CLEAR + b"kept\n", 0)
    printer.load_paper()
    printer.receive(b"", 0)
    assert text(printer) == "kept"


def test_power_off_loses_everything_that_is_not_on_paper() -> None:
    printer = slow()
    printer.receive(b"\x1bE\x01a\nb\n", 0)
    run(printer, LINE_MS)
    printer.power_off()
    assert ask(printer, b"\x10\x04\x01c\n", 100) == b""
    assert printer.deadline_ms() is None
    assert not printer.lines.dsr
    printer.power_on()
    printer.receive(b"d\n", 200)
    run(printer, 1_000)
    assert text(printer) == "a|d"
    assert [line.style.bold for line in printer.slips[0].lines] == [True, False]


# --- flow control ------------------------------------------------------------------------------------


def test_xoff_before_the_buffer_is_full_and_xon_when_there_is_room() -> None:
    printer = slow()
    sent = 0
    while XOFF not in printer.take_output():
        printer.receive(b"x" * 15 + b"\n", 0)
        sent += 16
    assert BUFFER_BYTES - 256 < sent < BUFFER_BYTES + 200
    assert printer.lost_bytes == 0
    printer.receive(b"\n" * 64, 0)  # what was on its way
    assert printer.lost_bytes == 0
    heard = b""
    while heard != XON:
        run(printer, (printer.deadline_ms() or 0))
        heard = printer.take_output()
        assert heard in {b"", XON}
    assert printer.lost_bytes == 0


def test_a_host_that_does_not_listen_loses_bytes() -> None:
    printer = slow()
    printer.receive(b"x" * 15 + b"\n" * 1, 0)
    printer.receive(b"y" * 3 * BUFFER_BYTES, 0)
    assert printer.lost_bytes > BUFFER_BYTES


def test_dtr_goes_down_instead() -> None:
    printer = slow(flow_control="dtr")
    assert printer.lines == DeviceLines(cts=True, dsr=True, dcd=True)
    printer.run_out_of_paper()
    printer.receive(b"x" * (BUFFER_BYTES - 100), 0)
    assert printer.lines == DeviceLines(cts=False, dsr=False, dcd=True)
    assert printer.take_output() == b""


def test_models_and_numbers_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="known are 58mm, 80mm"):
        SoftwarePrinter(model="112mm")
    with pytest.raises(ValueError, match="negative"):
        SoftwarePrinter(paper_mm=-1)


def test_commands_that_did_nothing_are_counted() -> None:
    assert printed(b"\x1b\xff\x1b\xff\x1dk\x02notdigits\x00").skipped_commands == {"ESC ÿ": 2, "GS k": 1}
