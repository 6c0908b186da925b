"""What rots, and what a disk that lies never wrote: each kind of damage to each place of a day's files.

The files of a traded day are damaged at one place at a time, and opened with the program's own storage. Then
either everything is there, or it is refused in words, and the files are as they were.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.durability.day import BANK, TERMINAL, live_through
from tools.durability.images import MEMORY_DISK, SECTOR_BYTES, Image
from tools.runtime import start
from wire.sqlite_log import FRAME_HEADER_BYTES, HEADER_BYTES, PAGE_BYTES

_HEADER_BYTES = 100  # of the database file
_FRAME_BYTES = FRAME_HEADER_BYTES + PAGE_BYTES
_MORNING = 4


@dataclass(frozen=True, slots=True)
class Day:
    """What lies in the folder: in the morning, after the day, and in the middle of it, with its logs."""

    earlier: Image
    closed: Image
    killed: Image

    def without_newest(self, name: str) -> list[Image]:
        """What lay there before each of the newest two commits, as far as a log can tell."""
        log = f"{name}-wal"
        ends = commit_ends(self.killed[log])
        return [{name: self.killed[name], log: self.killed[log][:end]} for end in ends[-3:-1]]


def traded_day(payments: int) -> Day:
    """A day at the till in real files; a morning before it."""
    with TemporaryDirectory(prefix="posterm-damage-", dir=MEMORY_DISK) as place:
        folder = Path(place)
        live_through(folder, _MORNING)
        earlier = _files(folder)
        live_through(folder, payments)
        closed = _files(folder)
        with start(state_folder=folder) as till:
            for _ in range(_MORNING):
                till.enter_amount("1.00")
                till.swipe("good")
                till.enter_pin("123456")
                till.finish()
            killed = _files(folder)
    return Day(earlier, closed, killed)


def _files(folder: Path) -> Image:
    kept = (TERMINAL, BANK, f"{TERMINAL}-wal", f"{BANK}-wal")
    return {name: (folder / name).read_bytes() for name in kept if (folder / name).exists()}


@dataclass(frozen=True, slots=True)
class Damage:
    """One place of one file, damaged in one way; `files` is what lies there then."""

    kind: str
    place: str
    files: Image
    is_newest: bool = False  # the newest commit of the log, or what it is joined to


Spoil = Callable[[bytes, bytes, random.Random], bytes]
"""Page as it is and as it was in the morning -> page as it reads now, of the same length."""


def _one_sector(page: bytes, _before: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(page) // SECTOR_BYTES) * SECTOR_BYTES
    return page[:at] + rng.randbytes(SECTOR_BYTES) + page[at + SECTOR_BYTES :]


def _one_bit(page: bytes, _before: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(page))
    return page[:at] + bytes([page[at] ^ 1 << rng.randrange(8)]) + page[at + 1 :]


_HALF = PAGE_BYTES // 2
PAGE_DAMAGE: dict[str, Spoil] = {
    "random bytes": lambda page, _before, rng: rng.randbytes(len(page)),
    "zeros": lambda page, _before, _rng: bytes(len(page)),
    "a random sector": _one_sector,
    "a flipped bit": _one_bit,
    "second half never written": lambda page, before, _rng: page[:_HALF] + before[_HALF:],
    "first half never written": lambda page, before, _rng: before[:_HALF] + page[_HALF:],
    "never written": lambda _page, before, _rng: before,
}


def damage_to(day: Day, name: str, seed: int = 1) -> Iterator[Damage]:
    """Every damage to the database `name`: to its pages, its length and header, and to its log."""
    rng = random.Random(f"damage {name} {seed}")
    closed = {name: day.closed[name]}
    yield from _pages(closed, day.earlier[name], name, rng)
    yield from _lengths(closed, name, HEADER_BYTES)
    for size in (16, _HEADER_BYTES):
        yield Damage("header", f"{size} bytes", {name: rng.randbytes(size) + day.closed[name][size:]})
    log = f"{name}-wal"
    killed = {file: day.killed[file] for file in (name, log)}
    if not killed[log]:
        return
    yield from _frames(killed, log, rng)
    for rotten in (rng.randbytes(HEADER_BYTES), bytes(HEADER_BYTES)):
        yield Damage("log header", "all of it", {**killed, log: rotten + killed[log][HEADER_BYTES:]})


def _pages(files: Image, earlier: bytes, name: str, rng: random.Random) -> Iterator[Damage]:
    whole = files[name]
    for kind, spoil in PAGE_DAMAGE.items():
        for at in range(0, len(whole), PAGE_BYTES):
            page, before = whole[at : at + PAGE_BYTES], earlier[at : at + PAGE_BYTES]
            spoilt = spoil(page, before or bytes(PAGE_BYTES), rng)
            if spoilt != page:
                place = f"page {at // PAGE_BYTES + 1}"
                yield Damage(kind, place, {**files, name: whole[:at] + spoilt + whole[at + PAGE_BYTES :]})


def _lengths(files: Image, name: str, few_bytes: int) -> Iterator[Damage]:
    whole = files[name]
    for length in (few_bytes, PAGE_BYTES // 2, *range(PAGE_BYTES, len(whole), PAGE_BYTES), len(whole) - 1):
        yield Damage("cut short", f"{length} bytes", {**files, name: whole[:length]})


def _frames(files: Image, log: str, rng: random.Random) -> Iterator[Damage]:
    whole = files[log]
    newest = (
        commit_ends(whole)[-2] - _FRAME_BYTES
    )  # the checks of this frame are what the newest is joined to
    for number, at in enumerate(range(HEADER_BYTES, len(whole) - _FRAME_BYTES + 1, _FRAME_BYTES), start=1):
        page = at + FRAME_HEADER_BYTES
        for kind, begin, rotten in (
            ("random bytes in the log", at, rng.randbytes(_FRAME_BYTES)),
            ("zeros in the log", at, bytes(_FRAME_BYTES)),
            ("a frame's header", at, rng.randbytes(FRAME_HEADER_BYTES)),
            ("a frame's page", page, rng.randbytes(PAGE_BYTES)),
            ("a flipped bit in the log", page, bytes([whole[page] ^ 1 << rng.randrange(8)])),
        ):
            spoilt = whole[:begin] + rotten + whole[begin + len(rotten) :]
            yield Damage(kind, f"frame {number}", {**files, log: spoilt}, is_newest=at >= newest)


def commit_ends(log: bytes) -> list[int]:
    """Where in a whole log each commit ends, in bytes from its beginning."""
    begins = range(HEADER_BYTES, len(log) - _FRAME_BYTES + 1, _FRAME_BYTES)
    own = [at for at in begins if log[at + 8 : at + 16] == log[16:24]]  # the rest is of an earlier log
    return [at + _FRAME_BYTES for at in own if any(log[at + 4 : at + 8])]
