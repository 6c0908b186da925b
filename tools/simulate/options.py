"""What a simulation is to be: the seed and what may be chosen besides. Together they are the whole story."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from enum import Enum
from itertools import groupby
from typing import Any, Self


class Trouble(Enum):
    """A class of faults. The text is its name on the command line."""

    NOISE = "noise"  # bit errors, lost and inserted bytes, missed start bits on the serial line
    OUTAGE = "outage"  # the serial line is cut for a while
    GATEWAY = "gateway"  # the gateway loses its power, for a moment or for a while
    BANK = "bank"  # answers lost, late, doubled, wrong, declined; work demanded in the header
    BANK_DOWN = "bank-down"  # the bank's server is away for a while
    PRINTER = "printer"  # paper out, jams, heat, an open cover
    STORAGE = "storage"  # commits of the terminal fail
    POWER = "power"  # the terminal loses its power, at any moment and around commits
    CLOCK = "clock"  # the terminal's clock jumps, and runs fast or slow
    TCP = "tcp"  # the network to the bank stalls, resets, splits, delays, loses or doubles connections
    BANK_POWER = "bank-power"  # the bank's machine loses its power, at any moment and around commits


ALL = frozenset(Trouble)
TERMINALS_MAX = 1_000
"""Of one shop: each till is a terminal, a gateway and a line."""
HOURS_MAX = 1_000_000.0
STRIKES_MAX = 1_000_000
"""So many single strikes can be named to be left out: more than any run has."""
_STRIKES = re.compile(r"([a-z-]+):([0-9]{1,18})(?:-([0-9]{1,18}))?")

Strike = tuple[Trouble, int]
"""One strike of a class, by its number in the run, from 1."""


@dataclass(frozen=True, slots=True)
class Options:
    """One simulation. `troubles` are those that may come; each is off in half of the seeds."""

    seed: int = 1
    transactions: int = 100  # that the cashiers begin, all tills together
    terminals: int = 2
    troubles: frozenset[Trouble] = ALL
    hours: float = 0.0  # of virtual time at most; 0: as long as it takes
    all_on: bool = False  # every trouble of `troubles`, none off by the seed
    left_out: frozenset[Strike] = frozenset()  # single strikes that do not come; the others stay as they are

    @property
    def active(self) -> frozenset[Trouble]:
        """The troubles of this seed: each one is off in half of the seeds, so that causes separate."""
        rng = random.Random(f"troubles {self.seed}")
        drawn = {trouble for trouble in Trouble if rng.random() < 0.5}
        return self.troubles if self.all_on else self.troubles & drawn

    def with_troubles(self, troubles: Iterable[Trouble]) -> Options:
        """The same with exactly these."""
        return replace(self, troubles=frozenset(troubles), all_on=True)

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain values, for a file that replays it."""
        return {
            "seed": self.seed,
            "transactions": self.transactions,
            "terminals": self.terminals,
            "troubles": sorted(trouble.value for trouble in self.troubles),
            "hours": self.hours,
            "all_on": self.all_on,
            "left_out": strikes_text(self.left_out),
        }

    @classmethod
    def from_json(cls, values: object) -> Self:
        """The options that `to_json` gave. Raises ValueError for anything else, and names the field."""
        if not isinstance(values, dict):
            raise ValueError("options: must be an object of names and values")  # noqa: TRY004 - of a file
        known = {field.name for field in fields(cls)}
        if strange := sorted(map(str, values.keys() - known)):
            raise ValueError(f"options: this version knows no {strange[0]!r}")
        values = {"left_out": "", **values}  # older files have none
        for name, (fits, wanted) in _FIELDS.items():
            if name not in values:
                raise ValueError(f"options: there is no {name}")
            if not fits(values[name]):
                raise ValueError(f"options: {name}: must be {wanted}")
        troubles = frozenset(Trouble(name) for name in values["troubles"])
        return cls(**{**values, "troubles": troubles, "left_out": strikes_named(values["left_out"])})

    def __str__(self) -> str:
        return self.command

    @property
    def command(self) -> str:
        """The command that runs it again."""
        names = ",".join(sorted(trouble.value for trouble in self.troubles)) or "none"
        words = [f"posterm simulate --seed {self.seed} --transactions {self.transactions}"]
        words += [f"--terminals {self.terminals}", f"--faults {'all' if self.troubles == ALL else names}"]
        words += [f"--hours {self.hours:.10g}"] if self.hours else []
        words += [f"--without {strikes_text(self.left_out)}"] if self.left_out else []
        return " ".join([*words, "--all-on"] if self.all_on else words)


def troubles_named(text: str) -> frozenset[Trouble]:
    """The troubles of a command line: "all", "none", or names with commas. Raises ValueError."""
    if text in {"all", "none"}:
        return ALL if text == "all" else frozenset()
    known = {trouble.value: trouble for trouble in Trouble}
    names = text.split(",")
    for name in names:
        if name not in known:
            raise ValueError(f"no fault class {name!r}: all, none, or some of {', '.join(known)}")
    return frozenset(known[name] for name in names)


def strikes_text(strikes: Iterable[Strike]) -> str:
    """Single strikes as on a command line: "bank:1-3,power:2"; "" for none."""
    words = []
    numbers_of: dict[str, list[int]] = {}
    for trouble, number in strikes:
        numbers_of.setdefault(trouble.value, []).append(number)
    for name, numbers in sorted(numbers_of.items()):
        for _, group in groupby(enumerate(sorted(numbers)), key=lambda pair: pair[1] - pair[0]):
            run = [number for _, number in group]
            words.append(f"{name}:{run[0]}-{run[-1]}" if len(run) > 1 else f"{name}:{run[0]}")
    return ",".join(words)


def strikes_named(text: str) -> frozenset[Strike]:
    """The strikes of a command line, STRIKES_MAX at the most. Raises ValueError."""
    ranges: list[tuple[Trouble, range]] = []
    for word in text.split(",") if text else ():
        parts = _STRIKES.fullmatch(word)
        first, last = (int(parts[2]), int(parts[3] or parts[2])) if parts else (0, 0)
        if parts is None or not 0 < first <= last:
            raise ValueError(f"no strikes {word!r}: a fault class with numbers, as in bank:2 or bank:2-5")
        if parts[1] in {"all", "none"}:
            raise ValueError(
                f"no strikes {word!r}: the strikes of one class have numbers, not those of {parts[1]}"
            )
        (trouble,) = troubles_named(parts[1])
        ranges.append((trouble, range(first, last + 1)))
    if sum(len(numbers) for _, numbers in ranges) > STRIKES_MAX:
        raise ValueError(f"more than {STRIKES_MAX} strikes are named: leave out the whole class")
    return frozenset((trouble, number) for trouble, numbers in ranges for number in numbers)


# --- what a field may be -------------------------------------------------------------------------------


def is_hours(value: object) -> bool:
    """Whether it is a number of hours that a run can end after; 0: no end."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value <= HOURS_MAX and math.isfinite(value)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_within(least: int, most: float = math.inf) -> Callable[[Any], bool]:
    return lambda value: _is_whole(value) and least <= value <= most


def _are_troubles(value: object) -> bool:
    names = {trouble.value for trouble in Trouble}
    return isinstance(value, list) and all(isinstance(name, str) and name in names for name in value)


def _are_strikes(value: object) -> bool:
    try:
        return isinstance(value, str) and strikes_named(value) is not None
    except ValueError:
        return False


_FIELDS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "seed": (_is_whole, "a whole number"),
    "transactions": (_is_within(1), "a whole number, 1 or more"),
    "terminals": (_is_within(1, TERMINALS_MAX), f"a whole number from 1 to {TERMINALS_MAX}"),
    "troubles": (_are_troubles, "a list of fault classes"),
    "hours": (is_hours, f"a number from 0 to {HOURS_MAX:.0f}"),
    "all_on": (lambda value: isinstance(value, bool), "true or false"),
    "left_out": (_are_strikes, f"at most {STRIKES_MAX} strikes, as in bank:2-5,power:1"),
}
