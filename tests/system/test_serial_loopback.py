"""A whole payment with every device behind a serial port: real drivers and their far sides in software."""

import json
import select
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bank.provision import load_provision
from hal.peripherals.keypad import Keypad
from hal.peripherals.magstripe import SwipeReader
from hal.peripherals.vfd import Vfd
from hal.profile import load_profile
from hal.serial.keypad import SerialKeypad
from hal.serial.magstripe import SerialMagstripeReader
from hal.serial.port import PyserialPort
from hal.serial.vfd import SerialVfd
from tests.tools.test_cli import exit_code
from tools.runtime import StationPlan, settings_of, start_station
from tools.station import Station, StationError
from tools.window.view import Eyes

SCRIPT = """
title = "over serial lines"
profile = "serial-loopback"

[terminal]
authorised_ms = 300
result_ms = 300

[[step]]
amount = "12.34"
expect = { state = "card" }

[[step]]
swipe = "good"

[[step]]
pin = "123456"

[[step]]
wait_for = "tear_off"
within_ms = 9_000

[[step]]
press = "enter"

[[step]]
wait_for = "approved"
within_ms = 9_000
expect = { outcome = "approved", slips = 2, balanced = true }
"""
PROFILE = load_profile("serial-loopback")


@pytest.fixture
def station() -> Iterator[Station]:
    settings = replace(settings_of(load_provision()), authorised_ms=400, result_ms=400)
    with start_station(StationPlan(live=True, profile=PROFILE, settings=settings)) as station:
        yield station


def shows(station: Station, *texts: str) -> bool:
    """Wait until the glass shows these: the firmware is done a line's time before it."""
    return station.run_until(lambda: all(text in station.display for text in texts), limit_ms=5_000)


@pytest.mark.slow
def test_the_seven_steps_over_serial_lines(station: Station) -> None:
    board, loopback = station.board, station.loopback
    assert isinstance(board.display, SerialVfd)
    assert isinstance(board.keypad, SerialKeypad)
    assert isinstance(board.card_reader, SerialMagstripeReader)
    assert isinstance(board.serial_port, PyserialPort)
    assert loopback is not None
    vfd = loopback.far["display"]
    assert isinstance(vfd, Vfd)
    assert isinstance(loopback.far["keypad"], Keypad)
    assert isinstance(loopback.far["card_reader"], SwipeReader)

    station.enter_amount("12.34")  # two digits, two digits, ENTER: key codes
    assert shows(station, "12.34")
    station.swipe("good")  # 1: tracks with sentinels and check characters
    station.wait_for("authorised", limit_ms=10_000)  # 2, 3
    bells = vfd.bells
    assert shows(station, "AUTHORISED")  # 4
    station.run_until(lambda: vfd.bells == bells + 2, limit_ms=2_000)
    station.enter_pin("123456")  # 5: into the secure room; stars on the glass
    station.wait_for("tear_off", limit_ms=10_000)  # 6, 7
    station.press("enter")
    payment = station.finish()
    assert payment is not None
    assert payment.outcome is not None
    assert payment.outcome.value == "approved"
    assert payment.response_code == "00"
    assert len(station.slips) == 2
    assert "622588******0100" in station.slips[1]
    assert station.ask_bank(lambda bank: bank.verify().ok)
    assert vfd.unknown_bytes == 0


def test_the_terminal_window_sees_the_far_sides(station: Station) -> None:
    eyes = Eyes(station)
    sight = eyes.look(log_count=0, cable_is_in=True, help_open=False)
    assert (sight.columns, sight.rows, sight.card_present) == (20, 2, False)
    assert sight.screen.text.strip()
    assert sight.paper == ()


def test_a_bad_swipe_is_told_and_swiped_again(station: Station) -> None:
    station.enter_amount("1.00")
    station.swipe("good", quality="bad")
    assert shows(station, "Not readable")
    station.swipe("good")
    station.wait_for("pin", limit_ms=10_000)
    station.press("cancel")
    payment = station.finish()
    assert payment is not None
    assert payment.outcome is not None
    assert payment.outcome.value == "cancelled"


def test_no_pin_digit_crosses_the_display_s_line(station: Station) -> None:
    assert station.loopback is not None
    station.enter_amount("5.00")
    station.swipe("good")
    station.wait_for("pin", limit_ms=10_000)
    seen = set()
    for digit in "871937":
        station.press(digit)
        seen.add(station.display)
    assert shows(station, "******")
    assert not any(digit in text for text in seen for digit in "8739")
    station.press("cancel")
    station.finish()


def test_virtual_time_is_refused() -> None:
    with pytest.raises(StationError, match="know no virtual time: use real time"):
        start_station(StationPlan(profile=PROFILE))


def test_nobody_waits_at_a_pseudo_terminal_that_is_gone(station: Station) -> None:
    loopback = station.loopback
    assert loopback is not None
    filenos = loopback.filenos()
    station.close()
    with pytest.raises((OSError, ValueError)):
        select.select(filenos, [], [], 0)


@pytest.mark.slow
def test_the_command_plays_a_script_over_serial_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "sale.toml"
    script.write_text(SCRIPT)
    assert exit_code("run", "--script", str(script), "--json") == 0
    assert json.loads(capsys.readouterr().out)["ok"]
