"""Card organisations by the first digits of a card number: `schemes.toml` read once."""

from __future__ import annotations

import functools
import tomllib
from importlib import resources
from typing import Final

from wire.pan import Pan

DOMESTIC: Final = "CUP"


@functools.cache
def _ranges() -> tuple[tuple[str, str, str], ...]:
    text = resources.files("bank").joinpath("schemes.toml").read_text(encoding="utf-8")
    return tuple((one["from"], one["to"], one["organisation"]) for one in tomllib.loads(text)["range"])


def organisation_of(pan: Pan) -> str:
    """The organisation as field 63.1 names it, or "" when no range holds the number: nobody issues it."""
    digits = pan.reveal()
    for first, last, organisation in _ranges():
        if first <= digits[: len(first)] and digits[: len(last)] <= last:
            return organisation
    return ""


def is_domestic(organisation: str) -> bool:
    """Whether its cards belong to the domestic block of the totals; so does what has no card."""
    return organisation in {"", DOMESTIC}
