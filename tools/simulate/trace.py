"""What happened in a run, in order, and its hash: two runs of a seed are the same if their hashes are."""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from dataclasses import dataclass, field
from heapq import merge
from typing import NamedTuple

from firmware.app import Transition
from tools.simulate.message_line import in_a_line

Hit = tuple[str, str, str, str, str]
"""A rule: machine, source, event, target, guard."""
KEPT_MAX = 400
"""So many of the newest lines can be looked at while a run goes on; the hash knows all."""
WHOLE_MAX = 4_000
"""A run of so many lines is kept whole, as each that was made small is."""
TOLD_MAX = 20_000
"""Of a longer one, so much is kept that tells more than how many bytes crossed a line."""
_SENT = " sent "


class _Message(NamedTuple):
    """One that is put into words only when somebody wants to read it."""

    at_ms: int
    who: str
    side: str
    message: bytes

    def __str__(self) -> str:
        way = "to" if self.side == "gateway" else "from"
        return f"{self.at_ms:>10} {self.who} {way} the bank: {in_a_line(self.message)}"


@dataclass
class Trace:
    """The growing trace of one run."""

    hits: Counter[Hit] = field(default_factory=Counter)
    newest: deque[str] = field(default_factory=lambda: deque(maxlen=WHOLE_MAX))
    lines: int = 0
    told: int = 0  # of them, those that tell more than how many bytes crossed a line

    def __post_init__(self) -> None:
        self._hash = hashlib.sha256()
        # Each with its number among all lines; a message, which is none of them, with that of the next.
        self._told: deque[tuple[int, str | _Message]] = deque(maxlen=TOLD_MAX)

    def note(self, at_ms: int, who: str, what: str) -> None:
        """One thing that happened."""
        self._told.append((self.lines, self._write(f"{at_ms:>10} {who} {what}")))
        self.told += 1

    def _write(self, line: str) -> str:
        self.lines += 1
        self.newest.append(line)
        self._hash.update(line.encode() + b"\n")
        return line

    def happened(self, count: int) -> list[str]:
        """What the newest `count` lines tell, without those of bytes on a line."""
        return [line for line in list(self.newest)[-count:] if _SENT not in line] if count else []

    @property
    def story(self) -> list[str]:
        """What happened, and the messages in a line each, without bytes: the newest TOLD_MAX of these."""
        return [str(one) for _, one in self._told]

    @property
    def kept(self) -> list[str]:
        """All lines with the messages between them; before the newest WHOLE_MAX lines the story alone."""
        first = self.lines - len(self.newest)
        newest = [(number, 1, line) for number, line in enumerate(self.newest, first)]
        told = [
            (number, 0, str(one)) for number, one in self._told if number < first or not isinstance(one, str)
        ]
        return [line for _, _, line in merge(told, newest, key=lambda one: one[:2])]

    def took(self, who: str, transition: Transition) -> None:
        """One rule that was taken."""
        rule = transition.rule
        source, event, target = (str(one.value) for one in (rule.source, rule.event, rule.target))
        self.hits[transition.machine, source, event, target, rule.guard] += 1
        guard = f" [{rule.guard}]" if rule.guard else ""
        path = f"{source} --{event}{guard}--> {target}"
        self.note(transition.at_ms, who, f"{transition.machine}: {path}")

    def crossed(self, at_ms: int, who: str, side: str, data: bytes) -> None:
        """Bytes that a side put on its line: into the hash, with their count into the lines."""
        self._hash.update(data)
        self._write(f"{at_ms:>10} {who} {side}{_SENT}{len(data)} bytes")

    def passed(self, at_ms: int, who: str, side: str, message: bytes) -> None:
        """A message between gateway and bank: told with the story, and neither counted nor in the hash."""
        self._told.append((self.lines, _Message(at_ms, who, side, message)))

    @property
    def digest(self) -> str:
        """The hash of everything so far, as hex digits."""
        return self._hash.hexdigest()
