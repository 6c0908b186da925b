"""Storage: durable on SQLite, and in memory with scripted failures and power cuts for simulations.

Durable means: `commit` returns when the data has reached the disk. On SQLite that is write-ahead logging with
`synchronous=FULL` or more; with NORMAL the last commits are lost in a power cut. EXTRA is the same as FULL
under WAL, and still durable where SQLite cannot do WAL (SQLite manual, "PRAGMA synchronous"). The file is
locked for one process as long as it is open: two terminals on one memory would each undo what the other
promised. Errors of SQLite become three kinds: DeviceMissing (cannot be opened), StorageVersion (somebody
else's data) and StorageFailed; their texts name the file, never what is in it.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from hal.api import (
    Change,
    DeviceMissing,
    HalError,
    Put,
    SelfTest,
    StorageFailed,
    StorageTrouble,
    StorageVersion,
)
from hal.device import QuietDevice
from hal.virtual.power import PowerCut
from hal.virtual.sqlite_file import damage_in_log, forget_index, log_of, look_at, make_private
from hal.virtual.sqlite_seal import as_stored, is_sealed, row_hash, sum_of
from wire.sqlite_errors import RESTORE, advice_for, name_of
from wire.sqlite_log import PAGE_BYTES_MIN

SCHEMA_VERSION = 2  # 1 had no seal
VALUE_BYTES_MAX = 65_536
LOG_PAGES_MAX = 256
"""So many pages of 4 KiB may the log beside the file hold; then they go to the file, and it begins anew."""
IN_MEMORY = ":memory:"

Snapshot = Mapping[tuple[str, str], bytes]
"""Everything in a MemoryStorage: {(table, key): value}."""

_SCHEMA = (
    'CREATE TABLE kv ("table" TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, '
    'PRIMARY KEY ("table", key)) WITHOUT ROWID'
)
_SEAL_SCHEMA = "CREATE TABLE seal (value BLOB NOT NULL)"
_GET = 'SELECT value FROM kv WHERE "table" = ? AND key = ?'
_SCAN = 'SELECT key, value FROM kv WHERE "table" = ? ORDER BY key'  # BINARY collation: code point order
_PUT = 'INSERT OR REPLACE INTO kv ("table", key, value) VALUES (?, ?, ?)'
_DELETE = 'DELETE FROM kv WHERE "table" = ? AND key = ?'
_SEAL = "UPDATE seal SET value = ?"

_ADVICE = {
    "SQLITE_BUSY": "another process uses it: stop the other terminal, or give this one its own state folder"
}
_TROUBLES = {
    "SQLITE_FULL": StorageTrouble.FULL,
    "SQLITE_READONLY": StorageTrouble.READ_ONLY,
    "SQLITE_PERM": StorageTrouble.READ_ONLY,
    "SQLITE_CORRUPT": StorageTrouble.DAMAGED,
    "SQLITE_NOTADB": StorageTrouble.DAMAGED,
}


class SqliteStorage(QuietDevice):
    """hal.api.Storage in one SQLite file (mode 0600, plus `-wal` beside it while open), or in memory.

    A file is looked at before it is used: one that is damaged, or that has lost or changed a row
    (`hal.virtual.sqlite_seal`), is refused as it is.

    After a failed commit whose sync to the disk failed, nothing of it is visible; whether a power cut right
    then could bring it back is beyond what SQLite tells.
    """

    def __init__(self, path: Path | str = IN_MEMORY, *, busy_timeout_ms: int = 1000) -> None:
        super().__init__()
        self._path = str(path)
        self._busy_timeout_s = busy_timeout_ms / 1000
        self._database: sqlite3.Connection | None = None
        self._total = 0  # what the rows sum up to

    def open(self) -> None:
        """Open or create the file. Raises DeviceMissing, StorageFailed (damaged) or StorageVersion."""
        if self._database is not None:
            return
        if self._path != IN_MEMORY:
            make_private(Path(self._path))
            self._look_before_use(Path(self._path))
        with self._failures("open"):
            database = sqlite3.connect(self._path, timeout=self._busy_timeout_s, isolation_level=None)
        try:
            self._prepare(database)
        except BaseException:
            database.close()
            raise
        if self._path != IN_MEMORY:
            forget_index(Path(self._path))
        self._database = database
        self._is_open = True

    def close(self) -> None:
        """Close the file and let other processes have it."""
        if self._database is not None:
            self._database.close()
            self._database = None
        super().close()

    def self_test(self) -> SelfTest:
        """Check the structure of the whole file and every row, and write what stands there already."""
        try:
            with self._failures("check"):
                self._check_content(self._connection())
            with self._transaction() as database:
                database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        except StorageFailed as error:
            return SelfTest(ok=False, detail=str(error), trouble=error.trouble)
        return SelfTest(ok=True)

    def get(self, table: str, key: str) -> bytes | None:
        """The value, or None. Raises StorageFailed."""
        with self._failures("read"):
            row = self._connection().execute(_GET, (table, key)).fetchone()
        return None if row is None else self._blob(table, key, row[0])

    def scan(self, table: str) -> Iterator[tuple[str, bytes]]:
        """All pairs of a table as they are now, in the order of their keys. Raises StorageFailed."""
        with self._failures("read"):
            rows = self._connection().execute(_SCAN, (table,)).fetchall()
        return iter([(str(key), self._blob(table, str(key), value)) for key, value in rows])

    def commit(self, changes: Sequence[Change]) -> None:
        """Make all of `changes` durable, or none. Raises StorageFailed; ValueError for too large a value."""
        _check_changes(changes)
        total = self._total
        with self._transaction() as database:
            for change in changes:
                total += _carry_out(database, change)
            database.execute(_SEAL, (as_stored(total),))
        self._total = total

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._failures("write"):
            database = self._connection()
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
                database.execute("COMMIT")
            except BaseException:
                _roll_back(database)
                raise

    def snapshot(self) -> Snapshot:
        """A copy of everything stored. Raises StorageFailed."""
        with self._failures("read"):
            rows = self._connection().execute('SELECT "table", key, value FROM kv').fetchall()
        return {(str(table), str(key)): self._blob(table, key, value) for table, key, value in rows}

    def _blob(self, table: str, key: str, value: object) -> bytes:
        """A value as it was put there: SQLite lets other programs store what is no BLOB."""
        if not isinstance(value, bytes):
            raise StorageFailed(
                f"storage {self._path}: the value of {table}/{key} is not what this program stores: "
                "another program has changed it; restore the file from a copy",
                StorageTrouble.DAMAGED,
            )
        return value

    def _connection(self) -> sqlite3.Connection:
        if self._database is None:
            raise StorageFailed(f"storage {self._path} is not open")
        return self._database

    def _look_before_use(self, path: Path) -> None:
        """Refuse a file that is damaged, before SQLite may touch it: it would empty the log into it."""
        try:
            if lost := damage_in_log(path):
                raise self._damaged(f"its log has lost commits: {lost}")
            if path.stat().st_size == 0:
                if log_of(path).exists() and log_of(path).stat().st_size:
                    raise self._damaged("it is empty, and its log is not")
                return
            is_cut = path.stat().st_size % PAGE_BYTES_MIN != 0
        except OSError as error:
            raise DeviceMissing(f"storage {path}: {error.strerror}: check its owner and mode") from None
        if path.with_name(f"{path.name}-journal").exists():
            return  # a power cut while it was made; SQLite puts that right when it is opened
        with self._failures("open"), contextlib.closing(look_at(path, self._busy_timeout_s)) as database:
            if self._version_of(database):
                self._check_content(database)
        if is_cut:  # SQLite takes what is missing for zeros
            raise self._damaged("it is cut short")

    def _prepare(self, database: sqlite3.Connection) -> None:
        """Lock the file, check whose it is before anything is changed, and bring it to this version."""
        with self._failures("open"):
            database.execute("PRAGMA locking_mode = EXCLUSIVE")
            version = self._version_of(database)
            database.execute("PRAGMA synchronous = EXTRA")  # first, for a new file is not in WAL mode yet
            database.execute("PRAGMA journal_mode = WAL")
            database.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES_MAX}")
            database.execute("BEGIN IMMEDIATE")  # takes the lock now, not at the first commit
            if version == 0:
                database.execute(_SCHEMA)
            if version < SCHEMA_VERSION:
                database.execute(_SEAL_SCHEMA)
                database.execute("INSERT INTO seal VALUES (?)", (as_stored(sum_of(database)),))
                database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            self._total = sum_of(database)
            database.execute("COMMIT")

    def _version_of(self, database: sqlite3.Connection) -> int:
        """The file's version, 0 for a new one. Raises StorageVersion for one of somebody else."""
        version = int(database.execute("PRAGMA user_version").fetchone()[0])
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if version == 0 and not tables:
            return 0
        if not 1 <= version <= SCHEMA_VERSION or "kv" not in tables:
            raise StorageVersion(
                f"storage {self._path} is of another program or version (schema version {version}, not "
                f"{SCHEMA_VERSION}): use the program that wrote it, or another state folder"
            )
        return version

    def _check_content(self, database: sqlite3.Connection) -> None:
        """Raises StorageFailed: the file is damaged."""
        if database.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise self._damaged("its structure is broken")
        if self._version_of(database) > 1 and not is_sealed(database):
            raise self._damaged("what stands in it is not what was stored")

    def _damaged(self, why: str) -> StorageFailed:
        return StorageFailed(f"storage {self._path} is damaged ({why}): {RESTORE}", StorageTrouble.DAMAGED)

    @contextlib.contextmanager
    def _failures(self, action: str) -> Iterator[None]:
        """Turn SQLite's errors into ours. SQLite's own text is left out: it may quote what was stored."""
        try:
            yield
        except UnicodeDecodeError:  # an error of SQLite's that quotes what is no text any more
            raise self._damaged("its structure is broken") from None
        except sqlite3.Error as error:
            name = name_of(error)
            trouble = next((why for prefix, why in _TROUBLES.items() if name.startswith(prefix)), None)
            text = f"storage {self._path}: cannot {action} ({name}): {advice_for(name, _ADVICE)}"
            raise StorageFailed(text, trouble or StorageTrouble.FAILED) from None


def read_snapshot(path: Path) -> Snapshot:
    """Everything in a file that no process has open. It is not touched: a copy is read, the log included.

    Raises DeviceMissing, StorageFailed, StorageVersion.
    """
    with tempfile.TemporaryDirectory(prefix="posterm-") as folder:
        copy = Path(folder) / path.name
        storage = SqliteStorage(copy)
        try:
            shutil.copyfile(path, copy)
            if log_of(path).exists():
                shutil.copyfile(log_of(path), log_of(copy))
            storage.open()
            return storage.snapshot()
        except OSError as error:
            raise DeviceMissing(f"storage {path}: {error.strerror}") from None
        except HalError as error:
            error.args = (str(error).replace(str(copy), str(path)),)
            raise
        finally:
            storage.close()


class MemoryStorage(QuietDevice):
    """hal.api.Storage in a dictionary. What is committed outlives `close` and power cuts of this object.

    Commits are numbered from 1; a failed one counts too. Not modelled: a torn commit (SQLite has none), slow
    disks, a disk that lies about having synced.
    """

    def __init__(self) -> None:
        super().__init__()
        self.commits = 0
        """How often `commit` was called so far."""
        self.on_commit: Callable[[], object] = lambda: None
        """Called when something has become durable, before `commit` returns."""
        self._tables: defaultdict[str, dict[str, bytes]] = defaultdict(dict)
        self._failing: set[int] = set()
        self._breakdown: tuple[int, StorageTrouble] | None = None  # after which commit, and what
        self._is_unreadable = False
        self._cuts: dict[int, Literal["before", "after"]] = {}
        self._power_lost = False

    def open(self) -> None:
        """Open the storage; after a power cut, with the power back."""
        self._power_lost = False
        super().open()

    def self_test(self) -> SelfTest:
        """Report good health, or the trouble. It writes: a failure of one commit may be this one."""
        failure = self._failure(self.commits + 1)
        if failure is not None:
            self.commits += 1
            return SelfTest(ok=False, detail=str(failure), trouble=failure.trouble)
        return super().self_test()

    def get(self, table: str, key: str) -> bytes | None:
        """The value, or None. Raises StorageFailed where the script says so."""
        self._require_readable()
        return self._tables[table].get(key)

    def scan(self, table: str) -> Iterator[tuple[str, bytes]]:
        """All pairs of a table as they are now, in the order of their keys. Raises as `get`."""
        self._require_readable()
        return iter(sorted(self._tables[table].items()))

    def commit(self, changes: Sequence[Change]) -> None:
        """Store all of `changes`, or none. Raises StorageFailed or PowerCut where the script says so."""
        self._require_open()
        _check_changes(changes)
        self.commits += 1
        if (failure := self._failure(self.commits)) is not None:
            raise failure
        cut = self._cuts.get(self.commits)
        if cut == "before":
            self._lose_power()
        for change in changes:
            if isinstance(change, Put):
                self._tables[change.table][change.key] = change.value
            else:
                self._tables[change.table].pop(change.key, None)
        self.on_commit()
        if cut == "after":
            self._lose_power()

    # --- the script ---

    def fail_at(self, commit_number: int) -> None:
        """Let this commit fail with StorageFailed."""
        self._failing.add(self._future(commit_number))

    def break_down(
        self, trouble: StorageTrouble, *, after_commits: int = 0, unreadable: bool = False
    ) -> None:
        """Let every commit fail, and the self-test, until `mend`.

        `after_commits`: so many succeed first. `unreadable`: nothing can be read either, from now on; else
        what is stored can.
        """
        self._breakdown = (self.commits + after_commits, trouble)
        self._is_unreadable = unreadable

    def mend(self) -> None:
        """There is room again, or whatever was wrong is repaired."""
        self._breakdown, self._is_unreadable = None, False

    def power_cut_at(self, commit_number: int, when: Literal["before", "after"]) -> None:
        """Cut the power at this commit, just before or just after its data is durable.

        PowerCut is raised, then and at every use of the storage until it is opened again.
        """
        self._cuts[self._future(commit_number)] = when

    def forget_script(self) -> None:
        """No failures and no power cuts any more."""
        self._failing.clear()
        self._cuts.clear()

    def snapshot(self) -> Snapshot:
        """A copy of everything stored, as {(table, key): value}."""
        return {(table, key): value for table, pairs in self._tables.items() for key, value in pairs.items()}

    def restore(self, snapshot: Snapshot) -> None:
        """Put the content back to a snapshot's. The commit counter and the script stay."""
        self._tables.clear()
        for (table, key), value in snapshot.items():
            self._tables[table][key] = value

    def _require_readable(self) -> None:
        self._require_open()
        if self._is_unreadable and (failure := self._failure(self.commits + 1)) is not None:
            raise failure

    def _future(self, commit_number: int) -> int:
        if commit_number <= self.commits:
            raise ValueError(f"commit {commit_number} is past: {self.commits} were made")
        return commit_number

    def _failure(self, commit_number: int) -> StorageFailed | None:
        """What the script lets this commit fail with."""
        if commit_number in self._failing:
            return StorageFailed(f"scripted failure of commit {commit_number}: nothing was stored")
        if self._breakdown is not None and commit_number > self._breakdown[0]:
            trouble = self._breakdown[1]
            return StorageFailed(f"scripted trouble ({trouble.value}): nothing was stored", trouble)
        return None

    def _require_open(self) -> None:
        if self._power_lost:
            raise PowerCut("the power is off: open the storage again")
        if not self._is_open:
            raise StorageFailed("storage is not open")

    def _lose_power(self) -> None:
        self._power_lost = True
        self.close()
        raise PowerCut(f"at commit {self.commits}")


def _check_changes(changes: Sequence[Change]) -> None:
    """Raise ValueError when a value is longer than 64 KiB: the contract's limit, for every backend."""
    for change in changes:
        if isinstance(change, Put) and len(change.value) > VALUE_BYTES_MAX:
            raise ValueError(
                f"{change.table}/{change.key}: {len(change.value)} bytes, at most {VALUE_BYTES_MAX} fit"
            )


def _carry_out(database: sqlite3.Connection, change: Change) -> int:
    """Make one change; by how much the sum of the rows changes."""
    row = database.execute(_GET, (change.table, change.key)).fetchone()
    delta = -row_hash(change.table, change.key, row[0]) if row is not None else 0
    if isinstance(change, Put):
        database.execute(_PUT, (change.table, change.key, change.value))
        return delta + row_hash(change.table, change.key, change.value)
    database.execute(_DELETE, (change.table, change.key))
    return delta


def _roll_back(database: sqlite3.Connection) -> None:
    if database.in_transaction:  # after a full disk SQLite may have rolled back on its own
        with contextlib.suppress(sqlite3.Error):
            database.execute("ROLLBACK")
