"""Which rules of the state tables are taken while tests run."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from firmware.txn.machine import TableMachine
from firmware.txn.schema import Rule, Table
from tools.diagram.hits import key_of
from tools.mutate.mutants import MODULES


def name_of(table: Table, rule: Rule) -> str:
    """A rule as a file of hits names it."""
    return " ".join((table.name, *key_of(rule)))


def every_rule() -> list[str]:
    """All rules of all tables, by their names, in the order of the tables."""
    return [name_of(module.TABLE, rule) for module in MODULES.values() for rule in module.TABLE.rules]


def watch(note: Callable[[str], None]) -> None:
    """From now on tell each rule that any machine with one of the terminal's tables takes."""
    tables = {id(module.TABLE) for module in MODULES.values()}
    names: dict[int, str] = {}  # by the identity of a rule, which its table keeps alive
    fire = TableMachine.fire

    def noted(self: TableMachine, event: Enum) -> Rule | None:
        rule = fire(self, event)
        if rule is not None and id(self.table) in tables:
            if (name := names.get(id(rule))) is None:
                name = names[id(rule)] = name_of(self.table, rule)
            note(name)
        return rule

    TableMachine.fire = noted  # type: ignore[method-assign]
