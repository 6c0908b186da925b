"""What to do about an error of SQLite, by the name that SQLite has for it.

SQLite's own texts ("disk I/O error") name neither the file nor the cure, and may quote what was stored.
Source: SQLite, "Result and Error Codes".
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Final

RESTORE: Final = "restore it from a copy, or put it aside and settle by hand"

_ADVICE: Final[Mapping[str, str]] = {  # by the beginning of the name; the first that fits
    "SQLITE_BUSY": "another process uses it: stop that one",
    "SQLITE_LOCKED": "it is locked by this process: close it there first",
    "SQLITE_READONLY": "it is read-only: check the owner and mode of the file and its folder",
    "SQLITE_PERM": "no permission: check the owner and mode of the file and its folder",
    "SQLITE_FULL": "the disk is full: make room; nothing of this change was stored",
    "SQLITE_CANTOPEN": "it cannot be opened: check that the folder exists and is writable",
    "SQLITE_CORRUPT": f"it is damaged: {RESTORE}",
    "SQLITE_NOTADB": f"it is not a database: another program's file, or damaged: {RESTORE}",
    "SQLITE_IOERR": "reading or writing failed: check the disk or SD card",
}


def name_of(error: sqlite3.Error) -> str:
    """SQLite's name for an error, such as SQLITE_FULL; Python's where SQLite has none."""
    return getattr(error, "sqlite_errorname", type(error).__name__)


def advice_for(name: str, own: Mapping[str, str] | None = None) -> str:
    """What to do about the error of this name. `own`: advice that comes first, by the beginning of a name."""
    known = (*(own or {}).items(), *_ADVICE.items())
    return next((text for prefix, text in known if name.startswith(prefix)), "unexpected")
