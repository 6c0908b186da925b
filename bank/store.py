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
from contextlib import contextmanager
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Final

from bank.errors import StoreError, StoreVersionError

SCHEMA_VERSION: Final = 4
MEMORY: Final = ":memory:"

SqlValue = str | int | bytes | None


def clock_text(now: datetime) -> str:
    """A moment as the store writes it: the bank's clock face in ISO form, whole seconds, no zone."""
    return now.replace(tzinfo=None, microsecond=0).isoformat()


class BankStore:
    """An open database. Made by `open` or `over`; not before its version is known to be right.

    May be used from several threads: whoever is in a transaction has the store to himself.
    """

    def __init__(self, connection: sqlite3.Connection, path: str) -> None:
        self._connection = connection
        self._lock = threading.RLock()
        self._depth = 0
        self.path = path

    @classmethod
    def open(cls, path: Path | str, *, create: bool = True) -> BankStore:
        """Open the database at `path`, or ":memory:"; lay out the tables in an empty one.

        A database of an earlier schema version is brought forward. Raises StoreError if there is no such
        file (with `create=False`) or it is no database, and StoreVersionError if it has a later version or
        cannot be brought forward; the file is then as it was.
        """
        name = str(path)
        if name != MEMORY and not create and not Path(name).is_file():
            raise StoreError(
                f"there is no bank database at {name}: make one with `posterm bank init --db {name}`"
            )
        try:
            if name != MEMORY:
                os.close(os.open(name, os.O_RDWR | os.O_CREAT, 0o600))  # it holds cards: for its owner only
            connection = sqlite3.connect(name, isolation_level=None, check_same_thread=False)
        except OSError as error:
            raise StoreError(
                f"cannot open the bank database {name}: {error.strerror}: check that it and its folder are "
                "there and writable"
            ) from None
        except sqlite3.Error as error:
            raise StoreError(f"cannot open the bank database {name}: {error}") from error
        return cls.over(connection, name)

    @classmethod
    def over(cls, connection: sqlite3.Connection, name: str) -> BankStore:
        """The database behind an open connection without a transaction (`isolation_level=None`).

        It is laid out or brought forward as by `open`, and closed when that cannot be done. Every transaction
        ends with a call of `connection.commit`: who passes a connection of their own sees each of them.
        """
        store = cls(connection, name)
        try:
            store._prepare()
        except sqlite3.Error as error:
            store.close()
            raise StoreError(f"cannot use {name} as a bank database: {error}") from error
        except StoreError:
            store.close()
            raise
        return store

    def _prepare(self) -> None:
        version = int(self._connection.execute("PRAGMA user_version").fetchone()[0])
        table_count = int(self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0])
        if version > SCHEMA_VERSION or (version == 0 and table_count > 0):
            raise StoreVersionError(
                f"{self.path} has schema version {version}, this program works with {SCHEMA_VERSION}: "
                "use the program that wrote it, or start a new database with `posterm bank init`"
            )
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        for step in range(version + 1, SCHEMA_VERSION + 1):
            self._bring_forward_to(step)
        self._connection.execute("PRAGMA foreign_keys = ON")

    def _bring_forward_to(self, step: int) -> None:
        """Carry out one step whole or not at all. References are checked at its end, not in between."""
        script = resources.files("bank").joinpath("schema", f"{step:03}.sql").read_text(encoding="utf-8")
        try:
            self._connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {step};")
            if self._connection.execute("PRAGMA foreign_key_check").fetchone() is not None:
                raise StoreVersionError(
                    f"{self.path} cannot be brought to schema version {step}: a row refers to one that is "
                    "not there; the file is as it was"
                )
            self._connection.execute("COMMIT")
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
                yield
                self._connection.commit()
            except BaseException as error:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error) and not isinstance(error, sqlite3.IntegrityError):
                    raise StoreError(f"the bank database {self.path} failed: {error}") from error
                raise
            finally:
                self._depth = 0

    def execute(self, sql: str, values: Sequence[SqlValue] = ()) -> sqlite3.Cursor:
        """Run one statement of a transaction. Must be called inside `transaction()`."""
        assert self._depth > 0, "a write needs a transaction around it"
        return self._connection.execute(sql, values)

    def insert(self, sql: str, values: Sequence[SqlValue]) -> int:
        """Run one INSERT inside `transaction()`; the new row's number."""
        row_id = self.execute(sql, values).lastrowid
        assert row_id is not None
        return row_id

    def rows(self, sql: str, values: Sequence[SqlValue] = ()) -> list[sqlite3.Row]:
        """All rows of a query."""
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    def row(self, sql: str, values: Sequence[SqlValue] = ()) -> sqlite3.Row | None:
        """The first row of a query, or None."""
        with self._lock:
            row: sqlite3.Row | None = self._connection.execute(sql, values).fetchone()
            return row

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
