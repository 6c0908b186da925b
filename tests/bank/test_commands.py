"""The `posterm bank` commands, called as the program calls them."""

from __future__ import annotations

import io
import json
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bank.provision import load_provision
from tests.bank.till import TMK
from tools.cli import main

GOOD_PAN = load_provision().cards[0].plastic.pan


def run(*arguments: str) -> int:
    return main(["bank", *arguments])


@pytest.fixture
def db(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    path = str(tmp_path / "bank.db")
    assert run("init", "--db", path, "--demo") == 0
    assert "cards: 5, terminals: 1\n" in capsys.readouterr().out
    return path


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert run(*arguments, "--json") == 0
    return json.loads(capsys.readouterr().out)


def test_listings_in_json(db: str, capsys: pytest.CaptureFixture[str]) -> None:
    cards = shown(capsys, "card", "list", "--db", db)
    assert [card["name"] for card in cards] == ["expired", "good", "limited", "lost", "poor"]
    assert shown(capsys, "card", "show", "good", "--db", db)["pan"] == GOOD_PAN.masked
    assert shown(capsys, "account", "show", "card good", "--db", db)["balance_minor"] == 1_000_000
    assert len(shown(capsys, "account", "list", "--db", db)) == 7
    assert shown(capsys, "merchant", "list", "--db", db)[0]["name_local"] == "小样咖啡馆"
    assert shown(capsys, "merchant", "show", "898320154110001", "--db", db)["status"] == "active"
    terminal = shown(capsys, "terminal", "show", "12345678", "--db", db)
    assert shown(capsys, "terminal", "list", "--db", db) == [terminal]
    assert (terminal["tmk_check_value"], terminal["signed_in"]) == ("491510CA", False)
    postings = shown(capsys, "ledger", "list", "--db", db)
    assert len(postings) == 5
    assert shown(capsys, "ledger", "show", "1", "--db", db) == postings[0]
    assert shown(capsys, "ledger", "verify", "--db", db)["ok"] is True


@pytest.mark.parametrize("listing", ["card", "account", "merchant", "terminal", "ledger"])
def test_listings_in_columns_name_no_number_in_full(
    db: str, capsys: pytest.CaptureFixture[str], listing: str
) -> None:
    assert run(listing, "list", "--db", db) == 0
    output = capsys.readouterr().out
    assert len(output.splitlines()) > 1
    assert GOOD_PAN.reveal() not in output
    assert TMK.hex() not in output.lower()


def test_a_card_is_created_with_a_pin_from_standard_input(
    db: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("654321\n"))
    create = ["card", "create", "anna", "--pan", "6225880000010018", "--expiry", "3012", "--db", db]
    assert run(*create, "--balance", "12.34", "--limit", "5.00", "--pin-stdin") == 0
    assert "622588******0018" in capsys.readouterr().out
    card = shown(capsys, "card", "show", "anna", "--db", db)
    assert (card["balance_minor"], card["amount_limit_minor"]) == (1234, 500)
    assert run(*create, "--pin", "654321") == 2
    assert capsys.readouterr().err == 'posterm: there is already a card "anna"\n'


def test_a_card_is_changed(db: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("card", "set", "good", "--status", "stolen", "--unblock-pin", "--db", db) == 0
    assert shown(capsys, "card", "show", "good", "--db", db)["status"] == "stolen"
    assert run("card", "set", "good", "--status", "happy", "--db", db) == 2
    assert run("card", "set", "good", "--db", db) == 2


def test_merchants_terminals_and_accounts_are_created(
    db: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("merchant", "create", "898320154110002", "--name", "BOOKS", "--db", db) == 0
    monkeypatch.setattr("sys.stdin", io.StringIO(TMK.hex() + "\n"))
    assert run("terminal", "create", "00000002", "--mid", "898320154110002", "--tmk-stdin", "--db", db) == 0
    assert "491510CA" in capsys.readouterr().out
    assert run("account", "create", "fees", "--db", db) == 0
    assert shown(capsys, "account", "show", "fees", "--db", db)["kind"] == "merchant"
    monkeypatch.setattr("sys.stdin", io.StringIO("1234\n"))
    assert run("terminal", "create", "00000003", "--mid", "898320154110002", "--tmk-stdin", "--db", db) == 2


def test_a_terminal_is_issued_and_asked_for_something(
    db: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    issue = ["terminal", "issue", "--mid", "898320154110001", "--components", f"{tmp_path}/keys", "--db", db]
    assert run(*issue) == 0
    assert capsys.readouterr().out.startswith("terminal 10000001, key check value ")
    assert len(list((tmp_path / "keys").iterdir())) == 2
    assert run("terminal", "demand", "10000001", "parameters", "--db", db) == 0
    assert run("terminal", "demand", "10000001", "status", "--db", db) == 0
    shown_now = shown(capsys, "terminal", "show", "10000001", "--db", db)
    assert (shown_now["demands"], shown_now["status"]) == (["parameters", "status"], None)
    assert run("terminal", "demand", "1", "status", "--db", db) == 2
    assert run(*issue[:3], "1", *issue[4:]) == 2


def test_the_master_key_is_for_the_owner_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "own.db"
    assert run("init", "--db", str(path)) == 0
    key = tmp_path / "own.db.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert len(bytes.fromhex(key.read_text().strip())) == 32
    assert run("card", "list", "--db", str(path)) == 0
    key.unlink()
    assert run("card", "list", "--db", str(path)) == 2
    assert (
        capsys.readouterr().err == f"posterm: {path} is no demo bank, and its master key {key} is missing\n"
    )


def test_a_database_has_one_server(db: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = [sys.executable, "-m", "tools.cli", "bank", "serve", "--db", db, "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline().startswith("bank listening on ")
            assert run("serve", "--db", db, "--listen", "127.0.0.1:0") == 2
            refusal = capsys.readouterr().err
            assert refusal.startswith(f"posterm: {db} is in use by another server: stop that one, or name ")
            assert run("card", "list", "--db", db) == 0, "to look is allowed"
        finally:
            server.terminate()
    assert server.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("card", "list", "--db", "{tmp}/absent.db"), "posterm bank init"),
        (("init", "--db", "{db}", "--demo"), "is a bank already"),
        (("init", "--db", "{tmp}/x.db", "--from", "{tmp}/absent.toml"), "cannot read"),
        (("card", "show", "nobody", "--db", "{db}"), '"nobody"'),
        (("merchant", "show", "1", "--db", "{db}"), "no merchant"),
        (("terminal", "show", "1", "--db", "{db}"), "no terminal"),
        (("ledger", "show", "99", "--db", "{db}"), "99"),
        (("card", "list", "--db", "{db}", "--key-file", "{tmp}/absent.key"), "master key"),
        (
            ("card", "create", "x", "--pan", "12", "--expiry", "3012", "--pin", "1234", "--db", "{db}"),
            "--pan",
        ),
        (("check", "--db", "{tmp}/absent.db"), "no bank database"),
        (("serve",), "--demo"),
        (("serve", "--demo", "--listen", "nowhere"), "HOST:PORT"),
        (("serve", "--demo", "--fault", "rain"), "known are"),
        (("serve", "--demo", "--acquirer", "{tmp}/absent.toml"), "cannot read"),
        (("serve", "--demo", "--acquirer", "{db}"), "is not TOML"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(
    db: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    assert run(*(argument.format(tmp=tmp_path, db=db) for argument in arguments)) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert words in error


def test_a_wrong_key_file_is_said(db: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other.key"
    other.write_text("00" * 32)
    assert run("card", "list", "--db", db, "--key-file", str(other)) == 2
    assert "another bank master key" in capsys.readouterr().err
    other.write_text("no hex")
    assert run("card", "list", "--db", db, "--key-file", str(other)) == 2


def test_wrong_books_are_exit_code_1(db: str, capsys: pytest.CaptureFixture[str]) -> None:

    connection = sqlite3.connect(db)
    connection.execute("UPDATE account SET balance_minor = 1 WHERE name = 'card good'")
    connection.commit()
    connection.close()
    assert run("ledger", "verify", "--db", db) == 1
    assert "card good" in capsys.readouterr().out


def test_a_database_that_was_changed_by_hand_can_be_taken_as_it_is(
    db: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("check", "--db", db) == 0
    assert "as it was stored" in capsys.readouterr().out
    with closing(sqlite3.connect(db)) as connection, connection:
        connection.execute("UPDATE merchant SET name = 'CORNER BOOKSHOP'")
    assert run("check", "--db", db) == 1
    assert "what stands in it is not what was stored" in capsys.readouterr().err
    assert run("serve", "--db", db) == 2
    assert "posterm bank check --help" in capsys.readouterr().err
    assert run("check", "--accept", "--db", db) == 0
    assert run("check", "--db", db) == 0


def test_a_database_with_a_broken_page_is_not_taken_as_it_is(
    db: str, capsys: pytest.CaptureFixture[str]
) -> None:
    content = bytearray(Path(db).read_bytes())
    content[4096:8192] = bytes(4096)
    Path(db).write_bytes(content)
    assert run("check", "--accept", "--db", db) == 1
    assert "is damaged (its structure is broken): restore it from a copy" in capsys.readouterr().err
    assert Path(db).read_bytes() == content


@pytest.mark.parametrize(
    "command",
    [
        ["serve"],
        ["init"],
        ["check"],
        *([group, "list"] for group in ("card", "account", "merchant", "ledger")),
    ],
)
def test_help_has_an_example(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(*command, "--help")
    assert caught.value.code == 0
    assert "example:\n  posterm bank " + " ".join(command) in capsys.readouterr().out


def test_wrong_usage_is_exit_code_2() -> None:
    with pytest.raises(SystemExit) as caught:
        run("card", "list")
    assert caught.value.code == 2
