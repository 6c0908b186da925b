"""The check that every rule is taken by some test: when it speaks up, and when it keeps quiet."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest

from tests.rules_taken import is_whole_suite

ROOT = Path(__file__).parents[2]
SUITE = """
from tests.sim.cases import opened
from firmware.records import Flow

def test_a_sale():
    opened(Flow.PIN_FIRST).play()

def test_nothing():
    pass
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A whole suite of two tests."""
    (tmp_path / "tests_here").mkdir()
    (tmp_path / "tests_here" / "test_few.py").write_text(SUITE, encoding="utf-8")
    (tmp_path / "conftest.py").write_text('pytest_plugins = ("tests.rules_taken",)\n', encoding="utf-8")
    (tmp_path / "pytest.ini").write_text(
        f"[pytest]\ntestpaths = tests_here\npythonpath = {ROOT}\naddopts = --import-mode=importlib\n",
        encoding="utf-8",
    )
    return tmp_path


def run(suite: Path, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=suite,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.slow
def test_a_whole_suite_that_leaves_rules_out_fails_and_names_them(suite: Path) -> None:
    code, told = run(suite, "-n", "2")
    assert code == 1
    assert "2 passed" in told
    assert "rules taken by no test" in told
    missed = told.splitlines()
    assert "transaction reversing host_lost failed " in missed
    assert "transaction connecting link_up purchasing " not in missed, "the sale takes it"


@pytest.mark.slow
def test_a_part_of_the_suite_is_left_alone(suite: Path) -> None:
    code, told = run(suite, "-k", "nothing")
    assert code == 0
    assert "rules" not in told


class Chosen:
    """As much of pytest's configuration as is asked for."""

    def __init__(self, *, named_paths: bool = False, **options: object) -> None:
        sources = pytest.Config.ArgsSource
        self.args_source = sources.ARGS if named_paths else sources.TESTPATHS
        self._options = options

    def getoption(self, name: str, default: object) -> object:
        return self._options.get(name, default)


@pytest.mark.parametrize(
    ("chosen", "is_whole"),
    [
        (Chosen(numprocesses=2, verbose=1), True),
        (Chosen(named_paths=True), False),
        *((Chosen(**{name: True}), False) for name in ("markexpr", "deselect", "lf", "collectonly")),
    ],
)
def test_only_a_run_of_everything_can_say_that_something_is_missing(
    chosen: Chosen, *, is_whole: bool
) -> None:
    assert is_whole_suite(cast("pytest.Config", chosen)) == is_whole
