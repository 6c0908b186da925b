"""The shape of a state table of the bank, and the machine that runs one.

A table is data: the machine, the diagram and the completeness test are made from it. Every pair of state and
event is either a rule or refused for a reason that people read. Rules of one pair are tried in order; the
last has no guard.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property


@dataclass(frozen=True, slots=True)
class StateRow:
    """One state and what it means. `ended`: nothing happens in it any more."""

    state: Enum
    meaning: str
    ended: bool = False


@dataclass(frozen=True, slots=True)
class StateRule:
    """In `source`, on `event`, if `guard` holds: to `target`, and `records` are carried out in one commit.

    `refuses`: why nothing was done, for a rule that stands for a guard that did not hold.
    """

    source: Enum
    event: Enum
    target: Enum
    guard: str = ""
    records: tuple[str, ...] = ()
    refuses: str = ""


@dataclass(frozen=True)
class StateTable:
    """A whole machine as data."""

    name: str
    title: str
    initial: Enum
    rows: tuple[StateRow, ...]
    events: tuple[Enum, ...]
    rules: tuple[StateRule, ...]
    refused: Mapping[tuple[Enum, Enum], str]

    @cached_property
    def by_pair(self) -> Mapping[tuple[Enum, Enum], Sequence[StateRule]]:
        """The rules of each pair of state and event, in order."""
        pairs: dict[tuple[Enum, Enum], list[StateRule]] = {}
        for rule in self.rules:
            pairs.setdefault((rule.source, rule.event), []).append(rule)
        return pairs

    def rule_for(self, state: Enum, event: Enum, holds: Callable[[str], bool]) -> StateRule | str:
        """The rule that an event takes, or the reason for which it is refused. `holds` judges a guard."""
        for rule in self.by_pair.get((state, event), ()):
            if not rule.guard or holds(rule.guard):
                return rule.refuses or rule
        return self.refused[state, event]

    def defects(self) -> list[str]:
        """Everything that keeps the table from being whole; empty for a good one."""
        return [*self._undecided(), *self._unguarded(), *self._unreachable()]

    def _undecided(self) -> Iterator[str]:
        for row in self.rows:
            for event in self.events:
                pair = (row.state, event)
                if (pair in self.by_pair) == (pair in self.refused):
                    yield f"{row.state.value} on {event.value}: it needs a rule or a refusal, and not both"

    def _unguarded(self) -> Iterator[str]:
        for (state, event), rules in self.by_pair.items():
            if [rule.guard for rule in rules].index("") != len(rules) - 1:
                yield f"{state.value} on {event.value}: exactly the last rule must have no guard"

    def _unreachable(self) -> Iterator[str]:
        reached, front = {self.initial}, [self.initial]
        while front:
            state = front.pop()
            new = {rule.target for rule in self.rules if rule.source is state} - reached
            reached |= new
            front += new
        yield from (f"{row.state.value}: not reachable" for row in self.rows if row.state not in reached)


def refuse(states: Iterable[Enum], events: Iterable[Enum], reason: str) -> dict[tuple[Enum, Enum], str]:
    """Every pair of `states` and `events`, refused for `reason`."""
    events = tuple(events)
    return {(state, event): reason for state in states for event in events}
