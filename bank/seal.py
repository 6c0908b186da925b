"""What the rows of the bank's database sum up to: a row that is lost or changed by accident is noticed.

SQLite tells a broken structure, not a changed value: a flipped bit in an amount, or a page that a disk
never wrote, is read as if it were right. So one number stands for all rows, the sum of a hash of each,
modulo 2^128. Triggers that live with the connection take old rows out and new ones in, whatever statement
changes them; the transaction stores the number with them. It is no protection from somebody who can write
the file.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence

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

SqlValue = str | int | float | bytes | None


class Seal:
    """The seal of one open database, which only this connection's transactions change."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._change = 0  # of the sum, by the transaction that runs

    def watch(self) -> None:
        """From now on every change of a row is counted. Raises sqlite3.Error."""
        self._connection.create_function("seal_row", -1, self._count)
        self._connection.execute("PRAGMA recursive_triggers = ON")  # else REPLACE deletes a row unseen
        triggers = [
            _trigger(table, columns, event, rows)
            for table, columns in _tables(self._connection)
            for event, rows in _TRIGGERS
        ]
        self._connection.executescript("".join(("BEGIN;\n", *triggers, "COMMIT;")))  # one by one takes longer

    def begin(self) -> None:
        """A transaction begins."""
        self._change = 0

    def execute(self, sql: str, values: Sequence[SqlValue]) -> sqlite3.Cursor:
        """Run a statement. Raises sqlite3.Error: SQLite takes its changes back, and they do not count."""
        before = self._change
        try:
            return self._connection.execute(sql, values)
        except sqlite3.Error:
            self._change = before
            raise

    def put(self) -> None:
        """Store the sum as it is now, in the transaction that changed it. Raises sqlite3.Error."""
        if self._change:
            total = int.from_bytes(_stored(self._connection) or b"", "big") + self._change
            self._connection.execute("UPDATE seal SET value = ?", (_as_stored(total),))
            self._change = 0

    def put_anew(self) -> None:
        """Take the rows as they are for right. Raises sqlite3.Error."""
        self._connection.execute("DELETE FROM seal")
        self._connection.execute("INSERT INTO seal VALUES (?)", (_as_stored(_sum(self._connection)),))

    def _count(self, sign: str, table: str, *values: SqlValue) -> None:
        self._change += _hash(table, values) if sign == "+" else -_hash(table, values)


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
    for table, columns in _tables(connection):
        names = ", ".join(f'"{column}"' for column in columns)
        rows = connection.execute(f'SELECT {names} FROM "{table}"')  # noqa: S608 - the file's own names
        total += sum(_hash(table, tuple(row)) for row in rows)
    return total


def _tables(connection: sqlite3.Connection) -> Iterator[tuple[str, list[str]]]:
    """Each table that is sealed, with its columns."""
    for (table,) in connection.execute(_TABLES).fetchall():
        yield table, [row[1] for row in connection.execute(f'PRAGMA table_info("{table}")')]


def _trigger(table: str, columns: Sequence[str], event: str, rows: Sequence[tuple[str, str]]) -> str:
    """The statement that has a change of the table counted: which rows are gone (-), which are there (+)."""
    counts = []
    for sign, row in rows:
        values = ", ".join(f'{row}."{column}"' for column in columns)
        counts.append(f"seal_row('{sign}', '{table}', {values})")
    return (
        f'CREATE TEMP TRIGGER "seal_{table}_{event}" AFTER {event} ON main."{table}" '
        f"BEGIN SELECT {', '.join(counts)}; END;\n"
    )


def _hash(table: str, values: tuple[SqlValue, ...]) -> int:
    content = repr((table, values)).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(content, digest_size=SEAL_BYTES).digest(), "big")
