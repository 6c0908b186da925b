"""Every name in the state tables stands for something, and nothing is written that no table uses."""

import ast
import inspect
from collections.abc import Callable
from enum import Enum

import pytest

from firmware.exchange import Verdict
from firmware.floor_work import FloorGuards, FloorWork
from firmware.payment_guards import PaymentGuards
from firmware.payment_work import PaymentWork
from firmware.records import Reason
from firmware.screens import SCREEN_NAMES
from firmware.section import DELEGATES
from firmware.settlement_work import SettlementGuards, SettlementWork
from firmware.terminal_guards import TerminalGuards
from firmware.terminal_work import TerminalWork
from firmware.texts import LANGUAGES, catalogue
from firmware.txn import floor, settlement, terminal, transaction
from firmware.txn.schema import Table
from firmware.work import Work
from hal.api import PrinterStatus, ReadFailure
from tests.arch.house import python_files, tree

MACHINES = {
    "transaction": (transaction.TABLE, PaymentWork, PaymentGuards),
    "terminal": (terminal.TABLE, TerminalWork, TerminalGuards),
    "floor": (floor.TABLE, FloorWork, FloorGuards),
    "settlement": (settlement.TABLE, SettlementWork, SettlementGuards),
}
# Screens that are chosen by the faceplate and not by a table's row.
CHOSEN_SCREENS = {"not_signed_in", "self_test_failed", "logged_off"}


@pytest.fixture(params=MACHINES)
def machine(request: pytest.FixtureRequest) -> tuple[Table, type[Work], type]:
    return MACHINES[request.param]


def parameters(method: Callable[..., object]) -> list[str]:
    return [name.removeprefix("_") for name in inspect.signature(method).parameters if name != "self"]


def methods(owner: type, wanted: list[str]) -> set[str]:
    """The public methods of a class, inherited ones included, that take just these parameters."""
    return {
        name
        for name, method in inspect.getmembers(owner, inspect.isfunction)
        if not name.startswith("_") and parameters(method) == wanted
    }


def test_records_take_a_draft_and_what_came_with_the_event(machine: tuple[Table, type[Work], type]) -> None:
    table, work, _ = machine
    assert methods(work, ["draft", "data"]) == table.names("records")


def test_effects_take_what_came_with_the_event(machine: tuple[Table, type[Work], type]) -> None:
    table, work, _ = machine
    assert table.names("effects") <= methods(work, ["data"])


def test_no_effect_is_left_over() -> None:
    """A shared effect may serve one table only; one that serves none, and nobody calls, is dead."""
    written = set.union(*(methods(work, ["data"]) for _, work, _ in MACHINES.values()))
    used = set.union(*(table.names("effects") for table, _, _ in MACHINES.values()))
    called_in_code = {"beep_key", "beep_error"}  # key clicks: the app beeps without a rule
    assert written - used <= called_in_code


def test_guards_are_questions_without_arguments(machine: tuple[Table, type[Work], type]) -> None:
    table, _, guards = machine
    assert methods(guards, []) == table.names("guard")


def test_every_screen_of_a_table_has_a_layout_and_every_layout_is_used() -> None:
    named = {row.screen for table, _, _ in MACHINES.values() for row in table.rows if row.screen}
    assert named <= SCREEN_NAMES
    assert SCREEN_NAMES - named <= CHOSEN_SCREENS


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_that_can_be_shown_has_its_words(language: str) -> None:
    kinds: list[tuple[str, type[Enum]]] = [
        ("reason", Reason),
        ("printer", PrinterStatus),
        ("read_failure", ReadFailure),
    ]
    wanted = {f"screen.{name}.title" for name in SCREEN_NAMES}
    for kind, members in kinds:
        wanted |= {
            f"screen.{kind}.{member.value}.{form}"
            for member in members
            if member.value
            for form in ("brief", "full")
        }
    assert wanted - catalogue(language).keys() == set()


def test_every_event_of_a_table_can_be_posted() -> None:
    """An event that no code names could never happen."""
    written = {
        node.value
        for path in python_files("firmware")
        if path.parts[1] != "txn"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Constant)
    }
    answers = {f"host_{verdict.value}" for verdict in Verdict}  # put together from the verdict
    answers |= {f"{name}_ended" for name in DELEGATES.values()}  # and from the section's name
    events = {event.value for table, _, _ in MACHINES.values() for event in table.events}
    assert events <= written | answers
