"""The tables of what people do: no name in them that nothing has, and no number that means nothing."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable
from importlib import resources

import pytest

from firmware.txn.plans import PLANS
from tools.simulate.habits import ERRANDS, MISHAPS, SHARES, STAFF_ERRANDS, TRANSACTIONS, Luck, read
from tools.simulate.menus import way_to

TEXT = resources.files("tools.simulate").joinpath("habits.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("line", "instead", "complaint"),
    [
        ("purchase = 550", "purchas = 550", "transactions: unknown name 'purchas'"),
        ("visitor = 4", "gremlin = 4", "odd_cards: unknown name 'gremlin'"),
        ("detail = 4", "detial = 4", "errands: unknown name 'detial'"),
        ("add_cashier = 3", "add_queen = 3", "staff_errands: unknown name 'add_queen'"),
        ("walks_away = 0.02", "walks_awy = 0.02", "mishaps: unknown name 'walks_awy'"),
        ("odd_card = 0.08", "", "shares: there is no odd_card"),
        ("inserts = 0.20", "inserts = 20.0", "shares: inserts: must be a part of one"),
        ("settles = 0.6", "settles = 6", "shift: settles: must be a part of one"),
        ("refund = 40", "refund = -4", "transactions: refund: must be a whole number"),
        ("refund = 40", "refund = 0.4", "transactions: refund: must be a whole number"),
        ("refund = 40", "refund = true", "transactions: refund: must be a whole number"),
        ("[errands]", "[errand]", "tables"),
    ],
)
def test_what_nothing_knows_is_refused_when_it_is_read(line: str, instead: str, complaint: str) -> None:
    spoilt, count = re.subn(rf"(?m)^{re.escape(line)}", instead, TEXT, count=1)
    assert count == 1
    with pytest.raises(ValueError, match=re.escape(complaint)):
        read(spoilt)


def test_every_type_of_transaction_is_wanted_by_somebody() -> None:
    assert TRANSACTIONS.keys() == PLANS.keys()
    assert all(weight > 0 for weight in TRANSACTIONS.values())


@pytest.mark.parametrize("name", [*ERRANDS, *STAFF_ERRANDS, *PLANS])
def test_there_is_a_way_through_the_menus_to_everything(name: str) -> None:
    assert way_to(name)[-1].name == name


def test_names_come_as_often_as_their_weights_say() -> None:
    luck, weights = Luck("weights"), {"often": 3, "never": 0, "rarely": 1}
    drawn = Counter(luck.one_of(weights) for _ in range(4_000))
    assert drawn["never"] == 0
    assert math.isclose(drawn["often"], 3_000, rel_tol=0.1)


@pytest.mark.parametrize(
    ("share", "drawn"),
    [
        ("wrong_pin", lambda luck: luck.has("wrong_pin")),
        ("errand", lambda luck: luck.first_of("register_settles", "errand", "staff_errand") == "errand"),
    ],
)
def test_a_share_is_that_share(share: str, drawn: Callable[[Luck], bool]) -> None:
    luck = Luck("shares")
    assert math.isclose(sum(drawn(luck) for _ in range(20_000)), 20_000 * SHARES[share], rel_tol=0.15)


def test_who_is_careful_makes_no_mistake() -> None:
    luck = Luck("mishaps")
    assert math.isclose(
        sum(luck.mishap("cancels", "bad_swipe") == "bad_swipe" for _ in range(20_000)),
        20_000 * MISHAPS["bad_swipe"],
        rel_tol=0.15,
    )
    luck.careful = True
    assert not any(luck.mishap("cancels", "bad_swipe") for _ in range(1_000))
