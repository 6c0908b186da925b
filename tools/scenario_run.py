"""Runs a scenario on a station: does each step, looks, and tells both as it happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bank.errors import BankError
from firmware.txn.floor import ROWS as FLOOR_ROWS
from firmware.txn.schema import Keys
from firmware.txn.transaction import ROWS as PAYMENT_ROWS
from hal.api import HalError
from tools.scenario import Scenario, Step
from tools.scenario_expect import Baseline
from tools.station import Station, StationError

_SECRET_KEYS = {Keys.PIN: "a PIN", Keys.PASSWORD: "a password", Keys.NEW_PASSWORD: "a password"}
_SECRETS = {
    str(row.state.value): _SECRET_KEYS[row.keys]
    for row in (*PAYMENT_ROWS, *FLOOR_ROWS)
    if row.keys in _SECRET_KEYS
}


@dataclass(frozen=True, slots=True)
class StepResult:
    """What became of one step. `misses`: a line for each thing that was not as expected; none: all well."""

    number: int
    step: str
    ok: bool
    misses: Sequence[str]
    state: str  # after it
    at_ms: int  # since the script began


@dataclass(frozen=True, slots=True)
class ScenarioResult:
    """What became of a scenario; it ends at the first step that failed."""

    title: str
    steps: Sequence[StepResult]
    steps_in_all: int

    @property
    def ok(self) -> bool:
        """Whether everything was as expected."""
        return len(self.steps) == self.steps_in_all and all(step.ok for step in self.steps)

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain values."""
        return {"title": self.title, "ok": self.ok, "steps_in_all": self.steps_in_all} | {
            "steps": [asdict(step) for step in self.steps]
        }


def run_scenario(
    scenario: Scenario, station: Station, tell: Callable[[StepResult], None] = lambda _result: None
) -> ScenarioResult:
    """Run `scenario` on a station whose terminal is on, telling each step's result as it happens."""
    expected = (one for step in scenario.steps for one in step.expectations)
    baseline, began_ms = Baseline.of(station, expected), station.drive.now_ms()
    results: list[StepResult] = []
    for step in scenario.steps:
        title = _title(step, station)
        misses = list(_misses(step, station, baseline))
        at_ms = station.drive.now_ms() - began_ms
        results.append(StepResult(step.number, title, not misses, misses, station.state, at_ms))
        tell(results[-1])
        if misses:
            break
    return ScenarioResult(scenario.title, results, len(scenario.steps))


def line_of(result: StepResult) -> str:
    """A result as it is told to people: one line, and one more for each miss."""
    head = f"{'ok' if result.ok else 'FAILED':6}  {result.number:3}  {result.step:44}  {result.state}"
    return "\n".join([head, *(f"{'':13}{miss}" for miss in result.misses)])


def _title(step: Step, station: Station) -> str:
    """What the step does. Keys pressed while a PIN or a password is asked for are not told."""
    secret = _SECRETS.get(station.state) if step.kind in {"press", "hold"} else None
    doing = f"{step.kind} (keys of {secret})" if secret else step.title
    checks = f" ({len(step.expectations)} checked)" if step.expectations else ""
    return f"{step.note or doing or 'look'}{checks}"


def _misses(step: Step, station: Station, baseline: Baseline) -> Iterator[str]:
    """Do the step and look; every line says what was not as it should be."""
    if step.action is not None:
        try:
            step.action(station)
        except (StationError, HalError, BankError, ValueError) as error:
            yield f"{step.kind}: {error}"
            return
    station.settle()

    def look() -> list[str]:
        found = (expected.miss(station, baseline) for expected in step.expectations)
        return [miss for miss in found if miss is not None]

    station.run_until(lambda: not look(), step.within_ms)
    yield from look()
