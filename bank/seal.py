"""What the rows of the bank's database sum up to: a row that is lost or changed by accident is noticed.

SQLite tells a broken structure, not a changed value: a flipped bit in an amount, or a page that a disk
never wrote, is read as if it were right. So one number stands for all rows, the sum of a hash of each,
modulo 2^128. Triggers that live with the connection take old rows out and new ones in, whatever statement
changes them; the transaction stores the number with them. It is no protection from somebody who can write
the file.

The tables that requests change have their triggers from the start, each other one from its first change on:
to make all of them took most of the time that a bank needs to open.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence

SEAL_BYTES = 16
_MODULUS = 1 << (8 * SEAL_BYTES)
_TABLES = (
    "SELECT name FROM sqlite_schema"
    " WHERE type = 'table' AND name <> 'seal' AND name NOT LIKE 'sqlite%' ORDER BY name"
)
_TRIGGERS = (
    ("INSERT", (("+", "NEW"),)),
    ("DELETE", (("-", "OLD"),)),
    ("UPDATE", (("-", "OLD"), ("+", "NEW"))),
)

_OFTEN = frozenset(
    {
        "account",
        "batch",
        "card",
        "counter",
        "entry",
        "hold",
        "payment",
        "posting",
        "terminal",
        "terminal_demand",
    }
)
"""Tables that many requests change. To watch another one has SQLite prepare every statement again."""
_CHANGES = re.compile(r"\s*(?:INSERT(?: OR \w+)? INTO|UPDATE(?: OR \w+)?|DELETE FROM) (\w+)")

SqlValue = str | int | float | bytes | None


class Seal:
    """The seal of one open database, which only this connection's transactions change."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._change = 0  # of the sum, by the transaction that runs
        self._watched = set(_OFTEN)
        self._changed_by: dict[str, Sequence[str]] = {}  # a statement -> the tables that it may change

    def watch(self) -> None:
        """From now on every change of a row is counted. Raises sqlite3.Error."""
        self._connection.create_function("seal_row", -1, self._count)
        self._connection.create_function("seal_sum", 1, self._changed)
        self._connection.execute("PRAGMA recursive_triggers = ON")  # else REPLACE deletes a row unseen
        triggers = self._triggers(sorted(_OFTEN))
        self._connection.executescript("".join(("BEGIN;\n", *triggers, "COMMIT;")))  # one by one takes longer

    def begin(self) -> None:
        """A transaction begins."""
        self._change = 0

    def roll_back(self) -> None:
        """It was rolled back, and has taken the triggers with it that it had made."""
        self._watched = set(_OFTEN)

    def execute(self, sql: str, values: Sequence[SqlValue]) -> sqlite3.Cursor:
        """Run a statement. Raises sqlite3.Error: SQLite takes its changes back, and they do not count."""
        tables = self._changed_by.get(sql)
        if tables is None:
            tables = self._changed_by[sql] = self._tables_in(sql)
        if not self._watched.issuperset(tables):
            for trigger in self._triggers(tables):
                self._connection.execute(trigger)
            self._watched.update(tables)
        before = self._change
        try:
            return self._connection.execute(sql, values)
        except sqlite3.Error:
            self._change = before
            raise

    def _tables_in(self, sql: str) -> list[str]:
        """The table that a statement changes; all of them where it does not begin by saying which."""
        change = _CHANGES.match(sql)
        return [change[1]] if change else _tables(self._connection)

    def _triggers(self, tables: Iterable[str]) -> Iterator[str]:
        for table in tables:
            columns = _columns(self._connection, table)
            yield from (_trigger(table, columns, event, rows) for event, rows in _TRIGGERS)

    def put(self) -> None:
        """Store the sum as it is now, in the transaction that changed it. Raises sqlite3.Error."""
        if self._change:
            self._connection.execute("UPDATE seal SET value = seal_sum(value)")
            self._change = 0

    def put_anew(self) -> None:
        """Take the rows as they are for right. Raises sqlite3.Error."""
        self._connection.execute("DELETE FROM seal")
        self._connection.execute("INSERT INTO seal VALUES (?)", (_as_stored(_sum(self._connection)),))

    def _count(self, sign: str, table: str, *values: SqlValue) -> None:
        self._change += _hash(table, values) if sign == "+" else -_hash(table, values)

    def _changed(self, stored: bytes) -> bytes:
        return _as_stored(int.from_bytes(stored, "big") + self._change)


def is_whole(connection: sqlite3.Connection) -> bool:
    """Whether the rows are those that were stored; or it was never sealed. Raises sqlite3.Error."""
    stored = _stored(connection)
    return stored is None or stored == _as_stored(_sum(connection))


def _stored(connection: sqlite3.Connection) -> bytes | None:
    row = connection.execute("SELECT value FROM seal").fetchone()
    return None if row is None else bytes(row[0])


def _as_stored(total: int) -> bytes:
    return (total % _MODULUS).to_bytes(SEAL_BYTES, "big")


def _sum(connection: sqlite3.Connection) -> int:
    total = 0
    for table in _tables(connection):
        names = ", ".join(f'"{column}"' for column in _columns(connection, table))
        rows = connection.execute(f'SELECT {names} FROM "{table}"')  # noqa: S608 - the file's own names
        total += sum(_hash(table, tuple(row)) for row in rows)
    return total


def _tables(connection: sqlite3.Connection) -> list[str]:
    """The tables that are sealed."""
    return [row[0] for row in connection.execute(_TABLES)]


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in connection.execute(f'PRAGMA table_info("{table}")')]


def _trigger(table: str, columns: Sequence[str], event: str, rows: Sequence[tuple[str, str]]) -> str:
    """The statement that has a change of the table counted: which rows are gone (-), which are there (+)."""
    counts = []
    for sign, row in rows:
        values = ", ".join(f'{row}."{column}"' for column in columns)
        counts.append(f"seal_row('{sign}', '{table}', {values})")
    return (
        f'CREATE TEMP TRIGGER IF NOT EXISTS "seal_{table}_{event}" AFTER {event} ON main."{table}" '
        f"BEGIN SELECT {', '.join(counts)}; END;\n"
    )


def _hash(table: str, values: tuple[SqlValue, ...]) -> int:
    content = repr((table, values)).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(content, digest_size=SEAL_BYTES).digest(), "big")
