"""What a simulation is to be: the seed and what may be chosen besides. Together they are the whole story."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
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


@dataclass(frozen=True, slots=True)
class Options:
    """One simulation. `troubles` are those that may come; each is off in half of the seeds."""

    seed: int = 1
    transactions: int = 100  # that the cashiers begin, all tills together
    terminals: int = 2
    troubles: frozenset[Trouble] = ALL
    hours: float = 0.0  # of virtual time at most; 0: as long as it takes
    all_on: bool = False  # every trouble of `troubles`, none off by the seed

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
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The options that `to_json` gave. Raises ValueError, TypeError, KeyError for anything else."""
        troubles = frozenset(Trouble(name) for name in values["troubles"])
        return cls(**{**values, "troubles": troubles})

    @property
    def command(self) -> str:
        """The command that runs it again."""
        names = ",".join(sorted(trouble.value for trouble in self.troubles)) or "none"
        words = [f"posterm simulate --seed {self.seed} --transactions {self.transactions}"]
        words += [f"--terminals {self.terminals}", f"--faults {'all' if self.troubles == ALL else names}"]
        words += [f"--hours {self.hours:g}"] if self.hours else []
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
