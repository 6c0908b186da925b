"""The crash matrix on paper: its tables, and the page `docs/crash-matrix.md`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from tools.simulate.matrix import Cell, Matrix

COMMAND = "posterm simulate --matrix --write docs/crash-matrix.md"
INTRODUCTION = """\
Every point that a play passes, and every fault there; afterwards recovery, one more sale, the settlement, and
every checker of [the simulation](simulation.md). A play is a type of transaction, a reversal, a settlement
(`settlement_upload`: bank and terminal disagree about both halves, and everything is uploaded), or a message
about the terminal itself.

| point | what passes there |
|---|---|
| rule | the terminal takes a rule of its tables |
| commit | the terminal's storage makes something durable |
| terminal sends, gateway sends | a burst of bytes is put on the serial line |
| gateway receives, terminal receives | bytes arrive from the serial line |
| link request, link answer | a whole message comes from the terminal, or goes to it, on the link |
| bank request | an ISO 8583 message is on its way to the bank |
| bank answer | the bank has it, and answers |
| bank commit | the bank makes something durable |

*Late* is later than anybody waits for it. *Cut*: the power of that part goes, in the middle of what it is
doing, and comes back; a gateway has no other memory, a bank and a terminal know what they had made durable.

The sale afterwards may fail once where the fault has left something that only a sale finds out: keys that
the bank does not have (a sign-in that came twice, or late), or a connection whose other end is gone (the bank
had no power). Then the terminal has signed in, the gateway has connected anew, and the next sale
must work."""


def tables(matrix: Matrix) -> str:
    """How often each play passes each point, which faults are tried there, how many cells that makes."""
    parts = [_points(matrix.cells), _faults(matrix.cells), _verdict(matrix)]
    return "\n\n".join(parts)


def page(matrix: Matrix) -> str:
    """The whole page, as Markdown."""
    head = f"<!-- Made by `{COMMAND}`. -->\n\n# The crash matrix\n\n{INTRODUCTION}"
    return f"{head}\n\n{tables(matrix)}\n"


def _points(cells: Sequence[Cell]) -> str:
    """A row a play, a column a point: how often it is passed."""
    points = _in_order(cell.point for cell in cells)
    passed: Counter[tuple[str, str]] = Counter()
    for cell in cells:
        passed[cell.play, cell.point] = max(passed[cell.play, cell.point], cell.number)
    all_cells = Counter(cell.play for cell in cells)
    lines = [f"| play | {' | '.join(points)} | cells |", f"|---|{'---|' * (len(points) + 1)}"]
    for play in _in_order(cell.play for cell in cells):
        counts = [str(passed[play, point]) for point in points]
        lines.append(f"| {play} | {' | '.join([*counts, str(all_cells[play])])} |")
    lines.append(f"| all | {' | '.join(str(_sum(passed, point)) for point in points)} | {len(cells)} |")
    return "\n".join(["How often each play passes each point:", "", *lines])


def _sum(passed: Counter[tuple[str, str]], point: str) -> int:
    return sum(count for (_, one), count in passed.items() if one == point)


def _faults(cells: Sequence[Cell]) -> str:
    """A row a point, a column a fault: the number of cells, of all plays together."""
    points, faults = _in_order(cell.point for cell in cells), _in_order(cell.fault for cell in cells)
    counts = Counter((cell.point, cell.fault) for cell in cells)
    lines = [f"| point | {' | '.join(faults)} | cells |", f"|---|{'---|' * (len(faults) + 1)}"]
    for point in points:
        row = [counts[point, fault] for fault in faults]
        lines.append(f"| {point} | {' | '.join(str(count or '') for count in row)} | {sum(row)} |")
    intro = "Each fault is tried each time that the point is passed; the cells of all plays:"
    return "\n".join([intro, "", *lines])


def _verdict(matrix: Matrix) -> str:
    broken = [f"- {finding}; again: `{cell.command}`" for cell, finding in matrix.broken]
    return "\n".join([f"{len(matrix.cells)} cells, {len(matrix.broken)} broken.", *broken])


def _in_order(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
