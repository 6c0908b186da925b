"""A call to the disk fails in a real process: it goes on, or says why not, and nothing is lost.

One call of each part here; all of them with `make chaos ARGS=--failing-calls`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system.parts import wait_until
from tools.chaos.__main__ import main
from tools.chaos.failing import FailingReport, FailingWorld, Strike, run_failing
from tools.chaos.line import null_modem
from tools.chaos.parts import Part
from tools.chaos.run import BANK, TERMINAL, Chaos
from tools.chaos.strace import failing, options, why_not_attached
from tools.durability.recording import why_not

SEED = 3
needs_strace = pytest.mark.skipif(bool(why_not()), reason=why_not() or "strace works")


@needs_strace
@pytest.mark.slow
@pytest.mark.timeout(400)  # a quarter of a minute where nothing else runs
@pytest.mark.parametrize(("part", "number"), [(TERMINAL, 4), (BANK, 1)])
def test_a_sync_that_fails_is_survived(tmp_path: Path, part: str, number: int) -> None:
    report = run_failing(tmp_path, SEED, calls={"fdatasync": ("EIO",)}, parts=(part,), numbers=(number,))
    assert report.findings == []
    assert report.strikes == {f"{part} fdatasync": 2}, "once, and from then on"
    assert report.outcomes.total() == 2


@needs_strace
def test_one_that_ends_in_another_way_is_told_of(tmp_path: Path) -> None:
    report = FailingReport()
    with null_modem() as line:
        world = FailingWorld(tmp_path, SEED, line, report)
        world.chaos.parts[BANK].command = ("-c", "open('bank.db').close(); raise SystemExit('it breaks')")
        try:
            assert world.live(Strike(BANK, "openat", "EIO", 99, lasting=False)) is False
        finally:
            world.end()
    assert [finding.checker for finding in report.findings] == ["end"]
    assert "openat 99 fails with EIO: ended with 1" in report.findings[0].text
    assert "it breaks" in report.findings[0].text
    assert not report.ok


@pytest.mark.skipif(bool(why_not_attached()), reason=why_not_attached() or "strace may attach")
def test_the_calls_of_a_process_that_runs_fail_for_a_while(tmp_path: Path) -> None:
    program = (
        "import os, time\n"
        "file = os.open('some.db', os.O_RDWR | os.O_CREAT)\n"
        "while True:\n"
        "    time.sleep(0.01)\n"
        "    try:\n"
        "        os.pwrite(file, b'x', 0); print('wrote', flush=True)\n"
        "    except OSError as error:\n"
        "        print('refused', error.errno, flush=True)\n"
    )
    part = Part("writer", tmp_path, ("-c", program))
    part.start()
    try:
        wait_until(lambda: "wrote" in part.lines, "its first write")
        assert part.process_id is not None
        with failing(part.process_id, options("pwrite64", "EIO", "1+2", [tmp_path / "some.db"])):
            wait_until(lambda: "refused 5" in part.lines, "a write that fails")
        part.lines.clear()
        wait_until(lambda: part.lines.count("wrote") >= 3, "its writes afterwards")
        assert "refused 5" not in part.lines[1:]
    finally:
        part.kill()


@pytest.mark.skipif(bool(why_not_attached()), reason=why_not_attached() or "strace may attach")
def test_a_disk_that_fails_for_a_while_is_one_of_the_strikes(tmp_path: Path) -> None:
    with null_modem() as line:
        world = Chaos(tmp_path, SEED, line)
        try:
            world.start(BANK)
            world.wait_until_ready()
            world.fail_disk(BANK)
            assert world.parts[BANK].is_running
        finally:
            world.end()
    assert world.report.failing_disks == {BANK: 1}
    assert world.report.findings == []


def test_the_command_refuses_what_cannot_be(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--failing-calls", "--call", "close"], ["--failing-calls", "--every", "0"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 2
    assert "--call" in capsys.readouterr().err
