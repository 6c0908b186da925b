"""Everything that can happen to a payment, one thing at a time, in both flows; afterwards all must agree.

What each situation must lead to stands in the transaction table; here is asserted what a merchant, a
cardholder and an auditor see. The waiting states are taken from the table, so a new one is tested by itself.
"""

from __future__ import annotations

import pytest

from firmware.records import Flow, Outcome, Reason
from tests.sim.cases import flows, opened, waiting
from tests.sim.invariants import check, check_money
from tests.sim.shop import (
    PIN,
    SILENT_BEFORE,
    WRONG_PIN,
    Purchase,
    way_to,
)

# --- the card and the money ------------------------------------------------------------------------------


@flows
def test_a_good_card_pays(flow: Flow) -> None:
    shop = opened(flow)
    shop.play()
    assert shop.outcome is Outcome.APPROVED
    assert shop.station.beeps == 2
    assert len(shop.station.slips) == 2
    assert shop.station.payment is not None
    assert shop.station.payment.copies_printed == 2
    check(shop)


@flows
@pytest.mark.parametrize(
    ("card", "code"),
    [("unknown", "14"), ("expired", "54"), ("lost", "41"), ("poor", "51"), ("limited", "61")],
)
def test_the_bank_says_no(flow: Flow, card: str, code: str) -> None:
    shop = opened(flow)
    shop.play(Purchase(card=card))
    assert shop.outcome is Outcome.DECLINED
    assert shop.station.payment is not None
    assert shop.station.payment.response_code == code
    assert shop.station.slips == []
    check(shop)


@flows
def test_a_card_within_its_limit_pays(flow: Flow) -> None:
    shop = opened(flow)
    shop.play(Purchase(card="limited", amount="1000"))
    assert shop.outcome is Outcome.APPROVED
    check(shop)


# --- the PIN ---------------------------------------------------------------------------------------------


@flows
@pytest.mark.parametrize("wrong", [1, 2])
def test_a_wrong_pin_may_be_tried_again(flow: Flow, wrong: int) -> None:
    shop = opened(flow)
    shop.play(Purchase(pins=(*[WRONG_PIN] * wrong, PIN)))
    assert shop.outcome is Outcome.APPROVED
    check(shop)


@flows
def test_the_third_wrong_pin_ends_the_payment(flow: Flow) -> None:
    shop = opened(flow)
    shop.play(Purchase(card="poor", amount="50", pins=(WRONG_PIN,)))
    assert shop.outcome is Outcome.DECLINED
    assert shop.station.payment is not None
    assert (shop.station.payment.reason, shop.station.payment.wrong_pins) == (Reason.PIN_TRIES, 3)
    assert [52 in message.fields for message in shop.bank.asked].count(True) == 3
    assert shop.bank.open_holds() == []
    check(shop)


@flows
def test_a_card_whose_pin_tries_are_used_up(flow: Flow) -> None:
    shop = opened(flow)
    shop.play(Purchase(card="limited", amount="50", pins=(WRONG_PIN,)))
    shop.play(Purchase(card="limited", amount="50"))
    assert shop.outcome is Outcome.DECLINED
    assert shop.station.payment is not None
    assert shop.station.payment.response_code == "75"
    check(shop)


# --- people, in every waiting state ----------------------------------------------------------------------


NOT_CANCELLED = {"printing", "reversing"}  # the money has moved, or moves back already
CARD_IN_USE = {"purchase_pin", "connecting", "authorising", "authorised"}
CARD_IN_USE |= {"pin", "verifying_pin", "wrong_pin", "purchasing"}


@waiting
def test_cancel(flow: Flow, state: str) -> None:
    shop = opened(flow)
    shop.expect_reach(state)
    shop.station.press("cancel")
    shop.go_on()
    assert shop.took(state, "cancel") == (state not in NOT_CANCELLED)
    shop.power_or_paper_trouble = True  # a cancelled slip is a missing slip
    check(shop)


@waiting
def test_card_removed(flow: Flow, state: str) -> None:
    shop = opened(flow)
    assert shop.reach(state, way_to(shop, state, inserted=True))
    if shop.station.devices.card_reader.card_present:
        shop.station.remove()
    shop.go_on()
    assert shop.took(state, "card_removed") == (state in CARD_IN_USE)
    check(shop)


@waiting
def test_timeout(flow: Flow, state: str) -> None:
    # Paper so slow that no slip is ever done in time, and a bank that hears nothing from now on.
    shop = opened(flow, print_mm_per_s=1 if state == "printing" else 300)
    shop.expect_reach(state)
    shop.power_or_paper_trouble = True
    shop.fault(SILENT_BEFORE, count=None)
    shop.instead[state] = lambda: None
    shop.go_on()
    assert shop.took(state, "timeout")
    check(shop)


@flows
def test_cancel_ends_a_payment_before_the_money_moves(flow: Flow) -> None:
    shop = opened(flow)
    shop.expect_reach("pin" if flow is Flow.AUTHORISE_FIRST else "purchase_pin")
    shop.station.press("cancel")
    shop.go_on()
    assert shop.outcome is Outcome.CANCELLED
    assert shop.station.slips == []
    check(shop)


@flows
@pytest.mark.parametrize("bad", ["bad", "half", "too_fast"])
def test_a_bad_swipe_may_be_repeated(flow: Flow, bad: str) -> None:
    shop = opened(flow)
    shop.play(Purchase(swipes=(bad, "good")))
    assert shop.outcome is Outcome.APPROVED
    check(shop)


@flows
def test_three_bad_swipes_end_the_payment(flow: Flow) -> None:
    shop = opened(flow)
    shop.play(Purchase(swipes=("bad",)))
    assert shop.outcome is Outcome.FAILED
    assert shop.station.payment is not None
    assert (shop.station.payment.reason, shop.station.payment.bad_swipes) == (Reason.CARD_UNREADABLE, 3)
    assert [message.mti for message in shop.bank.asked] == ["0800"]
    check(shop)


# --- storage and tamper ----------------------------------------------------------------------------------


def _commits_of_a_sale(flow: Flow) -> int:
    shop = opened(flow)
    before = shop.storage.commits
    shop.play()
    return shop.storage.commits - before


@flows
def test_a_commit_that_fails_is_told_to_nobody(flow: Flow) -> None:
    for number in range(1, _commits_of_a_sale(flow) + 1):
        shop = opened(flow)
        shop.storage.fail_at(shop.storage.commits + number)
        asked: list[int] = []  # by the time of each transition
        shop.on_transition = lambda _t, shop=shop, asked=asked: asked.append(len(shop.bank.asked))  # type: ignore[misc]
        shop.play()
        assert shop.state == "out_of_service", number
        shop.station.run_for(5_000)
        assert len(shop.bank.asked) == asked[-1], "something left after the commit that failed"
        shop.power_or_paper_trouble = True
        check(shop)


@waiting
def test_tamper(flow: Flow, state: str) -> None:
    shop = opened(flow)
    shop.expect_reach(state)
    shop.station.devices.tamper.trip()
    shop.station.settle()
    assert shop.state == "tampered"
    asked = len(shop.bank.asked)
    shop.station.run_for(30_000)
    assert shop.state == "tampered"
    sent_before = {"authorising", "verifying_pin", "purchasing", "completing", "reversing"}
    assert len(shop.bank.asked) <= asked + (state in sent_before)
    assert not shop.station.devices.card_reader.armed
    shop.power_or_paper_trouble = True
    check(shop)


@flows
def test_three_payments_and_the_money(flow: Flow) -> None:
    shop = opened(flow)
    for amount in ("1", "100", "99999"):
        shop.play(Purchase(amount=amount))
        assert shop.outcome is Outcome.APPROVED
    check_money(shop)
    check(shop)
