"""Whose card it was: when a payment has ended, no object of the firmware knows it any more."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from types import FunctionType, ModuleType

import pytest

from tests.sim.shop import Shop
from tests.sim.transaction_types import GOOD_PAN, open_shop, prepared
from wire.pan import Pan

ELSEWHERE = ("hal.virtual", "tools", "bank", "tests")  # where people, cards in software and the bank are


def held(shop: Shop) -> Iterator[object]:
    """Everything that the firmware holds: its sections and what waits, and what these hold."""
    terminal = shop.station.terminal
    assert terminal is not None
    front: list[object] = [*terminal._sections.values(), terminal._kernel]
    seen = set(map(id, front))
    while front:
        thing = front.pop()
        yield thing
        for part in gc.get_referents(thing):
            is_foreign = type(part).__module__.startswith(ELSEWHERE)
            if (
                id(part) not in seen
                and not is_foreign
                and not isinstance(part, type | ModuleType | FunctionType)
            ):
                seen.add(id(part))
                front.append(part)


def knows(thing: object, number: str) -> bool:
    if isinstance(thing, str):
        return number in thing
    if isinstance(thing, bytes | bytearray):
        return number.encode() in thing or bytes.fromhex(number) in thing
    return isinstance(thing, Pan) and thing.reveal() == number


def number_of(shop: Shop, card: str) -> str:
    return next(spec.plastic.pan.reveal() for spec in shop.station.cards if spec.name == card)


@pytest.mark.parametrize(
    ("kind", "card"),
    [
        ("purchase", "good"),
        ("purchase", "unknown"),
        ("refund", "good"),
        ("purchase_void", "limited"),  # another one than the original's: nothing is asked after it
    ],
)
def test_a_card_that_was_swiped_does_not_outlive_its_payment(kind: str, card: str) -> None:
    shop = open_shop()
    purchase = prepared(shop, kind)
    purchase.card = card
    shop.play(purchase)
    assert shop.took("card", "card_read")
    number = number_of(shop, card)
    assert [thing for thing in held(shop) if knows(thing, number)] == []


def test_a_card_that_was_typed_does_not_outlive_its_payment() -> None:
    """The bank's answer names it, too."""
    shop = open_shop()
    purchase = prepared(shop, "completion")
    purchase.number, purchase.typed = GOOD_PAN, {**purchase.typed, "expiry": "3012"}
    shop.play(purchase)
    assert shop.took("expiry", "expiry_typed")
    assert [thing for thing in held(shop) if knows(thing, GOOD_PAN)] == []
