"""Whole payments in virtual time: terminal, line, gateway, bank and paper."""

from __future__ import annotations

from functools import partial

from firmware.records import Outcome
from tools.bench.measure import Measurement, rate
from tools.runtime import start
from tools.station import Station


def measure() -> list[Measurement]:
    """Payments a second in both flows, from the first key to the torn-off slip."""
    results = []
    for flow in ("authorise-first", "pin-first"):
        with start(flow=flow) as station:
            results.append(rate(f"payments, {flow}", partial(_pay, station)))
    return results


def _pay(station: Station) -> None:
    station.enter_amount("0.01")
    station.swipe("good")
    station.enter_pin("123456")
    payment = station.finish()
    assert payment is not None
    assert payment.outcome is Outcome.APPROVED, "anything else is another piece of work"
