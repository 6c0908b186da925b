"""What a simulation is to be: the seed and what may be chosen besides. Together they are the whole story."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
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
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The options that `to_json` gave. Raises ValueError, TypeError, KeyError for anything else."""
        troubles = frozenset(Trouble(name) for name in values["troubles"])
        left_out = strikes_named(values.get("left_out", ""))
        return cls(**{**values, "troubles": troubles, "left_out": left_out})

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
    """The strikes of a command line. Raises ValueError."""
    strikes: set[Strike] = set()
    for word in text.split(",") if text else ():
        name, _, numbers = word.partition(":")
        first, _, last = numbers.partition("-")
        if not (first.isdecimal() and (last or first).isdecimal() and 0 < int(first) <= int(last or first)):
            raise ValueError(f"no strikes {word!r}: a fault class with numbers, as in bank:2 or bank:2-5")
        (trouble,) = troubles_named(name) if name not in {"all", "none"} else (None,)
        if trouble is None:
            raise ValueError(
                f"no strikes {word!r}: the strikes of one class have numbers, not those of {name}"
            )
        strikes |= {(trouble, number) for number in range(int(first), int(last or first) + 1)}
    return frozenset(strikes)
