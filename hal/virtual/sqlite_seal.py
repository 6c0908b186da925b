"""What the rows of a storage sum up to: a row that is lost or changed by accident is noticed.

SQLite tells a broken structure, not a changed value: a bit that flips in an amount, or a page that a disk
never wrote, is read as if it were right. So one number stands for all rows: the sum of a hash of each, modulo
2^128. A commit takes the old rows out of it and adds the new ones; opening the file adds up all of them. It
says that nothing was lost or changed by accident. It is no protection from somebody who can write the file.
"""

from __future__ import annotations

import hashlib
import sqlite3

SEAL_BYTES = 16
_MODULUS = 1 << (8 * SEAL_BYTES)


def row_hash(table: str, key: str, value: object) -> int:
    """One row's part of the sum."""
    names = f"{len(table)} {table} {len(key)} {key} ".encode()
    content = value if isinstance(value, bytes) else repr(value).encode()
    return int.from_bytes(hashlib.blake2b(names + content, digest_size=SEAL_BYTES).digest(), "big")


def sum_of(database: sqlite3.Connection) -> int:
    """Of all rows that stand there. Raises sqlite3.Error."""
    rows = database.execute('SELECT "table", key, value FROM kv')
    return sum(row_hash(table, key, value) for table, key, value in rows) % _MODULUS


def as_stored(total: int) -> bytes:
    """The sum as it stands in the file; taken modulo 2^128."""
    return (total % _MODULUS).to_bytes(SEAL_BYTES, "big")


def is_sealed(database: sqlite3.Connection) -> bool:
    """Whether the rows are those that the seal was made for. Raises sqlite3.Error."""
    row = database.execute("SELECT value FROM seal").fetchone()
    return row is not None and row[0] == as_stored(sum_of(database))
