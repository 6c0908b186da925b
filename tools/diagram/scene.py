"""From the layout to shapes: lanes, lines, boxes, title and legend, back to front."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import log10

from tools.diagram.card import clock_badge, step_badge
from tools.diagram.graph import Edge, Role, duration
from tools.diagram.palette import (
    FAINT_INK,
    INK,
    LANE,
    LANE_BORDER,
    MAIN_LINE,
    MISSED,
    PAPER,
    ROLES,
    SIDE_LINE,
)
from tools.diagram.place import MARGIN, Lane, Layout, PlacedCard, Route
from tools.diagram.shapes import Circle, Figure, Line, Point, Polygon, Rect, Scene, Shape, Text
from tools.diagram.text_width import text_width

CORNER = 8
ARROW_LENGTH, ARROW_HALF = 10, 5
LEGEND_HEIGHT = 60
HEAD_HEIGHT = 31
THINNEST, THICKER, THICKEST = 1.2, 0.9, 6.0  # of a line taken once; what ten times as often adds; at the most


def scene_of(layout: Layout) -> Scene:
    """The picture of a layout."""
    height = layout.bottom + LEGEND_HEIGHT
    figures = [
        Figure("background", (Rect(0, 0, layout.width, height, PAPER),)),
        _heading(layout),
        *(_lane(lane) for lane in layout.lanes),
        *(_route(route) for route in sorted(layout.routes, key=lambda route: route.edge.on_main_path)),
        _beginning(layout),
        *(_box(placed, layout) for placed in layout.cards.values()),
        *(_ports(route) for route in layout.routes),
        _legend(layout),
    ]
    return Scene(layout.graph.table.title, layout.width, height, tuple(figures))


def _heading(layout: Layout) -> Figure:
    graph = layout.graph
    about = f"{len(graph.nodes)} states · {len(graph.table.events)} events · {len(graph.table.rules)} rules"
    if graph.hits is not None:
        taken = sum(count > 0 for count in graph.hits.values())
        about += f" · {taken} of {len(graph.hits)} rules taken"
    return Figure(
        "heading",
        (
            Text(MARGIN, 38, graph.table.title, 24, INK, bold=True),
            Text(MARGIN, 58, f"{about}; made from the table that runs", 12, FAINT_INK),
        ),
    )


def _lane(lane: Lane) -> Figure:
    area = Rect(lane.box.x, lane.box.y, lane.box.width, lane.box.height, LANE, LANE_BORDER, 1, 10)
    name = lane.group.value
    return Figure(
        f"lane-{lane.group.name.lower()}",
        (area, Text(area.x + 12, area.y + 19, name, 13, FAINT_INK, bold=True)),
    )


def _beginning(layout: Layout) -> Figure:
    """The disc and arrow of UML that point to the initial state."""
    box = layout.cards[layout.graph.initial].box
    x, y = box.x + box.width / 2, box.y
    line = Line(((x, y - 21), (x, y - ARROW_LENGTH + 2)), INK, 1.6)
    return Figure("beginning", (Circle(x, y - 21, 5, INK), line, _arrow((x, y - 21), (x, y), INK)))


def _box(placed: PlacedCard, layout: Layout) -> Figure:
    node, box = placed.card.node, placed.box
    colours = ROLES[node.role]
    shapes: list[Shape] = [Rect(box.x, box.y, box.width, box.height, PAPER, "", 0, 8)]
    if node.ended:
        shapes = [Rect(box.x, box.y, box.width, box.height, colours.pale, "", 0, 8)]
    else:
        head = Rect(box.x, box.y, box.width, HEAD_HEIGHT, colours.pale, "", 0, 8)
        shapes += [head, Rect(box.x, box.y + 12, box.width, HEAD_HEIGHT - 15, colours.pale)]
    shapes.append(Rect(box.x, box.y, box.width, box.height, "", colours.strong, 1.5, 8))
    shapes += [shape.moved(box.x, box.y) for row in placed.card.rows for shape in row.shapes]
    note = "\n".join(line for edge in layout.graph.edges_from(node.name) for line in _note(edge))
    return Figure(f"state-{node.name}", tuple(shapes), note)


def _note(edge: Edge) -> Iterator[str]:
    yield f"to {edge.target}:"
    yield from (f"    {text}" for text in edge.rule_texts())


def _route(route: Route) -> Figure:
    edge = route.edge
    colour, width = _pen(edge)
    *_, before, tip = route.points
    arrow = _arrow(before, tip, colour)
    shortened = (*route.points[:-1], _towards(tip, before, ARROW_LENGTH - 2))
    note = "\n".join((f"{edge.source} to {edge.target}:", *edge.rule_texts()))
    return Figure(f"line-{edge.source}-{edge.target}", (Line(shortened, colour, width, CORNER), arrow), note)


def _pen(edge: Edge) -> tuple[str, float]:
    """Colour and width of a line: by its place on the main path, or by its count where hits are counted."""
    colour = MAIN_LINE if edge.on_main_path else SIDE_LINE
    if edge.count is None:
        return colour, 3.0 if edge.on_main_path else 1.6
    if edge.count == 0:
        return MISSED, 1.6
    return colour, min(THINNEST + THICKER * log10(edge.count), THICKEST)


def _ports(route: Route) -> Figure:
    """The dot where a line leaves its box, on top of the box's border."""
    colour, _ = _pen(route.edge)
    x, y = route.points[0]
    return Figure(f"port-{route.edge.source}-{route.edge.target}", (Circle(x, y, 4, PAPER, colour, 2),))


def _towards(start: Point, end: Point, distance: float) -> Point:
    """The point at `distance` from `start` on the way to `end`; the way is level or upright."""
    x, y = end[0] - start[0], end[1] - start[1]
    length = abs(x) + abs(y)
    return start[0] + x * distance / length, start[1] + y * distance / length


def _arrow(before: Point, tip: Point, colour: str) -> Polygon:
    x, y = _towards(tip, before, ARROW_LENGTH)
    across = (0, ARROW_HALF) if before[1] == tip[1] else (ARROW_HALF, 0)
    return Polygon((tip, (x + across[0], y + across[1]), (x - across[0], y - across[1])), colour)


def _legend(layout: Layout) -> Figure:
    """One line of explanations below everything."""
    y = layout.bottom + 32
    x = float(MARGIN)
    shapes: list[Shape] = []
    for parts, text, width in _legend_entries(layout):
        shapes += [part.moved(x, y) for part in parts]
        shapes.append(Text(x + width + 7, y + 4, text, 11.5, INK))
        x += width + 7 + text_width(text, 11.5) + 20
    return Figure("legend", tuple(shapes))


def _legend_entries(layout: Layout) -> Iterator[tuple[Iterable[Shape], str, float]]:
    """What is used in this picture: shapes around y = 0, the text after them, the width of the shapes."""
    for role in Role:
        if any(node.role is role for node in layout.graph.nodes):
            colours = ROLES[role]
            yield [Rect(0, -7, 20, 14, colours.pale, colours.strong, 1.5, 4)], role.value, 20
    if any(route.edge.on_main_path for route in layout.routes):
        yield (
            [Line(((0, 0), (22, 0)), MAIN_LINE, 3), *step_badge(36, 0, 1)],
            "the main path and its steps",
            46,
        )
    yield [Line(((0, 0), (22, 0)), SIDE_LINE, 1.6), Circle(0, 0, 4, PAPER, SIDE_LINE, 2)], "leads on", 22
    if layout.graph.hits is not None:
        yield [Line(((0, 0), (22, 0)), MISSED, 1.6)], "never taken", 22
        yield [Line(((0, 0), (22, 0)), SIDE_LINE, THICKEST)], "often taken", 22
    colours = ROLES[Role.WAITING]
    chip = Rect(0, -8, 38, 16, PAPER, FAINT_INK, 1, 8)
    yield (
        [chip, Text(19, 4, "State", 10.5, FAINT_INK, bold=True, anchor="middle")],
        "leads there, without a line",
        38,
    )
    sample = duration(60_000)
    width = text_width(sample, 11.5) + 17
    yield clock_badge(width, 0, sample), "timeout", width
