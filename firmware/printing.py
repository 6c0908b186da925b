"""A slip on its way to paper, answered for item by item, so that it goes on where it stopped."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from enum import Enum
from itertools import islice

from hal.api import ItemPrinted, PrintCut, Printer, PrinterReady, PrintItem, PrintStopped


class PrintEvent(Enum):
    """What the rest of the firmware hears of a slip."""

    PRINTED = "printed"
    STOPPED = "stopped"
    READY = "ready"


class SlipPrinter:
    """Gives the printer one slip at a time, and keeps what of it is not on paper."""

    def __init__(self, printer: Printer) -> None:
        self._printer = printer
        self._left: deque[PrintItem] = deque()
        self._continued: list[PrintItem] = []
        self._begun = False
        self._starts = False  # nothing of the slip was sent to the printer yet
        self._on_paper = False  # the last item on paper was not the end of a slip
        self._submitted: deque[PrintItem] = deque()  # what the printer has not answered for yet
        self._abandoned = False  # ... is of a slip that was given up

    def expect_remains(self) -> None:
        """After a power cut, half a slip may be on the paper: the next one begins with a cut."""
        self._on_paper = True

    def start(self, items: Sequence[PrintItem], *, continued: Sequence[PrintItem] = ()) -> None:
        """Print a slip; one left unfinished is forgotten. `continued` marks where it was interrupted."""
        self.stop()
        self._left = deque(items)
        self._continued = list(continued)
        self._begun = False
        self._starts = True
        self._submit()

    def resume(self) -> None:
        """Go on after a stop: a mark, then the item that is not on paper, then the rest."""
        if self._begun and self._left and not self._submitted:
            self._left.extendleft(reversed(self._continued))
            self._begun = False  # a second stop before the mark is out needs no second mark
        self._submit()

    def stop(self) -> None:
        """Forget what is not printed yet."""
        self._left.clear()
        if self._submitted:
            answers = self._printer.cancel()
            self._submitted = deque(islice(self._submitted, answers))
            self._abandoned = bool(self._submitted)

    def handle(self, event: ItemPrinted | PrintStopped | PrinterReady) -> PrintEvent | None:
        """Take the printer's word; say what it means for the slip, None when nothing yet."""
        if isinstance(event, PrinterReady):
            return PrintEvent.READY
        abandoned = self._abandoned
        self._note_answer(event)
        if not self._left:
            return None
        if isinstance(event, PrintStopped):
            return PrintEvent.STOPPED
        if abandoned:
            self._submit()
            return None
        self._begun = True
        self._left.popleft()
        return None if self._left else PrintEvent.PRINTED

    def _note_answer(self, event: ItemPrinted | PrintStopped) -> None:
        if isinstance(event, PrintStopped):
            self._submitted.clear()
        elif self._submitted:
            self._on_paper = not isinstance(self._submitted.popleft(), PrintCut)
        self._abandoned = self._abandoned and bool(self._submitted)

    def _submit(self) -> None:
        if not self._left or self._submitted:
            return
        if self._starts and self._on_paper:
            self._left.appendleft(PrintCut())  # an unfinished slip must not run into this one
        self._starts = False
        self._submitted = deque(self._left)
        self._printer.submit(*self._left)
