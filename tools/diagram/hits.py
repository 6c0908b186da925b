"""How often each rule was taken, as `posterm simulate --hits FILE` counts it.

The file is one JSON object. A key is five names of a table, joined by spaces: machine, source, event, target,
guard (nothing for a rule without one); its value is how often that rule was taken. A rule without a key was
never taken.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from firmware.txn.schema import Rule, Table
from tools.diagram.choices import TERMINAL_MACHINES, table_of

AGAIN = "make it with posterm simulate --hits FILE"

Hits = Mapping[tuple[str, str, str, str], int]
"""Of one machine: source, event, target, guard; how often."""


class HitsError(ValueError):
    """A file of counts cannot be used. The text names the file, and what to do."""


def key_of(rule: Rule) -> tuple[str, str, str, str]:
    """A rule as `Hits` names it."""
    return str(rule.source.value), str(rule.event.value), str(rule.target.value), rule.guard


def read_hits(path: Path, table: Table) -> Hits:
    """The counts of `table` in a file; zero for its rules that the file does not name.

    Raises HitsError: the file cannot be read, is no such file, or names a rule that no table has.
    """
    counts = _read(path)
    known = {name for machine in TERMINAL_MACHINES for name in _names(table_of(machine))}
    for name in counts:
        if name not in known:
            raise HitsError(f"{path}: {name!r}: this version has no such rule: {AGAIN}")
    return {key: counts.get(name, 0) for name, key in _names(table).items()}


def _names(table: Table) -> Mapping[str, tuple[str, str, str, str]]:
    """The rules of a table, by what a file calls them."""
    return {" ".join((table.name, *key)): key for key in map(key_of, table.rules)}


def _read(path: Path) -> Mapping[str, int]:
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise HitsError(f"{path}: {error.strerror}: name another file with --hits") from None
    except (ValueError, RecursionError):
        raise HitsError(f"{path}: it is not JSON: {AGAIN}") from None
    if not isinstance(content, dict):
        raise HitsError(f"{path}: it must be one object of rules and counts: {AGAIN}")
    for key, count in content.items():
        if type(count) is not int or count < 0:
            raise HitsError(f"{path}: {key!r}: the count must be a whole number, 0 or more: {AGAIN}")
    return content
