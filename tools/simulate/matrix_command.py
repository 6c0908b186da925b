"""`posterm simulate --matrix`: which plays, in how many processes, and where the table goes."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tools.simulate.matrix import Matrix
    from tools.simulate.plays import Play


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the crash matrix."""
    group = parser.add_argument_group("the crash matrix")
    group.add_argument("--matrix", action="store_true", help="the crash matrix instead; prints its tables")
    group.add_argument(
        "--only", default="all", metavar="LIST", help="with --matrix: these plays, such as refund,settlement"
    )
    group.add_argument("--write", type=Path, metavar="FILE", help="with --matrix: write the page (Markdown)")


def run(options: argparse.Namespace) -> int:
    """Try every cell; 0 when each keeps every promise, 1 when one does not, 2 for options that do not fit."""
    try:
        plays = _chosen(options)
    except ValueError as error:
        print(f"posterm simulate: {error}", file=sys.stderr)
        return 2
    return _told(_tried(plays, options.jobs), options)


def _chosen(options: argparse.Namespace) -> Iterable[Play]:
    from tools.simulate.plays import plays_named

    look_for_folder("--write", options.write)
    return plays_named(options.only)


def look_for_folder(option: str, path: Path | None) -> None:
    """Before a long run: raises ValueError if a file cannot be written there for want of its folder."""
    if path is not None and not path.resolve().parent.is_dir():
        raise ValueError(f"{option} {path}: there is no such folder")


def _tried(plays: Iterable[Play], jobs: int) -> Matrix:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from tools.simulate.matrix import cells_of, matrix

    cells = [cell for play in plays for cell in cells_of(play)]
    columns = (TextColumn("{task.completed} of {task.total} cells"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True, console=Console(stderr=True)) as bar:
        task = bar.add_task("cells", total=len(cells))
        return matrix(cells, jobs=jobs, tell=lambda done: bar.update(task, completed=done))


def _told(table: Matrix, options: argparse.Namespace) -> int:
    from tools.simulate.matrix_page import page, tables

    if options.write is not None:
        options.write.write_text(page(table), encoding="utf-8")
    print(json.dumps(table.to_json(), indent=1) if options.json else tables(table))
    return 0 if table.ok else 1
