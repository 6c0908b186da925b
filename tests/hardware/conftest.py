"""The parity report: what each check found on the virtual devices and on the profile's, side by side."""

from collections import defaultdict
from collections.abc import Generator
from typing import Any

import pytest

REPORT: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, None]:
    outcome = yield
    report: pytest.TestReport = outcome.get_result()
    where = dict(item.user_properties)
    if "kind" not in where or (report.when != "call" and report.passed):
        return
    key = (str(where["kind"]), str(where["check"]))
    said = "ok" if report.passed else "skipped" if report.skipped else f"FAILED: {_reason(call)}"
    REPORT[key][str(where["side"])] = said


def _reason(call: pytest.CallInfo[None]) -> str:
    return str(call.excinfo.value).splitlines()[0] if call.excinfo is not None else ""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not REPORT:
        return
    write = terminalreporter.write_line
    write("")
    write(f"{'device':12} {'check':34} {'virtual':10} {'real'}")
    for (kind, check), sides in REPORT.items():
        write(f"{kind:12} {check:34} {sides.get('virtual', '-'):10} {sides.get('real', '-')}")
    different = sum(sides.get("virtual") == "ok" and sides.get("real") != "ok" for sides in REPORT.values())
    write(f"parity: {len(REPORT) - different} of {len(REPORT)} checks as on the virtual devices")
