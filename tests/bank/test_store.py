from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bank.errors import StoreError, StoreVersionError
from bank.provision import DEMO_MID, DEMO_TID, demo_bank
from bank.store import SCHEMA_VERSION, BankStore
from tests.bank.clerk import Clerk, results
from tests.bank.till import NOW
from wire.iso8583.private import Totals


def test_a_new_file_is_written_ahead_and_flushed_at_commits(tmp_path: Path) -> None:
    store = BankStore.open(tmp_path / "bank.db")
    assert store.rows("PRAGMA journal_mode")[0][0] == "wal"
    assert store.number("PRAGMA synchronous") == 3  # EXTRA: a new file is not in WAL mode yet
    assert store.number("PRAGMA foreign_keys") == 1
    assert store.number("PRAGMA user_version") == SCHEMA_VERSION
    store.close()
    store.close()


def test_a_new_file_is_for_its_owner_only(tmp_path: Path) -> None:
    old = os.umask(0o022)
    try:
        store = BankStore.open(tmp_path / "bank.db")
    finally:
        os.umask(old)
    assert {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {
        "bank.db": 0o600,
        "bank.db-wal": 0o600,
        "bank.db-shm": 0o600,
    }
    store.close()


def test_a_file_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="No such file or directory: check that it and its folder are there"):
        BankStore.open(tmp_path / "nowhere" / "bank.db")


class _Latecomer(sqlite3.Connection):
    """A connection whose process stops for a while before its first change."""

    meanwhile: Callable[[], object]

    def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
        if sql == "BEGIN IMMEDIATE":
            meanwhile, self.meanwhile = self.meanwhile, lambda: None
            meanwhile()
        return super().execute(sql, *arguments)


@pytest.mark.parametrize("laid_out", [False, True])
def test_who_comes_second_to_a_new_file_finds_what_the_first_has_made(
    tmp_path: Path, *, laid_out: bool
) -> None:
    path = tmp_path / "bank.db"
    if laid_out:  # by a program of version 1, so that both bring it forward
        of_version_1(path)
    connection = sqlite3.connect(path, isolation_level=None, factory=_Latecomer)
    connection.meanwhile = lambda: demo_bank(path, now=NOW).close()
    second = BankStore.over(connection, str(path))
    assert second.number("PRAGMA user_version") == SCHEMA_VERSION
    assert second.number("SELECT count(*) FROM terminal WHERE tid = ?", (DEMO_TID,)) == 1
    with second.transaction():
        second.set_setting("mine", b"1")
    second.close()
    bank = demo_bank(path, now=NOW)
    assert bank.verify().ok
    assert bank.store.setting("mine") == b"1"
    bank.close()


VERSION_1 = (Path(__file__).parent / "databases" / "version_1.sql").read_text(encoding="utf-8")


def of_version_1(path: Path) -> Path:
    connection = sqlite3.connect(path)
    connection.executescript(VERSION_1)
    connection.close()
    return path


def test_a_database_of_version_1_is_brought_forward_and_goes_on(tmp_path: Path) -> None:
    bank = demo_bank(of_version_1(tmp_path / "bank.db"), now=NOW)
    assert bank.store.number("PRAGMA user_version") == SCHEMA_VERSION
    assert bank.store.rows("PRAGMA foreign_key_check") == []
    assert bank.verify().ok
    terminal = bank.merchants.terminal(DEMO_MID, DEMO_TID)
    assert (terminal.key_scheme, terminal.mac_algorithm) == ("master-session", "unionpay")
    payments = bank.payments.of_batch(DEMO_MID, DEMO_TID, "000001")
    assert [(one.trace, one.state.value, one.moved_minor, one.organisation) for one in payments] == [
        ("000002", "approved", 1234, "CUP"),
        ("000003", "approved", 0, "CUP"),
        ("000004", "approved", 1234, "CUP"),
        ("000005", "approved", 500, "CUP"),
        ("000006", "reversed", 700, "CUP"),
        ("000007", "declined", 0, "CUP"),
        ("000008", "approved", 2000, "CUP"),
        ("000009", "forestalled", 0, ""),
    ]
    [hold] = bank.open_holds()
    assert (hold.amount_minor, hold.completion_max_minor) == (2000, 2000)
    clerk = Clerk(bank, trace_count=9)
    assert clerk.sign_in().text(39) == "00"
    assert results(clerk.settle(Totals(1734, 2))) == (1, 1)
    bank.close()


def test_a_step_forward_is_taken_whole_or_not_at_all(tmp_path: Path) -> None:
    path = of_version_1(tmp_path / "bank.db")
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("UPDATE hold SET account_id = 999")
    connection.commit()
    before = list(connection.iterdump())
    connection.close()
    with pytest.raises(StoreVersionError, match="cannot be brought to schema version 2"):
        BankStore.open(path)
    connection = sqlite3.connect(path)
    assert list(connection.iterdump()) == before
    assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    connection.close()


def test_another_schema_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "bank.db"
    BankStore.open(path).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    with pytest.raises(StoreVersionError) as caught:
        BankStore.open(path)
    assert "\n" not in str(caught.value)
    assert str(SCHEMA_VERSION + 1) in str(caught.value)


def test_a_database_of_somebody_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE recipe (name TEXT)")
    connection.commit()
    connection.close()
    with pytest.raises(StoreVersionError):
        BankStore.open(path)


def test_what_is_no_database_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear bank, this is a letter and not a database.\n" * 50)
    for wrong in (path, tmp_path / "no" / "such" / "folder.db"):
        with pytest.raises(StoreError) as caught:
            BankStore.open(wrong)
        assert "\n" not in str(caught.value)
    with pytest.raises(StoreError, match="posterm bank init"):
        BankStore.open(tmp_path / "absent.db", create=False)
    assert not (tmp_path / "absent.db").exists()


def test_a_failed_unit_leaves_nothing_behind() -> None:
    store = BankStore.open(":memory:")

    def fail_half_way() -> None:
        with store.transaction():
            store.set_setting("a", b"1")
            with store.transaction():
                store.set_setting("b", b"2")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert store.setting("a") is None
    assert store.setting("b") is None
    with store.transaction():
        store.set_setting("a", b"3")
    assert store.setting("a") == b"3"
    store.close()


def test_a_write_outside_a_transaction_is_a_mistake() -> None:
    store = BankStore.open(":memory:")
    with pytest.raises(AssertionError):
        store.set_setting("a", b"1")
    store.close()


def test_a_database_that_fails_is_a_store_error(tmp_path: Path) -> None:
    path = tmp_path / "bank.db"
    BankStore.open(path).close()
    store = BankStore.open(path)
    store._connection.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreError), store.transaction():
        store.set_setting("a", b"1")
    store.close()


def test_counters_count() -> None:
    store = BankStore.open(":memory:")
    with store.transaction():
        assert [store.next_count("rrn") for _ in range(3)] == [1, 2, 3]
        assert store.next_count("other") == 1
    store.close()


def test_a_statement_that_fails_is_not_counted_when_its_transaction_goes_on(tmp_path: Path) -> None:
    """SQLite looks at references when a statement is over: its rows had been counted, and are taken back."""
    path = tmp_path / "bank.db"
    bank = demo_bank(path, now=NOW)
    with bank.store.transaction():
        bank.store.set_setting("before", b"1")
        with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
            bank.store.execute("UPDATE terminal SET mid = 'nobody'")
        bank.store.set_setting("after", b"1")
    bank.close()
    BankStore.open(path).close()
