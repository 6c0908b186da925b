"""What happened in a run, in order, and its hash: two runs of a seed are the same if their hashes are."""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from dataclasses import dataclass, field

from firmware.app import Transition

Hit = tuple[str, str, str, str, str]
"""A rule: machine, source, event, target, guard."""
KEPT_MAX = 400
"""Lines that are kept to be shown; the hash knows all."""
_SENT = " sent "


@dataclass
class Trace:
    """The growing trace of one run."""

    hits: Counter[Hit] = field(default_factory=Counter)
    newest: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_MAX))
    lines: int = 0

    def __post_init__(self) -> None:
        self._hash = hashlib.sha256()

    def note(self, at_ms: int, who: str, what: str) -> None:
        """One thing that happened."""
        line = f"{at_ms:>10} {who} {what}"
        self.lines += 1
        self.newest.append(line)
        self._hash.update(line.encode() + b"\n")

    def happened(self, count: int) -> list[str]:
        """What the newest `count` lines tell, without those of bytes on a line."""
        return [line for line in list(self.newest)[-count:] if _SENT not in line] if count else []

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
        self.note(at_ms, who, f"{side}{_SENT}{len(data)} bytes")

    @property
    def digest(self) -> str:
        """The hash of everything so far, as hex digits."""
        return self._hash.hexdigest()
