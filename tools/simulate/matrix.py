"""The crash matrix: for each type and flow, every point of a transaction, and every fault at that point.

The points are enumerated, not sampled: a run without faults counts the rules taken, the commits, the bursts
of bytes that each side sends and the requests that the bank gets; then the same run is made again once for
each of them and each fault there. Afterwards come recovery, one more sale, the settlement, and every checker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bank.faults import Fault, FaultKind
from firmware.records import Flow
from firmware.txn.plans import PLANS
from tools.simulate.stage import Stage

LATE_MS = 8_000  # longer than the terminal waits for an answer


@dataclass(frozen=True, slots=True)
class Cell:
    """One fault at one point of one type's transaction."""

    kind: str
    flow: str
    point: str  # "rule", "commit", "terminal bytes", "gateway bytes", "request"
    number: int  # which of them, from 1
    fault: str


@dataclass
class Matrix:
    """Every cell that was tried, and what was wrong in some."""

    cells: list[Cell] = field(default_factory=list)
    broken: list[tuple[Cell, str]] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every cell holds every promise."""
        return not self.broken

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain values."""
        broken = [{**_cell_json(cell), "finding": finding} for cell, finding in self.broken]
        return {"cells": len(self.cells), "ok": self.ok, "counts": self._counts(), "broken": broken}

    def markdown(self) -> str:
        """The table: a row a type and flow, a column a point and fault, the number of cells in each place."""
        columns = list(dict.fromkeys((cell.point, cell.fault) for cell in self.cells))
        rows = list(dict.fromkeys((cell.kind, cell.flow) for cell in self.cells))
        lines = [
            "| type | flow | " + " | ".join(f"{point}: {fault}" for point, fault in columns) + " | all |",
            "|---|---|" + "---|" * (len(columns) + 1),
        ]
        for kind, flow in rows:
            counts = [self._count(kind, flow, point, fault) for point, fault in columns]
            lines.append(f"| `{kind}` | {flow} | " + " | ".join(map(str, [*counts, sum(counts)])) + " |")
        lines += ["", f"{len(self.cells)} cells, {len(self.broken)} broken."]
        return "\n".join([*lines, *(f"- {cell}: {finding}" for cell, finding in self.broken)])

    def _count(self, kind: str, flow: str, point: str, fault: str) -> int:
        place = (kind, flow, point, fault)
        return sum((cell.kind, cell.flow, cell.point, cell.fault) == place for cell in self.cells)

    def _counts(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for cell in self.cells:
            counts[f"{cell.kind} {cell.flow}"] = counts.get(f"{cell.kind} {cell.flow}", 0) + 1
        return counts


def _cell_json(cell: Cell) -> dict[str, Any]:
    return {name: getattr(cell, name) for name in ("kind", "flow", "point", "number", "fault")}


Arm = Callable[[Stage, int], None]


def _rule(name: str) -> Arm:
    return lambda stage, number: stage.at_rule(number, getattr(stage, name))


def _bytes(side: str, name: str) -> Arm:
    return lambda stage, number: stage.at_bytes(side, number, getattr(stage, name))


def _request(kind: FaultKind, *, delay_ms: int = 0) -> Arm:
    return lambda stage, number: stage.at_request(number, Fault(kind, delay_ms=delay_ms))


FAULTS: Mapping[tuple[str, str], Arm] = {
    ("rule", "power cut"): _rule("cut_power"),
    ("rule", "gateway restarts"): _rule("restart_gateway"),
    ("rule", "gateway off"): _rule("cut_gateway_power"),
    ("rule", "bank restarts"): _rule("restart_bank"),
    ("rule", "bank off"): _rule("cut_bank_power"),
    ("commit", "power cut before"): lambda stage, number: stage.cut_at_commit(number, "before"),
    ("commit", "power cut after"): lambda stage, number: stage.cut_at_commit(number, "after"),
    ("commit", "fails"): lambda stage, number: stage.fail_commit(number),
    ("terminal bytes", "power cut"): _bytes("terminal", "cut_power"),
    ("terminal bytes", "lost"): _bytes("terminal", "lose_bytes"),
    ("gateway bytes", "power cut"): _bytes("gateway", "cut_power"),
    ("gateway bytes", "lost"): _bytes("gateway", "lose_bytes"),
    ("request", "lost"): _request(FaultKind.SILENT_BEFORE_POSTING),
    ("request", "answer lost"): _request(FaultKind.SILENT_AFTER_POSTING),
    ("request", "bank cut before"): _request(FaultKind.CLOSE_BEFORE_POSTING),
    ("request", "bank cut after"): _request(FaultKind.CLOSE_AFTER_POSTING),
    ("request", "bank off before"): lambda stage, number: stage.cut_bank_at_request(number, "before"),
    ("request", "bank off after"): lambda stage, number: stage.cut_bank_at_request(number, "after"),
    ("request", "answer doubled"): _request(FaultKind.DUPLICATE),
    ("request", "answer late"): _request(FaultKind.DELAY, delay_ms=LATE_MS),
    ("request", "wrong MAC"): _request(FaultKind.WRONG_MAC),
}
"""What is tried at each kind of point."""

TYPES = [("purchase", Flow.AUTHORISE_FIRST), *((name, Flow.PIN_FIRST) for name in PLANS)]


def matrix(
    *, types: list[tuple[str, Flow]] | None = None, tell: Callable[[str], None] = lambda _text: None
) -> Matrix:
    """Try every cell. `tell` is given a line for each type."""
    table = Matrix()
    for kind, flow in TYPES if types is None else types:
        for cell in cells_of(kind, flow):
            table.cells.append(cell)
            if finding := broken_at(cell):
                table.broken.append((cell, finding))
        tell(f"{kind} ({flow.value}): {len(table.cells)} cells so far, {len(table.broken)} broken")
    return table


def cells_of(kind: str, flow: Flow) -> Iterator[Cell]:
    """Every point that a run without faults passes, with each fault that is tried there."""
    stage = Stage(flow)
    counts = stage.count_points(kind)
    stage.close()
    for point, fault in FAULTS:
        for number in range(1, counts[point] + 1):
            yield Cell(kind, flow.value, point, number, fault)


def broken_at(cell: Cell) -> str:
    """Play one cell to its end; what was wrong, "" for nothing."""
    stage = Stage(Flow(cell.flow))
    try:
        return stage.play(cell.kind, lambda: FAULTS[cell.point, cell.fault](stage, cell.number))
    finally:
        stage.close()
