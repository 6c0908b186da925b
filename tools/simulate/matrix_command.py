"""`posterm simulate --matrix`: which plays or which cell, in how many processes, and where the page goes."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tools.simulate.matrix import Cell, Matrix
    from tools.simulate.plays import Play


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the crash matrix."""
    group = parser.add_argument_group("the crash matrix")
    group.add_argument("--matrix", action="store_true", help="the crash matrix instead; prints its tables")
    group.add_argument(
        "--only", default="all", metavar="LIST", help="with --matrix: these plays, such as refund,settlement"
    )
    group.add_argument(
        "--cell", metavar="NAME", help="with --matrix: play this cell alone; --step shows it moment by moment"
    )
    group.add_argument("--write", type=Path, metavar="FILE", help="with --matrix: write the page (Markdown)")


def run(options: argparse.Namespace) -> int:
    """Try every cell; 0 when each keeps every promise, 1 when one does not, 2 for options that do not fit."""
    try:
        if options.cell is not None:
            return _one(_chosen_cell(options), options)
        plays = _chosen(options)
    except ValueError as error:
        print(f"posterm simulate: {error}", file=sys.stderr)
        return 2
    return _told(_tried(plays, options.jobs), options)


def _chosen(options: argparse.Namespace) -> Iterable[Play]:
    from tools.simulate.plays import plays_named

    if options.step:
        raise ValueError("--step goes with --replay FILE, or with --matrix --cell NAME")
    look_for_place("--write", options.write)
    return plays_named(options.only)


def _chosen_cell(options: argparse.Namespace) -> Cell:
    from tools.simulate.matrix import Cell

    if options.write is not None or options.only != "all":
        raise ValueError("--only and --write do not go with --cell")
    return Cell.named(options.cell)


def look_for_folder(option: str, path: Path | None) -> None:
    """Before a long run: raises ValueError if a file cannot be written there for want of its folder."""
    if path is not None and not path.resolve().parent.is_dir():
        raise ValueError(f"{option} {path}: there is no such folder")


def look_for_place(option: str, path: Path | None) -> None:
    """Before a long run: raises ValueError if no file can be written there."""
    look_for_folder(option, path)
    if path is None:
        return
    if path.is_dir():
        raise ValueError(f"{option} {path}: this is a folder; name a file in it")
    if not os.access(path if path.exists() else path.resolve().parent, os.W_OK):
        raise ValueError(f"{option} {path}: it cannot be written; check the path and its permissions")


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
        options.write.write_text(page(table), encoding="utf-8")
    return 0 if table.ok else 1


def _one(cell: Cell, options: argparse.Namespace) -> int:
    """Play one cell, and say what came of it."""
    from tools.simulate.matrix import Matrix, broken_at

    onlooker = None
    if options.step:
        from tools.simulate.replay import on_screen

        onlooker = on_screen(step=True, language=options.language)
    finding = broken_at(cell, onlooker)
    table = Matrix([cell], [(cell, finding)] if finding else [])
    print(json.dumps(table.to_json(), indent=1) if options.json else f"{cell}: {finding or 'ok'}")
    return 0 if table.ok else 1
