"""`--replay FILE` says what became of the run this time, changes no file, and runs nothing damaged."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.simulate.test_violation import plant, shrink_by, simulate
from tests.tools.test_cli import ROOT, exit_code, refused
from tools import program
from tools.simulate.checkers.finding import Finding
from tools.simulate.kept import Kept, read
from tools.simulate.options import Options
from tools.simulate.world import World

GOOD: Mapping[str, Any] = {
    "seed": 1,
    "transactions": 2,
    "terminals": 1,
    "troubles": [],
    "hours": 0.0,
    "all_on": True,
    "left_out": "",
}


@pytest.fixture
def violation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """The file of a run that is broken by a mistake which has been mended since."""
    keep = tmp_path / "it.json"
    with monkeypatch.context() as spoilt:
        plant(spoilt)
        shrink_by(spoilt, lambda report, **_: report)
        assert simulate(keep) == 1
    capsys.readouterr()
    return keep


def verdict(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What is said after the pictures."""
    out = capsys.readouterr().out.splitlines()
    return out[max((number for number, line in enumerate(out) if line.startswith("╰")), default=-1) + 1 :]


def test_what_breaks_again_is_only_told(
    violation: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plant(monkeypatch)
    monkeypatch.chdir(violation.parent)
    monkeypatch.delattr("tools.simulate.shrink.shrunk")
    before = violation.read_bytes()
    assert exit_code("simulate", "--replay", str(violation)) == 1
    digest = read(violation).digest[:16]
    assert verdict(capsys) == [
        "broken again: test: planted",
        f"the same run as in the file (digest {digest})",
    ]
    assert violation.read_bytes() == before
    assert list(violation.parent.iterdir()) == [violation]


def test_what_is_mended_is_the_same_run_and_kept(violation: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("simulate", "--replay", str(violation)) == 0
    digest = read(violation).digest[:16]
    assert verdict(capsys) == [
        "kept every promise",
        "the file had: test: planted",
        f"the same run as in the file as far as that goes (digest {digest}); it went on from there",
    ]


def test_what_is_not_the_same_run_says_of_which_programs(
    violation: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    content = json.loads(violation.read_text(encoding="utf-8"))
    content |= {"digest": "0" * 64, "program": "posterm 0.0.1, commit abc"}
    violation.write_text(json.dumps(content), encoding="utf-8")
    monkeypatch.setattr(World, "verdict", lambda _world: [Finding("test", "something else")])
    assert exit_code("simulate", "--replay", str(violation)) == 1
    told = verdict(capsys)
    assert told[:2] == ["broken: test: something else", "the file had: test: planted"]
    assert re.fullmatch(r"not the same run as in the file: digest \w{16}, there 0{16}", told[2])
    assert told[3] == f"this is {program.described()}; the file is of posterm 0.0.1, commit abc"


def test_a_file_without_a_digest_is_told_so_in_chinese(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "old.json"
    file.write_text(json.dumps({"options": GOOD}), encoding="utf-8")
    assert exit_code("simulate", "--replay", str(file), "--language", "zh") == 0
    kept_it, unknown = verdict(capsys)
    assert kept_it == "所有承诺均已遵守"
    assert "文件中没有摘要" in unknown


def test_json_is_one_object_and_no_picture(violation: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("simulate", "--replay", str(violation), "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is True
    assert told["options"]["transactions"] == 2
    file = told["file"]
    assert (file["findings"], file["same_run"]) == (["test: planted"], True)
    assert file["digest"] != told["digest"], "it went on"


# --- going through it ----------------------------------------------------------------------------------


def test_a_step_has_a_hint_and_an_end(
    violation: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("\n\nq\n"))
    assert exit_code("simulate", "--replay", str(violation), "--step") == 0
    out = capsys.readouterr().out
    assert out.count("ENTER: the next moment; q and ENTER: end") == 3
    assert out.splitlines()[-1] == "ended before the end of the run: there is no verdict"


def test_what_comes_before_is_left_out(violation: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("simulate", "--replay", str(violation)) == 0
    every = re.findall(r"^ ([0-9.]+) s $", capsys.readouterr().out, re.MULTILINE)
    assert exit_code("simulate", "--replay", str(violation), "--from", every[9]) == 0
    later = re.findall(r"^ ([0-9.]+) s $", capsys.readouterr().out, re.MULTILINE)
    assert later == [one for one in every if float(one) >= float(every[9])]
    assert len(later) < len(every)


def test_nothing_may_be_left_to_be_shown(violation: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("simulate", "--replay", str(violation), "--from", "1e9") == 0
    first, *told = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"the run was over after [0-9.]+ s: no moment to be shown", first)
    assert told[0] == "kept every promise"


def test_who_reads_no_further_breaks_no_promise(violation: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "posterm", "simulate", "--replay", str(violation)]
    done = subprocess.run(command, cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, timeout=60, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


# --- damaged files -------------------------------------------------------------------------------------

BAD: Mapping[str, list[object]] = {
    "seed": ["7", None, [1], 1.5, True],
    "transactions": ["x", -3, 0, 2.5, True],
    "terminals": [0, -1, 1e3, 1001, "2"],
    "troubles": ["bank", None, ["gremlins"], [["bank"]], {"bank": 1}],
    "hours": ["a", float("nan"), float("inf"), -1, 1e308, True, None],
    "all_on": ["no", 1, None],
    "left_out": ["bank", 7, "bank:1-999999999999", None],
}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        *(
            (json.dumps({"options": {**GOOD, name: value}}), f"options: {name}: must be ")
            for name, values in BAD.items()
            for value in values
        ),
        ("[" * 100_000, "not a file that posterm simulate has written"),
        ('{"options": ' + '{"a": ' * 100_000, "not a file that posterm simulate has written"),
        ("[]", "not a file that posterm simulate has written"),
        ("{}", "not a file that posterm simulate has written"),
        ("\x00\xff", "not a file that posterm simulate has written"),
        ('{"options": 3}', "options: must be an object"),
        ('{"options": {}}', "options: there is no seed"),
        (json.dumps({"options": {**GOOD, "sed": 1}}), "options: this version knows no 'sed'"),
        (json.dumps({"options": GOOD, "findings": "x"}), "findings: must be a list of texts"),
        (json.dumps({"options": GOOD, "findings": [1]}), "findings: must be a list of texts"),
        (json.dumps({"options": GOOD, "digest": 1}), "digest: must be a text"),
        (json.dumps({"options": GOOD, "program": []}), "program: must be a text"),
        (json.dumps({"options": GOOD, "trace_lines": -1}), "trace_lines: must be a whole number"),
    ],
)
def test_a_damaged_file_is_named_and_nothing_is_run(
    text: str,
    complaint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(World, "run", None)
    file = tmp_path / "it.json"
    file.write_text(text, encoding="latin-1")
    assert f"{file}: {complaint}" in refused(capsys, "simulate", "--replay", str(file))


def test_a_file_of_an_older_version_is_read(tmp_path: Path) -> None:
    file = tmp_path / "it.json"
    options = {name: value for name, value in GOOD.items() if name != "left_out"}
    file.write_text(json.dumps({"options": options, "findings": ["a: b"], "digest": "00"}), encoding="utf-8")
    assert read(file) == Kept(Options(1, 2, 1).with_troubles(()), ("a: b",), "00")


# --- which program it was ------------------------------------------------------------------------------


def test_the_program_is_told_with_its_commit(violation: Path) -> None:
    assert read(violation).program == program.described()
    assert program.described().startswith("posterm")
    if (ROOT / ".git").exists() and program.commit():
        head = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        assert head.startswith(program.commit().removesuffix("-dirty"))


def test_outside_a_checkout_there_is_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "_ROOT", tmp_path)
    assert program.commit() == ""
    (tmp_path / ".git").mkdir()
    assert program.commit() == "", "a folder that git does not know either"
