"""No option of `posterm simulate` is ignored in silence, and no file is found bad after a long run."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest

from tests.tools.test_cli import exit_code, refused
from tools import cli
from tools.simulate import many
from tools.simulate.checkers import second_decoder
from tools.simulate.modes import GO_WITH, Mode, mode_of
from tools.simulate.options import STRIKES_MAX, strikes_named
from tools.simulate_command import DEFAULTS


def options() -> Iterator[argparse.Action]:
    parser = cli.commands_of(cli._parser("simulate"))["simulate"]
    return (action for action in parser._actions if action.dest != "help")


def test_every_option_is_in_the_table_and_has_its_default() -> None:
    names = {action.option_strings[0] for action in options()}
    assert names == frozenset().union(*GO_WITH.values())
    assert {action.dest for action in options()} == DEFAULTS.keys()


def test_whatever_is_not_ignored_goes_together() -> None:
    for mode in Mode:
        asked = mode.value.split()
        assert mode_of(asked) is mode
        assert mode_of(list(GO_WITH[mode] - {"--json", "--step", "--cell"} | set(asked))) is mode


def test_of_each_two_options_one_mode_knows_both_or_they_are_refused() -> None:
    names = sorted(frozenset().union(*GO_WITH.values()))
    for both in combinations(names, 2):
        if GO_WITH[Mode.of(both)] >= set(both):
            assert mode_of(both) is Mode.of(both)
        else:
            with pytest.raises(ValueError, match=f"({'|'.join(both)}) (goes|does not go) with --"):
                mode_of(both)


MATRIX = "--matrix --only echo --seed 9 --terminals 7 --faults no --replay no --step --hits /x/y --runs 5"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (MATRIX, "--seed, --terminals, --faults, --replay, --step, --hits, --runs do not go with --matrix"),
        (
            "--replay ok.json --seed 1 --runs 1 --faults all",
            "--seed, --runs, --faults do not go with --replay",
        ),
        ("--replay ok.json --keep it.json", "--keep does not go with --replay"),
        ("--replay ok.json --json --step", "--step does not go with --replay --json"),
        ("--matrix --cell x --step --json", "--json does not go with --matrix --cell --step"),
        ("--matrix --cell x --write page.md", "--write does not go with --matrix --cell"),
        ("--from 3 --language zh", "--from goes with --replay; --language goes with --replay"),
        ("--seed 7 --cell x", "--cell goes with --matrix"),
    ],
)
def test_what_would_be_ignored_is_refused(
    arguments: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused(capsys, "simulate", *arguments.split()) == f"posterm simulate: {complaint}"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("--hits {folder}", "--hits {folder}: this is a folder"),
        ("--keep {folder}", "--keep {folder}: this is a folder"),
        ("--matrix --write {folder}", "--write {folder}: this is a folder"),
        ("--hits {folder}/it --keep {folder}/./it", "--hits and --keep name the same file"),
        ("--hits {folder}/no/it", "--hits {folder}/no/it: there is no such folder"),
        ("--keep {folder}/circle", "--keep {folder}/circle: Too many levels of symbolic links"),
        (f"--hits {{folder}}/{'x' * 300}", "File name too long; name another file"),
    ],
)
def test_a_file_that_cannot_be_is_refused_before_anything_is_run(
    arguments: str,
    complaint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(many, "simulated", None)
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    words = arguments.format(folder=tmp_path).split()
    assert complaint.format(folder=tmp_path) in refused(capsys, "simulate", *words)


def test_where_nothing_may_be_written_nothing_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.access", lambda _path, _mode: False)  # whoever runs as root may write anywhere
    assert "--keep violation.json: it cannot be written" in refused(capsys, "simulate")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("--hours 1e308", "argument --hours: more than 0, at most 1000000"),
        ("--terminals 1001", "argument --terminals: at most 1000"),
        ("--replay x --from -1", "argument --from: 0 or more"),
        ("--replay x --from nan", "argument --from: 0 or more"),
        ("--without bank:1-999999999999", "more than 1000000 strikes are named"),
        ("--without bank:1-600000,power:1-600000", "more than 1000000 strikes are named"),
        (f"--without bank:1-{'9' * 5000}", "no strikes 'bank:1-999"),
        ("--without bank:1-", "no strikes 'bank:1-'"),
    ],
)
def test_what_is_too_much_is_refused(
    arguments: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert complaint in refused(capsys, "simulate", *arguments.split())


def test_strikes_may_be_many() -> None:
    assert len(strikes_named(f"bank:1-{STRIKES_MAX // 10}")) == STRIKES_MAX // 10


@pytest.mark.parametrize("arguments", ["--transactions 1 --terminals 1", "--matrix", "--replay {file}"])
def test_every_mode_says_that_the_second_decoder_is_missing(
    arguments: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(second_decoder, "is_there", lambda: False)
    monkeypatch.setattr("tools.simulate.matrix.cells_of", lambda _play: [])
    file = tmp_path / "ok.json"
    file.write_text(
        '{"options": {"seed": 1, "transactions": 1, "terminals": 1, "troubles": [], "hours": 0,'
        ' "all_on": true}}',
        encoding="utf-8",
    )
    assert exit_code("simulate", *arguments.format(file=file).split()) == 0
    assert second_decoder.MISSING in capsys.readouterr().err
