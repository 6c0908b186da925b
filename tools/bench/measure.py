"""Measuring: how often a piece of work can be done in a second, the best of several rounds.

The best round is the one that other programs disturbed least; the spread says how much to trust it.
"""

from __future__ import annotations

import importlib
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

ROUNDS = 5
ROUND_S = 0.1


@dataclass(frozen=True, slots=True)
class Measurement:
    """One number.

    `spread`: how far the worst round fell behind the best, 0.25 for a quarter. `references`: what to see the
    number beside, in the same unit: a goal, others' figures, the ideal.
    """

    name: str
    value: float
    unit: str
    spread: float = 0.0
    references: Mapping[str, float] = field(default_factory=dict)


def rate(name: str, work: Callable[[], object], *, unit: str = "1/s", amount: float = 1.0) -> Measurement:
    """How much of `unit` the work does in a second; one call does `amount` of it."""
    calls = _calls_for_a_round(work)
    seconds = sorted(_time(work, calls) for _ in range(ROUNDS))
    return Measurement(name, calls * amount / seconds[0], unit, 1 - seconds[0] / seconds[-1])


def compared(
    name: str, ours: Callable[[], object], theirs: Mapping[str, Callable[[], object]], *, goal: float
) -> Measurement:
    """How many times as fast as the best of `theirs` we are; beside it the goal, and each one's microseconds.

    Rounds are many and short and take turns, and the median of each counts: whatever else the machine does
    disturbs all of them alike.
    """
    seconds = _median_seconds({"here": ours, **theirs})
    best_s = min(seconds[their_name] for their_name in theirs)
    microseconds = {f"us {their_name}": 1e6 * value for their_name, value in seconds.items()}
    label = f"{name} / {'best peer' if len(theirs) > 1 else next(iter(theirs))}"
    return Measurement(label, best_s / seconds["here"], "ratio", references={"goal": goal, **microseconds})


def installed(module: str) -> Any | None:
    """A package of somebody else to compare with, or None when it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError:
        return None


def _median_seconds(works: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Seconds for one call of each."""
    calls = {name: max(1, _calls_for_a_round(work) // 10) for name, work in works.items()}
    rounds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(10 * ROUNDS):
        for name, work in works.items():
            rounds[name].append(_time(work, calls[name]) / calls[name])
    return {name: statistics.median(values) for name, values in rounds.items()}


def _calls_for_a_round(work: Callable[[], object]) -> int:
    """Enough calls for ROUND_S; the first ones also warm the caches up."""
    calls = 1
    while (seconds := _time(work, calls)) < ROUND_S / 4:
        calls *= 2
    return max(1, round(calls * ROUND_S / seconds))


def _time(work: Callable[[], object], calls: int) -> float:
    began = time.perf_counter()
    for _ in range(calls):
        work()
    return time.perf_counter() - began
