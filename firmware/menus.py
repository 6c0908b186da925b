"""The menus as data: which entries there are, what each does, what it asks for, and who must approve it.

Read from `texts/menus.toml`, which explains the fields. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from firmware.operators import Rank
from firmware.texts import table
from firmware.txn.plans import PLANS

MAIN = "main"
DOORS = "doors"
ENTRIES_MAX = 9


class Verb(Enum):
    """What choosing an entry does."""

    OPEN = "open"
    POST = "post"
    SHOW = "show"
    PRINT = "print"
    DO = "do"
    ADJUST = "adjust"
    GUIDE = "guide"
    TEST = "test"
    ASK = "ask"
    CLEAR = "clear"


class Ask(Enum):
    """What is typed before."""

    OPERATOR = "operator"  # the number of one that there is
    CASHIER = "cashier"  # the same, and neither supervisor nor administrator
    NEW_CASHIER = "new_cashier"  # the number of one that there is not
    VOUCHER = "voucher"
    PASSWORD = "password"  # noqa: S105 - the word
    NEW_PASSWORD = "new_password"  # noqa: S105 - the word


NUMBERS = frozenset({Ask.OPERATOR, Ask.CASHIER, Ask.NEW_CASHIER, Ask.VOUCHER})
DIGITS_MAX: Mapping[Ask, int] = {Ask.OPERATOR: 2, Ask.CASHIER: 2, Ask.NEW_CASHIER: 2, Ask.VOUCHER: 6}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a menu. `what` is the verb's object, `data` what comes with a posted event."""

    name: str
    verb: Verb
    what: str
    data: str = ""
    asks: tuple[Ask, ...] = ()
    rank: Rank = Rank.CASHIER
    confirms: bool = False
    switch: int = 0  # the bit of parameter 26 that it hangs on, from 1; 0 for none


def _entry(row: Mapping[str, Any]) -> Entry:
    verb, what, *data = row["does"].split()
    plan = PLANS[data[0]] if what == "sale_key" else None
    authority = plan.authority.value if plan else row.get("authority", "cashier")
    return Entry(
        row["name"],
        Verb(verb),
        what,
        " ".join(data),
        tuple(Ask(name) for name in row.get("asks", ())),
        Rank[authority.upper()],
        row.get("confirms", False),
        plan.switch if plan else 0,
    )


class Wait(Enum):
    """What ends a step of a guide."""

    ENTER = "enter"
    PASSES = "passes"  # a card through the reader, read or not, a number of times
    READING = "reading"  # a card that is read


@dataclass(frozen=True, slots=True)
class Step:
    """One step of something that is done by hand."""

    wait: Wait
    passes: int = 1


def _step(words: str) -> Step:
    wait, *passes = words.split()
    return Step(Wait(wait), int(passes[0]) if passes else 1)


_TABLE = table("menus.toml")

GUIDES: Mapping[str, tuple[Step, ...]] = {
    name: tuple(map(_step, steps)) for name, steps in _TABLE["guide"].items()
}
"""What is done by hand, step by step."""

MENUS: Mapping[str, tuple[Entry, ...]] = {
    name: tuple(map(_entry, rows)) for name, rows in _TABLE["menu"].items()
}
"""Every menu by its name, `DOORS` apart: what is done without a menu."""

DOOR: Mapping[str, Entry] = {entry.name: entry for entry in MENUS[DOORS]}
TOP = Entry("main", Verb.OPEN, MAIN)
"""What the menu key does."""
