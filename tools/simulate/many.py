"""Many seeds, here or in worker processes: told in the order of the seeds, in memory that does not grow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from typing import Any

from tools.simulate.options import Options
from tools.simulate.trace import Hit
from tools.simulate.workers import answers
from tools.simulate.world import Report, World

_PROGRESS_EVERY = 256  # moments


@dataclass(frozen=True, slots=True)
class Summary:
    """What is kept of a run whose world is gone. `told`: its report, as plain values."""

    options: Options
    told: dict[str, Any]
    hits: Counter[Hit]

    @property
    def ok(self) -> bool:
        """Whether every promise was kept."""
        return bool(self.told["ok"])

    @classmethod
    def of(cls, report: Report) -> Summary:
        """What is kept of this one."""
        return cls(report.options, report.to_json(), report.trace.hits)


@dataclass
class Tally:
    """The sum of many runs."""

    seeds: int = 0
    transactions: int = 0
    virtual_s: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    troubles: Counter[str] = field(default_factory=Counter)
    hits: Counter[Hit] = field(default_factory=Counter)

    def add(self, run: Summary) -> None:
        """Count one more."""
        self.seeds += 1
        self.transactions += run.told["transactions"]
        self.virtual_s += run.told["virtual_s"]
        self.outcomes.update(run.told["outcomes"])
        self.troubles.update(run.told["troubles"])
        self.hits.update(run.hits)

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain values."""
        return {
            "seeds": self.seeds,
            "transactions": self.transactions,
            "outcomes": dict(self.outcomes),
            "troubles": dict(self.troubles),
            "virtual_s": self.virtual_s,
        }


def simulated(
    runs: Iterable[Options], jobs: int, *, begun: Callable[[int], None] = lambda _count: None
) -> Generator[Summary, None, None]:
    """Each of these runs, in their order, by so many processes at once; close the iterator to end them.

    `begun` is told now and then how many transactions the run at hand has begun, where it is made in this
    process (`jobs` is 1). Raises WorkerFailed.
    """
    if jobs > 1:
        yield from answers(_summary, runs, jobs)
        return
    for options in runs:
        yield Summary.of(World(options, watch=_Watch(begun)).run())


def _summary(options: Options) -> Summary:
    """One run in a worker."""
    return Summary.of(World(options).run())


class _Watch:
    """Tells of the transactions of a world, not at every moment."""

    def __init__(self, begun: Callable[[int], None]) -> None:
        self._begun = begun
        self._moments = 0

    def __call__(self, world: World) -> None:
        self._moments += 1
        if self._moments % _PROGRESS_EVERY == 0:
            self._begun(sum(people.begun for people in world.people))
