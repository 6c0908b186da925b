"""What a calculation answers, and how it is written: lines for people, or JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_LABEL_WIDTH_MAX = 28


@dataclass
class Answer:
    """An answer.

    `result`: names to values, what `--json` writes. `steps`: the intermediate values in their order, what
    `--explain` shows. `warnings`: what is odd, although it was calculated. `lines`: how the result is shown
    to people where names and values would not do. `status`: the exit code.
    """

    result: Mapping[str, Any]
    steps: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    lines: list[str] | None = None
    status: int = 0

    def step(self, label: str, value: bytes | bytearray | str) -> None:
        """Add an intermediate value."""
        self.steps.append((label, value if isinstance(value, str) else value.hex().upper()))

    def as_json(self, *, explain: bool) -> str:
        """The answer as one JSON object; lines without a result are JSON already."""
        if not self.result and self.lines is not None:
            return "\n".join(self.lines)
        document = dict(self.result)
        if explain:
            document["steps"] = [{"label": label, "value": value} for label, value in self.steps]
        if self.warnings:
            document["warnings"] = self.warnings
        return json.dumps(document, ensure_ascii=False, indent=2)

    def as_text(self, *, explain: bool) -> str:
        """The answer as lines for people."""
        lines: list[str] = []
        if explain and self.steps:
            lines += [*_columns(self.steps), ""]
        return "\n".join(lines + (self.lines if self.lines is not None else list(_shown(self.result))))


def _columns(rows: list[tuple[str, str]]) -> Iterator[str]:
    width = min(max((len(label) for label, _ in rows), default=0), _LABEL_WIDTH_MAX)
    for label, value in rows:
        yield f"{label:{width}}  {value}".rstrip()


def _shown(result: Mapping[str, Any]) -> Iterator[str]:
    yield from _columns([(name.replace("_", " "), _text(value)) for name, value in result.items()])


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(part)}" for name, part in value.items()) or "none"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_text, value)) or "none"
    return str(value)
