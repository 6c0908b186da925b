"""A mutant before its tests: those that take the rule it spoils, the quickest first, until one fails."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import zip_longest
from pathlib import Path

import pytest

from tools.mutate.mutants import MODULES, MUTANT, TAKEN, Mutant, spoilt

ROOT = Path(__file__).parents[2]
SUITE = ("tests/firmware", "tests/sim", "tests/simulate")
"""The tests that take rules in virtual time; a test with real processes is too slow to be run so often."""
STATIC = (  # run no table
    "tests/firmware/test_table_promises.py",
    "tests/firmware/test_state_beginnings.py",
    "tests/firmware/test_tables.py",
)
OPTIONS = ("-q", "-p", "tools.mutate.plugin", "-p", "no:cacheprovider")
WARM = ("-W", "ignore::pytest.PytestAssertRewriteWarning")  # Hypothesis is imported already
TRIAL_MAX_S = 300

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["tools.mutate.warm"])


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
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *OPTIONS, *suite, "-n", str(workers)],
            cwd=ROOT,
            env={**os.environ, TAKEN: str(file)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise TrialError(f"the suite fails without a mutant:\n{done.stdout[-1500:]}")
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
    """Run at most `tests_max` tests against a mutant, in a process of their own, until one fails.

    Raises TrialError when they cannot be run: that says nothing of the mutant.
    """
    if spoilt(MODULES[mutant.machine].TABLE, mutant).defects():
        return Verdict(mutant, Fate.NOT_WHOLE)
    tests = _in_turn([taken.get(name, ()) for name in mutant.noticed_by])[:tests_max]
    code, output = _run([*STATIC, *tests, "-x"], mutant)
    if code is None:
        return Verdict(mutant, Fate.HANGS)
    if code == 0:
        return Verdict(mutant, Fate.SURVIVED if tests else Fate.NEVER_TAKEN, f"{len(tests)} tests")
    return Verdict(mutant, Fate.KILLED, _failed(output))


def _in_turn(lists: Sequence[Sequence[str]]) -> list[str]:
    """The first of each list, the second of each, and so on, each once."""
    return list(dict.fromkeys(test for tests in zip_longest(*lists) for test in tests if test is not None))


def _run(arguments: Sequence[str], mutant: Mutant) -> tuple[int | None, str]:
    """Exit code (None when it takes too long) and output of pytest, in a process forked for this mutant.

    It is forked from a server that has imported what does not change: most of the time of a quick test. The
    plugin is not among that: it spoils the table when it is imported.
    """
    with tempfile.NamedTemporaryFile("r", prefix="posterm-mutant-", encoding="utf-8") as output:
        child = _SERVER.Process(
            target=_run_here, args=([*OPTIONS, *WARM, *arguments], str(mutant), output.name)
        )
        child.start()
        child.join(TRIAL_MAX_S)
        if child.exitcode is None:
            child.kill()
            child.join()
            return None, ""
        return child.exitcode, output.read()


def _run_here(arguments: list[str], mutant: str, output: str) -> None:
    """Run pytest in this process, and end it with pytest's exit code."""
    os.chdir(ROOT)
    os.environ[MUTANT] = mutant
    with open(output, "wb") as file:  # noqa: PTH123 - a descriptor is what is needed
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.exit(int(pytest.main(arguments)))


def _failed(output: str) -> str:
    """The test that failed, or the file that cannot be imported any more."""
    lines = [line for line in output.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    if not lines:
        raise TrialError(f"the tests do not run; is the file of --taken an old one?\n{output[-1500:]}")
    return lines[0].split(" - ")[0].partition(" ")[2]
