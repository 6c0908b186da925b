"""`posterm bank merchant ...`: a merchant's file from the application to the end."""

from __future__ import annotations

import argparse
import getpass
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tools.bank_actions import open_bank
from tools.bank_parsers import Subparsers, add_db, add_view, command, group

if TYPE_CHECKING:
    from bank.authoriser import Bank
    from bank.merchant_files import Application, Paper

STEPS: Final = {
    "review": "take up an application: somebody of the bank examines it",
    "reject": "refuse an application, with the reason",
    "suspend": "let its terminals be refused (03) for a time, with the reason",
    "resume": "let a suspended merchant trade again",
    "close": "end it; not while there is money that was not paid out",
}
"""Steps that need nothing but the merchant's number and perhaps a reason."""


def register_merchants(groups: Subparsers) -> None:
    """Add `merchant` and everything below it."""
    merchants = group(groups, "merchant", "merchants: applications, contracts, terminals")
    _register_application(merchants)
    for name, text in STEPS.items():
        reason = ' --reason "licence expired"' if name in {"reject", "suspend"} else ""
        example = f"merchant {name} 898320154110002{reason} --db my-bank.db"
        parser = command(merchants, name, take_step, text, example)
        parser.set_defaults(event=name)
        parser.add_argument("mid", help="the merchant's number, 15 characters")
        parser.add_argument("--reason", default="", metavar="TEXT")
        _add_by(parser)
    _register_views(merchants)


def _register_application(merchants: Subparsers) -> None:
    parser = command(
        merchants,
        "apply",
        apply_for,
        "begin a merchant's file; prints the number that it gets",
        'merchant apply --name "CORNER BOOKSHOP" --area 3201 --category 5942'
        " --document licence=91320100MA1=licence.pdf --document identity=320102=card.jpg --db my-bank.db",
    )
    parser.add_argument("--area", default="", metavar="NNNN", help="area code of the merchant's number")
    parser.add_argument("--category", default="", metavar="NNNN", help="merchant category code (MCC)")
    parser.add_argument("--again", default="", metavar="MID", help="the number of one that was rejected")
    _add_application(parser)
    parser = command(
        merchants,
        "amend",
        take_step,
        "add to an application that is not decided yet",
        "merchant amend 898320154110002 --document contract=2026-17=contract.pdf --db my-bank.db",
    )
    parser.set_defaults(event="amend", reason="")
    parser.add_argument("mid", help="the merchant's number, 15 characters")
    _add_application(parser)
    parser = command(
        merchants,
        "approve",
        take_step,
        "accept a merchant: it gets a terminal and the components of its master key",
        "merchant approve 898320154110002 --document contract=2026-17=contract.pdf --components keys/"
        " --db my-bank.db",
    )
    parser.set_defaults(event="approve", reason="")
    parser.add_argument("mid", help="the merchant's number, 15 characters")
    parser.add_argument(
        "--components",
        required=True,
        type=Path,
        metavar="FOLDER",
        help="where the key's components go, a file for each custodian, readable by its owner alone",
    )
    _add_application(parser)


def _add_application(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", default="", help="its name in Latin letters, as on slips")
    parser.add_argument("--name-local", default="", metavar="NAME", help="its name in Chinese")
    parser.add_argument(
        "--document",
        action="append",
        default=[],
        metavar="KIND=REFERENCE=FILE",
        help="identity, licence, contract or another; of the file the SHA-256 is kept; may be given again",
    )
    parser.add_argument(
        "--qualifications", default="", metavar="A,B,...", help="what it may do, e.g. purchase,refund,preauth"
    )
    parser.add_argument(
        "--account", default="", metavar="DIGITS", help="its own bank account, for the payouts"
    )
    parser.add_argument("--account-holder", default="", metavar="NAME", help="default: the merchant's name")
    parser.add_argument("--rate", default="", metavar="NAME", help="standard, capped, small or public")
    _add_by(parser)


def _add_by(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--by", default="", metavar="NAME", help="who does it (default: who is logged in)")
    parser.add_argument("--json", action="store_true", help="write JSON instead of text")
    add_db(parser)


def _register_views(merchants: Subparsers) -> None:
    parser = command(
        merchants,
        "create",
        create,
        "register a merchant without an application, for tests",
        'merchant create 898320154110002 --name "CORNER BOOKSHOP" --db my-bank.db',
    )
    parser.add_argument("mid", help="15 characters")
    parser.add_argument("--name", required=True)
    parser.add_argument("--name-local", default="", metavar="NAME")
    add_db(parser)
    add_view(command(merchants, "list", show_all, "list all merchants", "merchant list --db my-bank.db"))
    parser = command(
        merchants,
        "show",
        show,
        "show one merchant: papers, qualifications, terminals and every step so far",
        "merchant show 898320154110001 --json --db my-bank.db",
    )
    parser.add_argument("mid")
    add_view(parser)


# --- what they do -------------------------------------------------------------------------------------


def apply_for(args: argparse.Namespace) -> int:
    """Begin a file, or take up the one of a merchant that was rejected."""
    from bank.merchant_states import MerchantEvent
    from bank.server import wall_clock

    application, by, now = _application(args), _by(args), wall_clock()
    with closing(open_bank(args)) as bank:
        if args.again:
            step = MerchantEvent.APPLY
            merchant = bank.files.take_step(args.again, step, by=by, now=now, application=application)
        else:
            merchant = bank.files.apply(application, area=args.area, category=args.category, by=by, now=now)
        return _tell(bank, merchant.mid, args)


def take_step(args: argparse.Namespace) -> int:
    """Amend, review, approve, reject, suspend, resume or close."""
    from bank.merchant_states import MerchantEvent
    from bank.server import wall_clock
    from tools.key_letters import write_components

    application = _application(args) if hasattr(args, "document") else None
    folder: Path | None = getattr(args, "components", None)
    with closing(open_bank(args)) as bank, bank.store.transaction():
        merchant = bank.files.take_step(
            args.mid,
            MerchantEvent(args.event),
            by=_by(args),
            now=wall_clock(),
            reason=args.reason,
            application=application,
        )
        if folder is not None and bank.files.issued is not None:
            # Before the commit: a key whose components could not be written is no key.
            write_components(folder, bank.files.issued)
        return _tell(bank, merchant.mid, args)


def create(args: argparse.Namespace) -> int:
    """Register a merchant."""
    with closing(open_bank(args)) as bank, bank.store.transaction():
        bank.merchants.add(args.mid, args.name, name_local=args.name_local)
    return 0


def show_all(args: argparse.Namespace) -> int:
    """List the merchants."""
    from tools.bank_views import merchant_row, show_list

    with closing(open_bank(args)) as bank:
        rows = [merchant_row(bank, merchant) for merchant in bank.merchants.merchants()]
        return show_list(rows, as_json=args.json)


def show(args: argparse.Namespace) -> int:
    """Show a merchant."""
    from tools.bank_views import merchant_file, show_one

    with closing(open_bank(args)) as bank:
        return show_one(merchant_file(bank, bank.files.merchant(args.mid)), as_json=args.json)


def _tell(bank: Bank, mid: str, args: argparse.Namespace) -> int:
    from tools.bank_views import merchant_file, show_one

    merchant, issued = bank.files.merchant(mid), bank.files.issued
    if args.json:
        return show_one(merchant_file(bank, merchant), as_json=True)
    print(f"merchant {mid} {merchant.name}: {merchant.status.value}")
    if issued is not None:
        print(f"terminal {issued.terminal.tid}, key check value {issued.check_value.hex().upper()}")
        print(f"{len(issued.components)} components in {args.components}: one for each custodian")
    return 0


def _by(args: argparse.Namespace) -> str:
    return str(args.by or getpass.getuser())


def _application(args: argparse.Namespace) -> Application:
    from bank.merchant_files import Application

    return Application(
        name=args.name,
        name_local=args.name_local,
        papers=tuple(_paper(text) for text in args.document),
        qualifications=frozenset(one.strip() for one in args.qualifications.split(",") if one.strip()),
        payout_account=args.account,
        payout_holder=args.account_holder,
        rate=args.rate,
    )


def _paper(text: str) -> Paper:
    from bank.errors import RecordError
    from bank.merchant_files import Paper

    kind, _, rest = text.partition("=")
    reference, _, file = rest.partition("=")
    if not (kind and reference and file):
        raise RecordError(f'--document: "{text}" is not KIND=REFERENCE=FILE, such as licence=913201=scan.pdf')
    try:
        return Paper.of(kind, reference, Path(file).read_bytes())
    except OSError as error:
        raise RecordError(f"--document: cannot read {file}: {error.strerror}") from None
