"""Bad answers to every request of a payment: to what nothing undoes, and to the reversal itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bank.faults import FaultKind
from firmware.app import Transition
from firmware.records import Flow, Outcome, Reason
from firmware.txn.transaction import State
from hal.api import Beep
from tests.sim.bad_answers import BAD_MAC, EVERY_WAY, LOST, NOT_SENT, SILENT, BadAnswer, name_of
from tests.sim.cases import opened
from tests.sim.invariants import check
from tests.sim.shop import PIN, WRONG_PIN, Purchase, Shop
from tests.sim.transaction_types import open_shop, prepared

# --- to what nothing undoes ------------------------------------------------------------------------------


def cancel(shop: Shop) -> None:
    shop.instead["purchasing"] = lambda: shop.station.press("cancel")


def remove_card(shop: Shop) -> None:
    shop.instead["purchasing"] = shop.station.remove


ENDS: dict[str, tuple[Callable[[Shop, str], None], Outcome, Reason]] = {
    "host_bad_mac": (lambda shop, mti: BAD_MAC.arm(shop, mti, 1), Outcome.FAILED, Reason.BAD_MAC),
    "host_lost": (lambda shop, mti: LOST.arm(shop, mti, 1), Outcome.FAILED, Reason.LINE_LOST),
    "timeout": (lambda shop, mti: SILENT.arm(shop, mti, 1), Outcome.TIMED_OUT, Reason.NO_RESPONSE),
    "cancel": (lambda shop, _mti: cancel(shop), Outcome.CANCELLED, Reason.CANCELLED),
    "card_removed": (lambda shop, _mti: remove_card(shop), Outcome.CANCELLED, Reason.CARD_REMOVED),
}


@pytest.mark.parametrize("event", ENDS)
@pytest.mark.parametrize("kind", ["balance", "refund"])
def test_without_an_answer_nobody_says_that_a_refund_is_not_done(kind: str, event: str) -> None:
    """A balance can be asked for again; a refund may have been paid, and only the bank knows."""
    shop = open_shop()
    purchase = prepared(shop, kind)
    purchase.inserted = True
    arm, outcome, reason = ENDS[event]
    arm(shop, {"balance": "0200", "refund": "0220"}[kind])
    shop.play(purchase)
    payment = shop.station.payment
    assert payment is not None
    assert shop.took("purchasing", event)
    assert payment.outcome is outcome
    assert payment.reason is (reason if kind == "balance" else Reason.UNKNOWN)
    assert shop.owes == [], "there is nothing that could undo it"
    assert Beep.ERROR in [one.beep for one in shop.station.devices.buzzer.played()]


# --- to the completion, and to a PIN ---------------------------------------------------------------------


def _cancel_completion(shop: Shop, _mti: str, _count: int | None) -> None:
    shop.instead["completing"] = lambda: shop.station.press("cancel")


CANCEL = BadAnswer("cancel", _cancel_completion)


def _attempts(shop: Shop) -> int:
    """How often the one message that is due was tried in vain."""
    assert shop.station.terminal is not None
    (entry,) = shop.station.terminal.journal.outbox.values()
    return entry.attempts


# --- a wrong PIN where none was sent ---------------------------------------------------------------------


def test_a_wrong_pin_that_the_bank_never_got_is_a_no_like_any_other() -> None:
    """The authorisation of the seven steps has no PIN: nobody is asked to type it again."""
    shop = opened(Flow.AUTHORISE_FIRST)
    shop.fault(FaultKind.RESPONSE_CODE, ("0100", "030000"), value="55")
    shop.play()
    assert shop.station.payment is not None
    assert (shop.outcome, shop.station.payment.reason) == (Outcome.DECLINED, Reason.BANK_DECLINED)
    assert shop.station.payment.response_code == "55", "and it can be looked up why"
    assert not shop.took("authorised", "timeout")
    check(shop)


def test_a_completion_that_is_refused_so_is_refused_for_good_and_told_at_once() -> None:
    shop = opened(Flow.AUTHORISE_FIRST)
    shop.fault(FaultKind.RESPONSE_CODE, ("0220", "000000"), value="55")
    shop.play()
    assert shop.station.payment is not None
    assert (shop.outcome, shop.station.payment.reason) == (Outcome.APPROVED, Reason.COMPLETION_REFUSED)
    assert shop.station.devices.buzzer.played()[-1].beep is Beep.ALERT
    shop.heal()
    assert shop.owes == []


@pytest.mark.parametrize("way", [*EVERY_WAY, CANCEL], ids=name_of)
def test_a_completion_without_a_good_answer_ends_the_payment_at_once_and_stays_due(way: BadAnswer) -> None:
    shop = opened(Flow.AUTHORISE_FIRST)

    def on_transition(step: Transition) -> None:
        if step.rule.target is State.COMPLETING:
            way.arm(shop, "0220", 1)

    shop.on_transition = on_transition
    shop.play()
    assert shop.took("completing", way.event)
    assert shop.outcome is Outcome.APPROVED
    assert shop.owes == ["completion"]
    assert _attempts(shop) == (0 if way is NOT_SENT else 1), "a try that left the terminal"
    check(shop)


def test_a_pin_that_never_left_the_terminal_ends_the_payment_at_once() -> None:
    """Nobody waits for the answer to a question that was not asked; the hold is undone."""
    shop = opened(Flow.AUTHORISE_FIRST)

    def type_pin() -> None:
        shop.drive.stop_bank()
        shop.station.press(*PIN, "enter")

    shop.instead["pin"] = type_pin
    shop.play()
    assert shop.took("verifying_pin", NOT_SENT.event)
    assert shop.station.payment is not None
    assert (shop.outcome, shop.station.payment.reason) == (Outcome.FAILED, Reason.HOST_UNREACHABLE)
    check(shop)


# --- to the reversal -------------------------------------------------------------------------------------


def decline(shop: Shop) -> Purchase:
    return Purchase(card="limited", amount="50", pins=(WRONG_PIN,))


def give_up(shop: Shop) -> Purchase:
    shop.instead["pin"] = lambda: shop.station.press("cancel")
    return Purchase()


def fall_silent(shop: Shop) -> Purchase:
    """Or so it seems: the answer is not to what was asked."""
    shop.fault(FaultKind.WRONG_TRACE, ("0100", "330000"))
    return Purchase()


def mistrust(shop: Shop) -> Purchase:
    shop.fault(FaultKind.WRONG_MAC, ("0100", "030000"))
    return Purchase()


WHY = {
    Outcome.DECLINED: decline,
    Outcome.CANCELLED: give_up,
    Outcome.TIMED_OUT: fall_silent,
    Outcome.FAILED: mistrust,
}


reasons = pytest.mark.parametrize("why", WHY, ids=lambda outcome: outcome.value)


@reasons
def test_a_reversal_with_a_good_answer_is_done_with(why: Outcome) -> None:
    shop = opened(Flow.AUTHORISE_FIRST)
    shop.play(WHY[why](shop))
    assert shop.outcome is why
    assert shop.owes == []
    assert shop.station.payment is not None
    assert shop.station.payment.reversed
    shop.heal()
    assert [message.mti for message in shop.bank.asked].count("0400") == 1


@reasons
@pytest.mark.parametrize("way", EVERY_WAY, ids=name_of)
def test_a_reversal_without_a_good_answer_changes_no_outcome_and_stays_due(
    way: BadAnswer, why: Outcome
) -> None:
    shop = opened(Flow.AUTHORISE_FIRST)
    purchase = WHY[why](shop)

    def on_transition(step: Transition) -> None:
        if step.rule.target is State.REVERSING:
            way.arm(shop, "0400", 1)

    shop.on_transition = on_transition
    shop.play(purchase)
    assert shop.took("reversing", way.event)
    assert shop.outcome is why
    assert shop.owes == ["reversal"]
    assert _attempts(shop) == (0 if way is NOT_SENT else 1), "a try that left the terminal"
    assert shop.station.devices.buzzer.played()[-1].beep is Beep.ERROR
    shop.forgive_wrong_pins()
    check(shop, next_sale=False)
    assert shop.station.payment is not None
    assert shop.station.payment.reversed
