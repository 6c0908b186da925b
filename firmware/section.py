"""One state table with the work that carries it out: a section of the terminal.

The terminal table is the section that is always there. In some of its states it hands over to another section
(`DELEGATES`) and waits for the end of that one: a payment, say, has a table of its own. While a section is in
charge, its row says what is shown, how long the state lasts and what the keys mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

from firmware.records import Reason
from firmware.txn import terminal, transaction
from firmware.txn.machine import TableMachine, resolve
from firmware.txn.schema import Row, Rule, Table
from firmware.work import Guards, Signal, Work

TERMINAL = "terminal"
DELEGATES: Mapping[Enum, str] = {
    terminal.State.IN_TRANSACTION: "transaction",
    terminal.State.IN_FLOOR: "floor",
    terminal.State.IN_SETTLEMENT: "settlement",
}
"""Which section is in charge in a state of the terminal table; in every other state it is the terminal's own.

The end of a section is the event `<name>_ended` of the terminal table.
"""

_RECOVERY = {state: row.recovery for state, row in transaction.TABLE.by_state.items()}


class Section:
    """A table, its machine, its work and its guards.

    Raises TableError when the table is not whole, or a name in it has no method.
    """

    def __init__(self, table: Table, work: Work, guards: Guards) -> None:
        self.name = table.name
        self.work = work
        self.guards = guards
        self.machine = TableMachine(table, guards)
        self.methods: Mapping[str, Callable[..., Any]] = {
            **resolve(table, "records", work),
            **resolve(table, "effects", work),
        }
        self._events = {event.value: event for event in table.events}
        self.state: Enum = self.machine.state
        self._rows = table.by_state
        self.row: Row = self._rows[self.state]  # kept: it is asked for at every step

    def knows(self, signal: Signal) -> bool:
        """Whether the table has an event of that name."""
        return signal.name in self._events

    def begin(self) -> None:
        """Start the table anew, with its work ready for it."""
        self.machine.reset()
        self._follow()
        self.work.begin()

    def fire(self, signal: Signal) -> Rule | None:
        """Take the rule for a signal that the table knows; None when it is ignored here."""
        event = self._events[signal.name]
        self.guards.data = signal.data
        try:
            rule = self.machine.fire(event)
        finally:
            self.guards.data = None  # a card that was swiped must not outlive its payment
        self.work.event = event
        self._follow()
        return rule

    def _follow(self) -> None:
        self.state = self.work.state = self.machine.state
        self.row = self._rows[self.state]

    def commit(self, rule: Rule, data: object) -> None:
        """Make durable what the rule says. Raises StorageFailed: nothing changed."""
        if not worth_a_commit(rule):
            return
        journal, upkeep = self.work.parts.journal, self.work.parts.upkeep
        draft = journal.draft()
        self.work.apply(rule, draft)
        for name in rule.records:
            self.methods[name](draft, data)
        draft.extra += upkeep.changes()
        journal.commit(draft)
        upkeep.committed()


def worth_a_commit(rule: Rule) -> bool:
    """Whether a power cut right after this rule would be recovered from differently than before it."""
    if rule.records or rule.outcome is not None or rule.reason is not Reason.NONE:
        return True
    return _RECOVERY.get(rule.source) is not _RECOVERY.get(rule.target)
