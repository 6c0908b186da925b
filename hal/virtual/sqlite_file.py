"""The file of a storage before it is used: made, and looked at without a change.

SQLite says nothing of commits that a damaged log has lost, and to open a file empties its log into it. So
this comes first.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

from hal.api import DeviceMissing
from wire.sqlite_log import PAGE_BYTES, damage_in


def make_private(path: Path) -> None:
    """Create the file for its owner only, and make its name in the folder durable. Raises DeviceMissing."""
    try:
        if path.exists() and os.access(path, os.R_OK | os.W_OK):
            return  # closing it would take the locks away that this process has on it
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise DeviceMissing(
            f"storage {path}: {error.strerror}: check that the folder is there and writable"
        ) from None


def log_of(path: Path) -> Path:
    """The write-ahead log beside a database."""
    return path.with_name(f"{path.name}-wal")


def damage_in_log(path: Path) -> str:
    """What the log beside a database has lost, in words; empty when nothing. Raises OSError."""
    try:
        log = log_of(path).read_bytes()
    except FileNotFoundError:
        return ""

    def page(number: int) -> bytes:
        with path.open("rb") as file:
            file.seek((number - 1) * PAGE_BYTES)
            return file.read(PAGE_BYTES)

    return damage_in(log, page)


def look_at(path: Path, timeout_s: float) -> sqlite3.Connection:
    """A connection that only reads: file and log stay as they are, also when it is closed.

    Where there is a log its index (`-shm`) is made, and stays.
    """
    has_log = log_of(path).exists() and log_of(path).stat().st_size > 0
    mode = "mode=ro" if has_log else "mode=ro&immutable=1"
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?{mode}", timeout=timeout_s, uri=True, isolation_level=None
    )


def forget_index(path: Path) -> None:
    """Remove the log's index that `look_at` has left. For whoever has the file alone."""
    with contextlib.suppress(OSError):
        path.with_name(f"{path.name}-shm").unlink()
