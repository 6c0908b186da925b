"""`posterm bank ...`: make a bank, look into it, and let it serve.

`register` adds the commands to the program's parser. Each one sets `run`, a function from the parsed
arguments to an exit code; an error that it raises is made one line by `tools.cli`.
"""

from __future__ import annotations

from pathlib import Path

from tools import bank_actions as actions
from tools.bank_merchants import register_merchants
from tools.bank_parsers import Subparsers, add_db, add_view, command, group
from tools.bank_settlement import register_settlement
from tools.bank_terminals import register_terminals
from tools.shipped_examples import file_or_example

DEFAULT_LISTEN = "127.0.0.1:8583"


def register(subparsers: Subparsers) -> None:
    """Add `bank` and everything below it to the program's subparsers."""
    parser = subparsers.add_parser(
        "bank",
        help="the bank: make, inspect and serve one",
        description="The bank at the far end: make one, inspect it, let it serve.",
    )
    groups = parser.add_subparsers(dest="bank_command", required=True, metavar="COMMAND")
    _register_serve(groups)
    _register_init(groups)
    _register_check(groups)
    _register_cards(groups)
    _register_accounts(groups)
    register_merchants(groups)
    register_terminals(groups)
    _register_ledger(groups)
    register_settlement(groups)


def _register_serve(groups: Subparsers) -> None:
    parser = command(
        groups,
        "serve",
        actions.serve,
        "answer terminals on a TCP port",
        "serve --demo --listen 127.0.0.1:8583",
    )
    add_db(parser, needed=False)
    parser.add_argument(
        "--demo", action="store_true", help="the demo bank; in memory unless --db names a file"
    )
    parser.add_argument("--listen", default=DEFAULT_LISTEN, metavar="HOST:PORT", help="default: %(default)s")
    parser.add_argument(
        "--idle-timeout-s", type=float, default=300.0, metavar="S", help="default: %(default)s"
    )
    parser.add_argument(
        "--acquirer",
        type=Path,
        metavar="FILE",
        help="what this acquirer does differently: TOML with keys of wire/iso8583/profiles/unionpay.toml",
    )
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME[:OPTION=VALUE,...]",
        help="misbehave, e.g. silent-after-posting:mti=0200,count=1; may be given again",
    )


def _register_init(groups: Subparsers) -> None:
    parser = command(
        groups, "init", actions.init, "make a new database", "init --db my-bank.db --from example:cards"
    )
    add_db(parser)
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--demo", action="store_true", help="with the demo's cards, merchant and terminal")
    source.add_argument(
        "--from",
        dest="source",
        type=file_or_example,
        metavar="FILE",
        help="with what this TOML file describes, such as example:cards",
    )


def _register_check(groups: Subparsers) -> None:
    parser = command(
        groups,
        "check",
        actions.check,
        "read the whole database: is it as it was stored; exit code 1 if it is damaged",
        "check --db my-bank.db",
    )
    parser.add_argument("--db", required=True, metavar="FILE", help="the bank's database")
    parser.add_argument(
        "--accept",
        action="store_true",
        help="take its rows as right, after you have changed them with another program; nobody may use it",
    )


def _register_cards(groups: Subparsers) -> None:
    cards = group(groups, "card", "cards and their standing")
    parser = command(
        cards,
        "create",
        actions.card_create,
        "issue a card with an account of its own",
        "card create anna --pan 6225880000010018 --expiry 3012 --balance 500.00 --db my-bank.db",
    )
    parser.add_argument("name")
    parser.add_argument(
        "--pan", required=True, metavar="DIGITS", help="a test number with a right check digit"
    )
    parser.add_argument("--expiry", required=True, metavar="YYMM")
    parser.add_argument("--holder", default="", metavar="NAME")
    parser.add_argument("--service-code", default="120", metavar="NNN")
    parser.add_argument("--balance", default="0.00", metavar="YUAN")
    parser.add_argument("--limit", metavar="YUAN", help="the most that one payment may take")
    pin = parser.add_mutually_exclusive_group()
    pin.add_argument("--pin-stdin", action="store_true", help="read the PIN from standard input, one line")
    pin.add_argument("--pin", metavar="DIGITS", help="for tests: others see it in the list of processes")
    add_db(parser)
    add_view(command(cards, "list", actions.card_list, "list all cards", "card list --db my-bank.db"))
    parser = command(
        cards, "show", actions.card_show, "show one card", "card show anna --json --db my-bank.db"
    )
    parser.add_argument("name")
    add_view(parser)
    parser = command(
        cards,
        "set",
        actions.card_set,
        "change a card's standing",
        "card set anna --status lost --db my-bank.db",
    )
    parser.add_argument("name")
    parser.add_argument(
        "--status",
        metavar="STATUS",
        help="active, referred, pick_up, inactive, fraud, lost, stolen, restricted",
    )
    parser.add_argument("--unblock-pin", action="store_true", help="forget the wrong PINs so far")
    add_db(parser)


def _register_accounts(groups: Subparsers) -> None:
    accounts = group(groups, "account", "accounts and their balances")
    parser = command(
        accounts,
        "create",
        actions.account_create,
        "open an empty account",
        "account create fees --db my-bank.db",
    )
    parser.add_argument("name")
    parser.add_argument("--kind", choices=("cardholder", "merchant", "clearing"), default="merchant")
    add_db(parser)
    add_view(
        command(accounts, "list", actions.account_list, "list all accounts", "account list --db my-bank.db")
    )
    parser = command(
        accounts, "show", actions.account_show, "show one account", 'account show "card good" --db my-bank.db'
    )
    parser.add_argument("name")
    add_view(parser)


def _register_ledger(groups: Subparsers) -> None:
    ledger = group(groups, "ledger", "the books")
    add_view(command(ledger, "list", actions.ledger_list, "list all postings", "ledger list --db my-bank.db"))
    parser = command(ledger, "show", actions.ledger_show, "show one posting", "ledger show 7 --db my-bank.db")
    parser.add_argument("posting_id", type=int)
    add_view(parser)
    add_view(
        command(
            ledger,
            "verify",
            actions.ledger_verify,
            "recalculate the books; exit code 1 if they are wrong",
            "ledger verify --db my-bank.db",
        )
    )
