"""hal.api.Storage, for every backend. A new backend adds a line to STORAGES."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hal.api import Change, Delete, Put, Storage, StorageFailed
from hal.virtual.storage import MemoryStorage, SqliteStorage

STORAGES: dict[str, Callable[[Path], Storage]] = {
    "memory": lambda _folder: MemoryStorage(),
    "sqlite-file": lambda folder: SqliteStorage(folder / "terminal.db"),
    "sqlite-memory": lambda _folder: SqliteStorage(":memory:"),
}


@pytest.fixture(params=STORAGES)
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    device = STORAGES[request.param](tmp_path)
    device.open()
    yield device
    device.close()


def test_a_new_storage_is_empty(storage: Storage) -> None:
    assert storage.get("journal", "1") is None
    assert list(storage.scan("journal")) == []


def test_returns_what_was_committed(storage: Storage) -> None:
    storage.commit(
        [Put("journal", "1", b"a"), Put("counters", "1", b""), Put("journal", "2", bytes(range(256)))]
    )
    assert storage.get("journal", "1") == b"a"
    assert storage.get("counters", "1") == b""
    assert storage.get("journal", "2") == bytes(range(256))
    assert storage.get("counters", "2") is None


def test_a_commit_is_done_in_order(storage: Storage) -> None:
    storage.commit([Put("t", "k", b"1"), Delete("t", "k"), Put("t", "k", b"2"), Put("t", "k", b"3")])
    assert list(storage.scan("t")) == [("k", b"3")]
    storage.commit([Delete("t", "k"), Delete("t", "never there")])
    assert list(storage.scan("t")) == []


def test_an_empty_commit_is_allowed(storage: Storage) -> None:
    storage.commit([])
    assert list(storage.scan("t")) == []


def test_scans_one_table_in_code_point_order(storage: Storage) -> None:
    keys = ["b", "", "a", "é", "10", "9", "B", "\U0001f4b3", "银", "￿", "a\0b"]
    storage.commit([*(Put("t", key, key.encode()) for key in keys), Put("u", "x", b"")])
    assert list(storage.scan("t")) == [(key, key.encode()) for key in sorted(keys)]


def test_a_scan_shows_the_moment_it_was_asked_for(storage: Storage) -> None:
    storage.commit([Put("t", key, b"old") for key in "abc"])
    scanned = []
    for key, value in storage.scan("t"):
        storage.commit([Put("t", key, b"new"), Delete("t", "c"), Put("t", "d", b"new")])
        scanned.append((key, value))
    assert scanned == [(key, b"old") for key in "abc"]


def test_takes_64_kib_and_refuses_more_as_a_whole(storage: Storage) -> None:
    storage.commit([Put("t", "large", bytes(65_536))])
    with pytest.raises(ValueError, match="65537 bytes"):
        storage.commit([Put("t", "small", b"x"), Put("t", "larger", bytes(65_537))])
    assert [key for key, _ in storage.scan("t")] == ["large"]


def test_nothing_is_read_or_written_while_closed(storage: Storage) -> None:
    storage.commit([Put("t", "k", b"v")])
    storage.close()
    for use in (lambda: storage.get("t", "k"), lambda: storage.scan("t"), lambda: storage.commit([])):
        with pytest.raises(StorageFailed, match="not open"):
            use()


NAMES = st.sampled_from(["a", "b", "c"])
CHANGES = st.one_of(
    st.builds(Put, NAMES, NAMES, st.binary(max_size=4)),
    st.builds(Delete, NAMES, NAMES),
)


@given(commits=st.lists(st.lists(CHANGES, max_size=6), max_size=8))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_behaves_as_a_dictionary(storage: Storage, commits: list[list[Change]]) -> None:
    storage.commit([Delete(table, key) for table in "abc" for key in "abc"])
    model: dict[tuple[str, str], bytes] = {}
    for changes in commits:
        storage.commit(changes)
        for change in changes:
            if isinstance(change, Put):
                model[change.table, change.key] = change.value
            else:
                model.pop((change.table, change.key), None)
    stored = {(table, key): value for table in "abc" for key, value in storage.scan(table)}
    assert stored == model
    assert all(storage.get(table, key) == model.get((table, key)) for table in "abc" for key in "abc")
