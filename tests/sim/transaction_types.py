"""How each type of transaction is played: what must have happened before, and what is typed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from firmware.records import Flow, Outcome, Payment
from tests.sim.shop import Purchase, Shop

GOOD_PAN = "6225880000000100"
AMOUNT = "5000"


def open_shop(flow: Flow = Flow.PIN_FIRST) -> Shop:
    """A shop in which every type may be played."""
    shop = Shop(flow, security={"manual_entry_allowed": True})  # type: ignore[dict-item]
    shop.open()
    return shop


def played(shop: Shop, purchase: Purchase) -> Payment:
    """Play one that is approved."""
    shop.play(purchase)
    payment = shop.station.payment
    assert payment is not None
    assert (payment.kind, payment.outcome) == (purchase.kind, Outcome.APPROVED), payment
    return payment


def _sale(shop: Shop) -> Payment:
    return played(shop, Purchase(AMOUNT))


def _hold(shop: Shop) -> Payment:
    return played(shop, Purchase(AMOUNT, kind="preauth"))


def _by_code(payment: Payment) -> Mapping[str, str]:
    return {"authorisation_code": payment.authorisation_code, "original_date": payment.host_date}


def _completed(shop: Shop) -> Payment:
    return played(shop, Purchase(AMOUNT, kind="completion", typed=_by_code(_hold(shop))))


Preparation = Callable[[Shop], Purchase]

PREPARATIONS: Mapping[str, Preparation] = {
    "purchase": lambda _shop: Purchase(),
    "balance": lambda _shop: Purchase(),
    "purchase_void": lambda shop: Purchase(typed={"original": _sale(shop).stan}),
    "refund": lambda shop: Purchase(
        "1000", typed={"reference": (sale := _sale(shop)).posted_rrn, "original_date": sale.host_date}
    ),
    "preauth": lambda _shop: Purchase(),
    "preauth_cancel": lambda shop: Purchase(AMOUNT, typed=_by_code(_hold(shop))),
    "completion": lambda shop: Purchase(AMOUNT, typed=_by_code(_hold(shop))),
    "completion_advice": lambda shop: Purchase(AMOUNT, typed=_by_code(_hold(shop))),
    "completion_void": lambda shop: Purchase(typed={"original": _completed(shop).stan}),
    "offline_settlement": lambda _shop: Purchase(
        typed={"authorisation_code": "123456", "expiry": "3012"}, number=GOOD_PAN
    ),
    "adjustment": lambda shop: Purchase("500", typed={"original": _sale(shop).stan}),
}
"""By the type's name in `firmware.txn.plans.PLANS`: makes what it needs, and says how it is played then."""


def prepared(shop: Shop, kind: str) -> Purchase:
    """Do what a type needs, and have all of it known to the bank."""
    purchase = replace(PREPARATIONS[kind](shop), kind=kind)
    shop.heal()
    return purchase
