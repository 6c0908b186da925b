"""Where the boxes stand in the grid, and through which channels the lines run; no coordinates yet.

The grid has columns, which hold the groups, and rows. Between the columns, and left and right of them, run
vertical channels (channel c is left of column c); above each row runs a horizontal channel. Boxes stand in
cells and lines run in channels, so no line can cross a box.

- Groups have a fixed column. A group that is reached by exits only is an island: it takes the top rows of its
  column. Ended states stand in a band below all rows.
- A state stands below the states of its column that come before it in the table, and not above any earlier
  state from which a line leads to it.
- A line leaves its box at the side of its target's column, runs down or up the channel there, and enters at
  the side of the target. Only if the target is further than the next column it takes a horizontal channel,
  too. If the target is the next box below, the line is straight.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from itertools import pairwise

from firmware.txn.schema import Group
from tools.diagram.graph import GIVING_UP, Edge, Graph, Node

COLUMNS = {
    Group.START: 0,
    Group.ENTRY: 0,
    Group.IN_SERVICE: 0,
    Group.FLOOR: 2,
    Group.ASKING: 1,
    Group.UPKEEP: 2,
    Group.ONLINE: 1,
    Group.PAPER: 2,
    Group.UNDO: 2,
    Group.KEYS: 2,
    Group.SERVICE: 2,
}
COLUMN_COUNT = 3


class Side(Enum):
    """Where a line leaves or enters a box."""

    LEFT = auto()
    RIGHT = auto()
    TOP = auto()
    BOTTOM = auto()


@dataclass(frozen=True, slots=True)
class Cell:
    """A place in the grid."""

    column: int
    row: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The grid: the cell of every state that has not ended, the ended ones, and the rows."""

    cells: Mapping[str, Cell]
    band: tuple[Node, ...]
    row_count: int
    ways: Mapping[tuple[str, str], Way]

    def straight_from(self, name: str) -> Edge | None:
        """The edge whose line leaves from the bottom of a state's box."""
        return next(
            (w.edge for w in self.ways.values() if w.edge.source == name and w.leaves is Side.BOTTOM), None
        )


@dataclass(frozen=True, slots=True)
class Way:
    """How the line of `edge` runs: out, down a channel, along one above row `above_row`, down another, in.

    Unused parts are None.
    """

    edge: Edge
    leaves: Side
    enters: Side
    first_channel: int | None = None
    above_row: int | None = None
    last_channel: int | None = None


def plan_of(graph: Graph) -> Plan:
    """The plan of a graph."""
    columns = _columns(graph)
    rows = _rows(graph, columns)
    cells = {name: Cell(column, rows[name]) for column, names in columns.items() for name in names}
    row_count = 1 + max(rows.values(), default=0)
    below = _next_below(cells)
    straight = _straight(graph, below)
    ways = {edge.key: _way(edge, cells, straight, row_count) for edge in graph.lines}
    return Plan(cells, tuple(node for node in graph.nodes if node.ended), row_count, ways)


def _columns(graph: Graph) -> Mapping[int, list[str]]:
    """The states of each column from the top down: islands first, then in the order of groups and table."""
    groups = sorted(graph.groups(), key=lambda item: item[0] not in GIVING_UP)
    columns: dict[int, list[str]] = {column: [] for column in range(COLUMN_COUNT)}
    for group, nodes in groups:
        columns[COLUMNS.get(group, COLUMN_COUNT - 1)] += [node.name for node in nodes if not node.ended]
    return columns


def _rows(graph: Graph, columns: Mapping[int, list[str]]) -> Mapping[str, int]:
    """The smallest rows that satisfy both rules at the top of this file."""
    order = {node.name: index for index, node in enumerate(graph.nodes)}
    above = [(upper, lower) for names in columns.values() for upper, lower in pairwise(names)]
    onward = [edge.key for edge in graph.lines if order[edge.source] < order[edge.target]]
    rows = {name: 0 for names in columns.values() for name in names}
    for _ in order:  # no path is longer than this; a circle of wishes ends here, too
        for upper, lower in above:
            rows[lower] = max(rows[lower], rows[upper] + 1)
        for source, target in onward:
            if target in rows and rows[target] < rows[source] < len(order):
                rows[target] = rows[source]
    for upper, lower in above:
        rows[lower] = max(rows[lower], rows[upper] + 1)
    used = sorted(set(rows.values()))
    return {name: used.index(row) for name, row in rows.items()}


def _next_below(cells: Mapping[str, Cell]) -> Mapping[str, str]:
    """For each state the next one below it in its column."""
    stack = sorted(cells, key=lambda name: (cells[name].column, cells[name].row))
    return {upper: lower for upper, lower in pairwise(stack) if cells[upper].column == cells[lower].column}


def _straight(graph: Graph, below: Mapping[str, str]) -> Mapping[str, Edge]:
    """For each state the line that leaves it downwards: to the next box below, or to the band at the end."""
    found: dict[str, Edge] = {}
    for edge in sorted(graph.lines, key=lambda edge: edge.on_main_path):  # the main path wins
        target = graph.by_name[edge.target]
        if below.get(edge.source) == edge.target or (target.ended and edge.source not in below):
            found[edge.source] = edge
    return found


def _way(edge: Edge, cells: Mapping[str, Cell], straight: Mapping[str, Edge], row_count: int) -> Way:
    source, target = cells[edge.source], cells.get(edge.target)
    if straight.get(edge.source) is edge:
        return Way(edge, Side.BOTTOM, Side.TOP, above_row=None if target else row_count)
    if target is None:
        return Way(edge, Side.RIGHT, Side.TOP, source.column + 1, row_count)
    if source.column == target.column:
        side = Side.LEFT if source.column == 0 else Side.RIGHT
        return Way(edge, side, side, _channel(source, side))
    leaves, enters = (Side.RIGHT, Side.LEFT) if source.column < target.column else (Side.LEFT, Side.RIGHT)
    first, last = _channel(source, leaves), _channel(target, enters)
    if first == last:
        return Way(edge, leaves, enters, first)
    return Way(edge, leaves, enters, first, max(source.row, target.row), last)


def _channel(cell: Cell, side: Side) -> int:
    return cell.column + (side is Side.RIGHT)


def line_order(edges: Iterable[Edge], cells: Mapping[str, Cell]) -> list[Edge]:
    """The order of the lines' rows in a box: those that lead up first, so that lines cross less."""
    return sorted(edges, key=lambda edge: cells[edge.target].row if edge.target in cells else 1 << 30)
