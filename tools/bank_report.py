"""The bank's report of a day as text for people and as CSV, one line a batch or payout."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Final

from bank.report import BatchReport, DayReport, MerchantReport
from wire.iso8583.private import Totals
from wire.money import format_amount

_RESULTS: Final = {1: "balanced", 2: "NOT BALANCED", 3: "ERROR"}
_COLUMNS: Final = (
    *("day", "mid", "merchant", "line", "tid", "batch", "block", "result"),
    *("debit_count", "debit_minor", "credit_count", "credit_minor"),
    *("booked_debit_minor", "booked_credit_minor", "correction_minor", "fee_minor", "net_minor"),
)


def text_of(report: DayReport) -> str:
    """The report as a page of text."""
    lines = [f"settlement report {report.day}", ""]
    for merchant in report.merchants:
        lines += [*_merchant_lines(merchant), ""]
    lines.append(f"paid out {format_amount(report.paid_minor)}, fees {format_amount(report.fee_minor)}")
    lines.append(f"books: {'right' if report.books_are_right else 'WRONG: see posterm bank ledger verify'}")
    return "\n".join(lines)


def _merchant_lines(merchant: MerchantReport) -> Iterator[str]:
    yield f"{merchant.mid}  {merchant.name}  (rate: {merchant.rate})"
    for one in merchant.batches:
        yield from _batch_lines(one)
    for payout in merchant.payouts:
        parts = (payout.debit_minor, payout.credit_minor, payout.correction_minor, payout.fee_minor)
        debits, credits_, corrections, fees = map(format_amount, parts)
        yield (
            f"  payout {payout.payout_id}: {debits} - {credits_} - {corrections} - fees {fees}"
            f" = {format_amount(payout.net_minor)}"
        )
    yield f"  still owed: {format_amount(merchant.balance_minor)}"


def _batch_lines(one: BatchReport) -> Iterator[str]:
    batch = one.batch
    yield f"  terminal {batch.tid}, batch {batch.batch}, closed {batch.closed_at}"
    for name, claimed, booked, result in _blocks(one):
        if any((claimed.debit_count, claimed.credit_count, booked.debit_count, booked.credit_count)):
            yield f"    {name:9} {_RESULTS[result]:13} terminal {_totals(claimed)}"
            if claimed != booked:
                yield f"    {'':9} {'':13} bank     {_totals(booked)}"
    for difference in one.differences:
        yield f"    trace {difference.trace}: {difference.finding.value}"


def _blocks(one: BatchReport) -> tuple[tuple[str, Totals, Totals, int], ...]:
    return (
        ("domestic", one.claimed.domestic, one.booked.domestic, one.batch.domestic),
        ("foreign", one.claimed.foreign, one.booked.foreign, one.batch.foreign),
    )


def _totals(block: Totals) -> str:
    return (
        f"{block.debit_count} debits {format_amount(block.debit_amount_minor)},"
        f" {block.credit_count} credits {format_amount(block.credit_amount_minor)}"
    )


def csv_of(report: DayReport) -> str:
    """The report as CSV (RFC 4180): the amounts in minor units, a column that does not apply empty."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, _COLUMNS, restval="")
    writer.writeheader()
    for merchant in report.merchants:
        head = {"day": report.day, "mid": merchant.mid, "merchant": merchant.name}
        for one in merchant.batches:
            for name, claimed, booked, result in _blocks(one):
                writer.writerow(
                    {
                        **head,
                        "line": "batch",
                        "tid": one.batch.tid,
                        "batch": one.batch.batch,
                        "block": name,
                        "result": _RESULTS[result].lower(),
                        "debit_count": claimed.debit_count,
                        "debit_minor": claimed.debit_amount_minor,
                        "credit_count": claimed.credit_count,
                        "credit_minor": claimed.credit_amount_minor,
                        "booked_debit_minor": booked.debit_amount_minor,
                        "booked_credit_minor": booked.credit_amount_minor,
                    }
                )
        for payout in merchant.payouts:
            writer.writerow(
                {
                    **head,
                    "line": "payout",
                    "debit_count": payout.debit_count,
                    "debit_minor": payout.debit_minor,
                    "credit_count": payout.credit_count,
                    "credit_minor": payout.credit_minor,
                    "correction_minor": payout.correction_minor,
                    "fee_minor": payout.fee_minor,
                    "net_minor": payout.net_minor,
                }
            )
    return text.getvalue()
