"""The interactive session: hands, eyes and picture without a window; then a real one on a pseudo-terminal."""

from __future__ import annotations

import io
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fcntl import ioctl
from itertools import product
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from bank.provision import load_provision
from firmware.records import Outcome
from firmware.settings import TerminalSettings
from hal.api import PrinterStatus
from hal.profile import load_profile
from tools.runtime import StationPlan, build_station, settings_of
from tools.station import Station
from tools.texts import LANGUAGES, Words
from tools.window import run_window
from tools.window.event_log import LINES_MAX, EventLog
from tools.window.hands import Hands, card_letters
from tools.window.view import Eyes, View

MODELS = ("mono128x64", "colour320x240")
PAN = "6225880000000100"
SIZES = ((80, 24), (100, 30), (119, 40), (120, 24), (200, 60))


@dataclass
class Seat:
    """A person before a window, in virtual time."""

    station: Station
    log: EventLog
    hands: Hands
    eyes: Eyes
    view: View

    def type(self, *keys: str) -> None:
        for key in keys:
            self.hands.press(key)
            self.station.settle()

    def picture(self, width: int = 80, height: int = 24, encoding: str = "utf-8") -> list[str]:
        file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="replace")
        console = Console(file=file, width=width, height=height, force_terminal=True, color_system=None)
        sight = self.eyes.look(
            log_count=self.log.count, cable_is_in=self.hands.cable_is_in, help_open=self.hands.help_open
        )
        with console.capture() as capture:
            console.print(self.view.draw(sight, console), end="")
        return capture.get().splitlines()

    def shows(self, text: str) -> bool:
        return any(text in line for line in self.picture(130, 50))


def take_seat(model: str = MODELS[1], language: str = "en") -> Iterator[Seat]:
    words = Words(language)
    log = EventLog(words)
    provision = load_provision()
    plan = StationPlan(
        profile=load_profile("virtual").with_options("display", model=model),
        settings=settings_of(provision, TerminalSettings(language=language)),
        provision=provision,
        tap=log.tap,
        observers=(log.observe,),
    )
    with build_station(plan) as station:
        station.power_on()
        hands = Hands(station, log, words)
        yield Seat(station, log, hands, Eyes(station), View(words, log, hands.cards, station.drive.now_ms()))


@pytest.fixture
def seat() -> Iterator[Seat]:
    yield from take_seat()


def pay(seat: Seat) -> None:
    seat.type("1", "2", "3", "4", "enter", "g")
    seat.station.wait_for("pin")
    seat.type(*"123456", "enter")
    seat.station.finish()


# --- hands -------------------------------------------------------------------------------------------


def test_a_payment_by_the_keyboard_alone(seat: Seat) -> None:
    pay(seat)
    payment = seat.station.payment
    assert payment is not None
    assert (payment.outcome, payment.amount_minor) == (Outcome.APPROVED, 1234)


def test_every_key_of_the_keypad_can_be_typed(seat: Seat) -> None:
    from hal.api import Key
    from tools.window.hands import KEYS

    assert set(KEYS.values()) == set(Key)


def test_the_demo_cards_have_the_letters_of_the_manual(seat: Seat) -> None:
    assert seat.hands.cards == {
        "g": "good",
        "p": "poor",
        "e": "expired",
        "l": "lost",
        "m": "limited",
        "u": "unknown",
    }


def test_a_card_without_a_free_letter_has_none() -> None:
    assert card_letters(["ab", "ba", "ab2", "卡"], taken=[]) == {"a": "ab", "b": "ba"}


def test_a_bad_swipe_is_of_the_card_in_hand(seat: Seat) -> None:
    seat.type("1", "enter", "b")
    assert seat.station.state == "card"
    assert seat.shows("card good swiped badly")


def test_a_card_is_inserted_with_shift_and_taken_out(seat: Seat) -> None:
    seat.type("1", "enter", "P")
    assert seat.station.devices.card_reader.card_present
    assert seat.shows("CARD IN")
    seat.type("g")
    assert seat.shows("a card is in the reader")
    seat.type("r")
    assert not seat.station.devices.card_reader.card_present
    seat.type("r")
    assert seat.shows("no card is in the reader")


def test_a_card_at_the_idle_terminal_is_not_read_and_said_so(seat: Seat) -> None:
    seat.type("g")
    assert seat.station.state == "idle"
    assert seat.shows("the reader is off")


def test_the_cable_is_pulled_and_plugged_in(seat: Seat) -> None:
    seat.type("c")
    assert seat.shows("CABLE OUT")
    seat.station.run_for(5_000)
    assert seat.station.terminal is not None
    assert not seat.station.terminal.link_is_up
    seat.type("c")
    seat.station.run_for(5_000)
    assert seat.station.terminal.link_is_up
    assert not seat.shows("CABLE OUT")


def test_paper_ends_and_is_renewed(seat: Seat) -> None:
    seat.type("o")
    assert seat.station.devices.printer.status is PrinterStatus.PAPER_OUT
    assert seat.shows("OUT OF PAPER: press o")
    seat.type("o")
    assert not seat.shows("OUT OF PAPER: press o")


def test_power_is_cut_at_once_and_asked_for_again(seat: Seat) -> None:
    seat.type("1", "enter", "x")
    assert not seat.station.is_on
    assert seat.shows("no power: press x")
    assert not seat.shows("Present card")
    assert not seat.hands.power_on_wanted
    seat.type("5", "x")
    assert seat.hands.power_on_wanted


def test_help_opens_and_any_key_closes_it_and_does_nothing_else(seat: Seat) -> None:
    seat.type("?")
    assert seat.shows("g  good")
    seat.type("q")
    assert not seat.hands.quit_wanted
    assert seat.shows("Ready for sale")
    seat.type("q")
    assert seat.hands.quit_wanted


def test_a_key_without_meaning_does_nothing(seat: Seat) -> None:
    before = seat.log.count
    seat.type("%", "Z", "K")
    assert (seat.station.state, seat.log.count) == ("idle", before)


# --- the picture -------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("model", MODELS)
def test_the_picture_fits_every_window(model: str, language: str) -> None:
    for seat in take_seat(model, language):
        pay(seat)
        for size, key in product(SIZES, ("", "?")):
            seat.hands.press(key)
            lines = seat.picture(*size)
            assert len(lines) <= size[1]
            assert max(cell_len(line) for line in lines) <= size[0]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_smallest_window_shows_display_lights_keys_paper_and_events(model: str, language: str) -> None:
    for seat in take_seat(model, language):
        pay(seat)
        words = Words(language)
        text = "\n".join(seat.picture())
        for line in seat.station.display.splitlines():
            assert line.strip() in text
        for key in (
            "window.keys.line",
            "window.keys.keypad",
            "window.led.alarm",
            "window.paper",
            "window.log",
        ):
            assert words(key) in text
        assert "u=unknown" in text
        assert seat.station.slips[-1].splitlines()[-1].strip() in text
        assert "completing" in text or "approved" in text


def test_a_window_that_is_too_small_says_so(seat: Seat) -> None:
    assert "80 x 24" in "\n".join(seat.picture(79, 24))
    assert "80 x 24" in "\n".join(seat.picture(80, 23))


def test_a_console_without_unicode_gets_plain_lights(seat: Seat) -> None:
    text = "\n".join(seat.picture(encoding="ascii"))
    assert "* POWER" in text
    assert ". ALARM" in text


def test_lights_and_state_follow_the_terminal(seat: Seat) -> None:
    assert seat.shows("● POWER  ● LINK  ○ CARD  ○ ALARM")
    seat.type("1", "enter")
    assert seat.shows("● POWER  ● LINK  ● CARD  ○ ALARM")
    assert seat.shows("Terminal 12345678  card")


def test_the_pin_is_shown_as_stars_and_kept_nowhere(seat: Seat) -> None:
    seat.type("1", "enter", "g")
    seat.station.wait_for("pin")
    seat.type(*"739146")
    assert seat.shows("PIN: ******_")
    seat.type("enter")
    seat.station.wait_for("wrong_pin")
    text = "\n".join(seat.picture(200, 60)) + repr(seat.log.lines)
    assert "739146" not in text
    assert PAN not in text
    assert "WRONG PIN" in text


def test_equal_sights_are_equal_so_that_nothing_is_drawn_twice(seat: Seat) -> None:
    first, second = (seat.eyes.look(log_count=0, cable_is_in=True, help_open=False) for _ in range(2))
    assert first == second
    seat.type("1")
    assert seat.eyes.look(log_count=0, cable_is_in=True, help_open=False) != first


def test_the_log_tells_messages_and_states_and_stays_short(seat: Seat) -> None:
    pay(seat)
    told = [(line.kind, line.text) for line in seat.log.lines]
    assert ("terminal", ">> 0100 authorisation  106 B") in told
    assert ("state", "host_approved > authorised") in told
    assert not any("ack" in text or "ping" in text for _, text in told)
    for number in range(2 * LINES_MAX):
        seat.log.add(0, "hand", str(number))
    assert len(seat.log.lines) == LINES_MAX


# --- where there is no window ------------------------------------------------------------------------


def test_without_a_terminal_it_is_one_line_and_exit_2(seat: Seat, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_window(seat.station) == 2
    captured = capsys.readouterr()
    assert "--script" in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert seat.station.state == "idle"


# --- a real window -----------------------------------------------------------------------------------

PROGRAM = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a suite in the background has it ignored
from tools.runtime import StationPlan
from tools.window import open_window
sys.exit(open_window(StationPlan()))
"""


class RealWindow:
    """The session in a process of its own, on a pseudo-terminal of 80 by 24."""

    def __init__(self) -> None:
        self.master, self.slave = pty.openpty()
        ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.settings = termios.tcgetattr(self.slave)
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            stdin=self.slave,
            stdout=self.slave,
            stderr=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8"},
        )
        self.seen = ""

    def type(self, keys: bytes) -> None:
        self.seen = ""
        os.write(self.master, keys)

    def wait_for(self, text: str, patience_s: float = 20.0) -> None:
        """Read what the window draws until `text` is among it."""
        end_s = time.monotonic() + patience_s
        while text not in self.seen:
            assert time.monotonic() < end_s, (
                f"waited for {text!r}; the last of the window: {self.seen[-500:]!r}"
            )
            self._read()

    def _read(self) -> None:
        if select.select([self.master], [], [], 0.1)[0]:
            self.seen += os.read(self.master, 65536).decode("utf-8", "replace")

    def end(self) -> int:
        """Wait until the process has ended; what it still draws is read."""
        end_s = time.monotonic() + 20.0
        while self.process.poll() is None:
            assert time.monotonic() < end_s, f"the window does not end: {self.seen[-500:]!r}"
            self._read()
        self._read()
        return self.process.returncode

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def real_window() -> Iterator[RealWindow]:
    window = RealWindow()
    try:
        yield window
    finally:
        window.close()


def _is_as_before(window: RealWindow) -> bool:
    """The terminal's settings are given back, the cursor is shown, the first screen is back."""
    return (
        termios.tcgetattr(window.slave) == window.settings
        and "\x1b[?25h" in window.seen
        and "\x1b[?1049l" in window.seen
    )


@pytest.mark.slow
def test_a_payment_in_a_real_window(real_window: RealWindow) -> None:
    real_window.wait_for("Ready for sale")
    real_window.type(b"1")
    real_window.wait_for("RMB 0.01")
    real_window.type(b"234\r")
    real_window.wait_for("Present card")
    real_window.type(b"g")
    real_window.wait_for("PIN: _")
    real_window.type(b"123456")
    real_window.wait_for("PIN: ******_")
    assert "123456" not in real_window.seen.replace("12345678", "")  # the terminal's number is another matter
    real_window.type(b"\r")
    real_window.wait_for("Tear off slip")
    real_window.type(b"\r")
    real_window.wait_for("APPROVED")
    real_window.type(b"q")
    assert real_window.end() == 0
    assert _is_as_before(real_window)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_gives_the_window_back(real_window: RealWindow, number: signal.Signals, code: int) -> None:
    real_window.wait_for("Ready for sale")
    assert termios.tcgetattr(real_window.slave) != real_window.settings
    real_window.process.send_signal(number)
    assert real_window.end() == code
    assert _is_as_before(real_window)


def test_interrupt_gives_the_window_back(real_window: RealWindow) -> None:
    real_window.wait_for("Ready for sale")
    real_window.process.send_signal(signal.SIGINT)
    assert real_window.end() != 0
    assert _is_as_before(real_window)
