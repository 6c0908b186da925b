"""Runs a state table on `transitions`, and is the only file that knows that library.

The library is used for what it is good at, choosing a transition by event, source and guard. It is kept from
what would hide the order of things: no automatic `to_<state>` that passes by the guards, no callbacks with
effects, no threads for timeouts. `fire` answers which rule was taken; the caller carries the rule out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from functools import partial
from typing import Any

from transitions import Machine

from firmware.txn.schema import Rule, Table


class TableError(Exception):
    """The table, or what is to carry it out, is not whole. A programming mistake, found when it is built."""


def resolve(table: Table, part: str, owner: object) -> dict[str, Callable[..., Any]]:
    """The methods of `owner` for every name that the table uses in `part` ("guard", "records", "effects").

    Raises TableError naming each one that is missing: a misspelt name is found here, not when it fires.
    """
    methods = {name: getattr(owner, name, None) for name in sorted(table.names(part))}
    missing = [name for name, method in methods.items() if not callable(method)]
    if missing:
        raise TableError(f"{table.name}: no such {part} in {type(owner).__name__}: {', '.join(missing)}")
    return {name: method for name, method in methods.items() if method is not None}


class _Model:
    """What `transitions` puts its state and its trigger on. Empty, so that no name can collide."""

    state: str
    trigger: Callable[[str], bool]


class TableMachine:
    """A running table. `guards` has a method without arguments for each guard's name."""

    def __init__(self, table: Table, guards: object) -> None:
        if defects := table.defects():
            raise TableError(f"{table.name}: {'; '.join(defects)}")
        self.table = table
        self._states = {row.state.value: row.state for row in table.rows}
        self._taken: Rule | None = None
        self._model = _Model()
        self._machine = Machine(
            model=self._model,
            states=list(self._states),
            initial=table.initial.value,
            transitions=self._transitions(resolve(table, "guard", guards)),
            auto_transitions=False,
        )

    def _transitions(self, guards: dict[str, Callable[..., Any]]) -> Sequence[dict[str, Any]]:
        return [
            {
                "trigger": rule.event.value,
                "source": rule.source.value,
                "dest": rule.target.value,
                "conditions": [guards[rule.guard]] if rule.guard else [],
                "before": partial(self._take, rule),
            }
            for rule in self.table.rules
        ]

    def _take(self, rule: Rule) -> None:
        self._taken = rule

    @property
    def state(self) -> Enum:
        """The state now."""
        return self._states[self._model.state]

    def reset(self) -> None:
        """Back to the initial state, for the next run of the same table."""
        self._machine.set_state(self.table.initial.value)

    def fire(self, event: Enum) -> Rule | None:
        """Take the rule for `event` and return it; None when the table ignores the event here.

        The state has changed when this returns, and nothing else has happened.
        """
        if (self.state, event) in self.table.ignored:
            return None
        self._taken = None
        self._model.trigger(event.value)
        if self._taken is None:
            raise TableError(f"{self.table.name}: {self.state.value} has no rule for {event.value}")
        return self._taken
