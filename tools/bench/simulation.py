"""The simulator: transactions a second with every class of faults, and how much faster than life it runs."""

from __future__ import annotations

import time

from tools.bench.measure import Measurement
from tools.simulate.options import Options
from tools.simulate.world import run

SEEDS = range(1, 6)
TRANSACTIONS = 60
GOAL = 250.0  # transactions a second


def measure() -> list[Measurement]:
    """Some seeds with all their faults, one after the other, on one core."""
    began = time.process_time()
    reports = [run(Options(seed, TRANSACTIONS)) for seed in SEEDS]
    seconds = time.process_time() - began
    done = sum(report.transactions for report in reports)
    virtual_s = sum(report.virtual_ms for report in reports) / 1000
    assert all(report.ok for report in reports), "a promise was broken: see posterm simulate"
    return [
        Measurement("simulated transactions, faults on", done / seconds, "1/s", references={"goal": GOAL}),
        Measurement("simulated time to real time", virtual_s / seconds, "ratio"),
    ]
