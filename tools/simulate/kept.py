"""The file of a violation: what replays the run, what was found by which program, and its trace."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.program import described
from tools.simulate.options import Options
from tools.simulate.written import write


@dataclass(frozen=True, slots=True)
class Kept:
    """What such a file says. Older files have no `trace_lines` and no `program`: 0 and "" then."""

    options: Options
    findings: tuple[str, ...] = ()
    digest: str = ""
    trace_lines: int = 0  # after which the run ended, with that digest
    program: str = ""


def keep(path: Path, told: Mapping[str, Any], trace: Iterable[str] = ()) -> None:
    """Write it. `told`: the run's report as plain values. Raises OSError."""
    content = {**told, "program": described(), "trace": list(trace)}
    write(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def read(path: Path) -> Kept:
    """Read it. Raises OSError; ValueError, with file and field, for what is none or is damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or "options" not in content:
        raise ValueError(f"{path}: not a file that posterm simulate has written")
    try:
        options = Options.from_json(content["options"])
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    findings = content.get("findings", [])
    if not isinstance(findings, list) or not all(isinstance(one, str) for one in findings):
        raise ValueError(f"{path}: findings: must be a list of texts")
    lines = content.get("trace_lines", 0)
    if not isinstance(lines, int) or isinstance(lines, bool) or lines < 0:
        raise ValueError(f"{path}: trace_lines: must be a whole number, 0 or more")
    return Kept(
        options,
        tuple(findings),
        _text(path, content, "digest"),
        lines,
        _text(path, content, "program"),
    )


def _text(path: Path, content: Mapping[str, Any], name: str) -> str:
    value = content.get(name, "")
    if isinstance(value, str):
        return value
    raise ValueError(f"{path}: {name}: must be a text")
