"""A slip's way to paper: item by item, on after a stop, and never mixed with a slip that was given up."""

from collections.abc import Sequence

import pytest

from firmware.printing import PrintEvent, SlipPrinter
from hal.api import ItemPrinted, PrinterReady, PrinterStatus, PrintItem, PrintStopped, PrintText
from hal.virtual.clock import VirtualClock
from hal.virtual.printer import VirtualPrinter

CONTINUED = PrintText("CONTINUED")
LINE_MS = 13  # a line of 3.75 mm at 300 mm/s


def lines(*texts: str) -> list[PrintItem]:
    return [PrintText(text) for text in texts]


class Desk:
    """A printer on a clock, and the firmware's side of it."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.printer = VirtualPrinter(clock=self.clock)
        self.printer.open()
        self.slips = SlipPrinter(self.printer)

    def go_on(self, items: int) -> None:
        """Let so many items come out, and poll after each."""
        for _ in range(items):
            self.clock.advance(LINE_MS)
            assert self.poll() == []

    def poll(self) -> list[PrintEvent]:
        """Hand on what the printer says now."""
        said = [
            self.slips.handle(event)
            for event in self.printer.poll()
            if isinstance(event, ItemPrinted | PrintStopped | PrinterReady)
        ]
        return [one for one in said if one is not None]

    def run(self) -> list[PrintEvent]:
        """Let time pass until the printer rests."""
        heard = self.poll()
        while (at_ms := self.printer.deadline_ms()) is not None:
            self.clock.advance_to(max(at_ms, self.clock.monotonic_ms()))
            heard += self.poll()
        return heard

    def paper(self) -> Sequence[str]:
        """The words on the paper; where it was torn or cut makes no word."""
        return [word for word in self.printer.paper_text().split() if word.isalnum()]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_slip_is_printed_item_by_item(desk: Desk) -> None:
    desk.slips.start(lines("one", "two", "three"))
    assert desk.poll() == []
    assert desk.run() == [PrintEvent.PRINTED]
    assert desk.paper() == ["one", "two", "three"]


def test_a_stopped_slip_goes_on_where_it_stopped_with_a_mark(desk: Desk) -> None:
    desk.printer.fail_after_items(1, PrinterStatus.PAPER_OUT)
    desk.slips.start(lines("one", "two", "three"), continued=[CONTINUED])
    assert desk.run() == [PrintEvent.STOPPED]
    desk.printer.load_paper()
    assert desk.run() == [PrintEvent.READY]
    desk.slips.resume()
    assert desk.run() == [PrintEvent.PRINTED]
    assert desk.paper() == ["one", "CONTINUED", "two", "three"]


def test_a_slip_stopped_before_its_first_item_needs_no_mark(desk: Desk) -> None:
    desk.printer.run_out_of_paper()
    desk.slips.start(lines("one", "two"), continued=[CONTINUED])
    assert desk.run() == [PrintEvent.STOPPED]
    desk.printer.load_paper()
    desk.run()
    desk.slips.resume()
    assert desk.run() == [PrintEvent.PRINTED]
    assert desk.paper() == ["one", "two"]


def test_a_second_stop_before_the_mark_is_out_makes_no_second_mark(desk: Desk) -> None:
    desk.printer.fail_after_items(1, PrinterStatus.JAM)
    desk.slips.start(lines("one", "two"), continued=[CONTINUED])
    assert desk.run() == [PrintEvent.STOPPED]
    desk.printer.clear_jam()
    desk.run()
    desk.printer.open_cover()
    desk.slips.resume()
    assert desk.run() == [PrintEvent.STOPPED]
    desk.printer.close_cover()
    desk.run()
    desk.slips.resume()
    assert desk.run() == [PrintEvent.PRINTED]
    assert desk.paper() == ["one", "CONTINUED", "two"]


def test_a_slip_that_is_given_up_is_heard_of_no_more(desk: Desk) -> None:
    desk.slips.start(lines("old1", "old2"))
    desk.slips.stop()
    assert desk.run() == []
    assert desk.paper() == ["old1"], "the item that the printer was at work on"


def test_a_new_slip_waits_for_the_item_of_the_one_given_up_and_is_whole(desk: Desk) -> None:
    desk.slips.start(lines("old1", "old2"))
    desk.slips.start(lines("new1", "new2"))
    assert desk.run() == [PrintEvent.PRINTED]
    assert desk.paper() == ["old1", "new1", "new2"]


def test_a_new_slip_after_a_stopped_one_starts_at_its_beginning(desk: Desk) -> None:
    desk.printer.fail_after_items(1, PrinterStatus.PAPER_OUT)
    desk.slips.start(lines("old1", "old2"), continued=[CONTINUED])
    assert desk.run() == [PrintEvent.STOPPED]
    desk.slips.stop()
    desk.printer.load_paper()
    assert desk.run() == [PrintEvent.READY]
    desk.slips.start(lines("new1"), continued=[CONTINUED])
    assert desk.run() == [PrintEvent.PRINTED]
    assert "CONTINUED" not in desk.paper()
    assert desk.paper()[-1] == "new1"


@pytest.mark.parametrize("printed", [0, 1, 2])
def test_resuming_what_runs_disturbs_nothing(desk: Desk, printed: int) -> None:
    desk.slips.start(lines("one", "two", "three"), continued=[CONTINUED])
    desk.go_on(printed)
    desk.slips.resume()
    assert desk.run() == [PrintEvent.PRINTED]
    assert desk.paper() == ["one", "two", "three"]


@pytest.mark.parametrize("items", [1, 3])
def test_resuming_what_is_over_prints_nothing(desk: Desk, items: int) -> None:
    """All of it is on paper, or it was given up."""
    desk.slips.start(lines("one", "two", "three"), continued=[CONTINUED])
    desk.clock.advance(items * LINE_MS)
    desk.poll()
    desk.slips.stop()
    desk.run()
    before = desk.paper()
    desk.slips.resume()
    assert desk.run() == []
    assert desk.paper() == before


@pytest.mark.parametrize("heard", [True, False])
def test_a_slip_given_up_in_its_middle_ends_with_the_item_at_hand(desk: Desk, *, heard: bool) -> None:
    desk.slips.start(lines("old1", "old2", "old3", "old4"))
    if heard:
        desk.go_on(2)
    else:
        desk.clock.advance(2 * LINE_MS)
    desk.slips.start(lines("new1", "new2"))
    assert desk.run() == [PrintEvent.PRINTED]
    assert desk.paper() == ["old1", "old2", "old3", "new1", "new2"]
    assert [slip.complete for slip in desk.printer.slips] == [True, False], "a cut lies between them"


def test_trouble_in_a_slip_given_up_is_the_new_ones_trouble(desk: Desk) -> None:
    desk.slips.start(lines("old1", "old2"))
    desk.slips.start(lines("new1"), continued=[CONTINUED])
    desk.printer.jam()
    assert desk.poll() == [PrintEvent.STOPPED]
    desk.printer.clear_jam()
    assert desk.poll() == [PrintEvent.READY]
    desk.slips.resume()
    assert desk.run() == [PrintEvent.PRINTED]
    assert desk.paper() == ["new1"]
