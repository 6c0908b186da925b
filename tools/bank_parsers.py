"""What the parsers of all `posterm bank` commands have in common."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

Subparsers = Any  # argparse does not name the type that add_subparsers() returns
Command = Callable[[argparse.Namespace], int]


def command(groups: Subparsers, name: str, run: Command, text: str, example: str) -> argparse.ArgumentParser:
    """A command of `posterm bank` with one example; `run` carries it out."""
    parser: argparse.ArgumentParser = groups.add_parser(
        name,
        help=text,
        description=text,
        epilog=f"example:\n  posterm bank {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


def group(groups: Subparsers, name: str, text: str) -> Subparsers:
    """A group of commands, as `posterm bank card`."""
    parser = groups.add_parser(name, help=text, description=text)
    return parser.add_subparsers(dest=f"bank_{name}_command", required=True, metavar="COMMAND")


def add_db(parser: argparse.ArgumentParser, *, needed: bool = True) -> None:
    """The options that say which bank."""
    parser.add_argument("--db", required=needed, metavar="FILE", help="the bank's database")
    parser.add_argument(
        "--key-file", metavar="FILE", help="the bank's master key (default: FILE.key beside --db)"
    )


def add_view(parser: argparse.ArgumentParser) -> None:
    """The same, and --json."""
    add_db(parser)
    parser.add_argument("--json", action="store_true", help="write JSON instead of columns")
