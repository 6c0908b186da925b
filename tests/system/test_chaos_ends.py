"""How a chaos run ends: what it keeps and what it removes, and that no part outlives it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.parts import wait_until
from tools.chaos import __main__ as command
from tools.chaos import failing, run, strace
from tools.chaos.failing import FailingReport, FailingWorld
from tools.chaos.parts import ROOT, Part
from tools.chaos.run import Chaos, Report
from tools.simulate.checkers.finding import Finding

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent ended")
BROKEN = Finding("slip", "it is not posted")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a run that names no folder makes its own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def runs_like(monkeypatch: pytest.MonkeyPatch, do: Callable[[Report | FailingReport], object]) -> None:
    """A run, of either kind, leaves a log and does this."""

    def carried_out(folder: Path, *arguments: Any, report: Report | None = None, **_: Any) -> None:
        (folder / "bank.log").write_text("listening", "utf-8")
        do(arguments[-1] if report is None else report)

    monkeypatch.setattr(command, "run", carried_out)
    monkeypatch.setattr(command, "run_failing", carried_out)
    monkeypatch.setattr(command, "why_not", str)


def found(report: Report | FailingReport) -> None:
    report.findings.append(BROKEN)


def tried(report: Report | FailingReport) -> None:
    if isinstance(report, FailingReport):
        report.strikes["bank write"] += 1


# --- what is kept ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [[], ["--failing-calls"]])
def test_what_was_broken_leaves_its_evidence_and_says_where(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], temporary: Path, kind: list[str]
) -> None:
    runs_like(monkeypatch, found)
    assert command.main(kind) == 1
    (folder,) = temporary.iterdir()
    assert (folder / "bank.log").exists()
    said = capsys.readouterr().out.splitlines()
    assert said[-2:] == [f"BROKEN {BROKEN}", f"databases, paper and logs are in {folder}"]
    assert command.main([*kind, "--json"]) == 1
    (other,) = set(temporary.iterdir()) - {folder}
    assert json.loads(capsys.readouterr().out)["folder"] == str(other)


@pytest.mark.parametrize("kind", [[], ["--failing-calls"]])
def test_where_nothing_was_found_nothing_is_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], temporary: Path, kind: list[str]
) -> None:
    runs_like(monkeypatch, tried)
    assert command.main(kind) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "bank, journal and paper agree"
    assert command.main([*kind, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["folder"] is None
    assert list(temporary.iterdir()) == []


def test_a_folder_that_was_named_is_kept_anyway(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    runs_like(monkeypatch, tried)
    assert command.main(["--keep", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "bank.log").exists()


def test_calls_of_which_none_was_made_are_no_success(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], temporary: Path
) -> None:
    runs_like(monkeypatch, lambda _report: None)
    assert command.main(["--failing-calls"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "BROKEN no such call was made: nothing was tried"
    assert list(temporary.iterdir()) == []


def breaks(*_: object) -> None:
    raise OSError("the line is gone")


def test_what_a_run_cannot_go_on_with_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strace, "why_not_attached", lambda: "not here")
    monkeypatch.setattr(Chaos, "trouble", breaks)
    (finding,) = run.run(tmp_path, 7, 1).findings
    assert str(finding).startswith("crash: OSError: the line is gone (test_chaos_ends.py:")
    monkeypatch.setattr(FailingWorld, "strike_all", breaks)
    report = failing.run_failing(tmp_path, 7, calls={"fsync": ("EIO",), "write": ("EIO",)}, parts=("bank",))
    texts = [finding.text.partition(" (")[0] for finding in report.findings]
    assert texts == ["bank-fsync: OSError: the line is gone", "bank-write: OSError: the line is gone"]


# --- signals -----------------------------------------------------------------------------------------


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Ctrl-C reaches this process and those that it starts, also where tests run in the background."""
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, handler)


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("is_broken", [False, True])
def test_a_signal_ends_it_in_order_and_what_was_found_stays(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    temporary: Path,
    number: signal.Signals,
    code: int,
    *,
    is_broken: bool,
) -> None:
    def stopped(report: Report | FailingReport) -> None:
        if is_broken:
            found(report)
        os.kill(os.getpid(), number)
        time.sleep(60)

    runs_like(monkeypatch, stopped)
    before = signal.getsignal(signal.SIGTERM)
    assert command.main(["--kills", "3", "--seed", "5"]) == code
    assert signal.getsignal(signal.SIGTERM) is before
    said = capsys.readouterr()
    assert said.err.splitlines()[-1] == "stopped before it was done"
    assert ("agree" in said.out, bool(said.out)) == (False, is_broken)
    assert len(list(temporary.iterdir())) == is_broken


PROGRAM = """
import pathlib, sys, time
from tools.chaos.parts import Part
part = Part("sleeper", pathlib.Path(sys.argv[1]), ("-c", "import time; print('sleeps'); time.sleep(600)"))
part.start()
while not part.lines:
    time.sleep(0.01)
print(part.process_id, flush=True)
time.sleep(600)
"""


@contextlib.contextmanager
def started(*arguments: str, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A Python process with pipes, ended in any case."""
    command_line = [sys.executable, "-u", *arguments]
    with subprocess.Popen(
        command_line, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def is_running(process_id: int) -> bool:
    """Whether it is there, and not only its entry, which nobody may have taken away."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text("utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@linux
def test_a_part_does_not_outlive_who_has_started_it(tmp_path: Path) -> None:
    with started("-c", PROGRAM, str(tmp_path)) as process:
        assert process.stdout is not None
        part = int(process.stdout.readline())
        assert is_running(part)
        process.kill()
        process.wait()
        wait_until(lambda: not is_running(part), "the part's end")


@linux
def test_a_part_whose_starter_has_ended_already_does_not_start() -> None:
    tied = [sys.executable, "-I", "-S", str(ROOT / "tools/chaos/tied.py")]
    for starter, said in ((os.getpid(), "started\n"), (os.getppid(), "")):
        ended = subprocess.run(
            [*tied, str(starter), "echo", "started"], capture_output=True, text=True, check=True
        )
        assert (ended.stdout, ended.stderr) == (said, "")


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_while_a_part_is_started_leaves_one_that_can_be_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: Any, **options: Any) -> subprocess.Popen[str]:
        process = popen(*arguments, **options)
        os.kill(os.getpid(), signal.SIGINT)
        return process

    popen = subprocess.Popen
    part = Part("sleeper", tmp_path, ("-c", "import time; time.sleep(600)"))
    monkeypatch.setattr(subprocess, "Popen", interrupted)
    try:
        with pytest.raises(KeyboardInterrupt):
            part.start()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        assert part.is_running
    finally:
        part.kill()


def children_of(process_id: int) -> list[int]:
    tasks = Path(f"/proc/{process_id}/task").glob("*/children")
    return [int(number) for task in tasks for number in task.read_text("ascii").split()]


@linux
@pytest.mark.slow
@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_parts_of_a_real_run_end_with_it(tmp_path: Path, number: signal.Signals, code: int) -> None:
    arguments = ("-m", "tools.chaos", "--kills", "1000", "--seed", "5")
    with started(*arguments, env={**os.environ, "TMPDIR": str(tmp_path)}) as process:
        wait_until(lambda: len(children_of(process.pid)) == 3, "three parts")
        parts = children_of(process.pid)
        process.send_signal(number)
        _, told = process.communicate()
    assert process.returncode == code
    assert told.split() == ["seed", "5", "stopped", "before", "it", "was", "done"]
    assert not any(map(is_running, parts))
    assert list(tmp_path.iterdir()) == []
