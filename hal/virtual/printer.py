"""A slip printer in software: it takes time and paper, and fails in the ways printers fail.

Models the time that each line takes, the length of paper left on the roll, the heat of the head, an open
cover, jams, and scripted faults. The sensor for the end of the paper sits before the head: an item that the
rest of the roll cannot hold is not begun. Does not model the half line that is on paper when a cover is
opened in the middle of an item, paper torn askew, a cutter that fails, or wear. Nothing is drawn until a
picture is asked for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from hal.api import (
    Clock,
    DeviceEvent,
    DeviceFault,
    ItemPrinted,
    PrintCut,
    PrinterReady,
    PrinterStatus,
    PrintItem,
    PrintStopped,
    SelfTest,
)
from hal.device import QuietDevice
from hal.raster import slip as raster
from hal.raster.canvas import Canvas
from hal.raster.paper import strip_picture
from hal.raster.print_head import OVERHEATED_CELSIUS, ROOM_CELSIUS, PrintHead

MODEL_COLUMNS = {"58mm": 32, "80mm": 48}

SLIPS_MAX = 1000
"""Slips remembered; a simulation of days must not eat the memory."""

PAPER_LOW_MM = 1_000
"""Where the sensor for the roll's end sits."""

PICTURE_SLIPS_MAX = 20
"""Slips in a picture of the whole strip: the last ones."""

_PRINTED = ItemPrinted()  # it says no more than that, thirty times a slip


@dataclass(frozen=True, slots=True)
class Slip:
    """One slip: what is on it, and whether it was printed to its end and cut.

    `roll_changes`: the numbers of the items before which new paper was put in; there the slip is in pieces.
    """

    items: tuple[PrintItem, ...]
    columns: int
    complete: bool
    roll_changes: tuple[int, ...] = ()

    @property
    def text(self) -> str:
        """What a person reads, column by column as printed, without trailing spaces."""
        return "\n".join(raster.text_of(self._rows(self.items)))

    def pieces(self) -> list[Canvas]:
        """The slip in dots, 1 for black; several pieces where the paper was changed in between."""
        edges = [0, *self.roll_changes, len(self.items)]
        parts = [self.items[start:end] for start, end in pairwise(edges)]
        return [raster.draw(self._rows(part), self.columns) for part in parts if part]

    def _rows(self, items: Sequence[PrintItem]) -> list[raster.SlipRow]:
        return [row for item in items for row in raster.lay_out(item, self.columns)]


@dataclass(frozen=True, slots=True)
class _Job:
    """An item laid out for the printer: the paper it takes, the dots it blackens, how long that lasts."""

    item: PrintItem
    height_dots: int
    black_dots: int
    duration_ms: int


@lru_cache(maxsize=256)  # most of a slip is on the next one too
def _job(item: PrintItem, columns: int, speed_mm_per_s: int) -> _Job:
    rows = raster.lay_out(item, columns)
    height_dots = raster.height_dots(rows)
    duration_ms = 0
    if speed_mm_per_s:
        duration_ms = -(-height_dots * 1000 // (raster.DOTS_PER_MM * speed_mm_per_s))
    return _Job(item, height_dots, raster.black_dots(rows), duration_ms)


class VirtualPrinter(QuietDevice):
    """A thermal printer of one of the models in `MODEL_COLUMNS`.

    speed_mm_per_s: 0 prints at once, and then the head stays cool. paper_mm: length of the first roll.
    Raises ValueError when the model is unknown or a number is negative.
    """

    def __init__(
        self, *, clock: Clock, model: str = "58mm", speed_mm_per_s: int = 300, paper_mm: int = 30_000
    ) -> None:
        super().__init__()
        if model not in MODEL_COLUMNS:
            raise ValueError(f"printer model {model!r} is unknown; known are {', '.join(MODEL_COLUMNS)}")
        if speed_mm_per_s < 0 or paper_mm < 0:
            raise ValueError("speed_mm_per_s and paper_mm must not be negative")
        self.model = model
        self.columns = MODEL_COLUMNS[model]
        self._clock = clock
        self._speed_mm_per_s = speed_mm_per_s
        self._paper_dots = paper_mm * raster.DOTS_PER_MM
        self._paper_out = False
        self._cover_open = False
        self._jammed = False
        self._unplugged = False
        self._head = PrintHead()
        self._jobs: deque[_Job] = deque()  # the first is being printed
        self._done_at_ms = 0  # when it will be on paper
        self._over_at_ms = 0  # when all will be, if nothing stops the printer
        self._may_stop = False  # by itself, before that: for paper, for heat
        self._events: list[DeviceEvent] = []
        self._was_ready = True
        self._scripted: tuple[int, PrinterStatus] | None = None
        self._finished: list[Slip] = []
        self._items: list[PrintItem] = []
        self._roll_changes: list[int] = []

    # --- the device ----------------------------------------------------------------------------------

    def self_test(self) -> SelfTest:
        """Ready, or what is wrong; no paper is moved."""
        health = super().self_test()
        if not health.ok:
            return health
        detail = f"{self.model}, {self.columns} columns, {self.status.value.replace('_', ' ')}"
        return SelfTest(ok=self.status is PrinterStatus.READY, detail=detail)

    def close(self) -> None:
        """Give the hardware back; as with its power gone, an item being printed is lost."""
        self._catch_up()
        self._jobs.clear()
        self._events.clear()
        super().close()

    def poll(self) -> Sequence[DeviceEvent]:
        """What happened since the last call."""
        if self._jobs or not self._was_ready:  # whatever makes it not ready has caught up itself
            self._catch_up()
        if not self._events:
            return ()
        events, self._events = self._events, []
        return events

    def deadline_ms(self) -> int | None:
        """When all items are on paper, or the printer stops by itself, or the head is cool again."""
        if self._jobs and not self._events:
            return self._done_at_ms if self._may_stop or self._scripted is not None else self._over_at_ms
        now_ms = self._clock.monotonic_ms()
        if self._events or (not self._was_ready and self._status_at(now_ms) is PrinterStatus.READY):
            return now_ms
        return self._head.rested_at_ms() if self._head.is_resting(now_ms) else None

    def submit(self, *items: PrintItem) -> None:
        """Start printing items; ItemPrinted for each, or PrintStopped, follows from `poll`.

        Raises DeviceFault while other items are being printed; those go on.
        """
        self._catch_up()
        if self._jobs:
            raise DeviceFault("items are still being printed; wait for their end, or cancel them")
        self._jobs.extend([_job(item, self.columns, self._speed_mm_per_s) for item in items])
        now_ms = self._clock.monotonic_ms()
        self._over_at_ms = now_ms + sum(job.duration_ms for job in self._jobs)
        self._may_stop = self._is_short_of_paper() or self._may_overheat()
        self._begin(now_ms)
        self._catch_up()

    def cancel(self) -> int:
        """Forget the items that are not begun; returns how many answers will still come."""
        self._catch_up()
        while len(self._jobs) > 1:
            self._jobs.pop()
        self._over_at_ms = self._done_at_ms
        answers = sum(isinstance(event, ItemPrinted | PrintStopped) for event in self._events)
        return answers + len(self._jobs)

    @property
    def status(self) -> PrinterStatus:
        """The printer's state now; of several troubles the one that must be seen to first."""
        return self._status_at(self._clock.monotonic_ms())

    @property
    def paper_low(self) -> bool:
        """True for the last metre of the roll."""
        return self._paper_out or self._paper_dots < PAPER_LOW_MM * raster.DOTS_PER_MM

    # --- hands and faults ----------------------------------------------------------------------------

    def load_paper(self, length_mm: int = 30_000) -> None:
        """Put in a new roll. A slip that was begun goes on, on another piece of paper."""
        self._catch_up()
        self._interrupt(PrinterStatus.PAPER_OUT)
        self._paper_dots = length_mm * raster.DOTS_PER_MM
        self._paper_out = False
        if self._items:
            self._roll_changes.append(len(self._items))
        self._catch_up()

    def open_cover(self) -> None:
        """Open the cover; an item being printed is lost."""
        self._break(PrinterStatus.COVER_OPEN)

    def close_cover(self) -> None:
        """Close the cover."""
        self._cover_open = False
        self._catch_up()

    def jam(self) -> None:
        """Jam the paper; an item being printed is lost."""
        self._break(PrinterStatus.JAM)

    def clear_jam(self) -> None:
        """Take the jammed paper out."""
        self._jammed = False
        self._catch_up()

    def unplug(self) -> None:
        """Pull the printer's cable; an item being printed is lost."""
        self._break(PrinterStatus.OFFLINE)

    def plug(self) -> None:
        """Put the cable back."""
        self._unplugged = False
        self._catch_up()

    def set_overheated(self) -> None:
        """Heat the head beyond its limit; it cools by itself, in some seconds of the clock."""
        self._break(PrinterStatus.OVERHEATED)

    def cool_down(self) -> None:
        """Bring the head to the room's temperature at once."""
        self._catch_up()
        self._head.set_celsius(ROOM_CELSIUS, self._clock.monotonic_ms())
        self._catch_up()

    def run_out_of_paper(self) -> None:
        """End the roll here; an item being printed is lost."""
        self._break(PrinterStatus.PAPER_OUT)

    def fail_after_items(self, count: int, status: PrinterStatus) -> None:
        """Script a fault: `count` more items are printed, the next one stops the printer with `status`.

        The trouble is over as it would be without a script: `load_paper`, `close_cover`, `clear_jam`, time.
        Raises ValueError for READY, which is no trouble, and for a negative count.
        """
        if status is PrinterStatus.READY or count < 0:
            raise ValueError("fail_after_items needs a count from 0 on and a status other than READY")
        self._catch_up()
        self._scripted = (count, status)

    def tear(self) -> None:
        """Tear the paper off here: a slip that was not printed to its end stays incomplete."""
        self._catch_up()
        self._end_slip(complete=False)

    @property
    def paper_left_mm(self) -> float:
        """Paper left on the roll."""
        return self._paper_dots / raster.DOTS_PER_MM

    @property
    def head_celsius(self) -> float:
        """The temperature of the head."""
        return self._head.celsius(self._clock.monotonic_ms())

    # --- what is on paper ----------------------------------------------------------------------------

    @property
    def slips(self) -> list[Slip]:
        """The slips so far, oldest first (at least `SLIPS_MAX`); one in the making is last and incomplete."""
        self._catch_up()
        return [*self._finished, self._slip(complete=False)] if self._items else list(self._finished)

    def paper_text(self) -> str:
        """All slips as text; a line of dashes with scissors stands where one was cut or torn off."""
        scissors = "8<".center(self.columns, "-")
        return "".join(f"{slip.text}\n{scissors}\n" for slip in self.slips)

    def paper_png(self, path: str | Path | None = None, *, slip: int | None = None, scale: int = 1) -> bytes:
        """A picture of the paper as a PNG file: returned, and written to `path` if given.

        slip: index into `slips`, negative from the end; without it the last `PICTURE_SLIPS_MAX` slips.
        scale: picture dots for one dot of the printer.
        Raises IndexError for a slip that is not there, OSError when the file cannot be written.
        """
        slips = self.slips[-PICTURE_SLIPS_MAX:] if slip is None else [self.slips[slip]]
        pieces = [piece for one in slips for piece in one.pieces()]
        blank = Canvas(self.columns * raster.COLUMN_DOTS, raster.CUT_DOTS)
        picture = strip_picture(pieces or [blank], dots_per_mm=raster.DOTS_PER_MM, scale=scale)
        if path is not None:
            Path(path).write_bytes(picture)
        return picture

    # --- inside --------------------------------------------------------------------------------------

    def _status_at(self, now_ms: int) -> PrinterStatus:
        if self._unplugged:
            return PrinterStatus.OFFLINE
        if self._cover_open:
            return PrinterStatus.COVER_OPEN
        if self._jammed:
            return PrinterStatus.JAM
        if self._paper_out or not self._paper_dots:
            return PrinterStatus.PAPER_OUT
        if self._head.is_resting(now_ms):
            return PrinterStatus.OVERHEATED
        return PrinterStatus.READY

    def _is_short_of_paper(self) -> bool:
        return sum(job.height_dots for job in self._jobs) > self._paper_dots

    def _may_overheat(self) -> bool:
        return self._head.may_overheat(sum(job.black_dots for job in self._jobs))

    def _begin(self, now_ms: int) -> None:
        """Begin the first of the items that wait, or stop."""
        if not self._jobs:
            return
        job = self._jobs[0]
        scripted = self._scripted
        if scripted is not None and scripted[0] == 0:
            self._scripted = None
            self._bring_about(scripted[1])
        if job.height_dots > self._paper_dots:
            self._paper_out = True
        if (status := self._status_at(now_ms)) is not PrinterStatus.READY:
            self._stop(status)
        else:
            self._done_at_ms = now_ms + job.duration_ms

    def _catch_up(self) -> None:
        """Let everything happen that was due by now."""
        now_ms = self._clock.monotonic_ms()
        while self._jobs and now_ms >= self._done_at_ms:
            self._put_on_paper(self._jobs.popleft())
            self._begin(self._done_at_ms)
        is_ready = self._status_at(now_ms) is PrinterStatus.READY
        if is_ready and not self._was_ready:
            self._events.append(PrinterReady())
        self._was_ready = is_ready

    def _put_on_paper(self, job: _Job) -> None:
        self._paper_dots -= job.height_dots
        if self._speed_mm_per_s:
            self._head.warm(job.black_dots, self._done_at_ms)
        if self._scripted is not None:
            self._scripted = (self._scripted[0] - 1, self._scripted[1])
        is_cut = isinstance(job.item, PrintCut)
        if self._items or not is_cut:  # a cut on clean paper makes no slip
            self._items.append(job.item)
        if is_cut:
            self._end_slip(complete=True)
        self._events.append(_PRINTED)

    def _break(self, status: PrinterStatus) -> None:
        """Bring the trouble about; an item being printed is lost."""
        self._catch_up()
        self._bring_about(status)
        self._interrupt(status)
        self._catch_up()

    def _bring_about(self, status: PrinterStatus) -> None:
        match status:
            case PrinterStatus.COVER_OPEN:
                self._cover_open = True
            case PrinterStatus.JAM:
                self._jammed = True
            case PrinterStatus.PAPER_OUT:
                self._paper_out = True
            case PrinterStatus.OVERHEATED:
                self._head.set_celsius(OVERHEATED_CELSIUS + 5, self._clock.monotonic_ms())
            case PrinterStatus.OFFLINE:
                self._unplugged = True
            case PrinterStatus.READY:
                raise ValueError("READY is not a trouble")

    def _interrupt(self, status: PrinterStatus) -> None:
        if self._jobs:
            self._stop(status)

    def _stop(self, status: PrinterStatus) -> None:
        """What is being printed and what waits is lost; say so."""
        self._jobs.clear()
        self._was_ready = False
        self._events.append(PrintStopped(status))

    def _slip(self, *, complete: bool) -> Slip:
        return Slip(tuple(self._items), self.columns, complete, tuple(self._roll_changes))

    def _end_slip(self, *, complete: bool) -> None:
        if self._items:
            self._finished.append(self._slip(complete=complete))
        if len(self._finished) > 2 * SLIPS_MAX:
            del self._finished[:-SLIPS_MAX]
        self._items.clear()
        self._roll_changes.clear()
