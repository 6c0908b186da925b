"""Terminal, gateway and bank as real processes, killed at random moments: `make chaos` in little."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import pytest

from tests.system.parts import wait_until
from tests.system.test_storage_failures import PAGE_BYTES, UNSHARE, flip, why_no_mount
from tools.chaos.__main__ import main
from tools.chaos.line import null_modem
from tools.chaos.parts import ROOT, Part
from tools.chaos.run import BANK, REFUSES, TERMINAL, Chaos, Report, run

KILLS = 30
SEED = 7


@pytest.mark.slow
@pytest.mark.timeout(400)  # half a minute where nothing else runs
def test_thirty_kills_and_bank_journal_and_paper_agree(tmp_path: Path) -> None:
    report = run(tmp_path, SEED, KILLS)
    assert report.findings == []
    assert report.kills.total() >= KILLS
    assert set(report.kills) == {"terminal", "gateway", "bank"}
    assert report.outcomes["approved"] > 0
    assert report.slips > 0


def chaos(folder: Path, line: tuple[str, str]) -> Chaos:
    return Chaos(folder, SEED, line)


def test_a_part_that_ends_by_itself_is_told_of(tmp_path: Path) -> None:
    with null_modem() as line:
        world = chaos(tmp_path, line)
        world.parts[BANK].command = ("-c", "raise SystemExit('it does not like it here')")
        try:
            world.parts[BANK].start()
            wait_until(lambda: not world.parts[BANK].is_running, "its end")
            world.kill(BANK)
        finally:
            world.end()
    assert [finding.checker for finding in world.report.findings] == ["ended"]
    assert "it does not like it here" in str(world.report.findings[0])


def test_a_crash_in_a_log_is_told_of(tmp_path: Path) -> None:
    with null_modem() as line:
        world = chaos(tmp_path, line)
        for part in world.parts.values():
            part.log.touch()
        world.parts[TERMINAL].log.write_text("all well\nTraceback (most recent call last):\n  ...\n", "utf-8")
        (crash,) = world.crashes()
    assert "terminal" in crash.text


def test_a_part_whose_disk_is_full_cannot_write_and_can_again_later(tmp_path: Path) -> None:
    program = (
        "import pathlib, time\n"
        "file = pathlib.Path('grown').open('ab', buffering=0)\n"
        "while True:\n"
        "    time.sleep(0.01)\n"
        "    try:\n"
        "        file.write(bytes(1000)); print('wrote', flush=True)\n"
        "    except OSError as error:\n"
        "        print('refused', error.errno, flush=True)\n"
    )
    part = Part("writer", tmp_path, ("-c", program))
    part.start()
    try:
        for change, expected in ((None, "wrote"), (1_000, "refused 27"), (0, "wrote")):
            if change is not None:
                part.limit_files(change) if change else part.unlimit_files()
            part.lines.clear()
            wait_until(partial(part.lines.__contains__, expected), expected)
    finally:
        part.kill()
    assert (tmp_path / "grown").stat().st_size >= 2_000
    assert "refused" in part.log.read_text("utf-8")


FULL_DISK = ["sh", "-c", 'ulimit -S -f 0 && exec "$@"', "sh"]
"""A command before another one, which then may write nothing; until it is allowed to (`unlimit_files`)."""


@pytest.mark.parametrize("name", [TERMINAL, BANK])
def test_a_disk_full_at_the_start_is_told_of_and_the_next_start_works(tmp_path: Path, name: str) -> None:
    with null_modem() as line:
        world = chaos(tmp_path, line)
        part = world.parts[name]
        try:
            part.start(*(("--start", "1") if name == TERMINAL else ()), under=FULL_DISK)
            wait_until(lambda: not part.is_running, "its end")
            world.start_again_if_refused(name)
            world.wait_until_ready()
            assert part.is_running
        finally:
            world.end()
    assert world.report.refused_starts == {name: 1}
    assert world.report.findings == []


def traded(world: Chaos) -> None:
    """A terminal and a bank that have worked, and are off; nothing is left in a log."""
    try:
        world.start_all()
        world.wait_until_ready()
    finally:
        world.end()
    for file in files_of(world).values():
        with contextlib.closing(sqlite3.connect(file)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def refused_and_left_alone(world: Chaos, name: str, file: Path, under: Sequence[str] = ()) -> str:
    """Start a part that cannot be used: how it says so. Its file is as it was."""
    before = file.read_bytes()
    part = world.parts[name]
    try:
        part.start(*(("--start", "2") if name == TERMINAL else ()), under=under)
        wait_until(lambda: not part.is_running, "its end")
        assert part.terminate() == 2, part.lines
    finally:
        world.end()
    assert file.read_bytes() == before
    assert "Traceback" not in part.log.read_text("utf-8")
    assert REFUSES[name] in part.lines[-1]
    return part.lines[-1]


def files_of(world: Chaos) -> Mapping[str, Path]:
    return {TERMINAL: world.state / "terminal.db", BANK: world.db}


def on_a_read_only_disk(folder: Path) -> list[str]:
    """A command before another one, to which nothing in the folder can be written, not even by root."""
    mount = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
    return [*UNSHARE, "sh", "-c", mount, str(folder)]


@pytest.mark.skipif(bool(why_no_mount()), reason=why_no_mount() or "one can be mounted")
@pytest.mark.parametrize("name", [TERMINAL, BANK])
def test_a_read_only_disk_is_told_of_and_left_as_it_is(tmp_path: Path, name: str) -> None:
    with null_modem() as line:
        world = chaos(tmp_path, line)
        traded(world)
        file = files_of(world)[name]
        said = refused_and_left_alone(world, name, file, on_a_read_only_disk(file.parent))
    assert "Read-only file system" in said or "it is not writable" in said
    assert ("--state" in said) or ("check that" in said), "what to do"


@pytest.mark.skipif(os.geteuid() == 0, reason="no mode of a file keeps root from writing it")
@pytest.mark.parametrize("name", [TERMINAL, BANK])
def test_files_that_may_not_be_written_are_told_of_and_left_as_they_are(tmp_path: Path, name: str) -> None:
    with null_modem() as line:
        world = chaos(tmp_path, line)
        traded(world)
        file = files_of(world)[name]
        try:
            for path in (*file.parent.iterdir(), file.parent):
                path.chmod(0o500 if path.is_dir() else 0o400)
            file.parent.chmod(0o700)  # but for its own log
            assert refused_and_left_alone(world, name, file)
        finally:
            world.state.chmod(0o700)


@pytest.mark.parametrize("name", [TERMINAL, BANK])
def test_a_damaged_page_is_told_of_and_left_as_it_is(tmp_path: Path, name: str) -> None:
    with null_modem() as line:
        world = chaos(tmp_path, line)
        traded(world)
        file = files_of(world)[name]
        flip(file, file.stat().st_size // PAGE_BYTES - 1)
        said = refused_and_left_alone(world, name, file)
    assert str(file) in said
    assert "is damaged" in said
    assert "restore it from a copy" in said


def test_the_report_tells_a_program_everything() -> None:
    report = Report(3)
    report.kills["bank"] += 2
    document = json.loads(json.dumps(report.to_json()))
    assert (document["seed"], document["ok"], document["kills"]) == (3, True, {"bank": 2})


@pytest.mark.parametrize("arguments", [["--kills", "0"], ["--keep", str(ROOT)]])
def test_the_command_refuses_what_cannot_be(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert arguments[0] in capsys.readouterr().err


def test_the_terminal_s_process_ends_when_it_is_asked_to(tmp_path: Path) -> None:
    with null_modem() as line:
        world = chaos(tmp_path, line)
        till = world.parts[TERMINAL]
        try:
            world.start(TERMINAL)
            wait_until(lambda: "recovering" in "".join(till.lines), "its start")
            assert till.terminate() == 0
        finally:
            world.end()
