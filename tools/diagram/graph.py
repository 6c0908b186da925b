"""The graph of a state table: states, merged edges, and which of them are drawn as lines.

Rules with the same source and target are one edge. Most edges of a payment lead to an end or to the undoing;
as lines they would bury the way a payment takes. So an edge is a *line* when it leads on, and an *exit*, a
coloured chip inside the box of its source, when it

- leads to a state that has ended (except the last step of the main path),
- leads to a group that is only ever left or reached by giving up (undoing, service),
- returns to its own source, or
- leads to a crowded target: then only the edge that reaches it first, and the edges of sources most of whose
  rules lead there, stay lines (not where it is a state of rest, to which everything returns).

An event that leads from everywhere to the same state (a tamper, say) is told once, in the box of its target.

The main path is what the rows call "step 1" to "step n", with the initial state before it and the good end
after it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from itertools import pairwise

from firmware.settings import TerminalSettings
from firmware.txn.schema import Group, Keys, Kind, Row, Rule, Table
from tools.diagram.hits import Hits, key_of
from tools.diagram.text_width import NO_BREAK

CROWD = 2  # more sources than this, and a target's lines become exits
GIVING_UP = (Group.UNDO, Group.SERVICE)
ACRONYMS = {"pin": "PIN", "mac": "MAC"}
ELSE = "else"
STEP = re.compile(r"steps? (\d+(?:(?:, | and )\d+)*): *")


class Role(Enum):
    """What a state is to the reader of a picture; decides its colour."""

    ENTRY = "keys are typed"
    WAITING = "waits"
    UNDOING = "undoes"
    RESTING = "rests"
    ENDED_WELL = "ended well"
    ENDED_BADLY = "ended badly"


@dataclass(frozen=True)
class Node:
    """One state."""

    row: Row
    steps: tuple[int, ...]
    meaning: str  # without the "step n:" in front
    timeout_ms: int | None

    @property
    def name(self) -> str:
        """The name in the table."""
        return str(self.row.state.value)

    @property
    def title(self) -> str:
        """The name for people."""
        return title(self.name)

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self.row.kind in {Kind.ENDED_WELL, Kind.ENDED_BADLY}

    @cached_property
    def role(self) -> Role:
        """What decides the colour."""
        match self.row.kind:
            case Kind.ENDED_WELL:
                return Role.ENDED_WELL
            case Kind.ENDED_BADLY:
                return Role.ENDED_BADLY
            case Kind.RESTING:
                return Role.RESTING
            case _ if self.row.group is Group.UNDO:
                return Role.UNDOING
            case _:
                return Role.ENTRY if self.row.keys in {Keys.AMOUNT, Keys.PIN} else Role.WAITING


@dataclass(frozen=True)
class Trigger:
    """Events that do the same under the same guard."""

    events: tuple[str, ...]
    guard: str  # "" for none, ELSE when a guarded rule of the same pair stands before it
    effects: tuple[str, ...]
    count: int | None = None  # how often it was taken; None when nobody has counted

    @property
    def is_missed(self) -> bool:
        """Whether somebody has counted, and it was never taken."""
        return self.count == 0

    def text(self) -> str:
        """`card read [swipes left]`, for people; with `: 12` when it was counted."""
        return event_list(self.events) + guard_text(self.guard) + count_text(self.count)

    def lines(self) -> list[str]:
        """The label of a text format: events and guard, then what leaves the terminal."""
        effects = ", ".join(words(effect) for effect in self.effects)
        return [self.text().replace(NO_BREAK, " "), *([f"/ {effects}"] if effects else [])]


@dataclass(frozen=True)
class Edge:
    """All rules from one state to another, in the table's order."""

    source: str
    target: str
    rules: tuple[Rule, ...]
    guards: tuple[str, ...] = field(repr=False)  # of each rule, with ELSE filled in
    is_line: bool = False
    on_main_path: bool = False
    counts: tuple[int, ...] = ()  # of each rule, how often it was taken; () when nobody has counted

    @property
    def key(self) -> tuple[str, str]:
        """Source and target."""
        return self.source, self.target

    @property
    def is_loop(self) -> bool:
        """Whether it returns to its source."""
        return self.source == self.target

    @property
    def count(self) -> int | None:
        """How often one of the rules was taken; None when nobody has counted."""
        return sum(self.counts) if self.counts else None

    @cached_property
    def triggers(self) -> tuple[Trigger, ...]:
        """The rules, joined where guard and effects are the same; those never taken are kept apart."""
        joined: dict[tuple[str, tuple[str, ...], bool], list[int]] = {}
        for index, (rule, guard) in enumerate(zip(self.rules, self.guards, strict=True)):
            is_missed = bool(self.counts) and self.counts[index] == 0
            joined.setdefault((guard, rule.effects, is_missed), []).append(index)
        return tuple(
            Trigger(
                tuple(str(self.rules[index].event.value) for index in indices),
                guard,
                effects,
                sum(self.counts[index] for index in indices) if self.counts else None,
            )
            for (guard, effects, _), indices in joined.items()
        )

    def rule_texts(self) -> list[str]:
        """Every rule in full, one line each: event, guard, what is journalled, what leaves; its count."""
        counts = self.counts or (None,) * len(self.rules)
        return [rule_text(rule) + count_text(count) for rule, count in zip(self.rules, counts, strict=True)]


@dataclass(frozen=True)
class Graph:
    """A table, ready to be drawn or written."""

    table: Table
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    hits: Hits | None = None

    @property
    def name(self) -> str:
        """The machine's name."""
        return self.table.name

    @property
    def initial(self) -> str:
        """Where it begins."""
        return str(self.table.initial.value)

    @cached_property
    def by_name(self) -> Mapping[str, Node]:
        """The node of each state."""
        return {node.name: node for node in self.nodes}

    @cached_property
    def lines(self) -> tuple[Edge, ...]:
        """The edges that are drawn from box to box."""
        return tuple(edge for edge in self.edges if edge.is_line)

    @cached_property
    def from_everywhere(self) -> Mapping[str, tuple[str, ...]]:
        """For a target the events that lead to it, without a guard, from every state that is in use.

        None when hits are counted: then each state tells its own.
        """
        if self.hits is not None:
            return {}
        in_use = {n.name for n in self.nodes if not n.ended and n.row.group not in GIVING_UP}
        sources: dict[tuple[str, str], set[str]] = {}
        for rule in self.table.rules:
            if len(self.table.by_pair[rule.source, rule.event]) == 1:
                key = str(rule.target.value), str(rule.event.value)
                sources.setdefault(key, set()).add(rule.source.value)
        found: dict[str, tuple[str, ...]] = {}
        for (target, event), names in sources.items():
            if in_use - {target} <= names and len(in_use) > 1:
                found[target] = (*found.get(target, ()), event)
        return found

    def edges_from(self, name: str) -> list[Edge]:
        """The edges that leave a state, in the table's order."""
        return [edge for edge in self.edges if edge.source == name]

    def groups(self) -> list[tuple[Group, list[Node]]]:
        """The groups that are used, in the order of `Group`, with their states in the table's order."""
        members = [(group, [node for node in self.nodes if node.row.group is group]) for group in Group]
        return [(group, nodes) for group, nodes in members if nodes]


def words(name: str) -> str:
    """A name of the table as words: `host_bad_mac` becomes `host bad MAC`."""
    return " ".join(ACRONYMS.get(word, word) for word in name.split("_"))


def title(name: str) -> str:
    """Words, beginning with a capital."""
    text = words(name)
    return text[:1].upper() + text[1:]


def event_list(events: Iterable[str]) -> str:
    """`cancel · card removed`; lines are to be broken between the events only."""
    return f"{NO_BREAK}· ".join(words(event).replace(" ", NO_BREAK) for event in events)


def guard_text(guard: str) -> str:
    """` [swipes left]`, or nothing; lines are not to be broken within."""
    return f" [{words(guard)}]".replace(" ", NO_BREAK).replace(NO_BREAK, " ", 1) if guard else ""


def count_text(count: int | None) -> str:
    """`: 12`, `: never` or nothing; lines are not to be broken before it."""
    return "" if count is None else f":{NO_BREAK}{count or 'never'}"


def duration(timeout_ms: int) -> str:
    """A time as a person would say it: `0.8 s`, `60 s`, `2 min`."""
    if timeout_ms >= 120_000 and timeout_ms % 60_000 == 0:
        return f"{timeout_ms // 60_000} min"
    return f"{timeout_ms / 1000:g} s"


def rule_text(rule: Rule) -> str:
    """One rule in full, with the table's own names."""
    guard = f" [{rule.guard}]" if rule.guard else ""
    journal = [*rule.records]
    if rule.outcome:
        because = f" ({rule.reason.value})" if rule.reason.value else ""
        journal.append(f"outcome {rule.outcome.value}{because}")
    if rule.reversal:
        journal.append(f"reversal reason {rule.reversal.value}")
    parts = [f"{rule.event.value}{guard}"]
    if journal:
        parts.append("journal: " + ", ".join(journal))
    if rule.effects:
        parts.append("then: " + ", ".join(rule.effects))
    return " / ".join(parts)


def steps_of(meaning: str) -> tuple[tuple[int, ...], str]:
    """The steps that a meaning begins with, and the rest of it.

    >>> steps_of("steps 2 and 3: with the bank")
    ((2, 3), 'with the bank')
    """
    match = STEP.match(meaning)
    if not match:
        return (), meaning
    return tuple(int(number) for number in re.findall(r"\d+", match[1])), meaning[match.end() :]


def graph_of(table: Table, settings: TerminalSettings | None = None, hits: Hits | None = None) -> Graph:
    """The graph of `table`; timeouts are those of `settings` (default: the defaults), `hits` are painted."""
    settings = settings or TerminalSettings()
    nodes = tuple(_node(row, settings) for row in table.rows)
    return Graph(table, nodes, _edges(table, nodes, hits), hits)


def _node(row: Row, settings: TerminalSettings) -> Node:
    steps, meaning = steps_of(row.meaning)
    return Node(row, steps, meaning, int(getattr(settings, row.timeout)) if row.timeout else None)


def _edges(table: Table, nodes: Iterable[Node], hits: Hits | None) -> tuple[Edge, ...]:
    merged: dict[tuple[str, str], list[tuple[Rule, str]]] = {}
    for rules in table.by_pair.values():
        for rule in rules:
            guard = rule.guard or (ELSE if len(rules) > 1 else "")
            merged.setdefault((rule.source.value, rule.target.value), []).append((rule, guard))
    main = main_path(nodes, table.initial.value)
    index = {node.name: index for index, node in enumerate(nodes)}
    lines = _lines(merged, {node.name: node for node in nodes}, main, table.initial.value)
    return tuple(
        Edge(
            *key,
            rules=tuple(rule for rule, _ in pairs),
            guards=tuple(guard for _, guard in pairs),
            is_line=key in lines,
            on_main_path=key in main,
            counts=tuple(hits[key_of(rule)] for rule, _ in pairs) if hits is not None else (),
        )
        for key, pairs in sorted(merged.items(), key=lambda item: index[item[0][0]])
    )


def main_path(nodes: Iterable[Node], initial: str) -> set[tuple[str, str]]:
    """The pairs of neighbours on the way from the initial state through all steps to the good end."""
    nodes = list(nodes)
    steps = [node.name for node in nodes if node.steps]
    ends = [node.name for node in nodes if node.row.kind is Kind.ENDED_WELL]
    way = [initial, *(name for name in steps if name != initial), *ends[:1]]
    return set(pairwise(way)) if steps else set()


def _lines(
    edges: Mapping[tuple[str, str], Sequence[object]],
    nodes: Mapping[str, Node],
    main: set[tuple[str, str]],
    initial: str,
) -> set[tuple[str, str]]:
    """The edges that lead on: see the top of this file."""
    onward = {
        (source, target)
        for source, target in edges
        if source != target and not nodes[target].ended and nodes[target].row.group not in GIVING_UP
    }
    sources = Counter(target for _, target in onward)
    homes = {name for name, node in nodes.items() if node.row.kind is Kind.RESTING and sources[name] > CROWD}
    favourites = {
        max(
            (pair for pair in onward if pair[0] == name and pair[1] not in homes),
            key=lambda pair: (len(edges[pair]), pair),
            default=None,
        )
        for name in nodes
    }
    trunk = _trunk(edges, initial) | favourites
    kept = {pair for pair in onward if sources[pair[1]] <= CROWD or pair in trunk}
    return kept | (main & set(edges))


def _trunk(edges: Iterable[tuple[str, str]], initial: str) -> set[tuple[str, str]]:
    """For every state the edge by which it is reached first, breadth first."""
    reached, front, trunk = {initial}, [initial], set()
    while front:
        source = front.pop(0)
        for pair in edges:
            if pair[0] == source and pair[1] not in reached:
                reached.add(pair[1])
                front.append(pair[1])
                trunk.add(pair)
    return trunk
