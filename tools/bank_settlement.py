"""`posterm bank settlement ...`: batches, differences, payouts and the report of a day."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tools.bank_actions import open_bank
from tools.bank_parsers import Subparsers, add_db, add_view, command, group

if TYPE_CHECKING:
    from tools.bank_views import Row


def register_settlement(groups: Subparsers) -> None:
    """Add `settlement` and everything below it."""
    settlement = group(groups, "settlement", "batches, payouts and the report of a day")
    add_view(
        command(
            settlement,
            "list",
            list_batches,
            "list the batches that terminals have settled",
            "settlement list --db my-bank.db",
        )
    )
    parser = command(
        settlement,
        "show",
        show_batch,
        "show one batch: both ends' totals, and every transaction on which they differ",
        "settlement show 12345678 000001 --db my-bank.db",
    )
    parser.add_argument("tid", help="the terminal")
    parser.add_argument("batch", help="six digits")
    parser.add_argument("--mid", help="needed when several merchants have this terminal number")
    add_view(parser)
    parser = command(
        settlement,
        "run",
        run_day,
        "the end of the day: pay every merchant what its closed batches brought, less fees",
        "settlement run --db my-bank.db",
    )
    add_view(parser)
    parser = command(
        settlement,
        "report",
        report,
        "the report of a day, as text, CSV or JSON",
        "settlement report --date 2026-05-21 --csv report.csv --db my-bank.db",
    )
    parser.add_argument("--date", metavar="YYYY-MM-DD", help="default: today")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--csv", metavar="FILE", help="write CSV to this file, or - for the standard output")
    form.add_argument("--json", action="store_true", help="write JSON instead of columns")
    add_db(parser)


def list_batches(args: argparse.Namespace) -> int:
    """List the batches."""
    from tools.bank_views import batch_row, show_list

    with closing(open_bank(args)) as bank:
        return show_list([batch_row(one) for one in bank.batches.batches()], as_json=args.json)


def show_batch(args: argparse.Namespace) -> int:
    """Show a batch with its differences; exit code 1 when there are some."""
    from bank.errors import RecordError
    from tools.bank_views import batch_row, difference_row, show_one

    with closing(open_bank(args)) as bank:
        found = [
            one
            for one in bank.batches.batches()
            if (one.tid, one.batch) == (args.tid, args.batch) and args.mid in {None, one.mid}
        ]
        if len(found) != 1:
            raise RecordError(
                f"{len(found)} merchants have a terminal {args.tid}: choose one with --mid"
                if found
                else f"terminal {args.tid} has settled no batch {args.batch}"
            )
        differences = bank.differences(found[0])
        row: Row = {**batch_row(found[0]), "differences": [difference_row(one) for one in differences]}
        show_one(row, as_json=args.json)
        return 1 if differences else 0


def run_day(args: argparse.Namespace) -> int:
    """Pay the merchants."""
    from bank.server import wall_clock
    from tools.bank_views import payout_row, show_list

    with closing(open_bank(args)) as bank:
        paid = bank.payouts.pay_all(now=wall_clock())
        return show_list([payout_row(one) for one in paid], as_json=args.json)


def report(args: argparse.Namespace) -> int:
    """Tell what was settled and paid on a day."""
    from bank.report import day_report
    from bank.server import wall_clock
    from tools.bank_report import csv_of, text_of
    from tools.bank_views import report_rows, show_one

    day = _day(args.date) if args.date else f"{wall_clock():%Y-%m-%d}"
    with closing(open_bank(args)) as bank:
        told = day_report(bank, day)
    if args.json:
        return show_one(report_rows(told), as_json=True)
    if not args.csv:
        print(text_of(told))
    elif args.csv == "-":
        sys.stdout.write(csv_of(told))
    else:
        Path(args.csv).write_text(csv_of(told), encoding="utf-8", newline="")
    return 0


def _day(text: str) -> str:
    from bank.errors import RecordError

    try:
        return f"{datetime.strptime(text, '%Y-%m-%d'):%Y-%m-%d}"  # noqa: DTZ007 - a day has no zone
    except ValueError:
        raise RecordError(f'--date: "{text}" is no day; write it as 2026-05-21') from None
