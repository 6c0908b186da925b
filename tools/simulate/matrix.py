"""The crash matrix: for each play, every point that it passes, and every fault at that point.

The points are enumerated, not sampled: a run without faults counts the rules taken, the commits, the bursts
of bytes and the messages that each side sends and receives; then the same run is made again once for each of
them and each fault there. Afterwards come recovery, one more sale, the settlement, and every checker.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from bank.faults import Fault, FaultKind
from tools.simulate import points
from tools.simulate.plays import PLAYS, Play
from tools.simulate.stage import LATE_MS, Onlooker, Stage
from tools.simulate.workers import answers


@dataclass(frozen=True, slots=True)
class Cell:
    """One fault at one point of one play."""

    play: str  # its title
    point: str  # see `tools.simulate.points`
    number: int  # which of them, from 1
    fault: str

    def __str__(self) -> str:
        return f"{self.play}/{self.point}/{self.number}/{self.fault}"

    @property
    def command(self) -> str:
        """The command that plays it alone."""
        return f'posterm simulate --matrix --cell "{self}"'

    @classmethod
    def named(cls, text: str) -> Self:
        """The cell that is written so. Raises ValueError: there is none, but others."""
        words = text.split("/")
        if len(words) != CELL_WORDS or not words[2].isdecimal():
            raise ValueError(f"no cell {text!r}: it is PLAY/POINT/NUMBER/FAULT, as in {_EXAMPLE}")
        cell = cls(words[0], words[1], int(words[2]), words[3])
        plays = {play.title: play for play in PLAYS}
        _look_for(cell.play, "play", plays, text)
        _look_for(cell.point, "point", [point for point, _ in FAULTS], text)
        faults = [fault for point, fault in FAULTS if point == cell.point]
        _look_for(cell.fault, f"fault at {cell.point}", faults, text)
        passed = _counted(plays[cell.play])[cell.point]
        if not 1 <= cell.number <= passed:
            raise ValueError(f"no cell {text!r}: {cell.play} passes {cell.point} {passed} times")
        return cell


CELL_WORDS = 4
_EXAMPLE = '"refund (pin-first)/bank request/1/lost"'


def _look_for(name: str, what: str, known: Iterable[str], text: str) -> None:
    if name not in known:
        raise ValueError(f"no cell {text!r}: no {what} {name!r}: {', '.join(dict.fromkeys(known))}")


Arm = Callable[[Stage, int], None]


def _passing(point: str, name: str) -> Arm:
    return lambda stage, number: stage.points.arm(point, number, getattr(stage, name))


def _answer(kind: FaultKind, *, delay_ms: int = 0) -> Arm:
    def arm(stage: Stage, number: int) -> None:
        strike = stage.answer_with(Fault(kind, delay_ms=delay_ms))
        stage.points.arm(points.BANK_ANSWER, number, strike)

    return arm


_CUTS = {"terminal cut": "cut_terminal", "gateway cut": "cut_gateway", "bank cut": "cut_bank"}
"""The power of a part goes while the others go on."""
_TERMINAL_STOPS = _CUTS | {"terminal cut": "stop_terminal"}
_GATEWAY_STOPS = _CUTS | {"gateway cut": "stop_gateway"}
_GATEWAY_HEARS = _CUTS | {"gateway cut": "stop_hearing"}
_LOSSES = {"lost": "lose", "doubled": "double", "late": "delay"}
_HANDED_ON = _GATEWAY_STOPS | {"cut after": "cut_gateway"} | _LOSSES
_AT: Mapping[str, Mapping[str, str]] = {
    points.RULE: _TERMINAL_STOPS,
    points.COMMIT: {"gateway cut": "cut_gateway", "bank cut": "cut_bank"},
    points.TERMINAL_SENDS: _TERMINAL_STOPS | {"cut after": "stop_terminal_after"} | _LOSSES,
    points.GATEWAY_RECEIVES: _GATEWAY_HEARS | _LOSSES,
    points.LINK_REQUEST: _GATEWAY_STOPS | _LOSSES,
    points.BANK_REQUEST: _HANDED_ON | {"bank restarts": "restart_bank"},
    points.BANK_ANSWER: _CUTS | {"bank cut": "stop_bank", "cut after": "cut_bank"},
    points.BANK_COMMIT: {"terminal cut": "cut_terminal", "gateway cut": "cut_gateway"},
    points.LINK_ANSWER: _HANDED_ON,
    points.GATEWAY_SENDS: _HANDED_ON,
    points.TERMINAL_RECEIVES: _TERMINAL_STOPS | _LOSSES,
}
FAULTS: Mapping[tuple[str, str], Arm] = {
    **{
        (point, fault): _passing(point, name)
        for point, faults in _AT.items()
        for fault, name in faults.items()
    },
    (points.COMMIT, "terminal cut"): lambda stage, number: stage.cut_at_commit(number, "before"),
    (points.COMMIT, "cut after"): lambda stage, number: stage.cut_at_commit(number, "after"),
    (points.COMMIT, "fails"): lambda stage, number: stage.fail_commit(number),
    (points.BANK_COMMIT, "bank cut"): lambda stage, number: stage.cut_bank_at_commit(number, "before"),
    (points.BANK_COMMIT, "cut after"): lambda stage, number: stage.cut_bank_at_commit(number, "after"),
    (points.BANK_ANSWER, "lost"): _answer(FaultKind.SILENT_AFTER_POSTING),
    (points.BANK_ANSWER, "doubled"): _answer(FaultKind.DUPLICATE),
    (points.BANK_ANSWER, "late"): _answer(FaultKind.DELAY, delay_ms=LATE_MS),
    (points.BANK_ANSWER, "wrong MAC"): _answer(FaultKind.WRONG_MAC),
    (points.BANK_ANSWER, "hangs up before"): _answer(FaultKind.CLOSE_BEFORE_POSTING),
    (points.BANK_ANSWER, "hangs up after"): _answer(FaultKind.CLOSE_AFTER_POSTING),
}
"""What is tried at each kind of point, in the order in which a payment passes them.

The part whose point it is loses its power before what passes is done, or "cut after" it; any other part's
power goes at the end of the moment, since nothing of it reaches that part earlier.
"""


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
        """A dictionary of plain values: how many cells of each play, point and fault, and what is broken."""
        counts: dict[str, dict[str, dict[str, int]]] = {}
        for cell in self.cells:
            of_point = counts.setdefault(cell.play, {}).setdefault(cell.point, {})
            of_point[cell.fault] = of_point.get(cell.fault, 0) + 1
        broken = [{**asdict(cell), "cell": str(cell), "finding": finding} for cell, finding in self.broken]
        return {"cells": len(self.cells), "ok": self.ok, "counts": counts, "broken": broken}


def cells_of(play: Play) -> Iterator[Cell]:
    """Every point that a run without faults passes, with each fault that is tried there."""
    counts = _counted(play)
    for point, fault in FAULTS:
        for number in range(1, counts[point] + 1):
            yield Cell(play.title, point, number, fault)


def _counted(play: Play) -> Counter[str]:
    """How often a run without faults passes each point."""
    stage = Stage(play)
    try:
        return stage.count_points()
    finally:
        stage.close()


def broken_at(cell: Cell, onlooker: Onlooker | None = None) -> str:
    """Play one cell to its end; what was wrong, "" for nothing."""
    play = next(play for play in PLAYS if play.title == cell.play)
    stage = Stage(play, onlooker)
    try:
        return stage.strike(lambda: FAULTS[cell.point, cell.fault](stage, cell.number))
    finally:
        stage.close()


def matrix(
    cells: Sequence[Cell], *, jobs: int = 1, tell: Callable[[int], None] = lambda _done: None
) -> Matrix:
    """Try these cells, in `jobs` processes. `tell` is given how many are done."""
    table = Matrix(list(cells))
    findings = answers(broken_at, cells, jobs)
    with closing(findings):
        for done, (cell, finding) in enumerate(zip(cells, findings, strict=True), start=1):
            if finding:
                table.broken.append((cell, finding))
            tell(done)
    return table
