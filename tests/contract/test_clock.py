"""hal.api.Clock, for every backend. A new backend adds a line to CLOCKS."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from hal.api import Clock
from hal.host.clock import SystemClock
from hal.virtual.clock import VirtualClock

CLOCKS: dict[str, Callable[[], Clock]] = {"virtual": VirtualClock, "host": SystemClock}


@pytest.fixture(params=CLOCKS)
def clock(request: pytest.FixtureRequest) -> Clock:
    device = CLOCKS[request.param]()
    device.open()
    return device


def test_monotonic_never_runs_backwards(clock: Clock) -> None:
    readings = [clock.monotonic_ms() for _ in range(100)]
    assert readings == sorted(readings)
    assert all(type(reading) is int for reading in readings)


def test_wall_is_naive(clock: Clock) -> None:
    assert clock.wall().tzinfo is None


@pytest.mark.parametrize("date", ["2019-02-28 23:59:59", "2041-12-31 00:00:00"])
def test_wall_can_be_set_either_way_and_timers_do_not_notice(clock: Clock, date: str) -> None:
    now = datetime.fromisoformat(date)
    before_ms = clock.monotonic_ms()
    clock.set_wall(now)
    assert timedelta() <= clock.wall() - now < timedelta(minutes=1)
    assert 0 <= clock.monotonic_ms() - before_ms < 60_000
