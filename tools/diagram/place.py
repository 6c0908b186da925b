"""From the plan to coordinates: rows and channels get their sizes, boxes their places, lines their points.

Lines with the same target share one track in a channel and one arrow: a bus. The tracks of a channel are
ordered so that few lines cross.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from firmware.txn.schema import Group
from tools.diagram.card import WIDTH, Card, card_of, end_card
from tools.diagram.graph import Edge, Graph
from tools.diagram.plan import COLUMN_COUNT, Plan, Side, Way, line_order, plan_of
from tools.diagram.shapes import Point, Rect

MARGIN = 24
TOP = 76  # the title stands above the grid
TRACK = 13  # from one track of a channel to the next
ROW_GAP = 30
LANE_PAD = 12
LANE_TITLE = 24
CHANNEL_PAD = 20  # from the lane to the nearest track
ENTRY_Y = 15  # lines enter a box at its side at the height of its title
BAND_GAP = 16
SAME_Y = 5  # level pieces nearer than this would look like one line
SAME_Y_COST = 100  # crossings that it is worth to avoid that

Bus = tuple[int, str]  # a channel and a target: lines that share a track


@dataclass(frozen=True, slots=True)
class PlacedCard:
    """A box and its place."""

    card: Card
    box: Rect


@dataclass(frozen=True, slots=True)
class Lane:
    """The area of a group."""

    group: Group
    box: Rect


@dataclass(frozen=True, slots=True)
class Route:
    """The line of an edge: at least two points, all pieces level or upright."""

    edge: Edge
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything that has a place."""

    graph: Graph
    cards: Mapping[str, PlacedCard]
    lanes: tuple[Lane, ...]
    routes: tuple[Route, ...]
    width: float
    bottom: float  # the lower edge of the last lane


@dataclass(frozen=True, slots=True)
class _Rows:
    """The upper edge of each row (the band is the last), and the level track of each (row, target)."""

    tops: Sequence[float]
    levels: Mapping[tuple[int, str], float]


@dataclass(frozen=True, slots=True)
class _Stub:
    """A level piece between a track and something left or right of the channel."""

    y: float
    from_left: bool


def layout_of(graph: Graph) -> Layout:
    """The layout of a graph. The same graph gives the same layout, always."""
    plan = plan_of(graph)
    cards = {name: _card(graph, plan, name) for name in plan.cells}
    tracks = _track_counts(plan)
    lefts = _column_lefts(tracks)
    rows = _rows(graph, plan, cards)
    placed = {
        name: PlacedCard(card, Rect(lefts[cell.column], rows.tops[cell.row], card.width, card.height))
        for name, card in cards.items()
        for cell in (plan.cells[name],)
    }
    placed |= _band(plan, lefts, rows.tops[-1])
    track_x = _track_x(plan, placed, rows, lefts)
    routes = tuple(Route(way.edge, _points(way, placed, rows, track_x)) for way in plan.ways.values())
    lanes = _lanes(graph, placed)
    width = lefts[-1] + WIDTH + _channel_width(COLUMN_COUNT, tracks) + MARGIN
    return Layout(graph, placed, lanes, routes, width, max(lane.box.bottom for lane in lanes))


def _card(graph: Graph, plan: Plan, name: str) -> Card:
    lines = [edge for edge in graph.edges_from(name) if edge.is_line]
    return card_of(graph, graph.by_name[name], line_order(lines, plan.cells), plan.straight_from(name))


def _track_counts(plan: Plan) -> Mapping[int, int]:
    """How many tracks each channel needs: one a bus."""
    counts: dict[int, set[str]] = defaultdict(set)
    for way in plan.ways.values():
        for channel in (way.first_channel, way.last_channel):
            if channel is not None:
                counts[channel].add(way.edge.target)
    return {channel: len(targets) for channel, targets in counts.items()}


def _channel_width(channel: int, tracks: Mapping[int, int]) -> float:
    """From column to column; of an outer channel, from the column to the margin."""
    sides = 1 if channel in {0, COLUMN_COUNT} else 2
    needed = (
        CHANNEL_PAD * sides + TRACK * (tracks[channel] - 1)
        if channel in tracks
        else CHANNEL_PAD * (sides - 1)
    )
    return LANE_PAD * sides + needed


def _column_lefts(tracks: Mapping[int, int]) -> list[float]:
    lefts = [MARGIN + _channel_width(0, tracks)]
    for channel in range(1, COLUMN_COUNT):
        lefts.append(lefts[-1] + WIDTH + _channel_width(channel, tracks))
    return lefts


def _rows(graph: Graph, plan: Plan, cards: Mapping[str, Card]) -> _Rows:
    lane_rows = {
        min(plan.cells[node.name].row for node in nodes if node.name in plan.cells)
        for _, nodes in graph.groups()
        if any(node.name in plan.cells for node in nodes)
    } | {plan.row_count}
    y, tops, levels = float(TOP), [], {}
    for row in range(plan.row_count + 1):
        y += ROW_GAP if row else 0
        targets = sorted({way.edge.target for way in plan.ways.values() if way.above_row == row})
        for target in targets:
            levels[row, target] = y - 6
            y += TRACK
        y += LANE_PAD + LANE_TITLE if row in lane_rows else 0
        tops.append(y)
        y += max((cards[name].height for name, cell in plan.cells.items() if cell.row == row), default=0)
    return _Rows(tops, levels)


def _band(plan: Plan, lefts: Sequence[float], top: float) -> dict[str, PlacedCard]:
    """The ended states, side by side over the whole width."""
    count = len(plan.band)
    if not count:
        return {}
    width = (lefts[-1] + WIDTH - lefts[0] - BAND_GAP * (count - 1)) / count
    cards = [end_card(node, width) for node in plan.band]
    height = max(card.height for card in cards)
    return {
        card.node.name: PlacedCard(card, Rect(lefts[0] + index * (width + BAND_GAP), top, width, height))
        for index, card in enumerate(cards)
    }


def _lanes(graph: Graph, placed: Mapping[str, PlacedCard]) -> tuple[Lane, ...]:
    lanes = []
    for group, nodes in graph.groups():
        boxes = [placed[node.name].box for node in nodes]
        x, y = min(box.x for box in boxes), min(box.y for box in boxes)
        right, bottom = max(box.right for box in boxes), max(box.bottom for box in boxes)
        top = LANE_PAD + LANE_TITLE - 6
        lanes.append(
            Lane(group, Rect(x - LANE_PAD, y - top, right - x + 2 * LANE_PAD, bottom - y + top + LANE_PAD))
        )
    return tuple(lanes)


def _start(way: Way, placed: Mapping[str, PlacedCard]) -> Point:
    source = placed[way.edge.source]
    if way.leaves is Side.BOTTOM:
        return source.box.x + source.box.width / 2, source.box.bottom
    x = source.box.right if way.leaves is Side.RIGHT else source.box.x
    return x, source.box.y + source.card.port_y(way.edge)


def _end(way: Way, placed: Mapping[str, PlacedCard]) -> Point:
    box = placed[way.edge.target].box
    if way.enters is Side.TOP:
        return box.x + box.width / 2, box.y
    return (box.right if way.enters is Side.RIGHT else box.x), box.y + ENTRY_Y


def _points(
    way: Way, placed: Mapping[str, PlacedCard], rows: _Rows, track_x: Mapping[Bus, float]
) -> tuple[Point, ...]:
    """From box to box, turning at the tracks that the way names."""
    start, end = _start(way, placed), _end(way, placed)
    points = [start]
    if way.first_channel is not None:
        points.append((track_x[way.first_channel, way.edge.target], points[-1][1]))
    if way.above_row is not None:
        points.append((points[-1][0], rows.levels[way.above_row, way.edge.target]))
    last_x = (
        end[0]
        if way.enters is Side.TOP
        else track_x[way.last_channel or way.first_channel or 0, way.edge.target]
    )
    points += [(last_x, points[-1][1]), (last_x, end[1]), end]
    return _without_idle_points(points)


def _without_idle_points(points: Iterable[Point]) -> tuple[Point, ...]:
    """Drop points that repeat the one before, or lie between two others on one line."""
    kept: list[Point] = []
    for point in points:
        if kept and kept[-1] == point:
            continue
        if len(kept) > 1 and any(kept[-2][axis] == kept[-1][axis] == point[axis] for axis in (0, 1)):
            kept.pop()
        kept.append(point)
    return tuple(kept)


def _track_x(
    plan: Plan, placed: Mapping[str, PlacedCard], rows: _Rows, lefts: Sequence[float]
) -> Mapping[Bus, float]:
    stubs = _stubs(plan, placed, rows, lefts)
    found: dict[Bus, float] = {}
    for channel in range(COLUMN_COUNT + 1):
        order = _track_order({bus: parts for bus, parts in stubs.items() if bus[0] == channel})
        if channel:
            first = lefts[channel - 1] + WIDTH + LANE_PAD + CHANNEL_PAD
        else:
            first = lefts[0] - LANE_PAD - CHANNEL_PAD - TRACK * (len(order) - 1)
        found |= {bus: first + TRACK * index for index, bus in enumerate(order)}
    return found


def _stubs(
    plan: Plan, placed: Mapping[str, PlacedCard], rows: _Rows, lefts: Sequence[float]
) -> Mapping[Bus, list[_Stub]]:
    """The level pieces at each track."""
    stubs: dict[Bus, list[_Stub]] = defaultdict(list)
    for way in plan.ways.values():
        if way.first_channel is None:
            continue
        target, end = way.edge.target, _end(way, placed)
        first, last = (way.first_channel, target), (way.last_channel or way.first_channel, target)
        stubs[first].append(_Stub(_start(way, placed)[1], way.leaves is Side.RIGHT))
        if way.above_row is not None:
            level = rows.levels[way.above_row, target]
            goes_right = end[0] > lefts[min(way.first_channel, COLUMN_COUNT - 1)]
            stubs[first].append(_Stub(level, not goes_right))
            if way.last_channel is not None:
                stubs[last].append(_Stub(level, goes_right))
        if way.enters is not Side.TOP:
            stubs[last].append(_Stub(end[1], way.enters is Side.RIGHT))
    return stubs


def _track_order(stubs: Mapping[Bus, Sequence[_Stub]]) -> list[Bus]:
    """The tracks from left to right: each is put where it crosses least, until nothing improves."""
    cost = {(a, b): _crossings(stubs[a], stubs[b]) for a in stubs for b in stubs if a != b}

    def total(order: Sequence[Bus]) -> int:
        return sum(cost[a, b] for index, a in enumerate(order) for b in order[index + 1 :])

    order = sorted(stubs)
    for _ in range(len(order)):
        for bus in tuple(order):
            rest = [other for other in order if other != bus]
            order = min(([*rest[:index], bus, *rest[index:]] for index in range(len(order))), key=total)
    return order


def _crossings(left: Sequence[_Stub], right: Sequence[_Stub]) -> int:
    """How often two tracks cross when the first is the left one."""
    return (
        _cuts(left, right, from_left=False)
        + _cuts(right, left, from_left=True)
        + SAME_Y_COST
        * sum(not a.from_left and b.from_left and abs(a.y - b.y) < SAME_Y for a in left for b in right)
    )


def _cuts(stubs: Sequence[_Stub], track: Sequence[_Stub], *, from_left: bool) -> int:
    """How many level pieces of one track that lead to this side cut the other track."""
    low, high = min(stub.y for stub in track), max(stub.y for stub in track)
    return sum(stub.from_left == from_left and low <= stub.y <= high for stub in stubs)
