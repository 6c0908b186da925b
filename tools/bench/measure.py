"""Measuring: how often a piece of work can be done in a second, the best of several rounds.

The best round is the one that other programs disturbed least; the spread says how much to trust it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

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
