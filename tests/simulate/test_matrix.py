"""The crash matrix: of every play's cells one in so many; all of them: --matrix."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from bank.settling import NOT_BALANCED
from firmware.journal import Draft, Journal
from firmware.management_work import MESSAGES
from firmware.records import Flow, OutgoingKind, Payment
from firmware.txn.plans import PLANS
from firmware.txn.settlement import State
from tests.simulate.test_secret_checker import log_pins
from tests.tools.test_cli import exit_code
from tools.simulate import points
from tools.simulate.checkers.books import Books
from tools.simulate.checkers.finding import Finding
from tools.simulate.matrix import FAULTS, Cell, Matrix, broken_at, cells_of, matrix
from tools.simulate.matrix_page import page, tables
from tools.simulate.plays import PLAYS, Play, plays_named
from tools.simulate.stage import Stage

ONE_IN = 61  # a prime, so that every point and fault has its turn in one play or another
SOME_FAULTS = ((points.COMMIT, "fails"), (points.BANK_REQUEST, "doubled"))
TITLES: Mapping[str, Play] = {play.title: play for play in PLAYS}


@pytest.mark.slow
@pytest.mark.parametrize("title", TITLES)
def test_every_promise_is_kept_at_every_point(title: str) -> None:
    cells = list(cells_of(TITLES[title]))
    assert {cell.point for cell in cells} >= {points.RULE, points.TERMINAL_SENDS, points.GATEWAY_SENDS}
    for cell in cells[len(title) % ONE_IN :: ONE_IN]:
        assert broken_at(cell) == "", cell


def test_what_a_moment_finds_and_what_is_logged_break_a_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only what is still to be seen in the end."""
    cell = Cell("purchase (pin-first)", points.BANK_REQUEST, 1, "doubled")
    assert broken_at(cell) == ""
    with monkeypatch.context() as spoilt:
        log_pins(spoilt)
        assert broken_at(cell) == "secret: a PIN is in the clear in: log"
    monkeypatch.setattr(Books, "look", lambda *_: [Finding("limit", "an account is below zero")])
    assert broken_at(cell) == "limit: an account is below zero"


def test_everything_that_talks_with_the_bank_is_played() -> None:
    names = {play.name for play in PLAYS}
    assert names >= PLANS.keys() | MESSAGES.keys() - {"parameters_end"} | {"sign_in", "settlement"}
    assert {play.flow for play in plays_named("purchase")} == set(Flow)


def test_the_points_of_a_purchase_are_enumerated_with_every_fault() -> None:
    cells = list(cells_of(TITLES["purchase (authorise-first)"]))
    assert {(cell.point, cell.fault) for cell in cells} == set(FAULTS)
    requests = {cell.number for cell in cells if cell.point == points.BANK_REQUEST}
    assert requests == {1, 2, 3}, "authorisation, PIN verification, completion"


def test_an_upload_has_all_its_parts() -> None:
    """0500; 0320 for each of two advices, for each half's details, for what is told last; the end."""
    stage = Stage(TITLES["settlement_upload"])
    passed: list[object] = []
    stage.till.station.observers.append(lambda transition: passed.append(transition.rule.target))
    counts = stage.count_points()
    assert stage.till.station.terminal is not None
    settlement = stage.till.station.terminal.journal.settlement
    stage.close()
    assert passed.count(State.UPLOADING) == 5
    assert counts[points.BANK_REQUEST] == 1 + 5 + 1
    assert settlement is not None
    assert (settlement.domestic_result, settlement.foreign_result) == (NOT_BALANCED, NOT_BALANCED)


def test_a_reversal_begins_where_its_points_begin() -> None:
    stage = Stage(TITLES["reversal_cancelled (authorise-first)"])
    stage.count_points()
    terminal = stage.till.station.terminal
    assert terminal is not None
    payment: Payment | None = terminal.journal.payment
    stage.close()
    assert payment is not None
    assert payment.reversed
    assert stage.points.counts[points.BANK_REQUEST] == 1, "0400, and not the authorisation"


@pytest.mark.parametrize(
    ("point", "fault"), [(points.TERMINAL_RECEIVES, "terminal cut"), (points.BANK_ANSWER, "lost")]
)
def test_a_reversal_that_is_forgotten_breaks_cells(
    point: str, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: the terminal forgets the reversal that it owes. Bank and journal cannot agree then."""
    commit = Journal.commit

    def forgetting(self: Journal, draft: Draft) -> None:
        outbox = draft.outbox.items()
        draft.outbox = {key: entry for key, entry in outbox if entry.kind is not OutgoingKind.REVERSAL}
        commit(self, draft)

    cells = [
        one for one in cells_of(TITLES["purchase (pin-first)"]) if (one.point, one.fault) == (point, fault)
    ]
    monkeypatch.setattr(Journal, "commit", forgetting)
    assert any(broken_at(one) for one in reversed(cells))


def test_the_tables_count_the_cells_and_name_what_is_broken() -> None:
    cells = [
        Cell("refund (pin-first)", points.RULE, number, fault)
        for fault in ("terminal cut", "gateway cut")
        for number in (1, 2)
    ]
    table = Matrix(cells, [(cells[1], "holds: held for nobody")])
    assert not table.ok
    assert "| refund (pin-first) | 2 | 4 |" in tables(table)
    assert "| rule | 2 | 2 | 4 |" in tables(table)
    again = 'posterm simulate --matrix --cell "refund (pin-first)/rule/2/terminal cut"'
    assert f"- holds: held for nobody; again: `{again}`" in tables(table)
    assert table.to_json()["broken"][0]["number"] == 2
    assert table.to_json()["counts"]["refund (pin-first)"]["rule"] == {"terminal cut": 2, "gateway cut": 2}
    assert page(table).startswith("<!-- Made by")


def test_workers_find_what_one_process_finds() -> None:
    cells = [cell for cell in cells_of(TITLES["sign_in"]) if cell.fault == "cut after"]
    cells += [Cell("sign_in", points.COMMIT, 1, "melts")]
    told: list[int] = []
    table = matrix(cells, jobs=2, tell=told.append)
    assert table == matrix(cells)
    assert [cell.fault for cell, _ in table.broken] == ["melts"]
    assert told == list(range(1, len(cells) + 1))


def test_the_page_has_every_play_and_point() -> None:
    text = (Path(__file__).parents[2] / "docs" / "crash-matrix.md").read_text(encoding="utf-8")
    assert all(f"| {title} |" in text for title in TITLES)
    assert all(f"| {point} |" in text for point, _ in FAULTS)


def test_the_command_tries_what_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tools.simulate.matrix.FAULTS", {key: FAULTS[key] for key in SOME_FAULTS})
    written = tmp_path / "page.md"
    arguments = ("--matrix", "--only", "sign_in", "--json", "--write", str(written))
    assert exit_code("simulate", *arguments) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is True
    assert told["cells"] == sum(sum(faults.values()) for faults in told["counts"]["sign_in"].values())
    assert f"{told['cells']} cells, 0 broken" in written.read_text(encoding="utf-8")


LOST = "sign_in/bank request/1/lost"


def test_a_cell_is_played_by_its_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code("simulate", "--matrix", "--cell", LOST) == 0
    assert capsys.readouterr().out == f"{LOST}: ok\n"
    monkeypatch.setattr(Stage, "_verdict", lambda _stage: "ledger: a yuan is missing")
    assert exit_code("simulate", "--matrix", "--cell", LOST, "--json") == 1
    (broken,) = json.loads(capsys.readouterr().out)["broken"]
    assert (broken["cell"], broken["finding"]) == (LOST, "ledger: a yuan is missing")


def test_a_cell_is_shown_step_by_step(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    steps: list[str] = []

    def press_enter() -> str:
        steps.append(capsys.readouterr().out)
        return "\n"

    monkeypatch.setattr("sys.stdin", io.StringIO("\n" * 9))
    monkeypatch.setattr("sys.stdin.readline", press_enter)
    assert exit_code("simulate", "--matrix", "--cell", LOST, "--step") == 0
    struck = [number for number, text in enumerate(steps) if "till0 bank request 1 is struck" in text]
    assert len(struck) == 1
    assert "→ 0800 004 #000003" in "".join(steps[struck[0] :]), "the next sign-in; the second has gone"
    assert f"{LOST}: ok" in capsys.readouterr().out


def test_every_cell_is_found_by_its_name() -> None:
    cells = list(cells_of(TITLES["reversal_cancelled (authorise-first)"]))
    assert [Cell.named(str(cell)) for cell in cells[::23]] == cells[::23]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--only", "barter"), "nothing called 'barter' is played"),
        (("--write", "/nowhere/page.md"), "there is no such folder"),
        (("--write", "/"), "--write /: this is a folder"),
        (("--step",), "--step does not go with --matrix"),
        (("--cell", LOST, "--only", "refund"), "--only does not go with --matrix --cell"),
        (("--cell", "refund"), "no cell 'refund': it is PLAY/POINT/NUMBER/FAULT"),
        (("--cell", "refund/rule/1/lost"), "no play 'refund': purchase (authorise-first), "),
        (("--cell", "sign_in/counter/1/lost"), "no point 'counter': commit, rule, "),
        (("--cell", "sign_in/rule/1/lost"), "no fault at rule 'lost': terminal cut, "),
        (("--cell", "sign_in/bank request/2/lost"), "sign_in passes bank request 1 times"),
        (("--cell", "sign_in/bank request/0/lost"), "sign_in passes bank request 1 times"),
    ],
)
def test_what_does_not_fit_is_refused(
    arguments: tuple[str, ...], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code("simulate", "--matrix", *arguments) == 2
    assert complaint in capsys.readouterr().err


def test_a_page_that_cannot_be_written_is_refused_before_anything_is_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.access", lambda _path, _mode: False)  # whoever runs as root may write anywhere
    monkeypatch.setattr("tools.simulate.matrix.cells_of", None)
    assert exit_code("simulate", "--matrix", "--write", str(tmp_path / "page.md")) == 2
    assert "page.md: it cannot be written; check the path and its permissions" in capsys.readouterr().err


def test_the_tables_are_printed_although_the_page_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The disk is full, or the folder gone, when it is time to write."""
    page_file, folder = tmp_path / "gone" / "page.md", tmp_path / "gone"
    folder.mkdir()
    monkeypatch.setattr("tools.simulate.matrix.FAULTS", {key: FAULTS[key] for key in SOME_FAULTS})

    def tried(cells: list[Cell], **_how: object) -> Matrix:
        folder.rmdir()
        return Matrix(cells)

    monkeypatch.setattr("tools.simulate.matrix.matrix", tried)
    assert exit_code("simulate", "--matrix", "--only", "sign_in", "--write", str(page_file)) == 2
    told = capsys.readouterr()
    assert "5 cells, 0 broken." in told.out
    assert "page.md: No such file" in told.err
