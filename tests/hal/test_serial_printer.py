"""The driver of receipt printers against the printer in software: a real slip, troubles, bad lines."""

import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import posterm
from firmware.printing import PrintEvent, SlipPrinter
from hal.api import (
    DeviceEvent,
    ItemPrinted,
    PrintCut,
    PrinterReady,
    PrinterStatus,
    PrintFeed,
    PrintItem,
    PrintQr,
    PrintRule,
    PrintStopped,
    PrintText,
)
from hal.host.clock import SystemClock
from hal.peripherals.printer import SoftwarePrinter
from hal.peripherals.printer_mechanism import Beeped
from hal.peripherals.shell import PtyShell
from hal.serial.printer import SerialPrinter
from tests.contract.pty_line import served_on_pty
from tests.hal.serial_bench import QUIET, URL, Bench, connect

PATIENCE_MS = 120_000
ITEMS: tuple[PrintItem, ...] = (
    PrintText("one"),
    PrintText("two " * 30),
    PrintRule(),
    PrintQr("https://pay.example/1"),
    PrintText("three"),
    PrintFeed(2),
    PrintText("four"),
    PrintCut(),
)
CONTINUED = PrintText("CONTINUED")


class Desk:
    """Driver, line and printer; the firmware feeds slips to the driver."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        far: SoftwarePrinter,
        *,
        bits_per_s: int = 19_200,
        noise: dict[str, float] = QUIET,
        seed: int = 1,
        flow_control: str = "none",
    ) -> None:
        self.far = far
        self.bench = Bench(far, bits_per_s=bits_per_s, noise=noise, seed=seed)
        connect(monkeypatch, self.bench)
        self.printer = SerialPrinter(
            URL,
            self.bench.clock,
            bits_per_s=bits_per_s,
            open_wait_ms=0,
            flow_control=flow_control,  # type: ignore[arg-type]
        )
        self.printer.open()
        self.slips = SlipPrinter(self.printer)
        self.events: list[DeviceEvent] = []

    def hear(self, duration_ms: int) -> list[PrintEvent]:
        """Let time pass; what the firmware makes of it."""
        events = self.bench.run(self.printer, duration_ms)
        self.events += events
        heard = [
            self.slips.handle(event)
            for event in events
            if isinstance(event, ItemPrinted | PrintStopped | PrinterReady)
        ]
        return [one for one in heard if one is not None]

    def run_until(self, wanted: PrintEvent, limit_ms: int = PATIENCE_MS) -> list[PrintEvent]:
        heard: list[PrintEvent] = []
        end_ms = self.bench.now_ms + limit_ms
        while wanted not in heard:
            assert self.bench.now_ms < end_ms, (wanted, heard, self.printer.self_test())
            heard += self.hear(5)
        return heard

    def print_through(self, items: Sequence[PrintItem]) -> list[PrintEvent]:
        """Print a slip whatever comes, as the firmware does: on after each stop, under a mark."""
        self.slips.start(items, continued=[CONTINUED])
        heard: list[PrintEvent] = []
        while PrintEvent.PRINTED not in heard:
            new = self.hear(5)
            if PrintEvent.READY in new:
                self.slips.resume()
            heard += new
            assert self.bench.now_ms < PATIENCE_MS, (heard, self.printer.self_test())
        return heard

    def words(self) -> list[str]:
        return re.findall(r"\w+", " ".join(slip.text for slip in self.far.slips))


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    made = Desk(monkeypatch, SoftwarePrinter(speed_mm_per_s=200))
    made.hear(500)
    return made


def words_of(items: Sequence[PrintItem]) -> list[str]:
    texts = [
        item.text if isinstance(item, PrintText) else "QR https pay example 1"
        for item in items
        if isinstance(item, PrintText | PrintQr)
    ]
    return " ".join(texts).split()


# --- a slip ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_real_payment_s_slip_is_the_one_of_the_simulation(
    monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    with posterm.start(language=language) as pos:
        posterm.sell(pos, "128.50", "good", ["123456"])
        simulated = list(pos.devices.printer.slips)
    far = SoftwarePrinter(model="58mm", speed_mm_per_s=200)
    bench = Bench(far, bits_per_s=115_200)
    connect(monkeypatch, bench)
    printer = SerialPrinter(URL, bench.clock, model="58mm", bits_per_s=115_200, open_wait_ms=0)
    printer.open()
    bench.run(printer, 500)
    slips = SlipPrinter(printer)
    for slip in simulated:
        slips.start(slip.items)
        while True:
            heard = [slips.handle(event) for event in bench.run(printer, 5) if isinstance(event, ItemPrinted)]
            if PrintEvent.PRINTED in heard:
                break
            assert bench.now_ms < PATIENCE_MS
    (paper,) = far.slips  # this model has no cutter: a person tears the slips off
    assert paper.text == "\n".join(slip.text for slip in simulated)
    assert far.skipped_commands == {}


def test_an_item_is_said_to_be_printed_when_it_is_on_paper(desk: Desk) -> None:
    desk.printer.submit(PrintText("a line"))
    waited_ms = 0
    while not (events := desk.bench.run(desk.printer, 1)):
        waited_ms += 1
        assert waited_ms < 1_000
    assert events == [ItemPrinted()]
    assert desk.words() == ["a", "line"]
    assert waited_ms > 20  # the line needs 19 ms on paper, its bytes 8 ms on the way


def test_the_buffer_is_never_full_however_much_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    """XON and XOFF are the operating system's; the driver sends no more than fits without them."""
    desk = Desk(monkeypatch, SoftwarePrinter(speed_mm_per_s=50), bits_per_s=921_600)
    desk.hear(500)
    heard = desk.print_through([PrintText("many words " * 400), *ITEMS])
    assert heard == [PrintEvent.PRINTED]
    assert desk.far.lost_bytes == 0
    assert desk.words()[:800] == ["many", "words"] * 400


def test_pacing_by_dtr(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than is printed meanwhile, and than a buffer holds: with DTR it waits here, without it is lost."""
    lost = {}
    for flow_control in ("none", "dsrdtr"):
        far = SoftwarePrinter(speed_mm_per_s=100, flow_control="dtr")
        desk = Desk(monkeypatch, far, bits_per_s=115_200, flow_control=flow_control)
        desk.hear(500)
        for _ in range(40):
            desk.printer.send_aside(b"burst\n" * 50)
            desk.hear(50)
        desk.hear(90_000)
        lost[flow_control] = far.lost_bytes
        assert desk.words().count("burst") == 2_000 or flow_control == "none"
    assert lost["dsrdtr"] == 0
    assert lost["none"] > 1_000


def test_a_buzzer_in_the_printer(desk: Desk) -> None:
    desk.printer.send_aside(b"\x1bB\x02\x03")
    desk.hear(100)
    (event,) = desk.far.take_events()
    assert isinstance(event, Beeped)
    assert (event.times, event.duration_ms) == (2, 150)
    assert desk.words() == []


# --- troubles ----------------------------------------------------------------------------------------

STOPS: dict[PrinterStatus, tuple[Callable[[Desk], None], Callable[[Desk], None]]] = {
    PrinterStatus.PAPER_OUT: (lambda d: d.far.run_out_of_paper(), lambda d: d.far.load_paper()),
    PrinterStatus.COVER_OPEN: (lambda d: d.far.open_cover(), lambda d: d.far.close_cover()),
    PrinterStatus.JAM: (lambda d: d.far.block_cutter(error=True), lambda d: d.far.free_cutter()),
    PrinterStatus.OVERHEATED: (lambda d: d.far.overheat(), lambda d: None),
    PrinterStatus.OFFLINE: (lambda d: d.bench.unplug(), lambda d: d.bench.plug()),
}


@pytest.mark.parametrize("status", STOPS)
@pytest.mark.parametrize("after_ms", [0, 30, 95, 140, 260, 430, 510, 700])
def test_a_slip_goes_on_where_it_stopped_whatever_stopped_it(
    desk: Desk, status: PrinterStatus, after_ms: int
) -> None:
    """Nothing is lost; what was under way at the stop may be there twice, under the mark."""
    stop, mend = STOPS[status]
    desk.slips.start(ITEMS, continued=[CONTINUED])
    assert PrintEvent.PRINTED not in desk.hear(after_ms)
    stop(desk)
    assert desk.run_until(PrintEvent.STOPPED) == [PrintEvent.STOPPED]
    assert desk.events[-1] == PrintStopped(status)
    assert desk.printer.status is status
    mend(desk)
    assert desk.run_until(PrintEvent.READY) == [PrintEvent.READY]
    desk.slips.resume()
    assert desk.run_until(PrintEvent.PRINTED) == [PrintEvent.PRINTED]
    assert is_whole(desk.words(), words_of(ITEMS))


def is_whole(printed: list[str], wanted: list[str]) -> bool:
    """The words before the mark, and those after it, which begin there or up to one item earlier."""
    if "CONTINUED" not in printed:
        return printed == wanted
    mark = printed.index("CONTINUED")
    before, after = printed[:mark], printed[mark + 1 :]
    return (
        before == wanted[: len(before)]
        and after == wanted[len(wanted) - len(after) :]
        and len(before) + len(after) >= len(wanted)
    )


def test_paper_that_runs_out_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch, SoftwarePrinter(speed_mm_per_s=200, paper_mm=25))
    desk.hear(500)
    assert desk.printer.paper_low
    desk.slips.start(ITEMS, continued=[CONTINUED])
    desk.run_until(PrintEvent.STOPPED)
    assert desk.printer.status is PrinterStatus.PAPER_OUT
    desk.far.load_paper()
    desk.run_until(PrintEvent.READY)
    assert not desk.printer.paper_low
    desk.slips.resume()
    desk.run_until(PrintEvent.PRINTED)
    assert is_whole(desk.words(), words_of(ITEMS))


def test_a_cutter_that_fails_at_the_end_of_a_slip(desk: Desk) -> None:
    desk.far.block_cutter()
    desk.slips.start(ITEMS)
    desk.run_until(PrintEvent.STOPPED)
    assert desk.printer.status is PrinterStatus.JAM
    assert "cutter" in desk.printer.self_test().detail
    desk.far.free_cutter()
    desk.run_until(PrintEvent.READY)
    desk.slips.resume()
    desk.run_until(PrintEvent.PRINTED)
    assert [slip.is_cut for slip in desk.far.finished] == [True]


def test_power_off_and_on_while_the_port_stays(desk: Desk) -> None:
    """As with a USB adapter: only silence tells."""
    desk.slips.start(ITEMS, continued=[CONTINUED])
    desk.hear(150)
    desk.far.power_off()
    desk.run_until(PrintEvent.STOPPED, 20_000)
    assert desk.printer.status is PrinterStatus.OFFLINE
    assert not desk.printer.self_test().ok
    desk.hear(10_000)
    desk.far.power_on()
    desk.run_until(PrintEvent.READY, 5_000)
    desk.slips.resume()
    desk.run_until(PrintEvent.PRINTED)
    assert is_whole(desk.words(), words_of(ITEMS))


def test_a_printer_that_is_switched_on_later_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    far = SoftwarePrinter(speed_mm_per_s=0)
    far.power_off()
    desk = Desk(monkeypatch, far)
    desk.hear(10_000)
    assert desk.printer.status is PrinterStatus.OFFLINE
    desk.printer.submit(PrintText("one"))
    assert list(desk.printer.poll()) == [PrintStopped(PrinterStatus.OFFLINE)]
    far.power_on()
    desk.run_until(PrintEvent.READY, 5_000)
    assert desk.printer.self_test().ok


def test_what_a_printer_has_in_its_buffer_when_it_stops_is_not_printed_later(desk: Desk) -> None:
    desk.far.open_cover()
    desk.hear(1_000)
    desk.far.close_cover()
    desk.run_until(PrintEvent.READY)
    desk.printer.submit(PrintText("held"))
    desk.bench.turn()
    desk.far.open_cover()
    desk.hear(1_000)
    desk.far.close_cover()
    desk.hear(5_000)
    assert desk.events[-2:] == [PrintStopped(PrinterStatus.COVER_OPEN), PrinterReady()]
    assert desk.words() == []


# --- a bad line --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_noise_delays_a_slip_and_stops_none(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Bits flip in both directions: words may come out wrong, but the slip comes to its end."""
    desk = Desk(
        monkeypatch,
        SoftwarePrinter(speed_mm_per_s=200),
        noise={"bit_error_rate": 2e-4},
        seed=seed,
    )
    desk.print_through(ITEMS)
    right = sum(word in desk.words() for word in words_of(ITEMS))
    assert right > 0.8 * len(words_of(ITEMS))


@pytest.mark.parametrize("seed", range(4))
def test_lost_answers_are_asked_for_again_and_nothing_is_printed_twice(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    far = SoftwarePrinter(speed_mm_per_s=200)
    desk = Desk(monkeypatch, far, seed=seed)
    desk.hear(500)
    answers = iter(range(10_000))
    take_output = far.take_output
    monkeypatch.setattr(far, "take_output", lambda: b"" if next(answers) % 7 == seed else take_output())
    heard = desk.print_through(ITEMS)
    assert heard == [PrintEvent.PRINTED]
    assert desk.words() == words_of(ITEMS)


# --- a real port, in real time -----------------------------------------------------------------------


def test_a_slip_through_a_pseudo_terminal_that_vanishes_and_comes_back(tmp_path: Path) -> None:
    link = tmp_path / "ttyPRINTER"
    first, second = SoftwarePrinter(speed_mm_per_s=300), SoftwarePrinter(speed_mm_per_s=300)
    printer = SerialPrinter(str(link), SystemClock(), bits_per_s=115_200)
    slips = SlipPrinter(printer)
    with served_on_pty(first, PtyShell(first, link=link)):
        printer.open()
        assert printer.self_test().ok
        slips.start(ITEMS, continued=[CONTINUED])
        pump(printer, slips, lambda _: "two" in " ".join(slip.text for slip in first.slips))
    pump(printer, slips, lambda heard: PrintEvent.STOPPED in heard)
    assert printer.status is PrinterStatus.OFFLINE
    with served_on_pty(second, PtyShell(second, link=link)):
        pump(printer, slips, lambda heard: PrintEvent.READY in heard)
        slips.resume()
        pump(printer, slips, lambda heard: PrintEvent.PRINTED in heard)
    printer.close()
    printed = " ".join(slip.text for far in (first, second) for slip in far.slips)
    assert is_whole(re.findall(r"\w+", printed), words_of(ITEMS))


def pump(printer: SerialPrinter, slips: SlipPrinter, is_done: Callable[[list[PrintEvent]], bool]) -> None:
    """Poll in real time until it is done."""
    heard: list[PrintEvent] = []
    for _ in range(20_000):
        for event in printer.poll():
            assert isinstance(event, ItemPrinted | PrintStopped | PrinterReady)
            if (one := slips.handle(event)) is not None:
                heard.append(one)
        if is_done(heard):
            return
        time.sleep(0.001)
    raise AssertionError(f"it does not come: {heard}, {printer.self_test()}")
