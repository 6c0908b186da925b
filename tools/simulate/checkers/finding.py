"""What a checker says when a promise was broken."""

from __future__ import annotations

import re
import traceback
from dataclasses import dataclass
from pathlib import Path

_CRASH = re.compile(r"(\w+): .*\((\S+:\d+)\)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken promise: which checker, and what it saw."""

    checker: str
    text: str

    @property
    def promise(self) -> str:
        """Which one was broken: the checker's; of a crash also what it was, and where."""
        crash = _CRASH.fullmatch(self.text) if self.checker == "crash" else None
        return f"crash: {crash[1]} {crash[2]}" if crash else self.checker

    def __str__(self) -> str:
        return f"{self.checker}: {self.text}"


def crashed(error: Exception) -> Finding:
    """A run was ended by an exception: a promise broken, whatever it is. Says where it was raised."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return Finding("crash", f"{type(error).__name__}: {error} ({Path(frame.filename).name}:{frame.lineno})")
