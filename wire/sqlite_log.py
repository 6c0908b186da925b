"""SQLite's write-ahead log as bytes: whether commits stand in it that SQLite would drop without a word.

SQLite reads a log up to the first frame whose check is wrong, and takes all behind it for a commit that a
power cut stopped. If that frame was whole once and has rotted, every later commit is gone, though each was
acknowledged; nothing tells. What tells the two apart: a commit is synced before the next one begins. So
frames that go on behind the end of a commit prove that it was promised.

Not to be seen in a log alone: damage in its newest commit, which looks as a power cut during that commit
does; and a log that was cut short.

Source: SQLite, "Database File Format", sections 4.1 (the WAL format) and 4.2 (the checksum).
"""

from __future__ import annotations

import functools
import itertools
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

PAGE_BYTES: Final = 4096
"""Of a database whose maker did not choose, since SQLite 3.12."""

PAGE_BYTES_MIN: Final = 512
"""The length of every database is a multiple of this."""

HEADER_BYTES: Final = 32
FRAME_HEADER_BYTES: Final = 24
_MAGIC: Final = 0x377F0682  # plus 1: the words of the checks are big-endian
_VERSION: Final = 3007000
_MASK: Final = 0xFFFFFFFF

Checks = tuple[int, int]
ReadPage = Callable[[int], bytes]
"""A page of the database file, by its number from 1; shorter or empty when it is not there."""


@dataclass(frozen=True, slots=True)
class _Frame:
    page_number: int
    ends_commit: bool
    salt: bytes
    checks: Checks  # as they stand there
    covered: bytes  # what the checks cover besides those of the frame before
    page: bytes


def damage_in(log: bytes, read_page: ReadPage) -> str:
    """What is lost because of damage, in words; empty when SQLite may read this log.

    `read_page` is asked only when the header is not whole; pages are then taken to have `PAGE_BYTES`.
    """
    order = _byte_order(log)
    if order is None:
        return _lost_with_header(list(_frames(log, PAGE_BYTES)), read_page)
    frames = list(_frames(log, struct.unpack_from(">I", log, 8)[0]))
    checks, salt = struct.unpack_from(">2I", log, 24), log[16:24]
    good = 0
    for frame in frames:
        checks = _checksum(frame.covered, order, checks)
        if (frame.salt, frame.checks) != (salt, checks):
            break
        good += 1
    rest = [frame if frame.salt == salt else None for frame in frames[good:]]
    if any(_goes_on(one, following, order) for one, following in itertools.pairwise(rest)):
        return f"frame {good + 1} of {len(frames)} is damaged, and commits stand behind it"
    return ""


def _goes_on(frame: _Frame | None, following: _Frame | None, order: str) -> bool:
    """Whether `frame` ends a commit and `following` was written right behind it."""
    if frame is None or following is None or not frame.ends_commit:
        return False
    return following.checks == _checksum(following.covered, order, frame.checks)


def _lost_with_header(frames: Sequence[_Frame], read_page: ReadPage) -> str:
    """Without its header nothing of a log is read. That is well when everything is in the file already.

    So it is after a power cut while a log begins anew: its header is written over the old one then.
    """
    own = [frame for frame in frames if frame.salt == frames[0].salt]
    ends = [at for at, frame in enumerate(own, start=1) if frame.ends_commit]
    newest = {frame.page_number: frame.page for frame in own[: ends[-1] if ends else 0]}
    missing = [number for number, page in newest.items() if read_page(number) != page]
    if not missing:
        return ""
    return f"its header is damaged, and {len(missing)} pages stand in it that are not in the file"


def _byte_order(log: bytes) -> str | None:
    """How the checks of a log read words, as `struct` writes it; None when its header is not whole."""
    if len(log) < HEADER_BYTES:
        return None
    magic, version = struct.unpack_from(">2I", log)
    if magic & ~1 != _MAGIC or version != _VERSION:
        return None
    order = ">" if magic & 1 else "<"
    return order if _checksum(log[:24], order, (0, 0)) == struct.unpack_from(">2I", log, 24) else None


def _frames(log: bytes, page_bytes: int) -> Iterator[_Frame]:
    size = FRAME_HEADER_BYTES + page_bytes
    for at in range(HEADER_BYTES, len(log) - size + 1, size):
        number, pages_after_commit = struct.unpack_from(">2I", log, at)
        page = log[at + FRAME_HEADER_BYTES : at + size]
        if number:  # zeros: the file has grown, and nothing came of what belongs there
            yield _Frame(
                number,
                pages_after_commit != 0,
                log[at + 8 : at + 16],
                struct.unpack_from(">2I", log, at + 16),
                log[at : at + 8] + page,
                page,
            )


@functools.lru_cache(maxsize=512)  # whoever starts looks twice: at the folder, and when it is opened
def _checksum(data: bytes, order: str, before: Checks) -> Checks:
    """Section 4.2: two sums over pairs of words, each of which takes in the other."""
    first, second = before
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for even, odd in zip(words, words, strict=True):
        first = (first + even + second) & _MASK
        second = (second + odd + first) & _MASK
    return first, second
