"""In which states a power cut may leave a folder, after each call of a recording.

The disk keeps what was synced before. What was not synced yet may have reached it or not: the whole of it, a
part, the newest without the older, torn at a sector, or as a file of the new length that is full of zeros.
Names are durable only when the folder was synced. That is less than ext4 and f2fs promise.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tools.durability.recording import (
    Create,
    FailedSync,
    Mark,
    Operation,
    Rename,
    Sync,
    SyncFolder,
    Truncate,
    Unlink,
    Write,
)

SECTOR_BYTES = 512
MEMORY_DISK = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - images need no real disk

Image = Mapping[str, bytes]
"""A folder's files: name -> content."""


@dataclass
class _File:
    durable: tuple[bytes, ...] = (
        b"",
    )  # after a failed sync two: without what it should have brought, and with it
    pending: list[Write | Truncate] = field(default_factory=list)

    def synced(self) -> None:
        self.durable = tuple(dict.fromkeys(_applied(one, self.pending) for one in self.durable))
        self.pending = []

    def sync_failed(self) -> None:
        both = (*self.durable, *(_applied(one, self.pending) for one in self.durable))
        self.durable = tuple(dict.fromkeys(both))
        self.pending = []


class Disk:
    """A folder as the program sees it, and as a power cut would leave it."""

    def __init__(self) -> None:
        self._names: dict[str, _File] = {}
        self._durable_names: dict[str, _File] = {}

    def carry_out(self, operation: Operation) -> None:
        """Do what the program did."""
        match operation:
            case Create(name):
                self._names[name] = _File()
            case Write(name) | Truncate(name):
                self._names[name].pending.append(operation)
            case Sync(name):
                self._names[name].synced()
            case FailedSync(name):
                self._names[name].sync_failed()
            case SyncFolder():
                self._durable_names = dict(self._names)
            case Unlink(name):
                del self._names[name]
            case Rename(name, to):
                self._names[to] = self._names.pop(name)
            case Mark():
                pass

    def images(self) -> Iterator[Image]:
        """What may be found after a power cut now: old or new names, each with all that may be pending."""
        for names in (self._durable_names, self._names):
            ways = max((len(file.durable) for file in names.values()), default=1)
            for way, leave in itertools.product(range(ways), _WAYS):
                yield {name: _left(file, way, leave) for name, file in names.items()}


Pending = Sequence[Write | Truncate]


def _left(file: _File, way: int, leave: Callable[[Pending], Pending]) -> bytes:
    return _applied(file.durable[way % len(file.durable)], leave(file.pending))


def _nothing(_pending: Pending) -> Pending:
    return ()


def _everything(pending: Pending) -> Pending:
    return pending


def _newest_only(pending: Pending) -> Pending:
    return pending[-1:]


def _torn(pending: Pending) -> Pending:
    """All but the second half of the newest write; a short one is torn inside a sector."""
    if not pending or not isinstance(pending[-1], Write):
        return pending[:-1]
    newest = pending[-1]
    half = len(newest.data) // 2 // SECTOR_BYTES * SECTOR_BYTES or len(newest.data) // 2
    return [*pending[:-1], Write(newest.name, newest.offset, newest.data[:half])]


def _zeros(pending: Pending) -> Pending:
    """The file has grown, and nothing has come of what belongs there."""
    ends = [one.length if isinstance(one, Truncate) else one.offset + len(one.data) for one in pending]
    return [Write(pending[-1].name, max(ends), b"")] if ends else ()


_WAYS = (_nothing, _everything, _newest_only, _torn, _zeros)


def _applied(content: bytes, changes: Pending) -> bytes:
    whole = bytearray(content)
    for change in changes:
        if isinstance(change, Truncate):
            del whole[change.length :]
            whole.extend(bytes(change.length - len(whole)))
        else:
            whole.extend(bytes(max(0, change.offset - len(whole))))
            whole[change.offset : change.offset + len(change.data)] = change.data
    return bytes(whole)


def every_cut(operations: Sequence[Operation]) -> Iterator[tuple[int, Image]]:
    """For a power cut after each call: how many calls were made, and each image that may remain."""
    disk = Disk()
    for count, operation in enumerate(operations, start=1):
        disk.carry_out(operation)
        if not isinstance(operation, Mark):
            for image in disk.images():
                yield count, image
