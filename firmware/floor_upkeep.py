"""Maintenance at the terminal: contrast and volume, cleaning step by step, the self-test device by device."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum

from firmware.boot import SECURE, DeviceReport
from firmware.floor_reports import FloorReports
from firmware.journal import Draft
from firmware.menus import GUIDES, Step, Wait
from firmware.txn.floor import State
from firmware.upkeep import Levels
from firmware.work import Parts
from hal.api import AdjustableBuzzer, AdjustableDisplay, Beep, Key
from hal.board import Board

LEVEL_STEP = 10
_UP, _DOWN = (Key.UP, Key.RIGHT), (Key.DOWN, Key.LEFT)


def set_levels(board: Board, levels: Levels) -> None:
    """Set contrast and volume, where the devices can."""
    if isinstance(board.display, AdjustableDisplay):
        board.display.set_contrast(levels.contrast)
    if isinstance(board.buzzer, AdjustableBuzzer):
        board.buzzer.set_volume(levels.volume)


class FloorUpkeep(FloorReports):
    """The part of the floor's work that looks after the terminal."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self.level = 0  # as it is being set, in percent
        self.step_number = 0  # of the guide, from 0
        self.passes_done = 0
        self.lights_are_tested = False  # all of them are lit
        self._waiting: list[str] = []  # kinds of devices whose turn has not come

    def leave(self, state: Enum) -> None:
        """The reader is armed for a step of the guide only."""
        if state is State.GUIDING:
            self.parts.board.card_reader.disarm()

    @property
    def step(self) -> Step:
        """The step of the guide at hand."""
        assert self.entry is not None
        return GUIDES[self.entry.what][self.step_number]

    @property
    def steps(self) -> int:
        """How many steps the guide has."""
        assert self.entry is not None
        return len(GUIDES[self.entry.what])

    def can_adjust(self) -> bool:
        """Whether the device has such a setting at all."""
        assert self.entry is not None
        board = self.parts.board
        if self.entry.what == "contrast":
            return isinstance(board.display, AdjustableDisplay)
        return isinstance(board.buzzer, AdjustableBuzzer)

    def set_level(self, key: Key) -> bool:
        """Arrows by tens; a digit at once: 0 the least, 9 nearly all."""
        step = LEVEL_STEP * ((key in _UP) - (key in _DOWN))
        level = int(key.digits) * LEVEL_STEP if len(key.digits) == 1 else self.level + step
        if level == self.level or not 0 <= level <= 100:
            return False
        self._use_level(level)
        return True

    def _use_level(self, level: int) -> None:
        assert self.entry is not None
        self.level = level
        set_levels(self.parts.board, replace(self.parts.upkeep.levels, **{self.entry.what: level}))

    # --- records ------------------------------------------------------------------------------------

    def keep_level(self, _draft: Draft, _data: object) -> None:
        """It goes into the commit with the counters of wear."""
        assert self.entry is not None
        upkeep = self.parts.upkeep
        upkeep.levels = replace(upkeep.levels, **{self.entry.what: self.level})

    def note_cleaning(self, _draft: Draft, _data: object) -> None:
        """The counters begin anew; they go into this commit."""
        assert self.entry is not None
        upkeep, now = self.parts.upkeep, self.parts.board.clock.wall().isoformat(timespec="seconds")
        is_printer = self.entry.what == "printer"
        upkeep.wear = upkeep.wear.printer_cleaned(now) if is_printer else upkeep.wear.reader_cleaned(now)

    # --- effects ------------------------------------------------------------------------------------

    def finish_action(self, data: object) -> None:
        """After a reset display and buzzer are as they always were, too."""
        super().finish_action(data)
        if self.entry is not None and self.entry.what == "reset":
            set_levels(self.parts.board, Levels())

    def begin_level(self, _data: object) -> None:
        """From the level in force."""
        assert self.entry is not None
        self.level = int(getattr(self.parts.upkeep.levels, self.entry.what))

    def restore_level(self, _data: object) -> None:
        """As it was."""
        assert self.entry is not None
        self._use_level(int(getattr(self.parts.upkeep.levels, self.entry.what)))

    def begin_guide(self, _data: object) -> None:
        """The first step."""
        self.step_number = -1
        self.next_step(None)

    def next_step(self, _data: object) -> None:
        """One further; the reader is armed where a card is waited for."""
        self.step_number += 1
        self.passes_done = 0
        reader = self.parts.board.card_reader
        if self.step.wait is Wait.ENTER:
            reader.disarm()
        else:
            reader.arm()

    def count_pass(self, _data: object) -> None:
        """One pass more."""
        self.passes_done += 1

    def begin_tests(self, _data: object) -> None:
        """Every device waits for its turn; the last is the secure part: the lights' own test is over then."""
        self.reports = []
        self._waiting = [*(kind for kind, _ in self.parts.board.devices()), SECURE]

    def try_device(self, _data: object) -> None:
        """The next device tests itself; buzzer and lights show themselves as well."""
        kind = self._waiting.pop(0)
        parts = self.parts
        device = parts.secure if kind == SECURE else getattr(parts.board, kind)
        self.reports.append(DeviceReport(kind, device.self_test()))
        self.lights_are_tested = kind == "leds"
        if kind == "buzzer":
            parts.board.buzzer.sound(Beep.SUCCESS)

    def leave_tests(self, _data: object) -> None:
        """It may have been the lights' turn: they mean again what they always mean."""
        self.lights_are_tested = False

    @property
    def devices_left(self) -> bool:
        """Whether a device's turn is still to come."""
        return bool(self._waiting)
