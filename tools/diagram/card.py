"""The box of one state: its title, what it shows, how long it waits, and everything that can happen in it.

    (4) Authorised            (clock) 0.8 s      title, steps of the main path, timeout
    authorised, two beeps; the PIN comes next    meaning
    screen: authorised                           screen, and what the keys mean
    ------------------------------------------
    link up [else]                           o-- a row with a port: a line leaves here
    / send purchase                              its effects
    ------------------------------------------
    cancel · card removed        ( Reversing )   a row with a chip: an exit, in the colour of its target

The labels of the lines stand in the box, at the place where the line leaves it: so they cannot collide with
anything, and whoever looks at a state sees at once all that can happen there. A line that leads straight down
to the next box leaves from the last row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from firmware.txn.schema import Keys
from tools.diagram.graph import (
    Edge,
    Graph,
    Node,
    Trigger,
    count_text,
    duration,
    event_list,
    guard_text,
    words,
)
from tools.diagram.palette import FAINT_INK, INK, MAIN_LINE, MISSED, PAPER, ROLES, RULE
from tools.diagram.shapes import Circle, Line, Rect, Shape, Text
from tools.diagram.text_width import NO_BREAK, text_width, wrap

WIDTH = 292
PAD = 12
INNER = WIDTH - 2 * PAD
TITLE_SIZE, TEXT_SIZE, SMALL_SIZE = 15, 11.5, 10.5
LEADING = 15  # from one line of a row to the next
CHIP_HEIGHT = 17
BADGE_RADIUS = 10
KEYS = {
    Keys.AMOUNT: "amount keys",
    Keys.PIN: "PIN keys",
    Keys.IDLE: "function keys",
    Keys.KEY_CHOICE: "key choice",
    Keys.COMPONENT: "hex keys, secure",
    Keys.SERIAL_NUMBER: "hex keys",
    Keys.CHECK_VALUE: "hex keys",
    Keys.CUSTODIAN: "custodian's keys",
}
STAYS = "stays"


@dataclass(frozen=True, slots=True)
class CardRow:
    """One row; `area` is its part of the box, all in coordinates of the box."""

    area: Rect
    shapes: tuple[Shape, ...]
    edges: tuple[Edge, ...] = ()
    port_y: float = 0  # where a line leaves


@dataclass(frozen=True, slots=True)
class Card:
    """A box with its rows, from the top down."""

    node: Node
    height: float
    rows: tuple[CardRow, ...]
    width: float = WIDTH

    def port_y(self, edge: Edge) -> float:
        """Where the line of `edge` leaves, from the top of the box."""
        return next(row.port_y for row in self.rows if edge in row.edges and row.port_y)


@dataclass
class _Builder:
    """Stacks rows."""

    width: float
    height: float = 0
    rows: list[CardRow] = field(default_factory=list)

    def add(
        self, height: float, shapes: Iterable[Shape], edges: Iterable[Edge] = (), *, port: bool = False
    ) -> None:
        area = Rect(0, self.height, self.width, height)
        placed = tuple(shape.moved(0, self.height) for shape in shapes)
        port_y = self.height + height / 2 if port else 0
        self.rows.append(CardRow(area, placed, tuple(edges), port_y))
        self.height += height

    def rule(self) -> None:
        """A thin line between rows."""
        self.add(7, [Line(((PAD, 3.5), (self.width - PAD, 3.5)), RULE, 1)])


def card_of(graph: Graph, node: Node, line_order: Sequence[Edge], straight: Edge | None) -> Card:
    """The box of `node`; its lines leave in the order of `line_order`, `straight` from the bottom."""
    builder = _Builder(WIDTH)
    _head(builder, node)
    _arrivals(builder, graph.from_everywhere.get(node.name, ()))
    for edge in line_order:
        if edge is not straight:
            builder.rule()
            _line_row(builder, edge)
    for block in _exit_blocks(graph, node.name).items():
        builder.rule()
        _exit_row(builder, block, graph)
    if straight:
        builder.rule()
        _line_row(builder, straight)
    builder.add(11 if straight else 6, [])
    return Card(node, builder.height, tuple(builder.rows))


def end_card(node: Node, width: float) -> Card:
    """The small box of a state in which nothing happens any more."""
    builder = _Builder(width)
    builder.add(7, [])
    builder.add(
        20, [Text(width / 2, 15, node.title, TITLE_SIZE, ROLES[node.role].strong, bold=True, anchor="middle")]
    )
    for line in wrap(node.meaning, width - 2 * PAD, SMALL_SIZE):
        builder.add(LEADING, [Text(width / 2, 11, line, SMALL_SIZE, FAINT_INK, anchor="middle")])
    builder.add(7, [])
    return Card(node, builder.height, tuple(builder.rows), width)


def _head(builder: _Builder, node: Node) -> None:
    shapes: list[Shape] = []
    x = float(PAD)
    for step in node.steps:
        shapes += step_badge(x + BADGE_RADIUS, 15, step)
        x += 2 * BADGE_RADIUS + 3
    x += 3 if node.steps else 0
    shapes.append(Text(x, 20, node.title, TITLE_SIZE, ROLES[node.role].strong, bold=True))
    if node.timeout_ms is not None:
        shapes += clock_badge(WIDTH - PAD, 15, duration(node.timeout_ms))
    builder.add(31, shapes)
    for line in wrap(node.meaning, INNER, SMALL_SIZE):
        builder.add(LEADING - 1, [Text(PAD, 11, line, SMALL_SIZE, INK)])
    about = [f"screen: {words(node.row.screen)}" if node.row.screen else "", KEYS.get(node.row.keys, "")]
    if any(about):
        builder.add(LEADING, [Text(PAD, 11, " · ".join(filter(None, about)), SMALL_SIZE, FAINT_INK)])


def _arrivals(builder: _Builder, events: Sequence[str]) -> None:
    """What leads here from everywhere."""
    lines = wrap(f"from every state in use: {event_list(events)}", INNER, TEXT_SIZE) if events else []
    if lines:
        builder.rule()
        builder.add(
            LEADING * len(lines),
            [Text(PAD, 11.5 + LEADING * i, line, TEXT_SIZE) for i, line in enumerate(lines)],
        )


def step_badge(x: float, y: float, step: int) -> list[Shape]:
    """The number of a step, in a disc."""
    return [
        Circle(x, y, BADGE_RADIUS, MAIN_LINE),
        Text(x, y + 4.2, str(step), TEXT_SIZE, PAPER, bold=True, anchor="middle"),
    ]


def clock_badge(right: float, y: float, text: str) -> list[Shape]:
    """A little clock and a time, ending at `right`."""
    x = right - text_width(text, TEXT_SIZE) - 11
    return [
        Circle(x, y, 6, PAPER, FAINT_INK, 1.4),
        Line(((x, y - 3.6), (x, y), (x + 2.8, y + 1.6)), FAINT_INK, 1.3),
        Text(right, y + 4, text, TEXT_SIZE, INK, anchor="end"),
    ]


def _line_row(builder: _Builder, edge: Edge) -> None:
    """The label of a line: events and guard, and small below what leaves the terminal."""
    shapes: list[Shape] = []
    y = 0.0
    for index, trigger in enumerate(edge.triggers):
        y += 4 if index else 0
        ink = _ink(trigger)
        for line in wrap(trigger.text(), INNER, TEXT_SIZE, bold=edge.on_main_path):
            shapes.append(Text(PAD, y + 11.5, line, TEXT_SIZE, ink, bold=edge.on_main_path))
            y += LEADING
        effects = ", ".join(map(words, trigger.effects))
        for line in wrap(f"/ {effects}", INNER, SMALL_SIZE) if effects else ():
            shapes.append(Text(PAD, y + 10.5, line, SMALL_SIZE, FAINT_INK))
            y += LEADING - 1
    builder.add(y, shapes, [edge], port=True)


def _ink(trigger: Trigger) -> str:
    return MISSED if trigger.is_missed else INK


@dataclass(frozen=True, slots=True)
class _Exit:
    """One chip: under `guard` to the target of `edge`; `count` as of a Trigger."""

    guard: str
    edge: Edge
    count: int | None = None

    @property
    def text(self) -> str:
        """What stands before the chip, after the events."""
        return guard_text(self.guard) + count_text(self.count)

    @property
    def ink(self) -> str:
        """The colour of that."""
        return MISSED if self.count == 0 else INK


Events = tuple[str, ...]


def _exit_blocks(graph: Graph, name: str) -> Mapping[Events, list[_Exit]]:
    """The exits of a state, those with the same events together."""
    blocks: dict[Events, list[_Exit]] = {}
    for edge in graph.edges_from(name):
        told_there = graph.from_everywhere.get(edge.target, ())
        alike: dict[tuple[str, bool], list[Trigger]] = {}
        for trigger in () if edge.is_line else edge.triggers:
            alike.setdefault((trigger.guard, trigger.is_missed), []).append(trigger)
        for (guard, _), triggers in alike.items():
            events = tuple(event for one in triggers for event in one.events if event not in told_there)
            counts = [one.count for one in triggers if one.count is not None]
            if events:
                way_out = _Exit(guard, edge, sum(counts) if counts else None)
                blocks.setdefault(events, []).append(way_out)
    return blocks


def _exit_row(builder: _Builder, block: tuple[Events, list[_Exit]], graph: Graph) -> None:
    events, exits = block
    text = event_list(events)
    if len(exits) == 1:
        _exit_line(builder, text + exits[0].text, exits[0], graph)
        return
    lines = wrap(text, INNER, TEXT_SIZE)
    shapes = [Text(PAD, 11.5 + LEADING * index, line, TEXT_SIZE) for index, line in enumerate(lines)]
    builder.add(LEADING * len(lines) + 1, shapes)
    for way_out in exits:
        _exit_line(builder, way_out.text.lstrip(f" :{NO_BREAK}"), way_out, graph)


def _exit_line(builder: _Builder, text: str, way_out: _Exit, graph: Graph) -> None:
    """Text at the left, chip at the right of its last line."""
    edge = way_out.edge
    target = graph.by_name[edge.target]
    name, colours = (STAYS if edge.is_loop else target.title), ROLES[target.role]
    chip_width = text_width(name, SMALL_SIZE, bold=True) + 14
    lines = wrap(text, INNER, TEXT_SIZE)
    if text_width(lines[-1], TEXT_SIZE) > INNER - chip_width - 8:
        lines = wrap(text, INNER - chip_width - 8, TEXT_SIZE) if len(lines) == 1 else [*lines, ""]
    last = LEADING * (len(lines) - 1)
    chip = Rect(
        WIDTH - PAD - chip_width, last + 1, chip_width, CHIP_HEIGHT, colours.pale, colours.strong, 1, 8.5
    )
    middle = chip.x + chip_width / 2
    shapes: list[Shape] = [
        Text(PAD, 13.5 + LEADING * index, line, TEXT_SIZE, way_out.ink)
        for index, line in enumerate(lines)
        if line
    ]
    shapes += [chip, Text(middle, last + 13.3, name, SMALL_SIZE, colours.strong, bold=True, anchor="middle")]
    height = last + CHIP_HEIGHT + 5
    builder.add(height, shapes, [edge])
