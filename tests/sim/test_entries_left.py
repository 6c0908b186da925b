"""What is typed before a transaction, and nobody goes on: nothing has left the terminal, nothing is kept."""

from __future__ import annotations

import pytest

from firmware.records import Flow, Outcome, Reason
from tests.sim.invariants import check
from tests.sim.shop import PIN, WRONG_PIN, Purchase
from tests.sim.transaction_types import GOOD_PAN, open_shop, prepared

TYPES = {  # a type that asks for it
    "original": "purchase_void",
    "original_shown": "purchase_void",
    "reference": "refund",
    "authorisation_code": "completion",
    "original_date": "refund",
    "amount": "purchase",
    "card": "purchase",
    "card_number": "offline_settlement",
    "expiry": "offline_settlement",
}


@pytest.mark.parametrize("state", TYPES)
@pytest.mark.parametrize(
    ("event", "outcome", "reason"),
    [
        ("cancel", Outcome.CANCELLED, Reason.CANCELLED),
        ("timeout", Outcome.TIMED_OUT, Reason.OPERATOR_TIMEOUT),
    ],
)
def test_whoever_stops_typing_leaves_nothing_behind(
    state: str, event: str, outcome: Outcome, reason: Reason
) -> None:
    shop = open_shop()
    purchase = prepared(shop, TYPES[state])
    asked = len(shop.bank.asked)
    shop.instead[state] = lambda: shop.station.press("cancel") if event == "cancel" else None
    shop.play(purchase)
    assert shop.took(state, event)
    payment = shop.station.payment
    assert payment is not None
    assert (payment.kind, payment.outcome, payment.reason) == (purchase.kind, outcome, reason)
    assert len(shop.bank.asked) == asked
    assert shop.owes == []
    assert not shop.station.devices.card_reader.armed
    assert payment.number not in {int(number) for number, _ in shop.storage.scan("cards")}


def test_a_typed_card_that_is_not_the_original_s_is_refused() -> None:
    """As a swiped one is."""
    shop = open_shop()
    purchase = prepared(shop, "purchase_void")
    asked = len(shop.bank.asked)
    purchase.number, purchase.typed = "6225880000000118", {**purchase.typed, "expiry": "3012"}
    shop.play(purchase)
    payment = shop.station.payment
    assert payment is not None
    assert (payment.outcome, payment.reason) == (Outcome.FAILED, Reason.CARD_DIFFERS)
    assert len(shop.bank.asked) == asked


def test_a_typed_card_of_a_type_without_a_pin_goes_to_the_bank_at_once() -> None:
    shop = open_shop()
    purchase = prepared(shop, "refund")
    purchase.number, purchase.typed = GOOD_PAN, {**purchase.typed, "expiry": "3012"}
    shop.play(purchase)
    assert shop.outcome is Outcome.APPROVED
    assert str(shop.bank.asked[-1].fields[22]).startswith("01")
    assert 35 not in shop.bank.asked[-1].fields


@pytest.mark.parametrize(
    ("flow", "state"),
    [
        (Flow.AUTHORISE_FIRST, "authorised"),
        (Flow.AUTHORISE_FIRST, "wrong_pin"),
        (Flow.PIN_FIRST, "wrong_pin"),
        (Flow.PIN_FIRST, "tear_off"),
    ],
    ids=lambda value: getattr(value, "value", value),
)
def test_enter_goes_on_at_once(flow: Flow, state: str) -> None:
    """Nobody has to wait until a message has been read."""
    shop = open_shop(flow)
    shop.instead[state] = lambda: shop.station.press("enter")
    shop.play(Purchase(pins=(WRONG_PIN, PIN)))
    assert shop.took(state, "confirm")
    assert not shop.took(state, "timeout")
    assert shop.outcome is Outcome.APPROVED
    check(shop)


@pytest.mark.parametrize(("key", "event"), [("enter", "confirm"), ("cancel", "cancel")])
def test_a_balance_is_left_with_either_key(key: str, event: str) -> None:
    shop = open_shop()
    shop.instead["balance_shown"] = lambda: shop.station.press(key)
    shop.play(Purchase(kind="balance"))
    assert shop.took("balance_shown", event)
    assert shop.outcome is Outcome.APPROVED


def test_a_pin_that_cannot_be_enciphered_ends_the_payment_and_undoes_it() -> None:
    """The working keys go while the PIN is typed: the hold is released, and the next sale signs in first."""
    shop = open_shop(Flow.AUTHORISE_FIRST)

    def lose_keys() -> None:
        assert shop.station.terminal is not None
        shop.station.terminal.parts.secure.discard_working_keys()
        shop.station.press(*PIN, "enter")

    shop.instead["pin"] = lose_keys
    shop.play()
    assert shop.took("pin", "pin_unavailable")
    assert shop.station.payment is not None
    assert (shop.station.payment.outcome, shop.station.payment.reason) == (
        Outcome.FAILED,
        Reason.PIN_UNAVAILABLE,
    )
    check(shop)
