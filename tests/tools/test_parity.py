"""`make hardware`: the parity report, played on virtual devices, and the reason when there are none."""

import os
import subprocess
import sys

import pytest

from tests.arch.house import ROOT


def parity(**environment: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-m",
        "hardware",
        "tests/hardware",
    ]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_the_report_has_a_line_for_each_check() -> None:
    done = parity(POSTERM_PROFILE="headless")
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    assert "printer      opens well, says nothing           ok         ok" in lines
    assert "keypad       a key comes, in secure mode hidden ok         ok" in lines
    assert any(line.startswith("parity: ") for line in lines)


@pytest.mark.slow
def test_without_a_profile_it_says_what_it_needs() -> None:
    done = parity(POSTERM_PROFILE="")
    assert "needs real devices: make hardware PROFILE=FILE" in done.stdout
