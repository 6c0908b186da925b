"""What became of each damage: everything is there, it is refused, or something is missing without a word.

One kind nobody can see in the files alone: damage to the newest commit in the log looks as a power cut during
that commit does, and is taken for one.
"""

from __future__ import annotations

import itertools
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from bank.errors import BankError
from hal.api import HalError
from tools.durability.damage import Day, damage_to
from tools.durability.images import MEMORY_DISK, Image
from tools.durability.verdict import LOSSES_SHOWN_MAX, OPENERS

INTACT, REFUSED, AS_POWER_CUT, UNSEEN, CHANGED = "intact", "refused", "as a power cut", "UNSEEN", "CHANGED"


@dataclass
class Rot:
    """What became of one database's damages, by kind of damage. `losses`: the first ones, in words."""

    name: str
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    losses: list[str] = field(default_factory=list)

    @property
    def total(self) -> Counter[str]:
        """Over all kinds."""
        return sum(self.counts.values(), Counter())

    @property
    def ok(self) -> bool:
        """Whether nothing went missing unseen, nothing that was refused was changed, and damage was seen."""
        return not self.losses and self.total[REFUSED] > 0


def rot(
    day: Day,
    name: str,
    *,
    seed: int = 1,
    every: int = 1,
    progress: Callable[[int], None] = lambda _done: None,
) -> Rot:
    """Damage the database `name` everywhere, and open it. `every`: try one in so many."""
    found = Rot(name)
    with TemporaryDirectory(prefix="posterm-damage-", dir=MEMORY_DISK) as place:
        folder = Path(place) / "state"
        whole = {_opened(_own(files, name), name, folder)[1] for files in (day.closed, day.killed)}
        before = {_opened(files, name, folder)[1] for files in day.without_newest(name)}
        for count, damage in enumerate(itertools.islice(damage_to(day, name, seed), None, None, every)):
            outcome, told = _opened(damage.files, name, folder)
            if outcome == INTACT and told not in whole:
                outcome = AS_POWER_CUT if damage.is_newest and told in before else UNSEEN
            found.counts.setdefault(damage.kind, Counter())[outcome] += 1
            if outcome in (UNSEEN, CHANGED) and len(found.losses) < LOSSES_SHOWN_MAX:
                found.losses.append(f"{damage.kind}, {damage.place}: {outcome} {told}")
            progress(count + 1)
    return found


def _own(files: Image, name: str) -> Image:
    return {file: content for file, content in files.items() if file.startswith(name)}


def _opened(files: Image, name: str, folder: Path) -> tuple[str, str]:
    """INTACT and the content's digest; or the words, and REFUSED, or CHANGED when it is not as it was."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for file, content in files.items():
        (folder / file).write_bytes(content)
    try:
        return INTACT, OPENERS[name](folder / name)
    except (HalError, BankError) as error:
        is_changed = any((folder / file).read_bytes() != content for file, content in files.items())
        return CHANGED if is_changed else REFUSED, str(error)
