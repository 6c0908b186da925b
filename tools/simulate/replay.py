"""A run told moment by moment: what happened, then display, state and ledger side by side."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from tools.simulate.options import Options
from tools.simulate.trace import KEPT_MAX
from tools.simulate.world import Report, World

WIDTH = 44


class Replay:
    """Shows what is new after each moment of a run; `pause` is called after everything that was shown."""

    def __init__(self, write: Callable[[str], object], pause: Callable[[], object]) -> None:
        self._write = write
        self._pause = pause
        self._lines = 0

    def watch(self, world: World) -> None:
        """Show what the last moment brought; nothing when it brought nothing."""
        new = min(world.trace.lines - self._lines, KEPT_MAX)
        self._lines = world.trace.lines
        lines = list(world.trace.newest)[-new:] if new else []
        if not any(" sent " not in line for line in lines):
            return
        self._write("\n".join(lines) + "\n" + _side_by_side(world) + "\n")
        self._pause()


def _side_by_side(world: World) -> str:
    """Each till's display, and what the bank has."""
    columns = [[f"{till.name}: {till.state}", *till.station.display.splitlines()] for till in world.tills]
    accounts = [one for one in world.bank.accounts() if one.balance_minor and one.name.startswith("merchant")]
    books = [f"{one.name} {one.balance_minor / 100:.2f}" for one in accounts]
    columns.append(["bank", *books, f"{len(world.bank.open_holds())} holds"])
    rows = max(len(column) for column in columns)
    cells = [[column[row] if row < len(column) else "" for column in columns] for row in range(rows)]
    return "\n".join("  | ".join(f"{cell[:WIDTH]:{WIDTH}}" for cell in row).rstrip() for row in cells)


def replay(options: Options, *, step: bool) -> Report:
    """Run it again and show it; with `step`, wait for ENTER after each moment at which something happened."""
    shown = Replay(sys.stdout.write, sys.stdin.readline if step else lambda: None)
    return World(options, watch=shown.watch).run()


def write_file(report: Report, path: Path) -> None:
    """Keep what replays a run, with what it found and the newest lines of its trace. Raises OSError."""
    import json

    content = {**report.to_json(), "trace": list(report.trace.newest)}
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_file(path: Path) -> Options:
    """The options in such a file. Raises OSError, ValueError (not one of ours)."""
    import json

    try:
        return Options.from_json(json.loads(path.read_text(encoding="utf-8"))["options"])
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ValueError(f"{path}: not a file that posterm simulate has written") from None
