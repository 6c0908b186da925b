"""A look at the bank's database before it is used: whether it is whole. Nothing of it is changed.

SQLite says nothing of a damaged page before somebody reads it, and nothing at all of commits that a damaged
log has lost; and to open a file empties its log into it. So this comes first.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from bank.errors import StoreError
from bank.seal import is_whole
from wire.sqlite_errors import RESTORE
from wire.sqlite_log import PAGE_BYTES, PAGE_BYTES_MIN, damage_in

NOT_STORED = f"{RESTORE}; if you have changed it yourself, see posterm bank check --help"


def check_log(path: Path, *, may_be_new: bool) -> None:
    """Look at the log, which takes no time. Raises StoreError: it has lost commits; OSError.

    An empty file is one that is new, or has lost everything.
    """
    content = _read_twice(_log_of(path))
    if why := damage_in(content, lambda number: _page(path, number)):
        raise _damaged(path, f"its log has lost commits: {why}")
    if path.stat().st_size == 0 and (content or not may_be_new):
        raise _damaged(path, "it is empty")


def check_content(path: Path, version: int, *, sealed: bool = True) -> None:
    """Look at every page and every row. Raises StoreError: the file is damaged; OSError, sqlite3.Error.

    `version`: that has references and a seal to check. `sealed`: False leaves out the seal.
    """
    log = _log_of(path)
    if path.stat().st_size == 0 or path.with_name(f"{path.name}-journal").exists():
        return  # it is being made: SQLite puts right what a power cut left of that
    options = (
        "mode=ro" if log.exists() and log.stat().st_size else "mode=ro&immutable=1"
    )  # makes no index then
    address = f"{path.absolute().as_uri()}?{options}"
    with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as database:
        database.execute("BEGIN")  # all of it as it is at one moment
        if why := _broken(database, version):
            raise _damaged(path, why)
        if sealed and _version_of(database) == version and not is_whole(database):
            raise _damaged(path, "what stands in it is not what was stored", NOT_STORED)
    if path.stat().st_size % PAGE_BYTES_MIN:  # SQLite takes what is missing for zeros
        raise _damaged(path, "it is cut short")


def _broken(database: sqlite3.Connection, version: int) -> str:
    try:
        findings = database.execute("PRAGMA integrity_check(1)").fetchone()
    except UnicodeDecodeError:  # its error quotes what is no text any more
        return "its structure is broken"
    if findings != ("ok",):
        return "its structure is broken"
    if _version_of(database) != version:
        return ""
    if database.execute("PRAGMA foreign_key_check").fetchone() is not None:
        return "a row refers to one that is not there"
    return ""


def _version_of(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def _log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _read_twice(log: Path) -> bytes:
    """The log as it stood at one moment: a bank may be writing to it."""
    if not log.exists():
        return b""
    content = log.read_bytes()
    while (again := log.read_bytes()) != content:
        content = again
    return content


def _page(path: Path, number: int) -> bytes:
    with path.open("rb") as file:
        file.seek((number - 1) * PAGE_BYTES, os.SEEK_SET)
        return file.read(PAGE_BYTES)


def _damaged(path: Path, why: str, advice: str = RESTORE) -> StoreError:
    return StoreError(f"the bank database {path} is damaged ({why}): {advice}")
