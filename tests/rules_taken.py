"""A plugin of pytest: a run of the whole suite fails when a rule of a state table was taken by no test.

A rule that nobody takes is one whose mistakes nobody sees. What a part of the suite takes says nothing, so a
run of chosen tests is left alone: with paths, `-k`, `-m` and the like, or when a test fails. With
pytest-xdist each worker tells the rules that it saw, and the controller puts them together.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tools.mutate.watch import every_rule, watch

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

OUTPUT = "rules_taken"
_CHOOSING = (  # options with which not every test is run
    *("keyword", "markexpr", "deselect", "ignore", "ignore_glob", "lf", "stepwise", "maxfail"),
    *("collectonly", "setuponly", "setupplan"),
)
_taken: set[str] = set()
_lost: list[str] = []  # workers that could not tell

watch(_taken.add)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Take what a worker of pytest-xdist has seen."""
    told = getattr(node, "workeroutput", {}).get(OUTPUT)
    if told is None or error:
        _lost.append(str(node))
    else:
        _taken.update(told)


def is_whole_suite(config: pytest.Config) -> bool:
    """Whether nothing was chosen among the tests."""
    if config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        return False
    return not any(config.getoption(name, None) for name in _CHOOSING)


def rules_missed() -> list[str]:
    """The rules that no test has taken so far."""
    return [name for name in every_rule() if name not in _taken]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A worker tells the controller; whoever has the whole picture judges."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[OUTPUT] = sorted(_taken)
    elif exitstatus == pytest.ExitCode.OK and is_whole_suite(session.config) and not _lost and rules_missed():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> None:
    """How many rules were taken, and which were not."""
    if not is_whole_suite(config) or _lost:
        return
    missed, every = rules_missed(), every_rule()
    count_of, missed_of = (Counter(name.split()[0] for name in names) for names in (every, missed))
    counts = ", ".join(f"{table} {count - missed_of[table]} of {count}" for table, count in count_of.items())
    terminalreporter.write_line(f"rules of the state tables taken: {counts}")
    if missed:
        terminalreporter.section("rules taken by no test", red=True)
        for name in missed:
            terminalreporter.write_line(name)
        terminalreporter.write_line("write a test that takes them, or remove what nothing can reach")
