"""`posterm bank terminal ...`: register, issue and inspect terminals, and ask them for something."""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from tools.bank_actions import open_bank, secret
from tools.bank_parsers import Subparsers, add_db, add_view, command, group

if TYPE_CHECKING:
    from bank.authoriser import Bank
    from bank.merchants import Terminal


def register_terminals(groups: Subparsers) -> None:
    """Add `terminal` and everything below it."""
    terminals = group(groups, "terminal", "terminals and their state")
    parser = command(
        terminals,
        "create",
        create,
        "register a terminal; its master key is asked for",
        "terminal create 00000002 --mid 898320154110002 --tmk-stdin --db my-bank.db < tmk.hex",
    )
    parser.add_argument("tid", help="8 characters")
    parser.add_argument("--mid", required=True, help="its merchant")
    parser.add_argument("--batch", default="000001", metavar="NNNNNN")
    parser.add_argument("--tmk-index", type=int, default=1, metavar="N")
    parser.add_argument(
        "--tmk-stdin", action="store_true", help="read the key (32 hex digits) from standard input"
    )
    add_db(parser)
    add_view(command(terminals, "list", show_all, "list all terminals", "terminal list --db my-bank.db"))
    parser = command(
        terminals,
        "show",
        show,
        "show one terminal",
        "terminal show 12345678 --db my-bank.db",
    )
    parser.add_argument("tid")
    parser.add_argument("--mid", help="needed when several merchants have this terminal number")
    add_view(parser)
    _register_orders(terminals)


def _register_orders(terminals: Subparsers) -> None:
    parser = command(
        terminals,
        "issue",
        issue,
        "give a merchant one more terminal, with a number and the components of a new master key",
        "terminal issue --mid 898320154110002 --components keys/ --db my-bank.db",
    )
    parser.add_argument("--mid", required=True, help="its merchant")
    parser.add_argument("--components", required=True, type=Path, metavar="FOLDER")
    add_db(parser)
    parser = command(
        terminals,
        "demand",
        demand,
        "ask a terminal, with its next answers, to do something",
        "terminal demand 12345678 parameters --db my-bank.db",
    )
    parser.add_argument("tid")
    parser.add_argument("what", choices=("parameters", "status", "sign-in", "keys", "aids"))
    parser.add_argument("--mid", help="needed when several merchants have this terminal number")
    add_db(parser)


# --- what they do -------------------------------------------------------------------------------------


def create(args: argparse.Namespace) -> int:
    """Register a terminal."""
    from bank.errors import RecordError
    from bank.provision import parse_tmk

    try:
        tmk = parse_tmk(secret("terminal master key (hex): ", from_stdin=args.tmk_stdin))
    except ValueError as error:
        raise RecordError(f"the terminal master key {error}") from None
    with closing(open_bank(args)) as bank, bank.store.transaction():
        terminal = bank.merchants.add_terminal(
            args.mid, args.tid, tmk, tmk_index=args.tmk_index, batch=args.batch
        )
        check_value = bank.hsm.tmk_check_value(terminal.tmk_sealed).hex().upper()
        print(f"terminal {terminal.tid} created, key check value {check_value}")
    return 0


def show_all(args: argparse.Namespace) -> int:
    """List the terminals."""
    from tools.bank_views import show_list, terminal_row

    with closing(open_bank(args)) as bank:
        rows = [terminal_row(bank, terminal) for terminal in bank.merchants.terminals()]
        return show_list(rows, as_json=args.json)


def show(args: argparse.Namespace) -> int:
    """Show a terminal."""
    from tools.bank_views import show_one, terminal_row

    with closing(open_bank(args)) as bank:
        return show_one(terminal_row(bank, _terminal_of(bank, args)), as_json=args.json)


def issue(args: argparse.Namespace) -> int:
    """Issue a terminal."""
    from tools.key_letters import write_components

    with closing(open_bank(args)) as bank, bank.store.transaction():
        bank.files.merchant(args.mid)
        issued = bank.files.issue_terminal(args.mid)
        write_components(args.components, issued)
        print(f"terminal {issued.terminal.tid}, key check value {issued.check_value.hex().upper()}")
    return 0


def demand(args: argparse.Namespace) -> int:
    """Ask a terminal for something."""
    from bank.demands import DEMANDS

    with closing(open_bank(args)) as bank, bank.store.transaction():
        bank.merchants.demand(_terminal_of(bank, args), DEMANDS[args.what])
    return 0


def _terminal_of(bank: Bank, args: argparse.Namespace) -> Terminal:
    """The terminal that the arguments name. Raises RecordError."""
    from bank.errors import RecordError

    found = [
        terminal
        for terminal in bank.merchants.terminals()
        if terminal.tid == args.tid and args.mid in {None, terminal.mid}
    ]
    if len(found) != 1:
        raise RecordError(
            f"{len(found)} merchants have a terminal {args.tid}: choose one with --mid"
            if found
            else f"there is no terminal {args.tid}"
        )
    return found[0]
