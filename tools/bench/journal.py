"""The journal on disk: its size, and what a payment writes. What it means for an SD card: docs/journal.md."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from tools.bench.measure import Measurement
from tools.bench.payments import pay
from tools.durability.cost import costs_of
from tools.durability.day import BANK, KINDS, TERMINAL
from tools.durability.recording import why_not
from tools.runtime import start

PAYMENTS = 60
OWNERS = {TERMINAL: "terminal", BANK: "bank"}


def measure() -> list[Measurement]:
    """The size for a thousand payments; bytes written and syncs of one payment of each kind."""
    return [_size(), *(_costs() if not why_not() else ())]


def missing() -> list[str]:
    """What is not counted: without strace nobody sees what is written."""
    return ["bytes written and syncs (strace)"] if why_not() else []


def _size() -> Measurement:
    """By how much the terminal's file grows with each thousand payments of an open batch."""
    with tempfile.TemporaryDirectory(prefix="posterm-bench-") as folder:
        sizes = []
        for _ in range(2):
            with start(state_folder=folder) as station:
                for _ in range(PAYMENTS):
                    pay(station)
            sizes.append((Path(folder) / TERMINAL).stat().st_size)
    return Measurement("journal of 1000 payments", (sizes[1] - sizes[0]) / PAYMENTS * 1000 / 1024, "KiB")


def _costs() -> Iterator[Measurement]:
    for kind in KINDS:
        for name, cost in costs_of(kind).items():
            owner = OWNERS[name]
            yield Measurement(f"written: {kind}, {owner}", cost.written_bytes / 1024, "KiB")
            yield Measurement(f"syncs: {kind}, {owner}", cost.syncs, "1")
