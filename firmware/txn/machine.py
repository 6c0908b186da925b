"""Runs a state table on `transitions`, and is the only file that knows that library.

The library is used for what it is good at, choosing a transition by event, source and guard. It is kept from
what would hide the order of things: no automatic `to_<state>` that passes by the guards, no callbacks with
effects, no threads for timeouts. `fire` answers which rule was taken; the caller carries the rule out.

So the library's events and transitions are used with a shorter way from the one to the other (`_TableEvent`):
what it does around a change of state, for callbacks that no table has, takes ten times as long as the change.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

from transitions import Event, Machine, Transition

from firmware.txn.schema import Rule, Table


class TableError(Exception):
    """The table, or what is to carry it out, is not whole. A programming mistake, found when it is built."""


def resolve(table: Table, part: str, owner: object) -> dict[str, Callable[..., Any]]:
    """The methods of `owner` for every name that the table uses in `part` ("guard", "records", "effects").

    Raises TableError naming each one that is missing: a misspelt name is found here, not when it fires.
    """
    methods = {name: getattr(owner, name, None) for name in table.names(part)}
    missing = sorted(name for name, method in methods.items() if not callable(method))
    if missing:
        raise TableError(f"{table.name}: no such {part} in {type(owner).__name__}: {', '.join(missing)}")
    return {name: method for name, method in methods.items() if method is not None}


class _Model:
    """One running table: what `transitions` puts a state on, whom guards are asked, the rule taken last."""

    __slots__ = ("guards", "state", "taken")

    def __init__(self, state: str, guards: Mapping[str, Callable[[], bool]]) -> None:
        self.state = state
        self.guards = guards
        self.taken: Rule | None = None


class _RuleTransition(Transition):
    """The transition that a rule makes."""

    def __init__(self, source: str, dest: str, *callbacks: Any, rule: Rule) -> None:
        super().__init__(source, dest, *callbacks)
        self.rule = rule


class _TableEvent(Event):
    """An event that takes the first of its state's rules whose guard holds, and does nothing besides."""

    transitions: defaultdict[str, list[Any]]  # of _RuleTransition

    def trigger(self, model: Any, *_args: Any, **_kwargs: Any) -> bool:
        """Take it; False when there is none."""
        for transition in self.transitions.get(model.state, ()):
            rule = transition.rule
            if not rule.guard or model.guards[rule.guard]():
                model.state, model.taken = transition.dest, rule
                return True
        return False


class _TableLibrary(Machine):
    transition_cls = _RuleTransition
    event_cls = _TableEvent


class TableMachine:
    """A running table. `guards` has a method without arguments for each guard's name.

    What the library makes of a table is the same for every terminal and much larger than the terminal: it is
    made once, and each machine has a model of its own.
    """

    def __init__(self, table: Table, guards: object) -> None:
        self.table = table
        self._events = _shared(table).events
        self._model = _Model(str(table.initial.value), resolve(table, "guard", guards))
        self.state = table.initial

    def reset(self) -> None:
        """Back to the initial state, for the next run of the same table."""
        self.state = self.table.initial
        self._model.state = str(self.state.value)

    def fire(self, event: Enum) -> Rule | None:
        """Take the rule for `event` and return it; None when the table ignores the event here.

        The state has changed when this returns, and nothing else has happened.
        """
        model = self._model
        model.taken = None
        self._events[event].trigger(model)
        if model.taken is not None:
            self.state = model.taken.target
        elif (self.state, event) not in self.table.ignored:
            raise TableError(f"{self.table.name}: {self.state.value} has no rule for {event.value}")
        return model.taken


class _Shared:
    """What all machines of one table have in common. Raises TableError for a table that is not whole."""

    def __init__(self, table: Table) -> None:
        if defects := table.defects():
            raise TableError(f"{table.name}: {'; '.join(defects)}")
        self.table = table  # held, so that its id stays its own
        self.machine = _TableLibrary(
            model=None,
            states=[row.state.value for row in table.rows],
            initial=table.initial.value,
            transitions=[_transition(rule) for rule in table.rules],
            auto_transitions=False,
        )
        known = self.machine.events  # not those that are ignored in every state
        self.events = {
            event: known.get(event.value) or _TableEvent(event.value, self.machine) for event in table.events
        }


_SHARED: dict[int, _Shared] = {}


def _shared(table: Table) -> _Shared:
    return _SHARED.get(id(table)) or _SHARED.setdefault(id(table), _Shared(table))


def _transition(rule: Rule) -> dict[str, Any]:
    return {
        "trigger": rule.event.value,
        "source": rule.source.value,
        "dest": rule.target.value,
        "rule": rule,
    }
