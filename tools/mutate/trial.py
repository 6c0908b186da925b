"""A mutant before its tests: those that take the rule it spoils, the quickest first, until one fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from tools.mutate.mutants import MODULES, Mutant, spoilt
from tools.mutate.plugin import MUTANT, TAKEN

ROOT = Path(__file__).parents[2]
SUITE = ("tests/firmware", "tests/sim", "tests/simulate")
"""The tests that take rules in virtual time; a test with real processes is too slow to be run so often."""
STATIC = ("tests/firmware/test_tables.py", "tests/firmware/test_table_promises.py")  # run no table
PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "tools.mutate.plugin", "-p", "no:cacheprovider")
TRIAL_MAX_S = 300


class TrialError(Exception):
    """The suite itself is not as it should be: it fails without any mutant."""


class Fate(Enum):
    """What becomes of a mutant."""

    KILLED = "killed"
    NOT_WHOLE = "not whole"  # the table's own check refuses it: the terminal does not even start
    HANGS = "hangs"  # the tests do not end
    SURVIVED = "survived"
    NEVER_TAKEN = "never taken"  # no test takes the rule


@dataclass(frozen=True, slots=True)
class Verdict:
    """A mutant's fate; `by`: the test that failed, or how many did not."""

    mutant: Mutant
    fate: Fate
    by: str = ""

    @property
    def is_caught(self) -> bool:
        """Whether the suite would have told."""
        return self.fate in {Fate.KILLED, Fate.NOT_WHOLE, Fate.HANGS}


Taken = Mapping[str, Sequence[str]]
"""For each rule, as a file of hits names it, the tests that take it, the quickest first."""


def taken_by_the_suite(suite: Sequence[str], workers: int) -> dict[str, dict[str, object]]:
    """Run these tests and see which test takes which rule. Raises TrialError when a test fails."""
    with tempfile.TemporaryDirectory(prefix="posterm-mutate-") as folder:
        file = Path(folder) / "taken.json"
        done = _pytest([*suite, "-n", str(workers)], {TAKEN: str(file)}, None)
        if done is None or done.returncode != 0:
            raise TrialError(f"the suite fails without a mutant:\n{done.stdout[-1500:] if done else ''}")
        tests: dict[str, dict[str, object]] = {}
        for part in sorted(Path(folder).glob("taken.json.*")):
            tests |= json.loads(part.read_text("utf-8"))
        return tests


def by_rule(tests: Mapping[str, Mapping[str, object]]) -> Taken:
    """The same the other way round."""
    found: dict[str, list[str]] = {}
    for name in sorted(tests, key=lambda one: (_seconds(tests[one]), one)):
        rules = tests[name]["rules"]
        assert isinstance(rules, list)
        for rule in rules:
            found.setdefault(str(rule), []).append(name)
    return found


def _seconds(test: Mapping[str, object]) -> float:
    seconds = test["seconds"]
    assert isinstance(seconds, float)
    return seconds


def try_mutant(mutant: Mutant, taken: Taken, tests_max: int) -> Verdict:
    """Run at most `tests_max` tests against a mutant, in a process of their own, until one fails."""
    if spoilt(MODULES[mutant.machine].TABLE, mutant).defects():
        return Verdict(mutant, Fate.NOT_WHOLE)
    tests = list(taken.get(mutant.rule_name, ()))[:tests_max]
    done = _pytest([*STATIC, *tests, "-x"], {MUTANT: str(mutant)}, TRIAL_MAX_S)
    if done is None:
        return Verdict(mutant, Fate.HANGS)
    if done.returncode == 0:
        return Verdict(mutant, Fate.SURVIVED if tests else Fate.NEVER_TAKEN, f"{len(tests)} tests")
    return Verdict(mutant, Fate.KILLED, _failed(done.stdout))


def _failed(output: str) -> str:
    lines = [line for line in output.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    return lines[0].split(" - ")[0].partition(" ")[2] if lines else "an error before the first test"


def _pytest(
    arguments: Sequence[str], environment: Mapping[str, str], timeout_s: int | None
) -> subprocess.CompletedProcess[str] | None:
    """What pytest says; None when it takes too long."""
    try:
        return subprocess.run(
            [*PYTEST, *arguments],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired:
        return None
