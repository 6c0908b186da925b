"""Turns the crank of an interactive session: the station, the keyboard, the picture.

The station runs as it does for scripts: it is told to go on, and whenever it waits, the keyboard is read and
the picture drawn anew if anything has changed. So a person can act at any moment, also while the terminal
starts.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace

from rich.console import Console
from rich.live import Live

from bank.authoriser import Bank
from firmware.app import Terminal
from hal.api import Beep, HalError
from tools.drive import Drive, T
from tools.drive_virtual import VirtualDrive
from tools.runtime import StationPlan, build_station
from tools.station import Station
from tools.texts import LANGUAGES, Words
from tools.window.event_log import EventLog
from tools.window.hands import Hands
from tools.window.keys import KeyDecoder
from tools.window.tty import Keyboard
from tools.window.view import Eyes, Sight, View

PICTURE_EVERY_MS = 40
"""At most so often the picture is drawn: 25 times a second."""

_LONG_MS = 24 * 60 * 60 * 1000


class Quit(Exception):
    """The person wants to leave, or the window is gone."""


def open_window(plan: StationPlan) -> int:
    """See `tools.window.open_window`."""
    words = _words(plan.settings.language if plan.settings else "")
    if not _has_window():
        return _complain(words("window.no_terminal"))
    log = EventLog(words, plan.pairing_key)
    observers = (*plan.observers, log.observe)
    with build_station(replace(plan, live=True, tap=log.tap, observers=observers)) as station:
        return run_window(station, log)


def run_window(station: Station, log: EventLog | None = None) -> int:
    """See `tools.window.run_window`."""
    words = _words(station.settings.language)
    if not _has_window():
        return _complain(words("window.no_terminal"))
    if isinstance(station.drive, VirtualDrive):
        return _complain(words("window.no_real_time"))
    if log is None:
        log = EventLog(words)
        station.observers.append(log.observe)
    with Keyboard(sys.stdin.fileno()) as keyboard:
        _Session(station, log, words, keyboard).run()
    return 0


class _Session:
    """One person, one station, one window."""

    def __init__(self, station: Station, log: EventLog, words: Words, keyboard: Keyboard) -> None:
        self._station = station
        self._log = log
        self._words = words
        self._keyboard = keyboard
        self._decoder = KeyDecoder()
        self._hands = Hands(station, log, words)
        self._eyes = Eyes(station)
        self._console = Console(highlight=False)
        self._view = View(words, log, self._hands.cards, station.drive.now_ms())
        self._shown: tuple[Sight, tuple[int, int]] | None = None
        self._shown_ms = 0
        self._beep_count = station.devices.buzzer.beep_count

    def run(self) -> None:
        """Go on until the person quits."""
        drive = self._station.drive
        self._log.add(drive.now_ms(), "hand", self._words("window.log_line.start"))
        self._hands.power_on_wanted = not self._station.is_on
        self._station.drive = ServedDrive(drive, self._serve)
        try:
            with Live(console=self._console, screen=True, auto_refresh=False) as self._live:
                while True:
                    self._go_on()
        except Quit:
            pass
        finally:
            self._station.drive = drive

    def _go_on(self) -> None:
        if self._hands.power_on_wanted:
            self._power_on()
        self._station.run_until(lambda: self._hands.power_on_wanted, _LONG_MS)

    def _power_on(self) -> None:
        self._hands.power_on_wanted = False
        self._log.add(self._station.drive.now_ms(), "hand", self._words("window.log_line.power_on"))
        try:
            self._station.power_on()
        except HalError as error:
            problem = self._words("window.log_line.power_refused", problem=error)
            self._log.add(self._station.drive.now_ms(), "alarm", problem)

    def _serve(self) -> None:
        """What is done whenever the station waits: read the keyboard, draw. Raises Quit."""
        now_ms = self._station.drive.now_ms()
        typed = self._keyboard.read()
        if typed is None:
            raise Quit
        for key in self._decoder.feed(typed, now_ms=now_ms):
            self._hands.press(key)
        if self._hands.quit_wanted:
            raise Quit
        self._listen()
        if now_ms - self._shown_ms >= PICTURE_EVERY_MS:
            self._draw(now_ms)

    def _listen(self) -> None:
        """Log the beeps since the last time, key clicks apart."""
        buzzer = self._station.devices.buzzer
        if buzzer.beep_count == self._beep_count:
            return
        self._beep_count = buzzer.beep_count
        played = buzzer.played()
        if not played:
            return  # a bell behind a line: which beep it was cannot be heard
        last = played[-1]
        if last.beep is not Beep.KEY:
            text = self._words("window.log_line.beep", name=last.beep.name.lower())
            self._log.add(last.start_ms, "state", text)

    def _draw(self, now_ms: int) -> None:
        hands = self._hands
        sight = self._eyes.look(
            log_count=self._log.count, cable_is_in=hands.cable_is_in, help_open=hands.help_open
        )
        size = self._console.size
        if (sight, size) == self._shown:
            return
        self._shown, self._shown_ms = (sight, size), now_ms
        self._live.update(self._view.draw(sight, self._console), refresh=True)


class ServedDrive:
    """A `Drive` that does everything as another one, and calls `serve` whenever that one has waited."""

    def __init__(self, drive: Drive, serve: Callable[[], None]) -> None:
        self._drive = drive
        self._serve = serve
        self.now_ms = drive.now_ms
        self.pump = drive.pump
        self.cut_line = drive.cut_line
        self.mend_line = drive.mend_line
        self.stop_bank = drive.stop_bank
        self.start_bank = drive.start_bank
        self.restart_gateway = drive.restart_gateway
        self.close = drive.close

    def wait(self, terminal: Terminal | None, until_ms: int) -> None:
        """Wait as the other drive does, then serve."""
        self._drive.wait(terminal, until_ms)
        self._serve()

    def ask_bank(self, question: Callable[[Bank], T]) -> T:
        """Ask as the other drive does."""
        return self._drive.ask_bank(question)


def _words(language: str) -> Words:
    return Words(language if language in LANGUAGES else LANGUAGES[0])


def _has_window() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty() and not Console().is_dumb_terminal


def _complain(text: str) -> int:
    print(f"posterm: {text}", file=sys.stderr)
    return 2
