"""The program that is recorded: a day at the till, terminal and bank on files in one folder.

`python -m tools.durability.day FOLDER PAYMENTS SYNCHRONOUS [KIND ...]`. Before every commit of the terminal's
storage or the bank's store a mark says whose it is and what will be stored then; one after it, what was
acknowledged. SYNCHRONOUS is "as it is", or a weaker level of SQLite's, to see that the proof notices; or
"despite failures": as it is, and payments may come to nothing.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import bank.authoriser
import hal.virtual.storage
from bank.errors import BankError
from bank.store import BankStore
from hal.api import Change, HalError
from hal.virtual.storage import SqliteStorage
from tools.durability.recording import MARKS
from tools.runtime import start
from tools.station import Station, StationError

AS_IT_IS, DESPITE_FAILURES = "as it is", "despite failures"
ATTEMPTED, ACKNOWLEDGED = "attempted", "acknowledged"
_STARTS_MAX = 5
_PAYMENTS_A_MORNING = 4
TERMINAL, BANK = "terminal.db", "bank.db"


def content_of(database: sqlite3.Connection) -> str:
    """A digest of every row of every table, but for the seal, which is made of them."""
    whole = hashlib.sha256()
    names = database.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'seal' ORDER BY name"
    ).fetchall()
    for (name,) in names:
        rows = database.execute(f'SELECT * FROM "{name}"').fetchall()  # noqa: S608 - the file's own names
        whole.update(repr((name, sorted(map(tuple, rows), key=repr))).encode())
    return whole.hexdigest()[:16]


class _Marks:
    """Where the marks go, and what weakens the databases."""

    def __init__(self, folder: Path, synchronous: str) -> None:
        self._file = os.open(folder / MARKS, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._synchronous = synchronous

    def weaken(self, database: sqlite3.Connection) -> None:
        if self._synchronous not in (AS_IT_IS, DESPITE_FAILURES):
            database.execute(f"PRAGMA synchronous = {self._synchronous}")

    def attempted(self, name: str, database: sqlite3.Connection) -> None:
        self._write(ATTEMPTED, name, database)

    def acknowledged(self, name: str, database: sqlite3.Connection) -> None:
        self._write(ACKNOWLEDGED, name, database)

    def _write(self, what: str, name: str, database: sqlite3.Connection) -> None:
        os.write(self._file, f"{name} {what} {content_of(database)}\n".encode())


def _marked_storage(marks: _Marks) -> type[SqliteStorage]:
    class MarkedStorage(SqliteStorage):
        def open(self) -> None:
            super().open()
            marks.weaken(self._connection())
            marks.acknowledged(TERMINAL, self._connection())

        @contextmanager
        def _transaction(self) -> Iterator[sqlite3.Connection]:
            with super()._transaction() as database:
                yield database
                marks.attempted(TERMINAL, database)

        def commit(self, changes: Sequence[Change]) -> None:
            super().commit(changes)
            marks.acknowledged(TERMINAL, self._connection())

    return MarkedStorage


def _marked_store(marks: _Marks) -> type[BankStore]:
    class MarkedStore(BankStore):
        @contextmanager
        def transaction(self) -> Iterator[None]:
            is_outermost = self._depth == 0
            if is_outermost:
                marks.weaken(self._connection)
            with super().transaction():
                yield
                if is_outermost:
                    marks.attempted(BANK, self._connection)
            if is_outermost:
                marks.acknowledged(BANK, self._connection)

    return MarkedStore


def live_through(folder: Path, payments: int, kinds: Sequence[str] = ()) -> None:
    """Payments of these kinds in turn, or of all; every now and then everything is closed and opened."""
    turns = itertools.islice(itertools.cycle(kinds or KINDS), payments)
    for morning in iter(lambda: list(itertools.islice(turns, _PAYMENTS_A_MORNING)), []):
        with start(state_folder=folder) as till:
            for kind in morning:
                KINDS[kind](till)


def live_despite_failures(folder: Path, payments: int, kinds: Sequence[str] = ()) -> None:
    """The same, where the disk fails: what comes to nothing is done anew, also the opening of the shop."""
    for start_number in range(1, _STARTS_MAX + 1):
        try:
            with start(state_folder=folder) as till:
                for kind in itertools.islice(itertools.cycle(kinds or KINDS), payments):
                    with suppress(StationError):
                        KINDS[kind](till)
                    till.press("enter")
                    till.finish()
        except (HalError, BankError, StationError):
            if start_number == _STARTS_MAX:
                raise
        else:
            return


def _approved(till: Station) -> None:
    _swiped(till, "good")
    till.enter_pin("123456")
    till.finish()


def _declined(till: Station) -> None:
    _swiped(till, "poor")
    till.finish()


def _cancelled(till: Station) -> None:
    _swiped(till, "good")
    till.wait_for("pin")
    till.press("cancel")
    till.finish()


def _cut_off(till: Station) -> None:
    _swiped(till, "good")
    till.wait_for("pin")
    till.cut_power()
    till.power_on()
    till.finish()


def _swiped(till: Station, card: str) -> None:
    till.enter_amount("123.45")
    till.swipe(card)


KINDS: Mapping[str, Callable[[Station], None]] = {
    "approved": _approved,
    "declined": _declined,
    "cancelled": _cancelled,
    "cut off": _cut_off,
}
"""What can happen to a payment."""


def main(arguments: Sequence[str]) -> int:
    """Live through the day."""
    folder, payments, synchronous = Path(arguments[0]), int(arguments[1]), arguments[2]
    marks = _Marks(folder, synchronous)
    hal.virtual.storage.SqliteStorage = _marked_storage(marks)  # type: ignore[misc]
    bank.authoriser.BankStore = _marked_store(marks)  # type: ignore[attr-defined]
    live = live_despite_failures if synchronous == DESPITE_FAILURES else live_through
    live(folder, payments, arguments[3:])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
