"""A plugin of pytest: `POSTERM_MUTANT` spoils a table, `POSTERM_TAKEN` is a file for what tests take.

    POSTERM_MUTANT="transaction/12/drop rule/" python -m pytest -p tools.mutate.plugin tests/sim

The file is a JSON object: for each test its seconds, and the rules that it took, named as in a file of
`posterm simulate --hits`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tools.mutate.mutants import MODULES, MUTANT, TAKEN, Mutant, spoilt
from tools.mutate.watch import watch

_tests: dict[str, dict[str, Any]] = {}
_taken: set[str] = set()
_seconds: dict[str, float] = {}


def _spoil(text: str) -> None:
    """Before anybody has read the table: a plugin is imported first."""
    mutant = Mutant.parse(text)
    module = MODULES[mutant.machine]
    module.TABLE = spoilt(module.TABLE, mutant)
    module.RULES = module.TABLE.rules


if MUTANT in os.environ:
    _spoil(os.environ[MUTANT])
if TAKEN in os.environ:
    watch(_taken.add)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Which rules this test takes, its fixtures included."""
    _taken.clear()
    result = yield
    if _taken:
        _tests[item.nodeid] = {"rules": sorted(_taken)}
    return result


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """How long it took."""
    _seconds[report.nodeid] = _seconds.get(report.nodeid, 0.0) + report.duration


def pytest_sessionfinish() -> None:
    """Write the file; each worker of pytest-xdist writes its own."""
    if TAKEN not in os.environ or not _tests:
        return
    for name, test in _tests.items():
        test["seconds"] = round(_seconds.get(name, 0.0), 3)
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    Path(f"{os.environ[TAKEN]}.{worker}").write_text(json.dumps(_tests, indent=0), encoding="utf-8")
