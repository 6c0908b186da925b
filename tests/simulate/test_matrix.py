"""The crash matrix: of every play some cells; all of them: --matrix."""

from __future__ import annotations

import io
import json
import re
from collections import defaultdict
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
from tools.simulate.points import Deliver, PointedLine, Points
from tools.simulate.stage import Stage

ONE_IN = 9  # of a play's points with their faults, of each one of the times that it is passed
SOME_FAULTS = ((points.COMMIT, "fails"), (points.BANK_REQUEST, "doubled"))
ALL_POINTS = list(dict.fromkeys(point for point, _ in FAULTS))
ACKNOWLEDGEMENT_BYTES = 11
TITLES: Mapping[str, Play] = {play.title: play for play in PLAYS}


def some_of(title: str) -> list[Cell]:
    """Cells of a play: others than those of the plays beside it."""
    place, found = list(TITLES).index(title), defaultdict[tuple[str, str], list[Cell]](list)
    for cell in cells_of(TITLES[title]):
        found[cell.point, cell.fault].append(cell)
    chosen = [found[one] for number, one in enumerate(FAULTS) if (number + place) % ONE_IN == 0]
    return [cells[place % len(cells)] for cells in chosen if cells]


@pytest.mark.slow
@pytest.mark.parametrize("title", TITLES)
def test_every_promise_is_kept_at_every_point(title: str) -> None:
    for cell in some_of(title):
        assert broken_at(cell) == "", cell.command


def test_every_fault_at_every_point_has_its_turn_in_some_play() -> None:
    assert {(cell.point, cell.fault) for title in TITLES for cell in some_of(title)} == set(FAULTS)


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


def test_every_fault_is_tried_where_there_is_something_to_try() -> None:
    """Of each point each part's power goes; what is sent or received is lost, doubled, late as well."""
    durable = {points.RULE, points.COMMIT, points.BANK_COMMIT}
    for point in ALL_POINTS:
        tried = {fault for one, fault in FAULTS if one == point}
        assert tried >= {"terminal cut", "gateway cut", "bank cut"}
        assert ({"lost", "doubled", "late"} <= tried) is (point not in durable)
        is_received = {points.GATEWAY_RECEIVES, points.LINK_REQUEST, points.TERMINAL_RECEIVES}
        assert ("cut after" in tried) is (point not in is_received | {points.RULE})


@pytest.mark.parametrize(
    ("struck", "fault", "came_of_it"),
    [
        (points.LINK_REQUEST, "gateway cut", "nothing"),
        (points.BANK_REQUEST, "gateway cut", "nothing"),
        (points.GATEWAY_SENDS, "gateway cut", "received, committed"),
        (points.BANK_REQUEST, "cut after", "acknowledged, received, committed"),
        (points.BANK_ANSWER, "bank cut", "acknowledged, received"),
        (points.BANK_COMMIT, "bank cut", "acknowledged, received"),
        (points.BANK_COMMIT, "gateway cut", "acknowledged, received, committed"),
        (points.BANK_COMMIT, "cut after", "acknowledged, received, committed"),
        (points.BANK_ANSWER, "cut after", "acknowledged, received, committed, answered, passed on"),
        (points.LINK_ANSWER, "bank cut", "acknowledged, received, committed, answered, passed on"),
    ],
)
def test_a_part_loses_its_power_just_before_or_after_what_passes(
    struck: str, fault: str, came_of_it: str
) -> None:
    """A sign-in reaches gateway, bank and gateway again within 18 ms: what of that has happened?"""
    stage = Stage(TITLES["sign_in"])
    line, machine, told = stage.till.drive.line.b_to_a, stage.world.machine, ["nothing"]
    stage.till.message_taps.append(lambda _at_ms, side, _message: told.append(side))

    def look(first_byte: int) -> None:
        happened = {
            "acknowledged": line.byte_count >= first_byte + ACKNOWLEDGEMENT_BYTES,
            "received": stage.points.counts[points.BANK_ANSWER],
            "committed": stage.points.counts[points.BANK_COMMIT] > machine.power_cuts,  # it starts with one
            "answered": "bank" in told,
            "passed on": line.byte_count > first_byte + 10 * ACKNOWLEDGEMENT_BYTES,
        }
        told[0] = ", ".join(what for what, has in happened.items() if has) or "nothing"

    def arm() -> None:
        first_byte = line.byte_count
        FAULTS[struck, fault](stage, 1)
        stage.world.at(stage.world.now_ms + 19, lambda: look(first_byte))

    assert stage.strike(arm) == ""
    stage.close()
    assert told[0] == came_of_it


def test_a_cut_of_another_part_is_the_same_at_all_points_of_a_moment() -> None:
    of_one_moment = (
        (points.GATEWAY_RECEIVES, 2),
        (points.LINK_REQUEST, 1),
        (points.BANK_REQUEST, 1),
        (points.GATEWAY_SENDS, 1),
    )
    first, *others = [happened_with_a_bank_cut(*place) for place in of_one_moment]
    assert others == [first] * len(others)
    assert happened_with_a_bank_cut(points.LINK_ANSWER, 1) != first, "the bank has answered by then"


def happened_with_a_bank_cut(point: str, number: int) -> list[str]:
    stage = Stage(TITLES["sign_in"])
    assert stage.strike(lambda: FAULTS[point, "bank cut"](stage, number)) == ""
    stage.close()
    happened = list(stage.world.trace.newest)
    assert sum("is struck" in line for line in happened) == 1
    return [line for line in happened if "is struck" not in line]


def test_bytes_that_are_received_late_come_a_second_time() -> None:
    kept: list[Deliver] = []
    passed = Points(lambda _point, _number: None)
    times_ms = iter((0, 5_000))
    names = points.TERMINAL_SENDS, points.GATEWAY_RECEIVES
    line = PointedLine(passed, *names, lambda: next(times_ms), 115_200)
    passed.arm(points.GATEWAY_RECEIVES, 1, kept.append)
    passed.begin()
    line.write(b"frame", 0)
    assert line.read(1) == b""
    kept[0]()
    assert (line.read(5_000), line.read(5_001)) == (b"", b"frame")


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
    again = 'posterm simulate --matrix --cell "refund (pin-first)/rule/2/terminal cut"'
    assert f"- holds: held for nobody; again: `{again}`" in tables(table)
    assert table.to_json()["broken"][0]["number"] == 2
    assert table.to_json()["counts"]["refund (pin-first)"]["rule"] == {"terminal cut": 2, "gateway cut": 2}
    assert page(table).startswith("<!-- Made by")
    of_play, of_types, of_faults = tables_in(tables(table))
    assert of_play == {"rule": {"passed": "2", "terminal cut": "2, 1 BROKEN", "gateway cut": "2"}}
    assert of_types["refund (pin-first)"] == {"rule": "2", "cells": "4"}
    assert of_faults["rule"] == {"terminal cut": "2", "gateway cut": "2", "cells": "4"}


def tables_in(text: str) -> list[dict[str, dict[str, str]]]:
    """The Markdown tables of a text: of each row by its first field the others by their columns."""
    found = []
    for block in re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE):
        head, _, *rows = [[field.strip() for field in line.split("|")[1:-1]] for line in block.splitlines()]
        found.append({row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows})
    return found


def test_workers_find_what_one_process_finds() -> None:
    cells = [cell for cell in cells_of(TITLES["sign_in"]) if cell.fault == "cut after"]
    cells += [Cell("sign_in", points.COMMIT, 1, "melts")]
    told: list[int] = []
    table = matrix(cells, jobs=2, tell=told.append)
    assert table == matrix(cells)
    assert [cell.fault for cell, _ in table.broken] == ["melts"]
    assert told == list(range(1, len(cells) + 1))


def test_the_page_has_every_fault_at_every_point_of_every_play() -> None:
    text = (Path(__file__).parents[2] / "docs" / "crash-matrix.md").read_text(encoding="utf-8")
    _, passed, sums, *of_plays = tables_in(text)
    assert [play.split("\n")[0] for play in text.split("### ")[1:]] == list(TITLES)
    total = 0
    for title, table in zip(TITLES, of_plays, strict=True):
        assert table.keys() == {point for point in ALL_POINTS if passed[title][point] != "0"}
        for point, figures in table.items():
            count = figures.pop("passed")
            assert count == passed[title][point]
            assert figures == {fault: count if (point, fault) in FAULTS else "" for fault in figures}
            total += int(count) * sum(one == point for one, _ in FAULTS)
    assert f"\n{total} cells, 0 broken.\n" in text
    assert total == sum(int(row["cells"]) for row in sums.values()) == int(passed["all"]["cells"])


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
        (("--cell", "sign_in/counter/1/lost"), "no point 'counter': rule, commit, "),
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
