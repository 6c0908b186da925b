"""Many seeds, here or in worker processes: told in the order of the seeds, in memory that does not grow.

A worker is sent one seed's options after the other and answers with what is kept of the run. The workers may
be ahead of what has been told by some seeds, not more.
"""

from __future__ import annotations

import contextlib
import signal
import traceback
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any

from tools.simulate.options import Options
from tools.simulate.trace import Hit
from tools.simulate.world import Report, World

SEEDS_AHEAD_MAX = 8
"""How many seeds of each worker may wait to be told, when one of an earlier seed takes long."""
_PROGRESS_EVERY = 256  # moments

_processes = get_context("spawn")  # a fork would inherit the other workers' pipes, and keep them open


class WorkerFailed(Exception):
    """A run ended with an error that is no finding. The text is the worker's."""


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
        yield from _by_workers(iter(runs), jobs)
        return
    for options in runs:
        yield Summary.of(World(options, watch=_Watch(begun)).run())


class _Watch:
    """Tells of the transactions of a world, not at every moment."""

    def __init__(self, begun: Callable[[int], None]) -> None:
        self._begun = begun
        self._moments = 0

    def __call__(self, world: World) -> None:
        self._moments += 1
        if self._moments % _PROGRESS_EVERY == 0:
            self._begun(sum(people.begun for people in world.people))


# --- workers -------------------------------------------------------------------------------------------


def _by_workers(runs: Iterator[Options], jobs: int) -> Iterator[Summary]:
    started = [_started() for _ in range(jobs)]
    try:
        yield from _in_order(runs, [connection for connection, _ in started])
    finally:
        for connection, process in started:
            connection.close()
            process.terminate()
        for _, process in started:
            process.join()


def _started() -> tuple[Connection, Any]:
    ours, theirs = _processes.Pipe()
    process = _processes.Process(target=_work, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    return ours, process


def _in_order(runs: Iterator[Options], idle: list[Connection]) -> Iterator[Summary]:
    """Keep every worker busy, and give what they answer in the order of the runs."""
    ahead_max = SEEDS_AHEAD_MAX * len(idle)
    busy: dict[Connection, int] = {}
    done: dict[int, Summary] = {}
    sent = told = 0
    while True:
        while idle and sent - told < ahead_max and (options := next(runs, None)) is not None:
            idle[-1].send(options)
            busy[idle.pop()] = sent
            sent += 1
        if told == sent:
            return
        for connection in wait(list(busy)):
            assert isinstance(connection, Connection)
            done[busy.pop(connection)] = _answer_of(connection)
            idle.append(connection)
        while told in done:
            yield done.pop(told)
            told += 1


def _answer_of(connection: Connection) -> Summary:
    try:
        answer = connection.recv()
    except (EOFError, OSError):
        raise WorkerFailed("a worker ended by itself: perhaps the memory is full; try fewer --jobs") from None
    if not isinstance(answer, Summary):
        raise WorkerFailed(str(answer))
    return answer


def _work(connection: Connection) -> None:
    """A worker's life. Ctrl-C is for the process that has started it, which ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(EOFError, OSError):  # nobody asks any more
        while True:
            connection.send(_answer(connection.recv()))


def _answer(options: Options) -> Summary | str:
    try:
        return Summary.of(World(options).run())
    except Exception:  # noqa: BLE001 - whatever it is, the other side raises it
        return f"{options.command}\n{traceback.format_exc()}"
