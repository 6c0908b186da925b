"""The machine: it takes the table's rules in their order, and refuses a table or an owner with a hole."""

from dataclasses import replace
from enum import Enum

import pytest
from transitions import Machine

from firmware.txn.machine import TableError, TableMachine, resolve
from firmware.txn.schema import Group, Kind, Row, Rule, Table, ignore


class Light(Enum):
    RED = "red"
    GREEN = "green"
    BLINKING = "blinking"


class Happening(Enum):
    TIMEOUT = "timeout"
    FAULT = "fault"


RULES = (
    Rule(Light.RED, Happening.TIMEOUT, Light.BLINKING, "is_night", effects=("hum",)),
    Rule(Light.RED, Happening.TIMEOUT, Light.RED, "is_busy"),
    Rule(Light.RED, Happening.TIMEOUT, Light.GREEN, records=("count",), effects=("click",)),
    Rule(Light.GREEN, Happening.TIMEOUT, Light.RED),
    Rule(Light.GREEN, Happening.FAULT, Light.BLINKING),
    Rule(Light.BLINKING, Happening.TIMEOUT, Light.RED),
)
TABLE = Table(
    "light",
    "A traffic light",
    Light.RED,
    tuple(Row(state, Group.ENTRY, Kind.WAITING, "", "result_ms") for state in Light),
    tuple(Happening),
    RULES,
    ignore((Light.RED, Light.BLINKING), (Happening.FAULT,), "not dangerous"),
)


class Guards:
    def __init__(self, *, night: bool = False, busy: bool = False) -> None:
        self.night = night
        self.busy = busy
        self.asked: list[str] = []

    def is_night(self) -> bool:
        self.asked.append("is_night")
        return self.night

    def is_busy(self) -> bool:
        self.asked.append("is_busy")
        return self.busy


@pytest.mark.parametrize(
    ("guards", "taken", "asked"),
    [
        (Guards(night=True, busy=True), RULES[0], ["is_night"]),
        (Guards(busy=True), RULES[1], ["is_night", "is_busy"]),
        (Guards(), RULES[2], ["is_night", "is_busy"]),
    ],
)
def test_guards_are_asked_in_the_table_s_order(guards: Guards, taken: Rule, asked: list[str]) -> None:
    machine = TableMachine(TABLE, guards)
    assert machine.fire(Happening.TIMEOUT) is taken
    assert guards.asked == asked
    assert machine.state is taken.target


def test_an_ignored_event_changes_nothing_and_asks_nobody() -> None:
    guards = Guards()
    machine = TableMachine(TABLE, guards)
    assert machine.fire(Happening.FAULT) is None
    assert machine.state is Light.RED
    assert guards.asked == []


def test_an_event_that_is_ignored_everywhere_is_none_of_the_library_s_and_ignored() -> None:
    rules = tuple(rule for rule in RULES if rule.event is not Happening.FAULT)
    quiet = replace(TABLE, rules=rules, ignored=ignore(Light, (Happening.FAULT,), "not here"))
    assert TableMachine(quiet, Guards()).fire(Happening.FAULT) is None


def library_s_own(guards: Guards) -> Machine:
    """The same table with nothing of ours in between: the library's machine, events and conditions."""
    return Machine(
        states=[state.value for state in Light],
        initial=TABLE.initial.value,
        transitions=[
            {
                "trigger": rule.event.value,
                "source": rule.source.value,
                "dest": rule.target.value,
                "conditions": [getattr(guards, rule.guard)] if rule.guard else [],
            }
            for rule in RULES
        ],
        auto_transitions=False,
        ignore_invalid_triggers=True,
    )


@pytest.mark.parametrize("night", [False, True])
@pytest.mark.parametrize("busy", [False, True])
def test_the_short_way_leads_where_the_library_s_own_does(*, night: bool, busy: bool) -> None:
    ours, theirs = Guards(night=night, busy=busy), Guards(night=night, busy=busy)
    machine, library = TableMachine(TABLE, ours), library_s_own(theirs)
    for event in (*Happening, *reversed(Happening), *Happening):
        machine.fire(event)
        library.events[event.value].trigger(library)
        assert str(machine.state.value) == library.state
    assert ours.asked == theirs.asked


def test_reset_goes_back_to_the_initial_state() -> None:
    machine = TableMachine(TABLE, Guards())
    assert machine.fire(Happening.TIMEOUT) is RULES[2]
    machine.reset()
    assert machine.state is Light.RED
    assert machine.fire(Happening.TIMEOUT) is RULES[2]


def test_a_misspelt_guard_is_refused_when_the_machine_is_built() -> None:
    rules = (replace(RULES[0], guard="is_nihgt"), *RULES[1:])
    with pytest.raises(TableError, match="no such guard in Guards: is_nihgt"):
        TableMachine(replace(TABLE, rules=rules), Guards())


def test_a_table_with_a_hole_is_refused() -> None:
    with pytest.raises(TableError, match="blinking on timeout: neither a rule nor ignored"):
        TableMachine(replace(TABLE, rules=RULES[:-1]), Guards())


def test_resolve_finds_the_methods_and_names_every_missing_one() -> None:
    class Work:
        hum = "not a method"

        def click(self) -> str:
            return "click"

    with pytest.raises(TableError, match="light: no such effects in Work: hum"):
        resolve(TABLE, "effects", Work())
    with pytest.raises(TableError, match="no such records in Work: count"):
        resolve(TABLE, "records", Work())
    quiet = replace(TABLE, rules=tuple(replace(rule, effects=("click",)) for rule in RULES))
    assert resolve(quiet, "effects", Work())["click"]() == "click"


def test_nothing_passes_by_the_guards() -> None:
    """The library would give every state a `to_<state>` that asks no guard."""
    machine = TableMachine(TABLE, Guards())
    assert [name for name in dir(machine._model) if name.startswith("to_")] == []
