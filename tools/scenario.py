"""A scenario: a TOML file that uses a terminal as people do, and says what must come of it.

    title = "A wrong PIN, then the right one"
    clock = "virtual"                   # "real" (the default): real time, a pseudo-terminal pair, a TCP bank
    flow = "authorise-first"            # optional, as are language, profile, bank_data, state, seed

    [terminal]                          # optional: settings, as in a config file
    response_timeout_ms = 5_000

    [[card]]                            # optional: cards of its own, as in examples/cards.toml

    [[step]]
    swipe = "good"                      # one thing to do: `tools.scenario_steps`
    expect = { state = "pin" }          # and what must be so then: `tools.scenario_expect`

The whole file is checked before anything starts. This file reads it; `tools.scenario_run` runs it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from bank.errors import RecordError
from bank.provision import CardSpec, load_provision, provision_of
from firmware.records import Flow
from firmware.terminal_work import LANGUAGES
from tools.config import FLOWS, Choices, choices_of
from tools.scenario_expect import Expectation, read_expectations
from tools.scenario_steps import OPTIONS, STEP_KINDS, Action
from tools.station import PATIENCE_MS
from tools.toml_table import ConfigError, TomlTable, read_toml

_CHOICE_KEYS = ("clock", "flow", "language", "profile", "bank_data", "state", "seed", "terminal")
_CLOCKS = ("real", "virtual")
_ABOUT_ANY_STEP = ("expect", "within_ms", "note")
SEED_MAX = 2**32 - 1


class ScenarioError(ConfigError):
    """The scenario cannot be run: nothing was started. One line: file, table, key, what is allowed."""

    code: ClassVar[str] = "C200"


@dataclass(frozen=True, slots=True)
class Step:
    """One step: do it (if there is anything to do), then look.

    `within_ms`: how long what is expected may take to become so; 0: it must be so at once.
    """

    number: int
    kind: str  # a key of STEP_KINDS, or "" for a step that only looks
    title: str  # what is done, for people; a PIN is never in it
    action: Action | None
    expectations: Sequence[Expectation]
    within_ms: int
    note: str


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario as read and checked. `cards`: its own, beside those of the bank's data."""

    title: str
    choices: Choices
    cards: Sequence[CardSpec]
    steps: Sequence[Step]


def load_scenario(path: Path, base: Choices | None = None) -> Scenario:
    """Read and check a scenario; its choices are laid over `base`. Raises ScenarioError, RecordError."""
    table = read_toml(path, ScenarioError)
    table.refuse_unknown(("title", *_CHOICE_KEYS, "card", "step"))
    choices = (base or Choices()).overlaid(_choices(table, path.parent))
    cards = _own_cards(table, path)
    names = {card.name for card in (*load_provision(choices.bank_data).cards, *cards)}
    steps = [_step(number, one, names) for number, one in enumerate(table.tables("step"), 1)]
    if not steps:
        raise table.wrong("step", "there must be at least one [[step]]")
    return Scenario(table.text("title", path.stem), choices, cards, steps)


def _choices(table: TomlTable, folder: Path) -> Choices:
    choices = choices_of(table, folder)
    settings = dict(choices.settings)
    if "flow" in table:
        settings["flow"] = Flow(table.choice("flow", FLOWS))
    if "language" in table:
        settings["language"] = table.choice("language", LANGUAGES)
    return replace(
        choices,
        settings=settings,
        live=table.choice("clock", _CLOCKS, "real") == "real",
        seed=table.number("seed", 0, SEED_MAX) if "seed" in table else None,
    )


def _own_cards(table: TomlTable, path: Path) -> Sequence[CardSpec]:
    cards = table.value("card", list, [])
    try:
        return provision_of(str(path), {"card": cards}).cards
    except RecordError as error:
        raise ScenarioError(str(error)) from None


def _step(number: int, table: TomlTable, cards: Collection[str]) -> Step:
    kinds = [key for key in table.values if key in STEP_KINDS]
    known = {*STEP_KINDS, *OPTIONS, *_ABOUT_ANY_STEP} if not kinds else {*kinds, *_ABOUT_ANY_STEP}
    known |= {option for kind in kinds for option in STEP_KINDS[kind].options}
    table.refuse_unknown(known)
    if len(kinds) > 1:
        raise table.wrong(kinds[1], f"this step does {kinds[0]!r} already: begin another [[step]]")
    if not kinds and "expect" not in table:
        raise table.wrong("step", "it does nothing and expects nothing")
    doing = STEP_KINDS[kinds[0]].read(table, cards) if kinds else None
    return Step(
        number=number,
        kind=kinds[0] if kinds else "",
        title=doing.title if doing else "",
        action=doing.action if doing else None,
        expectations=read_expectations(table.table("expect")),
        within_ms=table.number("within_ms", 0, PATIENCE_MS, 0),
        note=table.text("note", ""),
    )
