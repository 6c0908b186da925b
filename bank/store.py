"""The bank's memory: one SQLite file, written ahead and flushed at every commit.

Its layout is what `schema/001.sql`, `002.sql` and so on make of an empty file, one after the other. A file of
an earlier version is brought forward by those that it lacks; one of a later version is refused.

The rule of this room: a request is one transaction, and its answer leaves only after the commit returned.
So after a power cut the bank knows everything that it ever told a terminal, and perhaps one thing more.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any, Final

from bank.errors import StoreError, StoreVersionError
from bank.file_check import check_content, check_log
from bank.seal import Seal
from wire.sqlite_errors import advice_for, name_of

SCHEMA_VERSION: Final = 5
MEMORY: Final = ":memory:"
STATEMENTS_KEPT: Final = 512
"""Prepared statements that a connection keeps: all of the bank's fit, so that none is prepared twice."""

_ADVICE: Final = {"SQLITE_BUSY": "another process is writing: try again, or stop it"}

_FAILURES: Final = (sqlite3.Error, UnicodeDecodeError)

SqlValue = str | int | bytes | None


def clock_text(now: datetime) -> str:
    """A moment as the store writes it: the bank's clock face in ISO form, whole seconds, no zone."""
    return now.replace(tzinfo=None, microsecond=0).isoformat()


def columns(row: sqlite3.Row) -> dict[str, Any]:
    """A row as its columns: to ask a Row for one column after the other searches it each time."""
    return dict(zip(row.keys(), row, strict=True))


class BankStore:
    """An open database. Made by `open` or `over`; not before its version is known to be right.

    May be used from several threads: whoever is in a transaction has the store to himself.
    """

    def __init__(self, connection: sqlite3.Connection, path: str) -> None:
        self._connection = connection
        self._lock = threading.RLock()
        self._depth = 0
        self._seal: Seal | None = None  # of a database in a file; memory does not rot
        self.path = path

    @classmethod
    def open(cls, path: Path | str, *, create: bool = True, check: bool = True) -> BankStore:
        """Open the database at `path`, or ":memory:"; lay out the tables in an empty one.

        A database of an earlier schema version is brought forward. `check`: look at every page and every row
        first, for damage; without it, at the log alone. Raises StoreError if there is no such file (with
        `create=False`), it is no database or damaged, and StoreVersionError if it has a later version or
        cannot be brought forward; the file is then as it was.
        """
        name = str(path)
        if name != MEMORY and not create and not Path(name).is_file():
            raise StoreError(
                f"there is no bank database at {name}: make one with `posterm bank init --db {name}`"
            )
        with _opening(name):
            if name != MEMORY:
                _make_private(Path(name))
                check_log(Path(name), may_be_new=create)
                if check:
                    check_content(Path(name), SCHEMA_VERSION)
            connection = sqlite3.connect(
                name, isolation_level=None, check_same_thread=False, cached_statements=STATEMENTS_KEPT
            )
        return cls.over(connection, name)

    @staticmethod
    def check(path: Path) -> None:
        """Look at a file as `open` does, and leave it as it is. Raises StoreError."""
        with _opening(str(path)):
            check_log(path, may_be_new=False)
            check_content(path, SCHEMA_VERSION)

    @classmethod
    def over(cls, connection: sqlite3.Connection, name: str) -> BankStore:
        """The database behind an open connection without a transaction (`isolation_level=None`).

        It is laid out or brought forward as by `open`, and closed when that cannot be done. Every transaction
        ends with a call of `connection.commit`: who passes a connection of their own sees each of them.
        """
        store = cls(connection, name)
        try:
            store._prepare()
        except _FAILURES as error:
            store.close()
            raise _failed(f"cannot use {name} as a bank database", error) from None
        except StoreError:
            store.close()
            raise
        return store

    def _prepare(self) -> None:
        # In this order, for another process may be making the tables: a version that is read later is theirs.
        table_count = int(self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0])
        version = self._version()
        if version > SCHEMA_VERSION or (version == 0 and table_count > 0):
            raise StoreVersionError(
                f"{self.path} has schema version {version}, this program works with {SCHEMA_VERSION}: "
                "use the program that wrote it, or start a new database with `posterm bank init`"
            )
        # Before WAL, for a new file has a journal yet: only EXTRA syncs the folder when that is gone.
        self._connection.execute("PRAGMA synchronous = EXTRA")
        self._connection.execute("PRAGMA journal_mode = WAL")
        steps = [self._bring_forward_to(step) for step in range(version + 1, SCHEMA_VERSION + 1)]
        self._connection.execute("PRAGMA foreign_keys = ON")
        if self.path != MEMORY and self._connection.execute("PRAGMA database_list").fetchone()[2]:
            self._watch(is_new=any(steps))
        self._connection.row_factory = sqlite3.Row

    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    def _watch(self, *, is_new: bool) -> None:
        """Seal the rows as they are, once; from now on with each transaction."""
        seal = Seal(self._connection)
        if is_new or self._connection.execute("SELECT count(*) FROM seal").fetchone() == (0,):
            self._connection.execute("BEGIN IMMEDIATE")
            seal.put_anew()
            self._connection.execute("COMMIT")
        seal.watch()
        self._seal = seal

    def _bring_forward_to(self, step: int) -> bool:
        """Carry out one step whole or not at all. References are checked at its end, not in between.

        False: there was nothing to do, for another process has done it since the version was read.
        """
        script = resources.files("bank").joinpath("schema", f"{step:03}.sql").read_text(encoding="utf-8")
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            if self._version() >= step:
                return False
            for statement in _statements(script):
                self._connection.execute(statement)
            self._connection.execute(f"PRAGMA user_version = {step}")
            if self._connection.execute("PRAGMA foreign_key_check").fetchone() is not None:
                raise StoreVersionError(
                    f"{self.path} cannot be brought to schema version {step}: a row refers to one that is "
                    "not there; the file is as it was"
                )
            self._connection.execute("COMMIT")
            return True
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One durable unit of work; an inner one joins the outer one.

        Leaving it normally commits and flushes; leaving it with an error rolls everything back.
        Raises StoreError when the database fails: nothing of the unit was then stored.
        """
        with self._lock:
            if self._depth > 0:
                yield
                return
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                self._depth = 1
                if self._seal is not None:
                    self._seal.begin()
                yield
                if self._seal is not None:
                    self._seal.put()
                self._connection.commit()
            except BaseException as error:
                self._roll_back()
                if isinstance(error, _FAILURES) and not isinstance(error, sqlite3.IntegrityError):
                    raise self._failure(error) from None
                raise
            finally:
                self._depth = 0

    def _roll_back(self) -> None:
        if self._connection.in_transaction:  # after some errors SQLite has done it on its own
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
        if self._seal is not None:
            self._seal.roll_back()

    def execute(self, sql: str, values: Sequence[SqlValue] = ()) -> sqlite3.Cursor:
        """Run one statement of a transaction. Must be called inside `transaction()`."""
        assert self._depth > 0, "a write needs a transaction around it"
        return (self._seal or self._connection).execute(sql, values)

    def insert(self, sql: str, values: Sequence[SqlValue]) -> int:
        """Run one INSERT inside `transaction()`; the new row's number."""
        row_id = self.execute(sql, values).lastrowid
        assert row_id is not None
        return row_id

    def rows(self, sql: str, values: Sequence[SqlValue] = ()) -> list[sqlite3.Row]:
        """All rows of a query. Raises StoreError."""
        with self._lock:
            try:
                return self._connection.execute(sql, values).fetchall()
            except _FAILURES as error:
                raise self._failure(error) from None

    def row(self, sql: str, values: Sequence[SqlValue] = ()) -> sqlite3.Row | None:
        """The first row of a query, or None. Raises StoreError."""
        with self._lock:
            try:
                row: sqlite3.Row | None = self._connection.execute(sql, values).fetchone()
            except _FAILURES as error:
                raise self._failure(error) from None
            return row

    def _failure(self, error: BaseException) -> StoreError:
        return _failed(f"the bank database {self.path} failed", error)

    def number(self, sql: str, values: Sequence[SqlValue] = ()) -> int:
        """The one number that a query such as `SELECT count(*)` or `sum(...)` gives; 0 for NULL."""
        row = self.row(sql, values)
        return int(row[0] or 0) if row is not None else 0

    def next_count(self, name: str) -> int:
        """Advance the counter `name` inside a transaction: 1, 2, 3 ..."""
        row = self.execute(
            "INSERT INTO counter VALUES (?, 1)"
            " ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
            (name,),
        ).fetchone()
        return int(row[0])

    def setting(self, name: str) -> bytes | None:
        """A stored setting's value, or None."""
        row = self.row("SELECT value FROM setting WHERE name = ?", (name,))
        return bytes(row["value"]) if row is not None else None

    def set_setting(self, name: str, value: bytes) -> None:
        """Store a setting inside a transaction, over the old one."""
        self.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (name, value))


def accept_rows(path: Path) -> None:
    """Take the rows of a file as right that another program has changed: `open` takes them then, too.

    Raises StoreError: there is more wrong with it than that; the file is then as it was. Nobody else may have
    it open.
    """
    with _opening(str(path)):
        check_log(path, may_be_new=False)
        check_content(path, SCHEMA_VERSION, sealed=False)
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            if connection.execute("PRAGMA user_version").fetchone() != (SCHEMA_VERSION,):
                return  # it gets its seal when it is brought forward
            connection.execute("BEGIN EXCLUSIVE")
            Seal(connection).put_anew()
            connection.execute("COMMIT")


def _statements(script: str) -> Iterator[str]:
    """The statements of a script, each of which ends with its line."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


@contextmanager
def _opening(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"cannot open the bank database {name}: {error.strerror}: check that it and its folder are "
            "there and writable"
        ) from None
    except sqlite3.Error as error:
        raise _failed(f"cannot open the bank database {name}", error) from None


def _failed(what: str, error: BaseException) -> StoreError:
    """SQLite's own text is left out: it may quote what was stored.

    A UnicodeDecodeError is an error of SQLite's that quotes what is no text any more: its cause is damage.
    """
    name = name_of(error) if isinstance(error, sqlite3.Error) else "SQLITE_CORRUPT"
    return StoreError(f"{what} ({name}): {advice_for(name, _ADVICE)}")


def _make_private(path: Path) -> None:
    """Make the file if it is not there: it holds cards, and is for its owner only. Raises OSError.

    One that is there and may be used is not opened: closing it would take the locks away that this process
    has on it.
    """
    if not path.exists() or not os.access(path, os.R_OK | os.W_OK):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
