"""A whole payment over a line whose ends agree on a faster rate, and over one that cannot carry it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from firmware.records import Outcome
from hal.profile import load_profile
from hal.virtual.serial_port import VirtualSerialPort
from host_link.line import DuplexLine, Line
from tools.drive_virtual import VirtualDrive
from tools.runtime import StationPlan, start_station
from tools.station import Station

BASE, FAST = 115_200, 460_800
CALM_MS = 2_000


@contextmanager
def station_with_fast_port() -> Iterator[tuple[Station, VirtualDrive, VirtualSerialPort]]:
    profile = load_profile("virtual").with_options("serial_port", max_bits_per_s=FAST)
    with start_station(StationPlan(profile=profile)) as station:
        port, drive = station.board.serial_port, station.drive
        assert isinstance(port, VirtualSerialPort)
        assert isinstance(drive, VirtualDrive)
        yield station, drive, port


def pays(station: Station) -> bool:
    station.enter_amount("1.00")
    station.swipe("good")
    station.enter_pin("123456")
    payment = station.finish()
    return payment is not None and payment.outcome is Outcome.APPROVED


def test_both_ends_go_faster_and_a_payment_goes_over_it() -> None:
    with station_with_fast_port() as (station, drive, port):
        station.run_for(CALM_MS)
        assert (drive.session.bits_per_s, port.rate_now) == (FAST, FAST)
        assert pays(station)


@pytest.mark.parametrize("restarts", ["terminal", "gateway"])
def test_whichever_end_restarts_both_are_slow_again_and_then_fast(restarts: str) -> None:
    with station_with_fast_port() as (station, drive, port):
        station.run_for(CALM_MS)
        if restarts == "terminal":
            station.cut_power()
            station.power_on()
            assert port.rate_now == BASE
        else:
            drive.restart_gateway()
            assert drive.session.bits_per_s == BASE
        station.run_for(CALM_MS)
        assert (drive.session.bits_per_s, port.rate_now) == (FAST, FAST)
        assert pays(station)


def test_a_wire_that_carries_no_more_stays_at_what_it_carries() -> None:
    with station_with_fast_port() as (station, drive, port):
        ways = [Line(random.Random(way), bits_per_s_max=BASE) for way in range(2)]
        drive.line = DuplexLine(*ways)
        assert pays(station)
        station.run_for(CALM_MS)
        assert drive.session.counters.rate_fall_backs > 0
        assert (drive.session.bits_per_s, port.rate_now) == (BASE, BASE)
