"""The proof: every image that a power cut may leave, opened and compared with what had been acknowledged.

An image passes when the file opens, and holds either all that was acknowledged before the cut, or besides it
a commit that was attempted since.
"""

from __future__ import annotations

import hashlib
import itertools
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bank.errors import BankError
from bank.store import BankStore
from hal.api import HalError
from hal.virtual.storage import SqliteStorage
from tools.durability.day import ACKNOWLEDGED, AS_IT_IS, BANK, TERMINAL, content_of
from tools.durability.images import MEMORY_DISK, Image, every_cut
from tools.durability.recording import Mark, Operation, SyncFolder, record

LOSSES_SHOWN_MAX = 10


@dataclass
class Verdict:
    """What became of one file. `losses`: in words, the first ones; `lost` is how many images failed."""

    name: str
    commits: int
    cuts: int = 0
    images: int = 0
    lost: int = 0
    losses: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing was lost, and there was something to lose."""
        return not self.lost and self.commits > 0 and self.images > self.commits

    def lose(self, text: str) -> None:
        """Note an image that fails."""
        self.lost += 1
        if len(self.losses) < LOSSES_SHOWN_MAX:
            self.losses.append(text)


def recorded_day(
    payments: int,
    synchronous: str = AS_IT_IS,
    kinds: Sequence[str] = (),
    *,
    failing_sync: int | None = None,
) -> list[Operation]:
    """A day (`tools.durability.day`) that takes place on this machine's disk. Raises RecordingError.

    `failing_sync`: the number of the one sync that fails.
    """
    with tempfile.TemporaryDirectory(prefix="posterm-durability-") as place:
        folder = Path(place) / "state"
        folder.mkdir()
        program = [sys.executable, "-m", "tools.durability.day", str(folder), str(payments), synchronous]
        return record([*program, *kinds], folder, Path(place) / "strace.log", failing_sync=failing_sync)


def judge(
    operations: Sequence[Operation],
    name: str,
    *,
    every: int = 1,
    progress: Callable[[int], None] = lambda _done: None,
) -> Verdict:
    """Cut the power after each call, and look at what is left of the database `name`; one in `every`."""
    own = [one for one in operations if _concerns(one, name)]
    allowed = _allowed(own)
    acknowledged = list(itertools.accumulate((_is_promise(one) for one in own), initial=0))
    marks = sum(isinstance(one, Mark) for one in own)
    verdict = Verdict(name, commits=len(allowed) - 1, cuts=len(own) - marks)
    seen: set[tuple[str, int]] = set()
    with tempfile.TemporaryDirectory(prefix="posterm-durability-", dir=MEMORY_DISK) as place:
        for count, image in itertools.islice(every_cut(own), None, None, every):
            progress(count)
            known = (_digest(image), acknowledged[count])
            if known not in seen:
                seen.add(known)
                verdict.images += 1
                _look_at(image, allowed[known[1]], verdict, count, Path(place) / "image")
    return verdict


def _is_promise(operation: Operation) -> bool:
    return isinstance(operation, Mark) and operation.text.split()[1] == ACKNOWLEDGED


def _allowed(operations: Sequence[Operation]) -> list[set[str]]:
    """After so many promises: what a file may hold. Nothing at first: whatever opens then will do."""
    allowed: list[set[str]] = [set()]
    for operation in operations:
        if isinstance(operation, Mark):
            content = operation.text.split()[2]
            if _is_promise(operation):
                allowed.append({content})
            elif len(allowed) > 1:
                allowed[-1].add(content)
    return allowed


def _concerns(operation: Operation, name: str) -> bool:
    """Whether it changes the files of the database `name`, or acknowledges one of its commits."""
    if isinstance(operation, Mark):
        return operation.text.startswith(f"{name} ")
    return isinstance(operation, SyncFolder) or operation.name.startswith(name)


def _look_at(image: Image, allowed: Collection[str], verdict: Verdict, count: int, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for file, left in image.items():
        (folder / file).write_bytes(left)
    try:
        content = OPENERS[verdict.name](folder / verdict.name)
    except (HalError, BankError, sqlite3.Error) as error:
        verdict.lose(f"after call {count}: does not open: {error}")
        return
    if allowed and content not in allowed:
        verdict.lose(f"after call {count}: an acknowledged commit is missing")


def _terminal_content(path: Path) -> str:
    storage = SqliteStorage(path)
    storage.open()
    try:
        return content_of(storage._connection())  # noqa: SLF001 - to see everything in it
    finally:
        storage.close()


def _bank_content(path: Path) -> str:
    store = BankStore.open(path)
    try:
        return content_of(store._connection)  # noqa: SLF001
    finally:
        store.close()


OPENERS: Mapping[str, Callable[[Path], str]] = {TERMINAL: _terminal_content, BANK: _bank_content}
"""How each program opens its database; gives a digest of everything in it. Raises HalError, BankError."""


def _digest(image: Image) -> str:
    whole = hashlib.sha256()
    for file in sorted(image):
        whole.update(f"{file} {len(image[file])}\n".encode() + image[file])
    return whole.hexdigest()


def verdicts(operations: Sequence[Operation]) -> Iterator[Verdict]:
    """One for the terminal, one for the bank."""
    yield from (judge(operations, name) for name in (TERMINAL, BANK))
