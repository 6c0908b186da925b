"""Every page and every frame of a traded day, damaged: all is there, or it is refused and left as it is.

A short day here, a longer one with `make durability`.
"""

from __future__ import annotations

import dataclasses
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

import posterm
from bank.authoriser import Bank
from bank.errors import StoreError
from bank.provision import demo_bank
from bank.store import BankStore
from hal.api import Put, StorageFailed
from hal.virtual.sqlite_seal import is_sealed
from hal.virtual.storage import SqliteStorage
from tools.durability.damage import Day, traded_day
from tools.durability.day import BANK, TERMINAL
from tools.durability.rot import AS_POWER_CUT, INTACT, REFUSED, UNSEEN, rot
from tools.station import StationError

databases = pytest.mark.parametrize("name", [TERMINAL, BANK])
pytestmark = pytest.mark.slow
EVERY = 5
"""One damage in so many is tried here; `make durability` tries them all."""


@pytest.fixture(scope="module")
def day() -> Day:
    return traded_day(2)


@databases
def test_nothing_goes_missing_unseen(day: Day, name: str) -> None:
    found = rot(day, name, every=EVERY)
    assert found.losses == []
    assert found.ok
    assert found.total[REFUSED] > 50
    assert set(found.total) <= {REFUSED, INTACT, AS_POWER_CUT}
    assert not found.counts["zeros"][INTACT], "every page is in use"
    seen_as_cut = {kind for kind, counts in found.counts.items() if counts[AS_POWER_CUT]}
    assert all("log" in kind or "frame" in kind for kind in seen_as_cut), "only a log can look so"


@pytest.mark.parametrize(("name", "module"), [(TERMINAL, "hal.virtual.storage"), (BANK, "bank.file_check")])
def test_without_the_look_at_the_log_much_would_be_missed(
    day: Day, name: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = {"hal.virtual.storage": "damage_in_log", "bank.file_check": "damage_in"}
    monkeypatch.setattr(f"{module}.{looks[module]}", lambda *_: "")
    assert rot(day, name, every=2 * EVERY).total[UNSEEN] > 20


@pytest.mark.parametrize(
    ("name", "check"), [(TERMINAL, "hal.virtual.storage.is_sealed"), (BANK, "bank.file_check.is_whole")]
)
def test_without_the_seal_changed_values_would_be_missed(
    day: Day, name: str, check: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, lambda _database: True)
    pages_only = dataclasses.replace(day, killed={**day.killed, f"{name}-wal": b""})
    assert rot(pages_only, name).total[UNSEEN] > 0


def test_a_file_of_no_length_is_no_new_one_when_something_was_stored(tmp_path: Path) -> None:
    with posterm.start(state_folder=tmp_path):
        pass
    (tmp_path / TERMINAL).write_bytes(b"")
    with pytest.raises(
        StationError, match=r"is damaged .it is empty, and this terminal has stored keys.: restore"
    ):
        posterm.start(state_folder=tmp_path)
    (tmp_path / BANK).write_bytes(b"")
    with pytest.raises(StoreError, match=r"is damaged .it is empty.: restore it from a copy"):
        BankStore.open(tmp_path / BANK, create=False)
    assert (tmp_path / BANK).read_bytes() == b""


def test_a_storage_without_a_seal_is_given_one(tmp_path: Path) -> None:
    storage = SqliteStorage(tmp_path / TERMINAL)
    storage.open()
    storage.commit([Put("t", "k", b"v"), Put("t", "l", b"w")])
    storage._connection().executescript("DROP TABLE seal; PRAGMA user_version = 1")
    storage.close()
    storage.open()
    assert is_sealed(storage._connection())
    storage.commit([Put("t", "k", b"x")])
    assert is_sealed(storage._connection())
    assert [key for key, _ in storage.scan("t")] == ["k", "l"]
    storage.close()


def test_a_failed_commit_leaves_the_seal_right(tmp_path: Path) -> None:
    storage = SqliteStorage(tmp_path / TERMINAL)
    storage.open()
    storage.commit([Put("t", "k", b"v")])
    storage._connection().execute("PRAGMA query_only = ON")
    with pytest.raises(StorageFailed):
        storage.commit([Put("t", "k", b"w")])
    storage._connection().execute("PRAGMA query_only = OFF")
    storage.commit([Put("t", "m", b"x")])
    assert storage.self_test().ok
    storage.close()


def test_every_way_of_changing_a_row_keeps_the_bank_s_seal_right(tmp_path: Path) -> None:
    bank = demo_bank(tmp_path / BANK, now=datetime(2026, 8, 1, 12, 0, tzinfo=UTC))
    with bank.store.transaction():
        bank.store.set_setting("a", b"1")
        bank.store.set_setting("a", b"2")  # REPLACE takes the old row away without saying so
        bank.store.next_count("x")
        bank.store.next_count("x")  # an UPSERT
        bank.store.execute("UPDATE card SET status = status")
        bank.store.execute("DELETE FROM setting WHERE name = 'a'")
    bank.close()
    bank = demo_bank(tmp_path / BANK, now=datetime(2026, 8, 1, 12, 0, tzinfo=UTC))
    with pytest.raises(sqlite3.IntegrityError):
        _set_a_setting_in_vain(bank)  # what is watched since this transaction goes with it
    with bank.store.transaction():
        bank.store.set_setting("c", b"1")
    with bank.store.transaction():
        bank.store.execute(
            "WITH told AS (SELECT 'd' AS name) INSERT INTO setting SELECT name, x'01' FROM told"
        )
    bank.close()
    BankStore.open(tmp_path / BANK).close()


def _set_a_setting_in_vain(bank: Bank) -> None:
    with bank.store.transaction():
        bank.store.set_setting("b", b"1")
        bank.store.execute("UPDATE card SET status = NULL")


def test_no_statement_changes_another_table_than_it_names() -> None:
    """For the seal watches the tables that the statements of a transaction name."""
    store = BankStore.open(":memory:")
    schema = " ".join(row["sql"] or "" for row in store.rows("SELECT sql FROM sqlite_schema"))
    assert "REFERENCES payment" in schema
    for action in ("CASCADE", "SET NULL", "SET DEFAULT", "TRIGGER"):
        assert action not in schema
    store.close()
