"""How a mistake that was made on purpose is found, whichever random numbers a seed happens to have.

One seed may miss any mistake. So seeds are tried until one finds it, and where few would, the `Odds` are
changed: people want more of what brings it out, and the faults that do come more often. Each mistake is found
by one run in three or more then, so that none of `SEEDS` does once in millions of times.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import pytest

from bank.faults import FaultKind
from tools.simulate import troubles
from tools.simulate.habits import TRANSACTIONS
from tools.simulate.options import Options, Trouble
from tools.simulate.world import Report, run

SEEDS = range(1, 41)
Plant = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True, slots=True)
class Odds:
    """What is likelier than usual. `wants`: what people begin, by weight, and nothing else.

    `bank_faults`: how the bank misbehaves, and in no other way. `every_ms`: how often a class strikes.
    """

    wants: Mapping[str, int] = field(default_factory=dict)
    bank_faults: tuple[FaultKind, ...] = ()
    every_ms: Mapping[Trouble, int] = field(default_factory=dict)

    def arrange(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let it be so until the test is over."""
        for kind in TRANSACTIONS if self.wants else ():
            monkeypatch.setitem(TRANSACTIONS, kind, self.wants.get(kind, 0))
        if self.bank_faults:
            monkeypatch.setattr(troubles, "BANK_KINDS", self.bank_faults)
        for trouble, mean_ms in self.every_ms.items():
            monkeypatch.setitem(troubles.MEAN_MS, trouble, mean_ms)


def broken_run(options: Options, checker: str = "") -> Report:
    """The first run in which a promise is broken, one of that checker if one is named."""
    for seed in SEEDS:
        report = run(replace(options, seed=seed))
        if any(checker in {"", finding.checker} for finding in report.findings):
            return report
    pytest.fail(f"none of {len(SEEDS)} seeds found it")


def is_found(plant: Plant, checker: str, odds: Odds, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checker finds what is planted; and without it, the very same run keeps every promise."""
    odds.arrange(monkeypatch)
    with monkeypatch.context() as spoilt:
        plant(spoilt)
        found = broken_run(Options(transactions=12, terminals=1).with_troubles(()), checker)
    assert run(found.options).ok
