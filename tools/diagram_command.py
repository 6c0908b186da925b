"""`posterm diagram`: a state machine as picture or text, made from the table that runs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tools.diagram.choices import FORMATS, MACHINES, PICTURES, SUFFIXES, TERMINAL_MACHINES

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse has no public name

FLOWS = ("authorise-first", "pin-first")
EXAMPLES = """examples:
  posterm diagram -o payment.svg                       the payment, as a picture
  posterm diagram --type refund -o refund.svg          one type of transaction's path through it
  posterm diagram --machine terminal -o terminal.png   the terminal around it
  posterm diagram --machine merchant -o merchant.svg   a merchant at the bank, from application to end
  posterm diagram --format mermaid                     text on the standard output
  posterm diagram --hits hits.json -o taken.svg        how often each rule was taken (posterm simulate --hits)
"""


def register(subparsers: Subparsers) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "diagram",
        help="draw a state machine",
        description="A state machine as picture or text, made from the table that runs.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--machine", choices=MACHINES, default=MACHINES[0], help="default: %(default)s")
    parser.add_argument("--type", metavar="TYPE", help="one type's path through the transaction machine")
    parser.add_argument(
        "--flow", choices=FLOWS, default=FLOWS[0], help="of --type purchase; default: %(default)s"
    )
    parser.add_argument("--format", choices=FORMATS, help="default: what the suffix of FILE says, else svg")
    parser.add_argument(
        "--hits", type=Path, metavar="FILE", help="paint these counts; what was never taken is red"
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: the standard output")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the diagram; 0 when written, 2 for a file or a choice that cannot be."""
    output: Path | None = options.output
    format_name = options.format or (SUFFIXES.get(output.suffix.lower()) if output else FORMATS[0])
    if format_name is None:
        return _complain(f"{output}: the suffix names no format; add --format ({', '.join(FORMATS)})", 2)
    if format_name == "png" and output is None and sys.stdout.isatty():
        return _complain("a PNG is no text for a terminal: add -o FILE", 2)
    if options.type and (complaint := _no_such_type(options.machine, options.type)):
        return _complain(complaint, 2)
    if options.hits and (complaint := _no_hits(options.machine, options.type, format_name)):
        return _complain(complaint, 2)
    from tools.diagram.hits import HitsError

    try:
        data = _render(options, format_name)
    except HitsError as error:
        return _complain(str(error), 2)
    if output is None:
        sys.stdout.buffer.write(data)
        return 0
    try:
        output.write_bytes(data)
    except OSError as error:
        return _complain(f"{output}: cannot be written: {error.strerror}: name another file with -o", 2)
    print(f"{output}: {options.machine}, {format_name}, {len(data)} bytes", file=sys.stderr)
    return 0


def _no_such_type(machine: str, kind: str) -> str:
    from firmware.txn.plans import PLANS

    if machine != "transaction":
        return f"--type shows a path through the transaction machine, not through {machine}"
    return "" if kind in PLANS else f"no type {kind!r}: choose one of {', '.join(PLANS)}"


def _no_hits(machine: str, kind: str | None, format_name: str) -> str:
    if kind:
        return "--hits counts the rules of all types together: leave --type out"
    if machine not in TERMINAL_MACHINES:
        return f"--hits counts what a terminal does, not {machine}: choose {', '.join(TERMINAL_MACHINES)}"
    return "" if format_name in PICTURES else f"--hits is painted: choose a format of {', '.join(PICTURES)}"


def _render(options: argparse.Namespace, format_name: str) -> bytes:
    from tools.diagram.choices import render, table_of
    from tools.diagram.graph import graph_of

    if options.hits:
        from tools.diagram.hits import read_hits

        table = table_of(options.machine)
        return render(graph_of(table, hits=read_hits(options.hits, table)), format_name)
    if not options.type:
        return render(graph_of(table_of(options.machine)), format_name)
    from firmware.records import Flow
    from tools.diagram.path import path_of

    return render(graph_of(path_of(options.type, Flow(options.flow))), format_name)


def _complain(text: str, status: int) -> int:
    print(f"posterm diagram: {text}", file=sys.stderr)
    return status
