"""What a checker says when a promise was broken."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken promise: which checker, and what it saw."""

    checker: str
    text: str

    def __str__(self) -> str:
        return f"{self.checker}: {self.text}"
