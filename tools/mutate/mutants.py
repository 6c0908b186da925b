"""What can be spoilt about a rule of a state table, one thing at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from functools import cache
from typing import Any

from firmware.txn import floor, settlement, terminal, transaction
from firmware.txn.schema import Rule, Table
from tools.diagram.hits import key_of

MODULES: dict[str, Any] = {
    "transaction": transaction,
    "settlement": settlement,
    "terminal": terminal,
    "floor": floor,
}
"""The module of each table, which stands there as `TABLE`."""
MACHINES = tuple(MODULES)
MUTANT, TAKEN = "POSTERM_MUTANT", "POSTERM_TAKEN"  # what the plugin is told by the environment


class Kind(Enum):
    """What is done to a rule."""

    DROP_RULE = "drop rule"
    SWAP_TARGET = "swap target"
    DROP_RECORD = "drop record"
    DROP_EFFECT = "drop effect"
    DROP_GUARD = "drop guard"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change to the rule of that index. `detail`: the name that is dropped, or the new target."""

    machine: str
    index: int
    kind: Kind
    detail: str = ""

    def __str__(self) -> str:
        """As `parse` reads it."""
        return "/".join((self.machine, str(self.index), self.kind.value, self.detail))

    @classmethod
    def parse(cls, text: str) -> Mutant:
        """The mutant of a text. Raises ValueError."""
        machine = text.partition("/")[0]
        if machine not in MODULES or text not in _by_name(machine):
            raise ValueError(
                f"there is no mutant {text!r}: name it as a report does, as terminal/12/drop rule/"
            )
        return _by_name(machine)[text]

    @property
    def rule(self) -> Rule:
        """The rule as it should be."""
        table: Table = MODULES[self.machine].TABLE
        return table.rules[self.index]

    @property
    def noticed_by(self) -> list[str]:
        """The rules, named as in a file of hits, of which a test must take one to notice anything.

        That is the rule itself; without its guard, one of those behind it, which are not taken any more.
        """
        table: Table = MODULES[self.machine].TABLE
        rules = [self.rule]
        if self.kind is Kind.DROP_GUARD:
            alike = _pair(table, self.rule)
            rules = alike[alike.index(self.rule) + 1 :]
        return [" ".join((self.machine, *key_of(rule))) for rule in rules]

    def text(self) -> str:
        """For people: the rule, and what is done to it."""
        rule = self.rule
        guard = f" [{rule.guard}]" if rule.guard else ""
        way = f"{rule.source.value} --{rule.event.value}{guard}--> {rule.target.value}"
        return f"{self.machine}: {way}: {self.kind.value} {self.detail}".rstrip()


@cache
def _by_name(machine: str) -> dict[str, Mutant]:
    return {str(one): one for one in mutants_of(machine)}


def mutants_of(machine: str) -> Iterator[Mutant]:
    """Everything that can be done to a table, rule by rule, and changes it."""
    table: Table = MODULES[machine].TABLE
    for mutant in _conceivable(machine):
        changed = spoilt(table, mutant)
        if (changed.rules, changed.ignored) != (table.rules, table.ignored):
            yield mutant


def _conceivable(machine: str) -> Iterator[Mutant]:
    table: Table = MODULES[machine].TABLE
    states = [row.state for row in table.rows]
    for index, rule in enumerate(table.rules):
        yield Mutant(machine, index, Kind.DROP_RULE)
        other = states[(states.index(rule.target) + 1 + index) % len(states)]
        target = other if other is not rule.target else states[(states.index(other) + 1) % len(states)]
        yield Mutant(machine, index, Kind.SWAP_TARGET, str(target.value))
        for record in dict.fromkeys(rule.records):
            yield Mutant(machine, index, Kind.DROP_RECORD, record)
        for effect in dict.fromkeys(rule.effects):
            yield Mutant(machine, index, Kind.DROP_EFFECT, effect)
        if rule.guard:
            yield Mutant(machine, index, Kind.DROP_GUARD, rule.guard)


def spoilt(table: Table, mutant: Mutant) -> Table:
    """The table with that change.

    A pair that loses its only rule is ignored; where it loses the last of several, the event changes nothing
    when no guard holds. A rule that loses its guard makes those behind it superfluous: they go.
    """
    rule = table.rules[mutant.index]
    if mutant.kind is Kind.DROP_RULE:
        return _without(table, mutant.index)
    if mutant.kind is Kind.DROP_GUARD:
        behind = {id(one) for one in _pair(table, rule) if table.rules.index(one) > mutant.index}
        rules = [one for one in table.rules if id(one) not in behind]
        rules[mutant.index] = replace(rule, guard="")
        return replace(table, rules=tuple(rules))
    rules = list(table.rules)
    rules[mutant.index] = _changed(table, rule, mutant)
    return replace(table, rules=tuple(rules))


def _changed(table: Table, rule: Rule, mutant: Mutant) -> Rule:
    match mutant.kind:
        case Kind.SWAP_TARGET:
            return replace(rule, target=type(table.initial)(mutant.detail))
        case Kind.DROP_RECORD:
            return replace(rule, records=tuple(name for name in rule.records if name != mutant.detail))
        case _:
            return replace(rule, effects=tuple(name for name in rule.effects if name != mutant.detail))


def _pair(table: Table, rule: Rule) -> list[Rule]:
    return list(table.by_pair[rule.source, rule.event])


def _without(table: Table, index: int) -> Table:
    rule = table.rules[index]
    alike = _pair(table, rule)
    rules = list(table.rules)
    if rule.guard or len(alike) == 1:
        del rules[index]
    else:
        rules[index] = Rule(rule.source, rule.event, rule.source)
    ignored = dict(table.ignored)
    if len(alike) == 1:
        ignored[rule.source, rule.event] = "a rule was dropped"
    return replace(table, rules=tuple(rules), ignored=ignored)
