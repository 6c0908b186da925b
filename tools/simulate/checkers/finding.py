"""What a checker says when a promise was broken."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken promise: which checker, and what it saw."""

    checker: str
    text: str

    def __str__(self) -> str:
        return f"{self.checker}: {self.text}"


def crashed(error: Exception) -> Finding:
    """A run was ended by an exception: a promise broken, whatever it is. Says where it was raised."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return Finding("crash", f"{type(error).__name__}: {error} ({Path(frame.filename).name}:{frame.lineno})")
