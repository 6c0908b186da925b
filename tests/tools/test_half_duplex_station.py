"""A whole payment over a line that carries one direction at a time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bank.provision import load_provision
from firmware.records import Outcome
from tools.runtime import StationPlan, settings_of, start_station
from tools.wire_log import FrameKind, WireLog


@pytest.mark.parametrize("key", [None, bytes(range(32))])
def test_a_payment_over_a_half_duplex_line(key: bytes | None) -> None:
    log = WireLog(pairing_key=key)
    settings = replace(settings_of(load_provision()), half_duplex=True, pairing_key=key)
    with start_station(StationPlan(settings=settings, tap=log.feed)) as station:
        station.enter_amount("1.00")
        station.swipe("good")
        station.enter_pin("123456")
        payment = station.finish()
    assert payment is not None
    assert payment.outcome is Outcome.APPROVED
    kinds = {frame.kind for frame in log.frames}
    assert {FrameKind.TURN, FrameKind.DATA} <= kinds
    assert not {FrameKind.DAMAGED, FrameKind.UNKNOWN} & kinds
