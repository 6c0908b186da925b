"""The terminal on a disk that is full, limited, or damaged: real file systems, real processes."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from firmware.records import Outcome
from hal.api import Put, Storage, StorageFailed
from hal.virtual.storage import SqliteStorage
from tools.runtime import StationPlan, build_station, start
from tools.station import Station, StationError

ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).with_name("small_disk.py")
UNSHARE = ["unshare", "--map-root-user", "--mount"]
PAGE_BYTES = 4096


@cache
def why_no_mount() -> str:
    """Why no small disk can be mounted here; empty when one can."""
    if shutil.which("unshare") is None:
        return "unshare is not installed: sudo apt install util-linux"
    tried = subprocess.run(
        [*UNSHARE, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False
    )
    return "" if tried.returncode == 0 else "no file system may be mounted here"


def told(command: list[str]) -> dict[str, Any]:
    done = subprocess.run(
        command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def assert_served_again(result: dict[str, Any], words: str) -> None:
    assert result["sale_begins"] is False
    assert (result["state"], result["state_after_enter"]) == ("out_of_service", "out_of_service")
    assert words in result["display"]
    assert (result["before"], result["after"]) == ("approved", "approved")
    assert result["books_balance"] is True
    assert result["outcomes"].count("approved") == 2


@pytest.mark.skipif(bool(why_no_mount()), reason=why_no_mount() or "one can be mounted")
@pytest.mark.parametrize(("language", "words"), [("en", "Memory is full"), ("zh", "存储空间已满")])
def test_on_a_full_disk(tmp_path: Path, language: str, words: str) -> None:
    mount = f"mount -t tmpfs -o size=1200k none {tmp_path} && exec {sys.executable} {PROGRAM} {tmp_path}"
    assert_served_again(told([*UNSHARE, "sh", "-c", f"{mount} {language} full"]), words)


def test_where_files_may_not_grow(tmp_path: Path) -> None:
    assert_served_again(told([sys.executable, str(PROGRAM), str(tmp_path), "en", "limit"]), "Memory failed")


def flip(path: Path, page: int) -> None:
    """Let one page of a file read as the opposite of what was written."""
    content = bytearray(path.read_bytes())
    begin = page * PAGE_BYTES
    content[begin : begin + PAGE_BYTES] = bytes(255 - byte for byte in content[begin : begin + PAGE_BYTES])
    path.write_bytes(content)


def a_day_in(folder: Path) -> Path:
    """The terminal's file after a payment, closed."""
    with start(state_folder=folder) as shop:
        shop.enter_amount("1.00")
        shop.swipe("good")
        shop.enter_pin("123456")
        shop.finish()
    return folder / "terminal.db"


@pytest.mark.parametrize("page", [0, 1])
def test_a_flipped_page_is_told_of_and_nothing_is_changed(tmp_path: Path, page: int) -> None:
    memory = a_day_in(tmp_path)
    flip(memory, page)
    damaged = memory.read_bytes()
    with pytest.raises(StationError, match=r"damaged|not a database"):
        start(state_folder=tmp_path)
    assert memory.read_bytes() == damaged
    flip(memory, page)
    with start(state_folder=tmp_path) as shop:
        assert shop.state == "idle", "restored from a copy, it works"


def test_a_damaged_record_is_told_of_on_the_display(tmp_path: Path) -> None:
    a_day_in(tmp_path)
    shop = build_station(StationPlan(state_folder=tmp_path))
    shop.board.storage.open()
    good = shop.board.storage.get("terminal", "counters")
    assert good is not None
    _store(shop.board.storage, good[:-9])
    shop.board.storage.close()
    with pytest.raises(StorageFailed, match="the journal's record terminal/counters is damaged"):
        shop.power_on()
    assert "Memory is damaged" in shop.display or "Memory damaged" in shop.display
    shop.close()


def _store(storage: Storage, content: bytes) -> None:
    storage.commit([Put("terminal", "counters", content)])


COMMANDS = {
    "sale": ["sale", "--amount", "1.00", "--card", "good", "--virtual-time"],
    "terminal": ["terminal", "--link", "loop://"],
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_commands_end_with_2_and_say_what_to_do(tmp_path: Path, command: list[str]) -> None:
    flip(a_day_in(tmp_path), 1)
    done = subprocess.run(
        [sys.executable, "-m", "tools.cli", *command, "--state", str(tmp_path)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2, done.stderr
    assert "terminal.db" in done.stderr
    assert "restore" in done.stderr
    assert "Traceback" not in done.stderr


def damage_to_all_pages_but_the_first(path: Path, database: sqlite3.Connection) -> bytes:
    """Let an open file rot, its log emptied and nothing of it kept in memory; what it held."""
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.execute("PRAGMA shrink_memory")
    whole = path.read_bytes()
    rotten = bytes(255 - byte for byte in whole[PAGE_BYTES:])
    _write_over(path, whole[:PAGE_BYTES] + rotten)
    return whole


def _write_over(path: Path, content: bytes) -> None:
    with path.open("r+b") as file:
        file.write(content)


def pay(shop: Station) -> Outcome | None:
    shop.enter_amount("1.00")
    shop.swipe("good")
    shop.enter_pin("123456")
    payment = shop.finish()
    return payment.outcome if payment is not None else None


def test_damage_in_the_middle_of_a_day_is_noticed_and_nothing_is_lost(tmp_path: Path) -> None:
    with start(state_folder=tmp_path) as shop:
        assert pay(shop) is Outcome.APPROVED
        storage = shop.board.storage
        assert isinstance(storage, SqliteStorage)
        before = storage.snapshot()
        database = storage._connection()
        whole = damage_to_all_pages_but_the_first(tmp_path / "terminal.db", database)
        assert shop.try_amount("2.00") is False
        assert shop.state == "out_of_service"
        assert "Memory damaged" in shop.display
        shop.press("enter")
        assert shop.state == "out_of_service"
        database.execute("PRAGMA shrink_memory")
        _write_over(tmp_path / "terminal.db", whole)
        assert storage.snapshot() == before
        shop.press("enter")
        shop.finish()
        assert pay(shop) is Outcome.APPROVED
        assert shop.ask_bank(lambda bank: bank.verify()).ok
    with start(state_folder=tmp_path) as shop:
        assert shop.terminal is not None
        assert [one.outcome for one in shop.terminal.journal.payments()].count(Outcome.APPROVED) == 2


def test_damage_to_the_bank_s_file_in_the_middle_of_a_day_posts_nothing_and_says_what_to_do(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with start(state_folder=tmp_path) as shop:
        assert pay(shop) is Outcome.APPROVED
        path = tmp_path / "bank.db"
        whole = shop.ask_bank(lambda bank: damage_to_all_pages_but_the_first(path, bank.store._connection))
        shop.enter_amount("2.00")
        shop.swipe("good")
        payment = shop.finish()
        assert payment is not None
        assert payment.outcome is not Outcome.APPROVED
        assert "SQLITE_CORRUPT" in caplog.text or "SQLITE_NOTADB" in caplog.text
        assert "restore it from a copy" in caplog.text
        shop.ask_bank(lambda bank: bank.store._connection.execute("PRAGMA shrink_memory").close())
        _write_over(path, whole)
        assert pay(shop) is Outcome.APPROVED
        assert shop.ask_bank(lambda bank: bank.verify()).ok
        assert shop.ask_bank(lambda bank: len(bank.open_holds())) == 0
