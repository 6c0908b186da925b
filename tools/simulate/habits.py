"""How often people do what: the tables of `habits.toml`."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any

_TABLES: Mapping[str, Mapping[str, Any]] = tomllib.loads(
    resources.files("tools.simulate").joinpath("habits.toml").read_text(encoding="utf-8")
)

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

    def has(self, share: str) -> bool:
        """Whether this is one of that share."""
        return self.rng.random() < SHARES[share]

    def one_of(self, weights: Mapping[str, int]) -> str:
        """A name, by its weight."""
        return self.rng.choices(list(weights), list(weights.values()))[0]

    def first_of(self, *shares: str) -> str:
        """The one of these shares, laid end to end, that is hit; "" for none."""
        at = self.rng.random()
        for share in shares:
            at -= SHARES[share]
            if at < 0:
                return share
        return ""

    def mishap(self, *names: str) -> str:
        """The mishap of these that happens now; "" for none."""
        if self.careful:
            return ""
        at = self.rng.random()
        for name in names:
            at -= MISHAPS[name]
            if at < 0:
                return name
        return ""
