"""The geometry of the pictures: nothing covers anything that is to be read."""

from __future__ import annotations

from enum import Enum
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.txn.schema import Group, Kind, Row, Rule, Table
from tools.diagram.choices import MACHINES, table_of
from tools.diagram.graph import graph_of
from tools.diagram.place import LANE_TITLE, Layout, Route, layout_of
from tools.diagram.scene import scene_of
from tools.diagram.shapes import Figure, Rect, Text
from tools.diagram.text_width import text_width, wrap


@pytest.fixture(params=MACHINES)
def layout(request: pytest.FixtureRequest) -> Layout:
    return layout_of(graph_of(table_of(request.param)))


def pieces(route: Route) -> list[Rect]:
    """The straight pieces of a line, as areas without a width or without a height."""
    return [
        Rect(min(a[0], b[0]), min(a[1], b[1]), abs(a[0] - b[0]), abs(a[1] - b[1]))
        for a, b in pairwise(route.points)
    ]


def touches(piece: Rect, box: Rect) -> bool:
    """Does a piece run through the inside of a box?"""
    return (
        piece.right > box.x + 0.5
        and piece.x < box.right - 0.5
        and piece.bottom > box.y + 0.5
        and piece.y < box.bottom - 0.5
    )


def extent(text: Text) -> Rect:
    width = text_width(text.text, text.size, bold=text.bold)
    left = text.x - {"start": 0, "middle": width / 2, "end": width}[text.anchor]
    return Rect(left, text.y - 0.75 * text.size, width, 0.95 * text.size)


def test_every_state_has_a_box_and_every_line_a_route(layout: Layout) -> None:
    assert set(layout.cards) == {row.state.value for row in layout.graph.table.rows}
    assert [route.edge for route in layout.routes] == list(layout.graph.lines)
    assert layout.routes


def test_boxes_are_disjoint_and_lie_in_the_lane_of_their_group(layout: Layout) -> None:
    boxes = [placed.box for placed in layout.cards.values()]
    assert not [pair for pair in combinations(boxes, 2) if pair[0].overlaps(pair[1])]
    lanes = {lane.group: lane.box for lane in layout.lanes}
    assert not [pair for pair in combinations(lanes.values(), 2) if pair[0].overlaps(pair[1])]
    for placed in layout.cards.values():
        assert lanes[placed.card.node.row.group].contains(placed.box), placed.card.node.name


def test_the_rows_of_a_box_are_disjoint_and_inside(layout: Layout) -> None:
    for placed in layout.cards.values():
        card = placed.card
        inside = Rect(0, 0, card.width, card.height)
        areas = [row.area for row in card.rows]
        assert all(inside.contains(area) for area in areas), card.node.name
        assert not [pair for pair in combinations(areas, 2) if pair[0].overlaps(pair[1])], card.node.name


def test_texts_fit_their_row_and_do_not_cover_each_other(layout: Layout) -> None:
    for placed in layout.cards.values():
        for row in placed.card.rows:
            texts = [extent(shape) for shape in row.shapes if isinstance(shape, Text)]
            assert all(row.area.contains(text) for text in texts), (placed.card.node.name, texts, row.area)
            assert not [pair for pair in combinations(texts, 2) if pair[0].overlaps(pair[1])]


def test_a_chip_covers_no_text_but_its_own(layout: Layout) -> None:
    for placed in layout.cards.values():
        for row in placed.card.rows:
            chips = [shape for shape in row.shapes if isinstance(shape, Rect)]
            texts = [extent(shape) for shape in row.shapes if isinstance(shape, Text)]
            for chip in chips:
                assert row.area.contains(chip)
                assert [chip.contains(text) for text in texts if chip.overlaps(text)] == [True]


def test_lines_go_from_border_to_border_and_through_no_box(layout: Layout) -> None:
    for route in layout.routes:
        assert on_border(route.points[0], layout.cards[route.edge.source].box)
        assert on_border(route.points[-1], layout.cards[route.edge.target].box)
    assert through_boxes(layout) == []


def test_lines_through_no_title_of_a_lane(layout: Layout) -> None:
    for lane in layout.lanes:
        title = Rect(lane.box.x + 12, lane.box.y, text_width(lane.group.value, 13, bold=True), LANE_TITLE)
        assert not [route.edge.key for route in layout.routes for p in pieces(route) if touches(p, title)]


def test_lines_to_different_states_never_share_a_way(layout: Layout) -> None:
    upright = [(r.edge.target, p) for r in layout.routes for p in pieces(r) if p.width == 0]
    level = [(r.edge.target, p) for r in layout.routes for p in pieces(r) if p.height == 0]
    for (a, one), (b, other) in combinations(upright, 2):
        near = abs(one.x - other.x) < 4 and one.y < other.bottom and other.y < one.bottom
        assert a == b or not near, (a, b)
    for (a, one), (b, other) in combinations(level, 2):
        near = abs(one.y - other.y) < 4 and one.x < other.right and other.x < one.right
        assert a == b or not near, (a, b)


def test_few_lines_cross(layout: Layout) -> None:
    upright = [(r.edge.target, p) for r in layout.routes for p in pieces(r) if p.width == 0]
    level = [(r.edge.target, p) for r in layout.routes for p in pieces(r) if p.height == 0]
    crossings = {
        (a, b, v.x, h.y)
        for a, v in upright
        for b, h in level
        if a != b and h.x < v.x < h.right and v.y < h.y < v.bottom
    }
    assert len(crossings) <= len(layout.routes)


def test_the_picture_holds_everything(layout: Layout) -> None:
    scene = scene_of(layout)
    page = Rect(0, 0, scene.width, scene.height)
    texts = [extent(shape) for figure in scene.figures for shape in figure.shapes if isinstance(shape, Text)]
    assert all(page.contains(text) for text in texts)
    legend = next(figure for figure in scene.figures if figure.name == "legend")
    assert not covered(legend)


def covered(figure: Figure) -> list[tuple[Rect, Rect]]:
    texts = [extent(shape) for shape in figure.shapes if isinstance(shape, Text)]
    return [pair for pair in combinations(texts, 2) if pair[0].overlaps(pair[1])]


def on_border(point: tuple[float, float], box: Rect) -> bool:
    x, y = point
    inside = box.x <= x <= box.right and box.y <= y <= box.bottom
    return inside and (x in {box.x, box.right} or y in {box.y, box.bottom})


def through_boxes(layout: Layout) -> list[tuple[tuple[str, str], str]]:
    return [
        (route.edge.key, name)
        for route in layout.routes
        for piece in pieces(route)
        for name, placed in layout.cards.items()
        if touches(piece, placed.box)
    ]


class Anything(Enum):
    """States of tables that nobody has written yet."""

    A, B, C, D, E, F, G, H = "abcdefgh"


class Happening(Enum):
    """Their event."""

    GO = "go"


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """Any states in any groups with any rules between them; some have ended, some are steps."""
    rows = []
    for number, state in enumerate(Anything):
        group = draw(st.sampled_from(Group))
        kind = Kind.ENDED_WELL if group is Group.END else Kind.RESTING
        step = f"step {number}: " if draw(st.booleans()) else ""
        rows.append(Row(state, group, kind, "screen", meaning=f"{step}some state"))
    alive = [row.state for row in rows if row.kind is Kind.RESTING]
    pairs = st.tuples(st.sampled_from(alive or [Anything.A]), st.sampled_from(Anything))
    rules = tuple(Rule(a, Happening.GO, b) for a, b in draw(st.lists(pairs, max_size=24)) if a in alive)
    return Table("any", "Any table", Anything.A, tuple(rows), tuple(Happening), rules, {})


@given(tables())
@settings(max_examples=80, deadline=None, derandomize=True)
def test_any_table_gets_a_picture_without_collisions(table: Table) -> None:
    layout = layout_of(graph_of(table))
    boxes = [placed.box for placed in layout.cards.values()]
    assert not [pair for pair in combinations(boxes, 2) if pair[0].overlaps(pair[1])]
    assert through_boxes(layout) == []
    assert scene_of(layout).figures


def test_wrapping_keeps_every_word_and_the_width() -> None:
    text = "host approved · host declined · timeout"
    lines = wrap(text, 90, 12)
    assert " ".join(lines) == text
    assert len(lines) > 1
    assert all(text_width(line, 12) <= 90 for line in lines)


def test_wrapping_breaks_at_no_break_spaces_only_when_it_must() -> None:
    assert wrap("a card\u00a0removed", text_width("a card", 12), 12) == ["a card", "removed"]
    assert wrap("a card\u00a0removed", text_width("card removed", 12), 12) == ["a", "card removed"]
