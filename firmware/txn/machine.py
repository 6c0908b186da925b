"""Runs a state table on `transitions`, and is the only file that knows that library.

The library is used for what it is good at, choosing a transition by event, source and guard. It is kept from
what would hide the order of things: no automatic `to_<state>` that passes by the guards, no callbacks with
effects, no threads for timeouts. `fire` answers which rule was taken; the caller carries the rule out.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from functools import partial
from typing import Any

from transitions import EventData, Machine

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
    """One running table: what `transitions` puts a state on, whom guards are asked, the rule taken last."""

    __slots__ = ("guards", "state", "taken")

    def __init__(self, state: str, guards: object) -> None:
        self.state = state
        self.guards = guards
        self.taken: Rule | None = None


class TableMachine:
    """A running table. `guards` has a method without arguments for each guard's name.

    What the library makes of a table is the same for every terminal and much larger than the terminal: it is
    made once, and each machine has a model of its own.
    """

    def __init__(self, table: Table, guards: object) -> None:
        resolve(table, "guard", guards)
        self.table = table
        self._shared = _shared(table)
        self._model = _Model(str(table.initial.value), guards)

    @property
    def state(self) -> Enum:
        """The state now."""
        return self._shared.states[self._model.state]

    def reset(self) -> None:
        """Back to the initial state, for the next run of the same table."""
        self._model.state = str(self.table.initial.value)

    def fire(self, event: Enum) -> Rule | None:
        """Take the rule for `event` and return it; None when the table ignores the event here.

        The state has changed when this returns, and nothing else has happened.
        """
        if (self.state, event) in self.table.ignored:
            return None
        self._model.taken = None
        self._shared.machine.events[event.value].trigger(self._model)
        if self._model.taken is None:
            raise TableError(f"{self.table.name}: {self.state.value} has no rule for {event.value}")
        return self._model.taken


class _Shared:
    """What all machines of one table have in common. Raises TableError for a table that is not whole."""

    def __init__(self, table: Table) -> None:
        if defects := table.defects():
            raise TableError(f"{table.name}: {'; '.join(defects)}")
        self.table = table  # held, so that its id stays its own
        self.states = {row.state.value: row.state for row in table.rows}
        self.machine = Machine(
            model=None,
            states=list(self.states),
            initial=table.initial.value,
            transitions=[_transition(rule) for rule in table.rules],
            auto_transitions=False,
            send_event=True,  # callbacks are told which model it is about
        )


_SHARED: dict[int, _Shared] = {}


def _shared(table: Table) -> _Shared:
    return _SHARED.get(id(table)) or _SHARED.setdefault(id(table), _Shared(table))


def _transition(rule: Rule) -> dict[str, Any]:
    return {
        "trigger": rule.event.value,
        "source": rule.source.value,
        "dest": rule.target.value,
        "conditions": [partial(_holds, rule.guard)] if rule.guard else [],
        "before": partial(_take, rule),
    }


def _holds(guard: str, event: EventData) -> bool:
    model: Any = event.model
    return bool(getattr(model.guards, guard)())


def _take(rule: Rule, event: EventData) -> None:
    model: Any = event.model
    model.taken = rule
