"""What a payment costs the disk: bytes written and syncs, as an SD card counts them.

From two recordings that differ by some payments, so that opening, closing and key loading do not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tools.durability.day import AS_IT_IS, BANK, TERMINAL
from tools.durability.recording import Operation, Sync, Write
from tools.durability.verdict import recorded_day

_FEW, _MORE = 1, 4  # fewer than are made before everything is opened anew


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one payment, at one of the two databases. `syncs`: how often it waits for the disk."""

    written_bytes: float
    syncs: float


def costs_of(kind: str) -> dict[str, Cost]:
    """What one payment of this kind costs, by database. Raises RecordingError."""
    few, more = (_totals(recorded_day(count, AS_IT_IS, [kind])) for count in (_FEW, _MORE))
    each = _MORE - _FEW
    return {
        name: Cost(
            (more[name].written_bytes - few[name].written_bytes) / each,
            (more[name].syncs - few[name].syncs) / each,
        )
        for name in (TERMINAL, BANK)
    }


def _totals(operations: Sequence[Operation]) -> dict[str, Cost]:
    """Everything, by database; the index of the log in shared memory (`-shm`) is none of the disk's."""
    totals = {}
    for name in (TERMINAL, BANK):
        own = (name, f"{name}-wal", f"{name}-journal")
        written = sum(len(one.data) for one in operations if isinstance(one, Write) and one.name in own)
        syncs = sum(isinstance(one, Sync) and one.name in own for one in operations)
        totals[name] = Cost(written, syncs)
    return totals
