"""The same seed is the same run; and a bad line changes nothing but the time it takes."""

from __future__ import annotations

import hashlib

import pytest

from bank.faults import FaultKind
from firmware.records import Flow, Outcome
from tests.sim.cases import flows
from tests.sim.invariants import check, payments
from tests.sim.shop import PIN, WRONG_PIN, Purchase, Shop, noisy_line


def trace_of(flow: Flow, seed: int) -> tuple[list[object], str, list[str]]:
    """A shop's eventful hour: states with their times, the line's bytes as a hash, the slips."""
    shop = Shop(flow, seed=seed, line=noisy_line(seed, bit_error_rate=3e-4, drop_rate=1e-4))
    shop.open()
    shop.play(Purchase(pins=(WRONG_PIN, PIN)))
    shop.fault(FaultKind.SILENT_AFTER_POSTING, ("0100", "330000"))
    shop.fault(FaultKind.SILENT_AFTER_POSTING, ("0200", ""))
    shop.play(Purchase(inserted=True))
    shop.play(Purchase(card="lost"))
    shop.power_cycle()
    shop.play(Purchase(swipes=("half", "good")))
    states: list[object] = [(t.at_ms, t.machine, t.rule.target.value) for t in shop.transitions]
    crossed = hashlib.sha256(repr(shop.tapped).encode()).hexdigest()
    return states, crossed, shop.station.slips


@flows
def test_same_seed_same_run(flow: Flow) -> None:
    assert trace_of(flow, 7) == trace_of(flow, 7)


def test_another_seed_another_run() -> None:
    assert trace_of(Flow.AUTHORISE_FIRST, 7)[1] != trace_of(Flow.AUTHORISE_FIRST, 8)[1]


@pytest.mark.parametrize(
    ("flow", "bit_error_rate", "drop_rate", "latency_ms"),
    [
        (Flow.AUTHORISE_FIRST, 1e-4, 0.0, 0),
        (Flow.PIN_FIRST, 1e-3, 0.0, 1),
        (Flow.AUTHORISE_FIRST, 3e-4, 1e-3, 16),
    ],
)
def test_payments_over_a_bad_line(
    flow: Flow, bit_error_rate: float, drop_rate: float, latency_ms: int
) -> None:
    line = noisy_line(5, bit_error_rate=bit_error_rate, drop_rate=drop_rate, latency_ms=latency_ms)
    shop = Shop(flow, line=line)
    shop.open()
    for number in range(50):
        shop.play(Purchase(amount=str(100 + number)))
        assert shop.outcome is Outcome.APPROVED, (number, shop.station.payment)
    assert [payment.amount_minor for payment in payments(shop)] == list(range(100, 150))
    assert shop.station.terminal is not None
    noise = shop.station.terminal.parts.session.counters.noise_pieces
    assert noise > 0, "the line was not bad at all"
    check(shop)
