"""`posterm simulate --matrix`: which plays or which cell, in how many processes, and where the page goes."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from tools.simulate.written import must_be_writable, write

if TYPE_CHECKING:
    from tools.simulate.matrix import Cell, Matrix
    from tools.simulate.plays import Play


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the crash matrix."""
    group = parser.add_argument_group("the crash matrix")
    group.add_argument("--matrix", action="store_true", help="the crash matrix instead; prints its tables")
    group.add_argument("--only", metavar="LIST", help="with --matrix: these plays, such as refund,settlement")
    group.add_argument(
        "--cell", metavar="NAME", help="with --matrix: play this cell alone; --step shows it moment by moment"
    )
    group.add_argument("--write", type=Path, metavar="FILE", help="with --matrix: write the page (Markdown)")


def ready(options: argparse.Namespace) -> Callable[[], int]:
    """What tries every cell, or one: 0 when every promise is kept, 1 when not. Raises ValueError."""
    from tools.simulate.matrix import Cell
    from tools.simulate.plays import plays_named

    if options.cell is not None:
        cell = Cell.named(options.cell)
        return lambda: _one(cell, options)
    must_be_writable("--write", options.write)
    plays = plays_named(options.only)
    return lambda: _told(_tried(plays, options.jobs), options)


def _tried(plays: Iterable[Play], jobs: int) -> Matrix:
    from tools.simulate.matrix import cells_of, matrix
    from tools.simulate.progress import Bar

    cells = [cell for play in plays for cell in cells_of(play)]
    with Bar(len(cells), "cells") as bar:
        return matrix(cells, jobs=jobs, tell=bar.show)


def _told(table: Matrix, options: argparse.Namespace) -> int:
    from tools.simulate.matrix_page import page, tables

    print(json.dumps(table.to_json(), indent=1) if options.json else tables(table), flush=True)
    if options.write is not None:
        try:
            write(options.write, page(table))
        except OSError as error:
            print(f"posterm simulate: --write {options.write}: {error.strerror}", file=sys.stderr)
            return 2 if table.ok else 1
    return 0 if table.ok else 1


def _one(cell: Cell, options: argparse.Namespace) -> int:
    """Play one cell, and say what came of it."""
    from tools.simulate.matrix import Matrix, broken_at
    from tools.simulate.replay import Left, on_screen
    from tools.texts import Words

    words = Words(options.language)
    onlooker = on_screen(words, step=True, from_s=getattr(options, "from")) if options.step else None
    try:
        finding = broken_at(cell, onlooker)
    except Left as left:
        return left.told(words)
    table = Matrix([cell], [(cell, finding)] if finding else [])
    print(json.dumps(table.to_json(), indent=1) if options.json else f"{cell}: {finding or 'ok'}")
    return 0 if table.ok else 1
