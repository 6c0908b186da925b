"""A log that SQLite itself has written, damaged at one place: what SQLite would then drop without a word."""

import sqlite3
import struct
from pathlib import Path

import pytest

from wire.sqlite_log import FRAME_HEADER_BYTES, HEADER_BYTES, PAGE_BYTES, damage_in

FRAME_BYTES = FRAME_HEADER_BYTES + PAGE_BYTES
COMMITS = 6


@pytest.fixture
def log(tmp_path: Path) -> bytes:
    """A log with commits of one frame each; none of them is in the file yet."""
    path = tmp_path / "a.db"
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("CREATE TABLE t (n)")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for number in range(COMMITS):
        database.execute("INSERT INTO t VALUES (?)", (number,))
    content = path.with_name("a.db-wal").read_bytes()
    database.close()
    assert len(content) == HEADER_BYTES + COMMITS * FRAME_BYTES
    return content


def nothing_in_file(_number: int) -> bytes:
    return b""


def spoilt(log: bytes, at: int) -> bytes:
    return log[:at] + bytes([log[at] ^ 1]) + log[at + 1 :]


def frame(number: int) -> int:
    """Where a frame begins, counted from 1."""
    return HEADER_BYTES + (number - 1) * FRAME_BYTES


def sqlite_reads(log: bytes, folder: Path) -> int:
    """How many of the rows SQLite finds with this log."""
    path = folder / "b.db"
    path.write_bytes((folder / "a.db").read_bytes())
    empty = sqlite3.connect(path)
    empty.execute("DELETE FROM t")
    empty.commit()
    empty.close()
    path.with_name("b.db-wal").write_bytes(log)
    database = sqlite3.connect(path)
    count = int(database.execute("SELECT count(*) FROM t").fetchone()[0])
    database.close()
    return count


def test_a_whole_log_is_whole(log: bytes) -> None:
    assert damage_in(log, nothing_in_file) == ""
    assert damage_in(b"", nothing_in_file) == ""
    assert damage_in(bytes(len(log)), nothing_in_file) == "", "the file has grown, and nothing came"


@pytest.mark.parametrize("number", range(1, COMMITS))
@pytest.mark.parametrize("where", ["page", "check"])
def test_damage_with_commits_behind_it_is_told(log: bytes, tmp_path: Path, number: int, where: str) -> None:
    at = frame(number) + (FRAME_HEADER_BYTES + 100 if where == "page" else 16)
    damaged = spoilt(log, at)
    assert sqlite_reads(damaged, tmp_path) == number - 1, "SQLite drops the rest, and says nothing"
    told = damage_in(damaged, nothing_in_file)
    if where == "check" and number == COMMITS - 1:
        assert told == "", "what follows could as well belong to the commit that was not whole"
    else:
        assert told == f"frame {number} of {COMMITS} is damaged, and commits stand behind it"


def test_damage_to_the_newest_commit_looks_as_a_power_cut_does(log: bytes) -> None:
    assert damage_in(spoilt(log, frame(COMMITS) + 200), nothing_in_file) == ""
    assert damage_in(log[:-1], nothing_in_file) == ""


def test_a_damaged_header_loses_what_is_not_in_the_file(log: bytes) -> None:
    newest = log[-PAGE_BYTES:]
    damaged = spoilt(log, 20)
    assert damage_in(damaged, nothing_in_file).startswith("its header is damaged, and 1 pages stand in it")
    assert damage_in(damaged, lambda _number: newest) == "", "as after a power cut while a log begins anew"


def test_what_an_earlier_log_has_left_behind_the_newest_commit_does_not_count(log: bytes) -> None:
    other_salt = struct.pack(">2I", 1, 2)
    at = frame(4)
    earlier = b"".join(
        log[begin : begin + 8] + other_salt + log[begin + 16 : begin + FRAME_BYTES]
        for begin in range(at, len(log), FRAME_BYTES)
    )
    assert damage_in(log[:at] + earlier, nothing_in_file) == ""


def test_what_a_failed_commit_has_left_behind_its_repetition_does_not_count(log: bytes) -> None:
    """After a sync that failed SQLite writes the next commit over the one that failed; it may be longer."""
    broken_chain = spoilt(log, frame(3) + 300)  # as if frame 3 had been written over frames 3 and 4
    shorter = broken_chain[: frame(5)]
    assert damage_in(shorter[: frame(4)] + log[frame(4) : frame(5)], nothing_in_file) != ""
    assert damage_in(log[: frame(3)] + log[frame(4) : frame(5)], nothing_in_file) == ""
