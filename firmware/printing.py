"""A slip on its way to paper, item by item, so that it goes on where it stopped."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from hal.api import ItemPrinted, PrintCut, Printer, PrinterReady, PrintItem, PrintStopped


class PrintEvent(Enum):
    """What the rest of the firmware hears of a slip."""

    PRINTED = "printed"
    STOPPED = "stopped"
    READY = "ready"


class SlipPrinter:
    """Feeds one slip at a time to the printer."""

    def __init__(self, printer: Printer) -> None:
        self._printer = printer
        self._left: list[PrintItem] = []
        self._continued: list[PrintItem] = []
        self._begun = False
        self._starts = False  # nothing of the slip was sent to the printer yet
        self._on_paper = False  # the last item on paper was not the end of a slip
        self._submitted: PrintItem | None = None
        self._in_flight = False  # the printer is at work on an item
        self._abandoned = False  # ... of a slip that was given up

    def expect_remains(self) -> None:
        """After a power cut, half a slip may be on the paper: the next one begins with a cut."""
        self._on_paper = True

    def start(self, items: Sequence[PrintItem], *, continued: Sequence[PrintItem] = ()) -> None:
        """Print a slip; one left unfinished is forgotten. `continued` marks where it was interrupted."""
        self.stop()
        self._left = list(items)
        self._continued = list(continued)
        self._begun = False
        self._starts = True
        self._next()

    def resume(self) -> None:
        """Go on after a stop: a mark, then the item that is not on paper, then the rest."""
        if self._begun and self._left:
            self._left[:0] = self._continued
            self._begun = False  # a second stop before the mark is out needs no second mark
        self._next()

    def stop(self) -> None:
        """Forget what is not printed yet."""
        self._left = []
        self._abandoned = self._in_flight

    def handle(self, event: ItemPrinted | PrintStopped | PrinterReady) -> PrintEvent | None:
        """Take the printer's word; say what it means for the slip, None when nothing yet."""
        if isinstance(event, PrinterReady):
            return PrintEvent.READY
        abandoned, self._abandoned, self._in_flight = self._abandoned, False, False
        if isinstance(event, ItemPrinted):
            self._on_paper = not isinstance(self._submitted, PrintCut)
        if not self._left:
            return None
        if isinstance(event, PrintStopped):
            return PrintEvent.STOPPED
        if not abandoned:
            self._begun = True
            self._left.pop(0)
        if not self._left:
            return PrintEvent.PRINTED
        self._next()
        return None

    def _next(self) -> None:
        if not self._left or self._in_flight:
            return
        if self._starts and self._on_paper:
            self._left.insert(0, PrintCut())  # an unfinished slip must not run into this one
        self._starts = False
        self._in_flight = True
        self._submitted = self._left[0]
        self._printer.submit(self._submitted)
