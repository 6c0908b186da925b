"""The power fails: at every commit, in every state, at every message on the line, and again while recovering.

Enumerated, not sampled. A payment is played once to count; then it is played again for each of those moments,
with the plug pulled exactly there. Afterwards the design's table holds: nothing happened, or it is reversed,
or it stands; and everybody agrees.
"""

from __future__ import annotations

from typing import Literal

import pytest

from firmware.app import Transition
from firmware.records import Flow, Outcome, Payment
from firmware.txn.schema import Recovery
from firmware.txn.transaction import TABLE, State
from tests.sim.cases import flows, opened
from tests.sim.invariants import DUPLICATE, check
from tests.sim.shop import FLOWS_AND_STATES, PIN, WRONG_PIN, Purchase, Shop

When = Literal["before", "after"]

whens = pytest.mark.parametrize("when", ["before", "after"])
SALES = {
    "paid": Purchase(),
    "wrong pin first": Purchase(pins=(WRONG_PIN, PIN)),
    "pin tries used up": Purchase(pins=(WRONG_PIN,)),
}
sales = pytest.mark.parametrize("sale", SALES)


def commits_of(flow: Flow, sale: str) -> int:
    """How many commits a sale makes."""
    shop = opened(flow)
    before = shop.storage.commits
    shop.play(SALES[sale])
    return shop.storage.commits - before


def cut_at_commit(flow: Flow, sale: str, number: int, when: When) -> Shop:
    """A shop whose power went at the sale's commit of that number. It is off."""
    shop = opened(flow)
    shop.power_or_paper_trouble = True
    shop.storage.power_cut_at(shop.storage.commits + number, when)
    shop.play(SALES[sale])
    assert shop.state == "off"
    return shop


@whens
@flows
@sales
def test_at_every_commit(flow: Flow, sale: str, when: When) -> None:
    count = commits_of(flow, sale)
    assert count >= 5
    for number in range(1, count + 1):
        shop = cut_at_commit(flow, sale, number, when)
        check(shop, next_sale=number % 6 == 1)


@whens
@flows
def test_at_every_commit_with_the_bank_away_at_first(flow: Flow, when: When) -> None:
    """Power comes back before the bank does."""
    for number in range(1, commits_of(flow, "paid") + 1):
        shop = cut_at_commit(flow, "paid", number, when)
        shop.drive.stop_bank()
        shop.open()
        assert shop.state == "idle"
        check(shop, next_sale=False)


@whens
@flows
def test_again_while_recovering(flow: Flow, when: When) -> None:
    """A second cut, at every commit of the recovery from every first one."""
    for first in range(1, commits_of(flow, "paid") + 1):
        recovery_commits = _commits_of_recovery(flow, first, when)
        for second in range(1, recovery_commits + 1):
            shop = cut_at_commit(flow, "paid", first, when)
            shop.storage.power_cut_at(shop.storage.commits + second, when)
            shop.open()
            if shop.station.is_on:  # the cut lies behind the first rest: in a repeat, or in the retry
                shop.station.run_until(lambda shop=shop: not shop.owes, 100_000)  # type: ignore[misc]
            assert not shop.station.is_on
            check(shop, next_sale=False)


def _commits_of_recovery(flow: Flow, first: int, when: When) -> int:
    shop = cut_at_commit(flow, "paid", first, when)
    before = shop.storage.commits
    shop.open()
    shop.station.run_until(lambda: not shop.owes, 100_000)
    return shop.storage.commits - before


@pytest.mark.parametrize(
    ("flow", "state"), FLOWS_AND_STATES, ids=[f"{flow.value}-{state}" for flow, state in FLOWS_AND_STATES]
)
def test_in_every_waiting_state(flow: Flow, state: str) -> None:
    """What the design's table of recoveries says, as a merchant sees it."""
    shop = opened(flow)
    shop.expect_reach(state)
    shop.station.cut_power()
    shop.station.run_for(1_000)
    shop.station.plug_cable()
    sent_before = len(shop.bank.asked)
    shop.power_or_paper_trouble = True
    shop.open()
    payment = shop.station.payment
    assert payment is not None
    _judge_recovery(shop, payment, state, [message.mti for message in shop.bank.asked[sent_before:]])
    check(shop)


def _judge_recovery(shop: Shop, payment: Payment, state: str, sent: list[str]) -> None:
    match TABLE.by_state[State(state)].recovery:
        case Recovery.NOTHING:
            assert payment.outcome is Outcome.FAILED
            assert sent == []
        case Recovery.REVERSE:
            assert payment.outcome is not Outcome.APPROVED
            assert sent.count("0400") == (0 if _has_nothing_to_reverse(shop.flow, state) else 1)
            assert shop.owes == []
        case Recovery.STANDS:
            assert payment.outcome is Outcome.APPROVED
            assert sent.count("0220") == (shop.flow is Flow.AUTHORISE_FIRST)
            shop.station.devices.printer.load_paper()
            shop.station.press("f2")
            shop.station.run_until(lambda: shop.state == "idle", 120_000)
            assert DUPLICATE in shop.station.slips[-1]


def _has_nothing_to_reverse(flow: Flow, state: str) -> bool:
    """Pin-first, a wrong PIN is a decline: nothing is held."""
    return flow is Flow.PIN_FIRST and state == State.WRONG_PIN.value


@flows
@pytest.mark.parametrize("sale", ["paid", "wrong pin first"])
def test_at_every_transition(flow: Flow, sale: str) -> None:
    """After the commit and before the first effect of each rule: nothing of it has left the terminal."""
    plain = opened(flow)
    before = len(plain.transitions)
    plain.play(SALES[sale])
    for number in range(before, len(plain.transitions)):
        shop = opened(flow)
        shop.power_or_paper_trouble = True

        def cut(_transition: Transition, shop: Shop = shop, number: int = number) -> None:
            if len(shop.transitions) == number + 1:
                raise shop.power_fails()

        shop.on_transition = cut
        shop.play(SALES[sale])
        assert shop.state == "off"
        check(shop, next_sale=number % 5 == 0)


@flows
def test_at_every_message_on_the_line(flow: Flow) -> None:
    """Whenever bytes begin to cross the line, from either side."""
    plain = opened(flow)
    before = len(plain.tapped)
    plain.play()
    moments = range(before, len(plain.tapped))
    assert len(moments) > 10
    for number in moments:
        shop = opened(flow)
        shop.power_or_paper_trouble = True

        def cut(_side: str, shop: Shop = shop, number: int = number) -> None:
            if len(shop.tapped) == number + 1:
                raise shop.power_fails()

        shop.on_bytes = cut
        shop.play()
        assert shop.state == "off"
        check(shop, next_sale=number % 12 == 0)


@flows
def test_every_few_milliseconds_of_a_dialogue(flow: Flow) -> None:
    """While request and answer are on their way, at every stage."""
    states = {
        Flow.AUTHORISE_FIRST: ("authorising", "verifying_pin", "completing"),
        Flow.PIN_FIRST: ("purchasing",),
    }
    for state in states[flow]:
        for after_ms in range(2, 60, 7):
            shop = opened(flow)
            shop.expect_reach(state)
            shop.station.run_for(after_ms)
            shop.power_cycle()
            check(shop, next_sale=False)
