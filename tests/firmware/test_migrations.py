"""Journals of earlier versions, from files that those versions have written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware import migrations
from firmware.journal import SCHEMA_VERSION, Journal, JournalDamaged
from firmware.migrations import STEPS, migrate
from firmware.records import Outcome, OutgoingKind, OutgoingState
from hal.api import Change, Delete, Put, Storage, StorageVersion
from hal.virtual.power import PowerCut
from hal.virtual.storage import MemoryStorage, read_snapshot
from tools.runtime import start

DATA = Path(__file__).parents[1] / "data"
VERSION = ("terminal", "journal_version")


def stored(version: int) -> MemoryStorage:
    """What that version's file holds, in memory."""
    file = DATA / f"state-v{version}" / "terminal.db"
    memory = MemoryStorage()
    memory.open()
    memory.restore(read_snapshot(file))
    return memory


def test_there_is_a_step_and_a_file_for_every_earlier_version() -> None:
    assert sorted(STEPS) == list(range(1, SCHEMA_VERSION))
    for version in STEPS:
        assert stored(version).get(*VERSION) == b"%d" % version


def test_nothing_of_version_1_is_lost() -> None:
    storage = stored(1)
    before = storage.snapshot()
    migrate(storage)
    journal = Journal(storage)
    journal.load()
    assert [payment.outcome for payment in journal.payments()] == [
        Outcome.APPROVED,
        Outcome.DECLINED,
        Outcome.CANCELLED,
    ]
    assert [payment.amount_minor for payment in journal.payments()] == [1234, 500, 2000]
    (waiting,) = journal.outbox.values()
    assert (waiting.kind, waiting.state, waiting.payment_number) == (
        OutgoingKind.REVERSAL,
        OutgoingState.DUE,
        3,
    )
    assert (journal.counters.stan, journal.counters.batch, journal.counters.last_slip) == (6, "000001", 1)
    assert journal.counters.oldest_payment == 1
    assert {(payment.kind, payment.sends) for payment in journal.payments()} == {("purchase", "preauth")}
    untouched = {place: value for place, value in before.items() if place[0] == "keys"}
    assert untouched.items() <= storage.snapshot().items()


def test_a_terminal_works_on_with_the_files_of_version_1(tmp_path: Path) -> None:
    for file in (DATA / "state-v1").iterdir():
        shutil.copyfile(file, tmp_path / file.name)
        (tmp_path / file.name).chmod(0o600)  # as that version left them
    with start(state_folder=tmp_path) as shop:
        assert shop.terminal is not None
        shop.run_until(lambda: not shop.terminal.journal.due(), 120_000)  # type: ignore[union-attr]
        reversed_one = shop.terminal.journal.read_payment(3)
        assert reversed_one is not None
        assert reversed_one.reversed, "the reversal that waited has reached the bank"
        shop.enter_amount("7.00")
        shop.swipe("good")
        shop.enter_pin("123456")
        payment = shop.finish()
        assert payment is not None
        assert (payment.number, payment.outcome) == (4, Outcome.APPROVED)


def test_this_version_and_a_new_storage_stay_as_they_are() -> None:
    new = MemoryStorage()
    new.open()
    migrate(new)
    assert (new.commits, new.snapshot()) == (0, {})
    current = stored(1)
    migrate(current)
    commits = current.commits
    migrate(current)
    assert current.commits == commits


def _add(name: str) -> migrations.Step:
    def step(_storage: Storage) -> Iterator[Change]:
        yield Put("added", name, b"")
        yield Delete("terminal", "counters")

    return step


@pytest.fixture
def chain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two steps beyond version 1."""
    monkeypatch.setattr(migrations, "STEPS", {1: _add("one"), 2: _add("two")})
    monkeypatch.setattr(migrations, "SCHEMA_VERSION", 3)


@pytest.mark.usefixtures("chain")
def test_steps_follow_each_other_one_commit_each() -> None:
    storage = stored(1)
    before = storage.commits
    migrate(storage)
    assert storage.get(*VERSION) == b"3"
    assert [key for key, _ in storage.scan("added")] == ["one", "two"]
    assert storage.commits - before == 2


@pytest.mark.usefixtures("chain")
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("cut", [1, 2])
def test_a_power_cut_leaves_one_version_or_the_other(cut: int, when: str) -> None:
    storage = stored(1)
    storage.power_cut_at(storage.commits + cut, "before" if when == "before" else "after")
    with pytest.raises(PowerCut):
        migrate(storage)
    storage.open()
    reached = cut + (when == "after")
    assert storage.get(*VERSION) == b"%d" % reached
    assert len(list(storage.scan("added"))) == reached - 1
    migrate(storage)
    assert [key for key, _ in storage.scan("added")] == ["one", "two"]


@pytest.mark.parametrize("version", [b"0", b"3", b"99", b"", b"one", b"-1"])
def test_another_version_is_refused_and_nothing_changed(version: bytes) -> None:
    storage = stored(1)
    storage.commit([Put(*VERSION, version)])
    before = storage.snapshot()
    with pytest.raises(StorageVersion, match=f"this firmware reads versions 1 to {SCHEMA_VERSION}"):
        migrate(storage)
    assert storage.snapshot() == before


@pytest.mark.parametrize("content", [b"", b"{", b"[]", json.dumps("text").encode()])
def test_a_damaged_record_is_named_and_nothing_changed(content: bytes) -> None:
    storage = stored(1)
    storage.commit([Put("terminal", "counters", content)])
    before = storage.snapshot()
    with pytest.raises(JournalDamaged, match="terminal/counters, of an earlier version, is damaged"):
        migrate(storage)
    assert storage.snapshot() == before
