"""Fees by the rate in a merchant's contract: `rates.toml` read once."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Final

DEFAULT_RATE: Final = "standard"
_BASIS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Fee:
    """The fee of one sale with one kind of card; amounts in minor units, a bound of 0 is none."""

    basis_points: int
    least: int
    most: int

    def of(self, amount_minor: int) -> int:
        """The fee of a sale of `amount_minor`, rounded half up; never more than the sale."""
        fee_minor = (amount_minor * self.basis_points + _BASIS // 2) // _BASIS
        fee_minor = max(fee_minor, self.least)
        if self.most:
            fee_minor = min(fee_minor, self.most)
        return min(fee_minor, amount_minor)


@dataclass(frozen=True, slots=True)
class Rate:
    """The fees of one kind of contract."""

    name: str
    title: str
    domestic: Fee
    foreign: Fee


@functools.cache
def rates() -> Mapping[str, Rate]:
    """All rates by name."""
    text = resources.files("bank").joinpath("rates.toml").read_text(encoding="utf-8")
    return {
        name: Rate(name, one["title"], Fee(**one["domestic"]), Fee(**one["foreign"]))
        for name, one in tomllib.loads(text).items()
    }
