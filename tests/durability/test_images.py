"""What a power cut may leave: held against what POSIX says of write, fsync and names in folders."""

from collections.abc import Sequence

from tools.durability.images import every_cut
from tools.durability.recording import (
    Create,
    FailedSync,
    Operation,
    Rename,
    Sync,
    SyncFolder,
    Truncate,
    Unlink,
    Write,
)


def images_after(*operations: Operation) -> list[dict[str, bytes]]:
    """The different images after the last of these operations."""
    left: list[dict[str, bytes]] = []
    for count, image in every_cut(operations):
        if count == len(operations) and dict(image) not in left:
            left.append(dict(image))
    return left


NEW: Sequence[Operation] = (Create("f"), Sync("f"), SyncFolder())


def test_what_was_synced_stays_and_what_was_not_may_go() -> None:
    assert images_after(*NEW, Write("f", 0, b"abcd"), Sync("f")) == [{"f": b"abcd"}]
    left = images_after(*NEW, Write("f", 0, b"abcd"), Sync("f"), Write("f", 4, b"efgh"))
    assert {"f": b"abcd"} in left
    assert {"f": b"abcdefgh"} in left
    assert {"f": b"abcdef"} in left, "torn"
    assert {"f": b"abcd\0\0\0\0"} in left, "grown, and nothing came"
    assert all(image["f"].startswith(b"abcd") for image in left)


def test_a_name_is_durable_when_the_folder_was_synced() -> None:
    left = images_after(Create("f"), Write("f", 0, b"abcd"), Sync("f"))
    assert left == [{}, {"f": b"abcd"}]
    assert images_after(*NEW, Unlink("f")) == [{"f": b""}, {}]
    assert images_after(*NEW, Unlink("f"), SyncFolder()) == [{}]
    assert images_after(*NEW, Create("g"), Sync("g"), Rename("g", "f")) == [{"f": b""}]


def test_the_newer_may_come_without_the_older() -> None:
    left = images_after(*NEW, Write("f", 0, b"aa"), Write("f", 2, b"bb"))
    assert {"f": b"\0\0bb"} in left


def test_a_file_that_was_cut_short_may_be_long_still() -> None:
    left = images_after(*NEW, Write("f", 0, b"abcd"), Sync("f"), Truncate("f", 1))
    assert left == [{"f": b"abcd"}, {"f": b"a"}]


def test_large_writes_are_torn_at_sectors() -> None:
    left = images_after(*NEW, Write("f", 0, bytes([1]) * 1200))
    assert {"f": bytes([1]) * 512} in left


def test_a_later_sync_does_not_bring_what_a_failed_one_left() -> None:
    """LWN, "PostgreSQL's fsync() surprise": the pages count as clean after the error."""
    left = images_after(*NEW, Write("f", 0, b"abcd"), FailedSync("f"), Write("f", 4, b"efgh"), Sync("f"))
    assert left == [{"f": b"\0\0\0\0efgh"}, {"f": b"abcdefgh"}]
    again = images_after(*NEW, Write("f", 0, b"abcd"), FailedSync("f"), Write("f", 0, b"abcd"), Sync("f"))
    assert again == [{"f": b"abcd"}]
