"""How often people do what: the tables of `habits.toml`, each name looked at when they are read."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Collection, Mapping
from importlib import resources
from typing import Any, Literal, get_args

from firmware.menus import MENUS
from firmware.txn.plans import PLANS
from hal.profile import did_you_mean
from tools.simulate.town import odd_card_names

Share = Literal[
    "errand",
    "staff_errand",
    "register_settles",
    "register_manages",
    "function_key",
    "others_by_menu",
    "purchase_by_menu",
    "purchase_by_register",
    "purchase_by_digits",
    "odd_card",
    "wrong_pin",
    "wrong_pin_only",
    "inserts",
    "keys_number",
    "tip_too_high",
    "wrong_voucher",
    "arrows",
    "forgets_password",
    "shop_with_shifts",
    "shop_with_log_on",
    "tells_parts",
    "half_duplex_line",
    "faster_line",
]
"""What one of so many does."""
Mishap = Literal[
    "cancels",
    "wrong_key",
    "pulls_card",
    "walks_away",
    "bad_swipe",
    "mistypes",
    "wrong_password",
    "forgets_card",
]
"""What goes wrong at a step."""

Tables = Mapping[str, Mapping[str, Any]]
_ENTRIES = frozenset(entry.name for entries in MENUS.values() for entry in entries)
_KNOWN: Mapping[str, Collection[str]] = {
    "transactions": PLANS,
    "odd_cards": odd_card_names(),
    "errands": _ENTRIES,
    "staff_errands": _ENTRIES,
    "shares": get_args(Share),
    "mishaps": get_args(Mishap),
    "shift": ("sales_min", "sales_max", "settles"),
}
_WHOLE = frozenset({"shares", "mishaps", "shift"})
"""Tables in which nothing may be missing."""


def read(text: str) -> Tables:
    """The tables of such a file. Raises ValueError for a name that nothing has, or a number out of range."""
    tables: Tables = tomllib.loads(text)
    if tables.keys() != _KNOWN.keys():
        raise ValueError(f"habits.toml: tables {sorted(tables)} instead of {sorted(_KNOWN)}")
    for name, table in tables.items():
        known = _KNOWN[name]
        for key, value in table.items():
            if key not in known:
                raise ValueError(f"habits.toml: {name}: unknown name {key!r}{did_you_mean(key, known)}")
            is_share = name in {"shares", "mishaps"} or key == "settles"
            if not (_is_share(value) if is_share else _is_count(value)):
                wanted = "a part of one" if is_share else "a whole number, 0 or more"
                raise ValueError(f"habits.toml: {name}: {key}: must be {wanted}")
        if name in _WHOLE and (missing := sorted(set(known) - table.keys())):
            raise ValueError(f"habits.toml: {name}: there is no {', '.join(missing)}")
    return tables


def _is_share(value: object) -> bool:
    return isinstance(value, float) and 0 <= value <= 1


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


_TABLES = read(resources.files("tools.simulate").joinpath("habits.toml").read_text(encoding="utf-8"))
TRANSACTIONS: Mapping[str, int] = _TABLES["transactions"]
ODD_CARDS: Mapping[str, int] = _TABLES["odd_cards"]
ERRANDS: Mapping[str, int] = _TABLES["errands"]
STAFF_ERRANDS: Mapping[str, int] = _TABLES["staff_errands"]
SHARES: Mapping[str, float] = _TABLES["shares"]
MISHAPS: Mapping[str, float] = _TABLES["mishaps"]
SHIFT: Mapping[str, float] = _TABLES["shift"]


class Luck:
    """The random numbers of one person or shop, asked by the names of the tables.

    `careful`: nobody makes a mistake any more.
    """

    def __init__(self, seed: str) -> None:
        self.rng = random.Random(seed)
        self.careful = False

    def has(self, share: Share) -> bool:
        """Whether this is one of that share."""
        return self.rng.random() < SHARES[share]

    def one_of(self, weights: Mapping[str, int]) -> str:
        """A name, by its weight."""
        return self.rng.choices(list(weights), list(weights.values()))[0]

    def first_of(self, *shares: Share) -> str:
        """The one of these shares, laid end to end, that is hit; "" for none."""
        at = self.rng.random()
        for share in shares:
            at -= SHARES[share]
            if at < 0:
                return share
        return ""

    def mishap(self, *names: Mishap) -> str:
        """The mishap of these that happens now; "" for none."""
        if self.careful:
            return ""
        at = self.rng.random()
        for name in names:
            at -= MISHAPS[name]
            if at < 0:
                return name
        return ""
