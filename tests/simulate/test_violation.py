"""A broken promise that was found is never lost: whoever ends the search, and whatever cannot be written."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.tools.test_cli import exit_code
from tools.simulate import kept, seeds_command, written
from tools.simulate.checkers.finding import Finding
from tools.simulate.options import Options
from tools.simulate.world import Report, World, run

SMALL = ("--transactions", "2", "--terminals", "1", "--faults", "none")
Shrink = Callable[..., Report]


def plant(monkeypatch: pytest.MonkeyPatch) -> None:
    """No run keeps every promise."""

    def verdict(_world: World) -> Iterator[Finding]:
        yield Finding("test", "planted")

    monkeypatch.setattr(World, "verdict", verdict)


def shrink_by(monkeypatch: pytest.MonkeyPatch, shrink: Shrink) -> None:
    monkeypatch.setattr("tools.simulate.shrink.shrunk", shrink)


def smaller(report: Report) -> Report:
    return run(replace(report.options, transactions=1))


def cannot(_path: Path, _text: str) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def keep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the violation goes that every run has now."""
    plant(monkeypatch)
    return tmp_path / "it.json"


def simulate(keep: Path, *arguments: str) -> int:
    return exit_code("simulate", *SMALL, "--keep", str(keep), *arguments)


def in_file(keep: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(keep.read_text(encoding="utf-8"))
    return content


def test_the_file_is_there_before_it_is_made_smaller_and_follows_it(
    keep: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def shrink(report: Report, *, tell: Callable[[Report], object], **_: object) -> Report:
        before = in_file(keep)
        assert (before["options"]["transactions"], before["digest"]) == (2, report.digest)
        assert capsys.readouterr().err.startswith("again: posterm simulate --seed 1 --transactions 2 ")
        tell(found := smaller(report))
        assert in_file(keep)["options"]["transactions"] == 1
        return found

    shrink_by(monkeypatch, shrink)
    assert simulate(keep) == 1
    error = capsys.readouterr().err
    assert "  still broken: posterm simulate --seed 1 --transactions 1 " in error
    assert error.splitlines()[-2].startswith("again: posterm simulate --seed 1 --transactions 1 ")
    assert error.splitlines()[-1] == f"step by step: posterm simulate --replay {keep} --step"
    assert in_file(keep)["trace"], "the whole story"


def test_control_c_leaves_the_smallest_so_far(
    keep: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def shrink(report: Report, *, tell: Callable[[Report], object], **_: object) -> Report:
        tell(smaller(report))
        raise KeyboardInterrupt

    shrink_by(monkeypatch, shrink)
    assert simulate(keep) == 1
    assert in_file(keep)["options"]["transactions"] == 1
    error = capsys.readouterr().err
    assert "interrupted: this is the smallest so far" in error
    assert "BROKEN test: planted" in error


def test_control_c_before_anything_was_tried_leaves_what_was_found(
    keep: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_options: Options) -> Report:
        assert in_file(keep)["findings"] == ["test: planted"], "already"
        raise KeyboardInterrupt

    monkeypatch.setattr("tools.simulate.world.run", interrupted)
    assert simulate(keep) == 1
    assert in_file(keep)["findings"] == ["test: planted"]
    assert "BROKEN test: planted" in capsys.readouterr().err


def test_it_is_kept_although_nobody_reads_the_lines(
    keep: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nobody_reads(_told: object) -> str:
        raise BrokenPipeError

    shrink_by(monkeypatch, lambda report, **_: report)
    monkeypatch.setattr(seeds_command, "_line", nobody_reads)
    assert simulate(keep) == 1
    assert in_file(keep)["findings"] == ["test: planted"]
    assert "BROKEN test: planted" in capsys.readouterr().err


def test_control_c_while_it_is_kept_keeps_it(keep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted: list[Path] = []

    def interrupted_once(path: Path, text: str) -> None:
        if not interrupted:
            interrupted.append(path)
            raise KeyboardInterrupt
        written.write(path, text)

    monkeypatch.setattr(kept, "write", interrupted_once)
    assert simulate(keep) == 1
    assert in_file(keep)["findings"] == ["test: planted"]


def test_a_full_disk_leaves_the_command(
    keep: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shrink_by(monkeypatch, lambda report, **_: report)
    monkeypatch.setattr(kept, "write", cannot)
    assert simulate(keep) == 1
    error = capsys.readouterr().err
    assert f"{keep}: it cannot be written: No space left on device" in error
    assert "again: posterm simulate --seed 1" in error
    assert "step by step" not in error, "there is nothing to be replayed"


def test_a_file_is_never_half_written(
    keep: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def write_half(path: Path, text: str, **_: object) -> None:
        path.write_bytes(text.encode()[: len(text) // 2])
        raise KeyboardInterrupt

    def shrink(report: Report, *, tell: Callable[[Report], object], **_: object) -> Report:
        monkeypatch.setattr(Path, "write_text", write_half)
        tell(smaller(report))
        raise AssertionError("the writing was interrupted")

    shrink_by(monkeypatch, shrink)
    assert simulate(keep) == 1
    assert in_file(keep)["options"]["transactions"] == 2, "as it was before"
    assert list(keep.parent.iterdir()) == [keep], "and nothing beside it"
    capsys.readouterr()


def test_counts_that_cannot_be_written_hide_nothing(
    keep: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shrink_by(monkeypatch, lambda report, **_: report)
    monkeypatch.setattr(seeds_command, "write", cannot)
    hits = keep.with_name("hits.json")
    assert simulate(keep, "--hits", str(hits)) == 1
    error = capsys.readouterr().err
    assert error.index("BROKEN") < error.index(f"--hits {hits}: No space left on device")
    monkeypatch.undo()
    monkeypatch.setattr(seeds_command, "write", cannot)
    assert simulate(keep, "--hits", str(hits)) == 2, "nothing was broken, but the counts are missing"


def test_counts_are_written_of_a_broken_run_too(keep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shrink_by(monkeypatch, lambda report, **_: report)
    hits = keep.with_name("hits.json")
    assert simulate(keep, "--hits", str(hits)) == 1
    assert json.loads(hits.read_text(encoding="utf-8"))


# --- Ctrl-C without a violation ------------------------------------------------------------------------


@pytest.fixture
def _third_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    run_world = World.run

    def interrupted(world: World) -> Report:
        if world.options.seed == 3:
            raise KeyboardInterrupt
        return run_world(world)

    monkeypatch.setattr(World, "run", interrupted)


@pytest.mark.usefixtures("_third_is_interrupted")
def test_control_c_tells_the_sum_so_far_and_writes_the_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hits = tmp_path / "hits.json"
    assert exit_code("simulate", *SMALL, "--runs", "9", "--hits", str(hits)) == 130
    out = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in out[:2]] == ["seed 1", "seed 2"]
    assert out[2].startswith("interrupted; so far 2 seeds, ")
    assert sum(json.loads(hits.read_text(encoding="utf-8")).values()) > 0


@pytest.mark.usefixtures("_third_is_interrupted")
def test_control_c_tells_it_in_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("simulate", *SMALL, "--total", "99", "--json") == 130
    *runs, last = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert last["total"]["seeds"] == len(runs) == 2
    assert last["total"]["transactions"] == sum(one["transactions"] for one in runs)


@pytest.mark.usefixtures("_third_is_interrupted")
def test_control_c_before_the_first_run_is_over_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hits = tmp_path / "hits.json"
    assert exit_code("simulate", *SMALL, "--seed", "3", "--runs", "2", "--hits", str(hits)) == 130
    assert capsys.readouterr().out == ""
    assert not hits.exists()
