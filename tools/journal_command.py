"""`posterm journal`: what a terminal's journal holds, for people and for programs. It only reads."""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from firmware.records import Payment
    from tools.journal_reader import JournalCopy
    from tools.texts import Words

Subparsers = Any  # argparse does not name the type that add_subparsers() returns

EXAMPLES = """examples:
  posterm journal list --state till-1
  posterm journal list --state till-1 --batch 000001 --language zh
  posterm journal show 12 --state till-1                    one payment, by its number
  posterm journal export --state till-1 --format csv --out journal.csv
  posterm journal export --state till-1 --format csv --what totals
  posterm journal export --state till-1 --format json

The terminal must be switched off. Nothing in the folder is changed; card numbers are masked.
exit codes: 0 done; 1 there is no such payment; 2 wrong usage, or the journal cannot be read
"""
_LIST_COLUMNS = ("number", "time", "kind", "amount", "card", "voucher", "code", "outcome")


def register(subparsers: Subparsers) -> None:
    """Add `journal` and its commands to the program's subparsers."""
    parser = _parser(subparsers, "journal", "a terminal's journal: list, show, export", None)
    commands = parser.add_subparsers(dest="journal_command", required=True, metavar="COMMAND")
    listing = _parser(commands, "list", "every payment that is kept, and what each batch adds up to", _list)
    listing.add_argument("--batch", metavar="NUMBER", help="of this batch only")
    listing.add_argument("--json", action="store_true", help="print JSON")
    showing = _parser(commands, "show", "one payment, with everything that is known of it", _show)
    showing.add_argument("number", type=int, metavar="NUMBER", help="its number, as list shows it")
    showing.add_argument("--json", action="store_true", help="print JSON")
    export = _parser(commands, "export", "the journal for another program", _export)
    export.add_argument("--format", choices=("csv", "json"), required=True)
    export.add_argument(
        "--what", choices=("payments", "totals"), default="payments", help="with csv; default: payments"
    )
    export.add_argument("--out", type=Path, metavar="FILE", help="instead of standard output")
    for command in (listing, showing, export):
        command.add_argument("--state", type=Path, metavar="DIR", help="as of posterm terminal")
    for command in (listing, showing):
        command.add_argument("--language", choices=("en", "zh"), default="en", help="default: en")


def _parser(
    subparsers: Subparsers, name: str, text: str, run: Callable[[argparse.Namespace], int] | None
) -> argparse.ArgumentParser:
    own = [line for line in EXAMPLES.splitlines() if name == "journal" or not line.startswith("  posterm")]
    own[1:1] = [line for line in EXAMPLES.splitlines() if f"journal {name}" in line]
    parser: argparse.ArgumentParser = subparsers.add_parser(
        name,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        epilog="\n".join(own),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if run is not None:
        parser.set_defaults(run=run)
    return parser


def _journal(args: argparse.Namespace) -> JournalCopy:
    from tools.journal_reader import read_journal
    from tools.terminal_command import default_state_folder

    return read_journal(args.state or default_state_folder(os.environ))


# --- list and show: for people -----------------------------------------------------------------------


def _list(args: argparse.Namespace) -> int:
    from tools.journal_reader import record_of, totals_of
    from tools.texts import Words

    journal = _journal(args)
    chosen = [one for one in journal.payments if args.batch is None or one.batch == args.batch]
    batches = [batch for batch in journal.batches if args.batch in {None, batch}]
    if args.json:
        totals = [line for batch in batches for line in totals_of(journal, batch)]
        _print_json({"payments": [record_of(journal, one) for one in chosen], "totals": totals})
        return 0
    words = Words(args.language)
    rows = [tuple(words(f"journal.column.{name}") for name in _LIST_COLUMNS)]
    rows += [_row(payment, words) for payment in chosen]
    _print_columns(rows)
    for batch in batches:
        print()
        _print_totals(journal, batch, words)
    return 0


def _row(payment: Payment, words: Words) -> tuple[str, ...]:
    return (
        str(payment.number),
        payment.started_at.replace("T", " "),
        _kind(payment.kind, words),
        _money(payment.amount_minor, payment.currency),
        payment.pan_masked,
        payment.stan,
        payment.authorisation_code,
        _outcome(payment, words),
    )


def _outcome(payment: Payment, words: Words) -> str:
    name = payment.outcome.value if payment.outcome else "open"
    told = words(f"journal.outcome.{name}")
    if payment.reversed:
        told += f", {words('journal.outcome.reversed')}"
    return told


def _kind(kind: str, words: Words) -> str:
    from firmware.texts import UnknownTextError, text

    try:
        return text(words.language, f"slip.kind.{kind}")
    except UnknownTextError:  # one without a slip
        return kind.replace("_", " ")


def _money(amount_minor: int, code: str) -> str:
    from wire.money import currency

    return currency(code).format(amount_minor)


def _print_totals(journal: JournalCopy, batch: str, words: Words) -> None:
    from tools.journal_reader import totals_of

    code = next(one.currency for one in journal.payments if one.batch == batch)
    print(words("journal.totals", batch=batch))
    lines = [line for line in totals_of(journal, batch) if line["line"] in {"debit", "credit"}]
    _print_columns(
        [
            (
                f"  {words('journal.' + line['block'])}",
                words(f"journal.{line['line']}"),
                f"x{line['count']}",
                _money(line["amount_minor"], code),
            )
            for line in lines
        ]
    )


def _show(args: argparse.Namespace) -> int:
    from tools.journal_reader import record_of
    from tools.texts import Words

    journal = _journal(args)
    payment = next((one for one in journal.payments if one.number == args.number), None)
    if payment is None:
        kept = journal.payments
        there = f"it has {kept[0].number} to {kept[-1].number}" if kept else "it is empty"
        print(f"posterm journal show: the journal has no payment {args.number}: {there}", file=sys.stderr)
        return 1
    record = record_of(journal, payment)
    if args.json:
        _print_json(record)
        return 0
    words = Words(args.language)
    amount = _money(payment.amount_minor, payment.currency)
    print(f"{payment.number}: {_kind(payment.kind, words)} {amount}, {_outcome(payment, words)}")
    _print_columns([(f"  {name}", str(value)) for name, value in record.items() if value not in {"", None}])
    return 0


def _print_columns(rows: Sequence[tuple[str, ...]]) -> None:
    """Left-aligned columns; a Chinese character takes two."""
    from firmware.texts.cells import columns_of

    widths = [max(columns_of(row[index]) for row in rows) for index in range(len(rows[0]))] if rows else []
    for row in rows:
        padded = (cell + " " * (width - columns_of(cell)) for cell, width in zip(row, widths, strict=True))
        print("  ".join(padded).rstrip())


# --- export: for programs ----------------------------------------------------------------------------


def _export(args: argparse.Namespace) -> int:
    from tools.journal_reader import document_of

    document = document_of(_journal(args))
    with _output(args.out) as out:
        if args.format == "json":
            json.dump(document, out, ensure_ascii=False, indent=2)
            out.write("\n")
        else:
            out.write(_csv(document[args.what]))
    return 0


def _csv(records: Sequence[dict[str, Any]]) -> str:
    """RFC 4180, with the names of the columns first; nothing for a journal without records."""
    text = io.StringIO(newline="")
    if records:
        writer = csv.DictWriter(text, fieldnames=list(records[0]))
        writer.writeheader()
        writer.writerows(records)
    return text.getvalue()


@contextmanager
def _output(path: Path | None) -> Iterator[IO[str]]:
    if path is None:
        yield sys.stdout
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            yield file


def _print_json(document: object) -> None:
    print(json.dumps(document, ensure_ascii=False, indent=2))
