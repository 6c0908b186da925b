"""The mechanism: paper, head, cutter, drawer and buzzer, in time. Faults stop it where it is.

The plan of this file. Actions wait in a queue and are done one after the other; each takes its time, and
counts as done at its end. What a fault interrupts is begun anew when the fault is over, as printers do that
lose the line on which the cover was opened. The end of the paper is seen by a sensor before the head: a line
that the rest of the roll cannot hold is not begun.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from hal.peripherals.printer_actions import (
    Action,
    Answer,
    AutomaticStatus,
    Beeps,
    Cut,
    DrawerStatusWanted,
    PaperStatusWanted,
    Pulse,
)
from hal.peripherals.printer_paper import DOTS_PER_MM, Paper, Strip
from hal.peripherals.printer_status import Health, automatic, chosen, drawer_sensor, paper_sensors
from hal.raster.print_head import OVERHEATED_CELSIUS, ROOM_CELSIUS, PrintHead

NEAR_END_MM = 1_000
CUT_MS = 200
EVENTS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class DrawerKicked:
    """A pulse reached the drawer: number 0 or 1."""

    number: int
    on_ms: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class Beeped:
    """The buzzer sounded."""

    times: int
    duration_ms: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class PaperCut:
    """The cutter has cut."""

    partial: bool
    at_ms: int


MechanismEvent = DrawerKicked | Beeped | PaperCut


class Mechanism:
    """Everything that moves. Moments are the caller's; `advance` brings it to one."""

    def __init__(self, paper: Paper, *, speed_mm_per_s: int, paper_mm: int, has_cutter: bool) -> None:
        self.paper = paper
        self.output = bytearray()
        self.events: deque[MechanismEvent] = deque(maxlen=EVENTS_MAX)
        self.cover_open = False
        self.feeding = False
        self.drawer_open = False
        self.cutter_blocked = False
        self.cutter_error = False
        self.automatic_mask = 0
        self._has_cutter = has_cutter
        self._speed_mm_per_s = speed_mm_per_s
        self._paper_dots = paper_mm * DOTS_PER_MM
        self._paper_end = False
        self._head = PrintHead()
        self._queue: deque[Action] = deque()
        self._done_at_ms: int | None = None  # of the first in the queue, once it has begun
        self._now_ms = 0
        self._told: tuple[object, ...] | None = None

    # --- what the rest of the printer asks -----------------------------------------------------------

    def health(self) -> Health:
        """What the sensors say now."""
        return Health(
            cover_open=self.cover_open,
            paper_out=self._paper_end or self._paper_dots <= 0,
            paper_near_end=self._paper_end or self._paper_dots < NEAR_END_MM * DOTS_PER_MM,
            cutter_error=self.cutter_error,
            overheated=self._head.is_resting(self._now_ms),
            feeding=self.feeding,
            drawer_open=self.drawer_open,
        )

    @property
    def waiting(self) -> int:
        """How many actions are not done yet."""
        return len(self._queue)

    @property
    def paper_left_mm(self) -> float:
        """Paper left on the roll."""
        return self._paper_dots / DOTS_PER_MM

    def deadline_ms(self) -> int | None:
        """When the action under way is done, or the head is cool again."""
        if self._head.is_resting(self._now_ms):
            return self._head.rested_at_ms()
        if not self._queue or not self.health().is_online:
            return None
        return self._now_ms if self._done_at_ms is None else self._done_at_ms

    def add(self, actions: Iterable[Action]) -> None:
        """Let actions be done after those that wait."""
        self._queue.extend(actions)

    def clear(self) -> None:
        """Forget what is not done; the line under way is lost."""
        self._queue.clear()
        self._done_at_ms = None

    def advance(self, now_ms: int) -> None:
        """Do everything that is done by `now_ms`."""
        begins_at_ms = self._now_ms
        self._now_ms = max(now_ms, self._now_ms)
        self.tell()
        while self._queue and self.health().is_online:
            if self._done_at_ms is None:
                if not self._can_begin(self._queue[0]):
                    break
                self._done_at_ms = begins_at_ms + self._duration_ms(self._queue[0])
            if self._done_at_ms > self._now_ms:
                break
            begins_at_ms, self._done_at_ms = self._done_at_ms, None
            self._finish(self._queue.popleft(), begins_at_ms)
            self.tell()
        self.tell()

    def tell(self) -> None:
        """Send the automatic status if what it is about has changed."""
        if not self.automatic_mask:
            return
        health = self.health()
        seen = chosen(health, self.automatic_mask)
        if seen != self._told:
            self._told = seen
            self.output += automatic(health)

    # --- hands ---------------------------------------------------------------------------------------

    def stop(self) -> None:
        """What is under way is interrupted, and will be begun anew."""
        self._done_at_ms = None
        self.tell()

    def load_paper(self, length_mm: int) -> None:
        """Put in a new roll."""
        self.stop()
        self._paper_dots = length_mm * DOTS_PER_MM
        self._paper_end = False
        self.paper.new_roll()
        self.tell()

    def end_paper(self) -> None:
        """The roll ends here."""
        self._paper_end = True
        self.stop()

    def heat(self, celsius: float) -> None:
        """Bring the head to a temperature."""
        self._head.set_celsius(celsius, self._now_ms)
        self.stop()

    def overheat(self) -> None:
        """Beyond its limit: it cools by itself."""
        self.heat(OVERHEATED_CELSIUS + 5)

    def cool_down(self) -> None:
        """To the temperature of the room, at once."""
        self.heat(ROOM_CELSIUS)

    # --- inside --------------------------------------------------------------------------------------

    def _can_begin(self, action: Action) -> bool:
        if isinstance(action, Strip) and action.height_dots > self._paper_dots:
            self._paper_end = True
        elif isinstance(action, Cut) and self.cutter_blocked and self._has_cutter:
            self.cutter_error = True
        return self.health().is_online

    def _duration_ms(self, action: Action) -> int:
        if not self._speed_mm_per_s:
            return 0
        match action:
            case Strip(height_dots):
                return -(-height_dots * 1000 // (DOTS_PER_MM * self._speed_mm_per_s))
            case Cut():
                return CUT_MS
            case Pulse(_, on_ms, _):
                return on_ms
            case _:
                return 0

    def _finish(self, action: Action, at_ms: int) -> None:
        match action:
            case Strip():
                self._paper_dots -= action.height_dots
                if self._speed_mm_per_s:
                    self._head.warm(action.black_dots, at_ms)
                self.paper.add(action)
            case Cut(partial):
                if self._has_cutter:
                    self.events.append(PaperCut(partial, at_ms))
                self.paper.end_slip(is_cut=True)
            case Pulse(pin, on_ms, _):
                self.events.append(DrawerKicked(pin, on_ms, at_ms))
            case Beeps(times, duration_ms):
                self.events.append(Beeped(times, duration_ms, at_ms))
            case Answer(data):
                self.output += data
            case PaperStatusWanted():
                self.output += paper_sensors(self.health())
            case DrawerStatusWanted():
                self.output += drawer_sensor(self.health())
            case AutomaticStatus(mask):
                self.automatic_mask = mask
                self._told = None
