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
about the terminal itself. `posterm simulate --matrix --cell "refund (pin-first)/bank request/1/lost"` plays
one cell alone: a play, a point, which time it is passed, and a fault; `--step` shows it moment by moment.

| point | what passes there | whose it is |
|---|---|---|
| rule | the terminal takes a rule: its records are durable, its effects are to come | terminal |
| commit | the terminal's storage makes something durable | terminal |
| terminal sends | a burst of bytes is put on the serial line | terminal |
| gateway receives | bytes arrive from the serial line: a burst, or a piece of one | gateway |
| link request | a whole message has come from the terminal on the link | gateway |
| bank request | an ISO 8583 message is handed to the network | gateway |
| bank answer | the bank has the message, and answers | bank |
| bank commit | the bank makes something durable | bank |
| link answer | a whole message is handed to the link | gateway |
| gateway sends | a burst of bytes is put on the serial line | gateway |
| terminal receives | bytes arrive from the serial line | terminal |

*Terminal, gateway, bank cut*: the power of that part goes, and comes back some seconds later; a gateway has
no other memory, a bank and a terminal know what they had made durable. The part whose point it is stops in
the middle of what it is doing, before what passes is done; once it is done where it says *cut after*. Any
other part loses its power when everything of that moment is done, since nothing that is done there can reach
it earlier: a byte takes a moment on the line, and a packet five on the network. What another part does in
the very same moment is a point of its own; and where two points are passed in one moment, such a cut is the
same run at both of them. *Late* is later than anybody waits for it.

*Fails*: the commit fails, and nothing of it is stored. *Hangs up*: the bank ends the connection, before or
after it has posted. *Bank restarts*: its process ends and begins anew, and connections break.

An empty field has nothing to try. What becomes durable, and a rule, is no message that could be lost, doubled
or late. What a part has received it has in its memory only, so that a cut after that is the cut before; and a
cut after a rule is the cut before the next thing that the terminal makes durable or sends.

The sale afterwards may fail once where the fault has left something that only a sale finds out: keys that
the bank does not have (a sign-in that came twice, or late), or a connection whose other end is gone (the bank
had no power). Then the terminal has signed in, the gateway has connected anew, and the next sale
must work."""


def tables(matrix: Matrix) -> str:
    """Of each play, then of all together: which fault is tried at which point, how often. What is broken."""
    return "\n\n".join([*_plays(matrix), *_all_plays(matrix), _verdict(matrix)])


def page(matrix: Matrix) -> str:
    """The whole page, as Markdown."""
    parts = [
        f"<!-- Made by `{COMMAND}`. -->",
        "# The crash matrix",
        _verdict(matrix),
        INTRODUCTION,
        "## All plays",
        *_all_plays(matrix),
        "## Each play",
        "A figure is the number of cells: each fault is tried each time that the point is passed.",
        *_plays(matrix),
    ]
    return "\n\n".join(parts) + "\n"


def _plays(matrix: Matrix) -> list[str]:
    """Of each play a row a point, a column a fault."""
    broken = Counter(_place(cell) for cell, _ in matrix.broken)
    cells = Counter(_place(cell) for cell in matrix.cells)
    faults = _in_order(cell.fault for cell in matrix.cells)
    passed = _passed(matrix.cells)
    parts = []
    for play in _in_order(cell.play for cell in matrix.cells):
        rows = [["point", "passed", *faults]]
        for point in _in_order(cell.point for cell in matrix.cells if cell.play == play):
            places = [(play, point, fault) for fault in faults]
            figures = [_figure(cells[place], broken[place]) for place in places]
            rows.append([point, str(passed[play, point]), *figures])
        parts += [f"### {play}", _table(rows)]
    return parts


def _figure(cells: int, broken: int) -> str:
    """How many; "" for none."""
    return f"{cells}, {broken} BROKEN" if broken else str(cells or "")


def _all_plays(matrix: Matrix) -> list[str]:
    return [
        "How often each play passes each point:",
        _table(_points(matrix.cells)),
        "How many cells that makes of each fault, all plays together:",
        _table(_faults(matrix.cells)),
    ]


def _points(cells: Sequence[Cell]) -> list[list[str]]:
    """A row a play, a column a point: how often it is passed."""
    points, passed = _in_order(cell.point for cell in cells), _passed(cells)
    all_cells = Counter(cell.play for cell in cells)
    return [
        ["play", *points, "cells"],
        *(
            [play, *(str(passed[play, point]) for point in points), str(all_cells[play])]
            for play in _in_order(cell.play for cell in cells)
        ),
        ["all", *(str(_sum(passed, point)) for point in points), str(len(cells))],
    ]


def _passed(cells: Sequence[Cell]) -> Counter[tuple[str, str]]:
    """How often each play passes each point."""
    passed: Counter[tuple[str, str]] = Counter()
    for cell in cells:
        passed[cell.play, cell.point] = max(passed[cell.play, cell.point], cell.number)
    return passed


def _sum(passed: Counter[tuple[str, str]], point: str) -> int:
    return sum(count for (_, one), count in passed.items() if one == point)


def _faults(cells: Sequence[Cell]) -> list[list[str]]:
    """A row a point, a column a fault: the number of cells, of all plays together."""
    points, faults = _in_order(cell.point for cell in cells), _in_order(cell.fault for cell in cells)
    counts = Counter((cell.point, cell.fault) for cell in cells)
    rows = [["point", *faults, "cells"]]
    for point in points:
        figures = [counts[point, fault] for fault in faults]
        rows.append([point, *(str(figure or "") for figure in figures), str(sum(figures))])
    return rows


def _verdict(matrix: Matrix) -> str:
    broken = [f"- {finding}; again: `{cell.command}`" for cell, finding in matrix.broken]
    return "\n".join([f"{len(matrix.cells)} cells, {len(matrix.broken)} broken.", *broken])


def _place(cell: Cell) -> tuple[str, str, str]:
    return cell.play, cell.point, cell.fault


def _table(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table that can be read as it is: columns of even width, figures to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [f"| {' | '.join(_even(row, widths))} |" for row in rows]
    rule = [f"{'-' * (width + 1)}{':' if column else '-'}" for column, width in enumerate(widths)]
    return "\n".join([lines[0], f"|{'|'.join(rule)}|", *lines[1:]])


def _even(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]


def _in_order(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
