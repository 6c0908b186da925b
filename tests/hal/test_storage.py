"""Storage beyond the contract: what survives, what is refused and how, and scripted faults."""

import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hal.api import Delete, DeviceMissing, HalError, Put, StorageFailed, StorageVersion
from hal.virtual.power import PowerCut
from hal.virtual.storage import MemoryStorage, SqliteStorage

SECRET = b"6225880123456783"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "terminal.db"


@pytest.fixture
def storage(path: Path) -> Iterator[SqliteStorage]:
    storage = SqliteStorage(path, busy_timeout_ms=0)
    storage.open()
    yield storage
    storage.close()


def _rows(path: Path) -> list[tuple[str, str, bytes]]:
    """The content as another program sees it."""
    database = sqlite3.connect(path)
    try:
        return database.execute('SELECT "table", key, value FROM kv ORDER BY 1, 2').fetchall()
    finally:
        database.close()


def test_content_survives_closing(storage: SqliteStorage, path: Path) -> None:
    storage.commit([Put("t", "a", b"1"), Put("t", "b", b"2")])
    storage.commit([Delete("t", "a")])
    storage.close()
    assert _rows(path) == [("t", "b", b"2")]
    storage.open()
    assert list(storage.scan("t")) == [("b", b"2")]


def test_a_killed_process_loses_no_acknowledged_commit(path: Path) -> None:
    program = (
        "import os, sys; from hal.api import Put; from hal.virtual.storage import SqliteStorage\n"
        "s = SqliteStorage(sys.argv[1]); s.open()\n"
        "for n in range(20): s.commit([Put('t', f'{n:02}', b'x')])\n"
        "os.kill(os.getpid(), 9)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program, str(path)], cwd=root, check=False)
    assert done.returncode == -9
    storage = SqliteStorage(path, busy_timeout_ms=0)
    storage.open()
    assert [key for key, _ in storage.scan("t")] == [f"{n:02}" for n in range(20)]
    storage.close()


def test_the_file_is_for_its_owner_only(storage: SqliteStorage, path: Path) -> None:
    storage.commit([Put("t", "k", b"v")])
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == {"terminal.db": 0o600, "terminal.db-wal": 0o600}


def test_is_durable_by_wal_and_sync(storage: SqliteStorage) -> None:
    database = storage._connection()
    assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert database.execute("PRAGMA synchronous").fetchone() == (3,)  # EXTRA: FULL or more


def test_one_file_belongs_to_one_terminal(storage: SqliteStorage, path: Path) -> None:
    storage.commit([Put("t", "k", b"v")])
    second = SqliteStorage(path, busy_timeout_ms=0)
    with pytest.raises(StorageFailed, match="another process uses it"):
        second.open()
    assert storage.get("t", "k") == b"v"


@pytest.mark.parametrize("version", [0, 1, 2, 99])
def test_refuses_another_schema_and_changes_nothing(path: Path, version: int) -> None:
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE something (a)")
    database.execute(f"PRAGMA user_version = {version}")
    database.commit()
    database.close()
    before = path.read_bytes()
    with pytest.raises(StorageVersion, match=f"another program or version .schema version {version}, not 2"):
        SqliteStorage(path).open()
    assert path.read_bytes() == before


def test_refuses_a_file_that_is_no_database(path: Path) -> None:
    path.write_bytes(b"this is not a database, whatever its name says, and it is long enough\n" * 20)
    with pytest.raises(StorageFailed, match="not a database"):
        SqliteStorage(path).open()
    assert path.read_bytes().startswith(b"this is not")


def test_says_when_the_folder_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DeviceMissing, match="check that the folder is there"):
        SqliteStorage(tmp_path / "no" / "terminal.db").open()


def test_a_damaged_page_is_an_error_that_shows_no_data(storage: SqliteStorage, path: Path) -> None:
    storage.commit([Put("t", f"{n:03}", SECRET * 100) for n in range(50)])
    storage.close()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))
    before = path.read_bytes()
    with pytest.raises(StorageFailed, match=r"is damaged .its structure is broken.: restore") as caught:
        storage.open()
    assert SECRET.decode() not in str(caught.value)
    assert path.read_bytes() == before


@pytest.mark.parametrize("value", ["6225880123456783", 6225880123456783, None])
def test_a_value_of_another_type_is_an_error_that_does_not_show_it(path: Path, value: object) -> None:
    database = sqlite3.connect(path)
    database.execute('CREATE TABLE kv ("table" TEXT, key TEXT, value BLOB)')
    database.execute("PRAGMA user_version = 1")
    database.execute("INSERT INTO kv VALUES ('t', 'k', ?)", (value,))
    database.commit()
    database.close()
    storage = SqliteStorage(path)
    storage.open()
    try:
        for read in (lambda: storage.get("t", "k"), lambda: storage.scan("t")):
            with pytest.raises(
                StorageFailed, match="the value of t/k is not what this program stores"
            ) as caught:
                read()
            assert "6225" not in str(caught.value)
    finally:
        storage.close()


def _limit_pages(storage: SqliteStorage) -> None:
    """Make the disk full: SQLite then reports SQLITE_FULL as it does for a real one."""
    database = storage._connection()
    pages = database.execute("PRAGMA page_count").fetchone()[0]
    database.execute(f"PRAGMA max_page_count = {pages}")


def test_a_full_disk_stores_nothing_of_the_commit(storage: SqliteStorage) -> None:
    storage.commit([Put("t", "k", b"old")])
    _limit_pages(storage)
    with pytest.raises(StorageFailed, match="the disk is full"):
        storage.commit([Put("t", "k", b"new"), Put("t", "large", bytes(60_000))])
    assert list(storage.scan("t")) == [("k", b"old")]
    storage.commit([Put("t", "k", b"newer")])
    assert storage.get("t", "k") == b"newer"


def test_a_commit_that_fails_half_way_is_undone(storage: SqliteStorage) -> None:
    storage.commit([Put("t", "k", b"old")])
    storage._connection().execute(
        "CREATE TEMP TRIGGER refuse BEFORE INSERT ON kv WHEN NEW.key = 'bad' "
        "BEGIN SELECT RAISE(ABORT, 'refused'); END"
    )
    with pytest.raises(StorageFailed, match="SQLITE_CONSTRAINT"):
        storage.commit([Put("t", "k", b"new"), Put("t", "bad", SECRET)])
    assert list(storage.scan("t")) == [("k", b"old")]
    storage.commit([Put("t", "k", b"newer")])
    assert list(storage.scan("t")) == [("k", b"newer")]


def test_a_read_only_database_stores_nothing(storage: SqliteStorage) -> None:
    storage.commit([Put("t", "k", b"old")])
    storage._connection().execute("PRAGMA query_only = ON")
    with pytest.raises(StorageFailed, match="it is read-only"):
        storage.commit([Put("t", "k", b"new")])
    assert storage.get("t", "k") == b"old"


def test_error_codes_are_stable() -> None:
    assert (StorageFailed.code, StorageVersion.code, DeviceMissing.code) == ("H300", "H310", "H100")
    assert issubclass(StorageVersion, HalError)


# --- in memory -----------------------------------------------------------------------------------------


@pytest.fixture
def memory() -> MemoryStorage:
    memory = MemoryStorage()
    memory.open()
    return memory


def test_memory_fails_at_the_scripted_commit_only(memory: MemoryStorage) -> None:
    memory.fail_at(2)
    memory.commit([Put("t", "k", b"1")])
    with pytest.raises(StorageFailed, match="commit 2"):
        memory.commit([Put("t", "k", b"2"), Put("t", "j", b"2")])
    assert memory.snapshot() == {("t", "k"): b"1"}
    memory.commit([Put("t", "k", b"3")])
    assert (memory.commits, memory.snapshot()) == (3, {("t", "k"): b"3"})


def test_a_failure_of_one_commit_may_meet_the_self_test_and_is_over_then(memory: MemoryStorage) -> None:
    """Or a terminal that finds it while it starts would be out of service for ever (seed 30103)."""
    memory.fail_at(1)
    assert not memory.self_test().ok
    assert memory.self_test().ok
    memory.commit([Put("t", "k", b"1")])
    assert memory.snapshot() == {("t", "k"): b"1"}


@pytest.mark.parametrize(("when", "left"), [("before", b"1"), ("after", b"2")])
def test_memory_loses_power_around_the_scripted_commit(memory: MemoryStorage, when: str, left: bytes) -> None:
    memory.power_cut_at(2, "before" if when == "before" else "after")
    memory.commit([Put("t", "k", b"1")])
    with pytest.raises(PowerCut):
        memory.commit([Put("t", "k", b"2")])
    for use in (lambda: memory.get("t", "k"), lambda: memory.scan("t"), lambda: memory.commit([])):
        with pytest.raises(PowerCut):
            use()
    memory.open()
    assert memory.get("t", "k") == left
    memory.commit([Put("t", "k", b"3")])
    assert memory.commits == 3


def test_no_handler_of_exceptions_survives_a_power_cut() -> None:
    assert not issubclass(PowerCut, Exception)


def test_memory_refuses_to_script_the_past(memory: MemoryStorage) -> None:
    memory.commit([])
    with pytest.raises(ValueError, match="commit 1 is past"):
        memory.fail_at(1)
    with pytest.raises(ValueError, match="commit 1 is past"):
        memory.power_cut_at(1, "before")


def test_memory_goes_back_to_a_snapshot(memory: MemoryStorage) -> None:
    memory.commit([Put("t", "k", b"1")])
    snapshot = memory.snapshot()
    memory.commit([Put("t", "k", b"2"), Put("t", "j", b"2")])
    assert snapshot == {("t", "k"): b"1"}
    memory.restore(snapshot)
    memory.commit([Put("t", "i", b"3")])
    assert memory.snapshot() == {("t", "k"): b"1", ("t", "i"): b"3"}
    assert snapshot == {("t", "k"): b"1"}


OPENED_AS_NOBODY = """
import os, sys
from hal.api import HalError
from hal.virtual.storage import SqliteStorage
if os.geteuid() == 0:
    os.seteuid(65534)  # nobody: root may write everywhere
storage = SqliteStorage(sys.argv[1])
try:
    storage.open()
    storage.close()
except HalError as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize(
    ("mode", "told"), [(0o555, "DeviceMissing"), (0o777, "")], ids=["not allowed", "allowed"]
)
def test_a_folder_without_permission_is_named(mode: int, told: str) -> None:
    """In a process of its own, which gives up root's rights; the folder is outside of pytest's own."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(mode)
        command = [sys.executable, "-c", OPENED_AS_NOBODY, f"{folder}/terminal.db"]
        done = subprocess.run(
            command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
        )
        Path(folder).chmod(0o700)
    assert done.stdout.startswith(told)
    assert ("Permission denied" in done.stdout and folder in done.stdout) == bool(told)
    assert bool(done.stdout) == bool(told)
