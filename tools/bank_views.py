"""How the bank's records look in listings: rows of plain values, as columns or as JSON. PANs are masked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from bank.authoriser import Bank
from bank.batches import Batch
from bank.cards import Card
from bank.demands import DEMANDS
from bank.ledger import Account, Audit, Posting
from bank.merchants import Merchant, Terminal
from bank.payouts import Payout
from bank.reconcile import Difference
from bank.report import DayReport
from wire.iso8583.private import F48Totals
from wire.money import format_amount

Cell = str | int | bool | Sequence["str | Row"] | Mapping[str, "Cell"] | None
Row = Mapping[str, "Cell"]


def card_row(bank: Bank, card: Card) -> Row:
    """A card with its balance (minor units)."""
    account = bank.account_of(card)
    return {
        "name": card.name,
        "pan": card.pan.masked,
        "expiry_yymm": card.expiry_yymm,
        "holder": card.holder,
        "status": card.status.value,
        "balance_minor": account.balance_minor,
        "available_minor": account.available_minor,
        "amount_limit_minor": card.amount_limit_minor,
        "pin_tries_left": max(card.pin_tries_limit - card.pin_tries_used, 0),
    }


def account_row(account: Account) -> Row:
    """An account with its balance (minor units)."""
    return {
        "account_id": account.account_id,
        "name": account.name,
        "kind": account.kind.value,
        "currency": account.currency,
        "balance_minor": account.balance_minor,
        "available_minor": account.available_minor,
    }


def merchant_row(bank: Bank, merchant: Merchant) -> Row:
    """A merchant with what it has been paid (minor units)."""
    return {
        "mid": merchant.mid,
        "name": merchant.name,
        "name_local": merchant.name_local,
        "status": merchant.status.value,
        "balance_minor": bank.ledger.account(merchant.account_id).balance_minor,
    }


def merchant_file(bank: Bank, merchant: Merchant) -> Row:
    """A merchant with everything in its file. Of its own account the last four digits are shown."""
    papers = bank.files.papers(merchant.mid)
    return {
        **merchant_row(bank, merchant),
        "rate": merchant.rate,
        "payout_account": f"****{merchant.payout_account_end}" if merchant.payout_account_end else None,
        "payout_holder": merchant.payout_holder or None,
        "qualifications": sorted(bank.merchants.qualifications(merchant.mid)),
        "documents": [{"kind": one.kind, "reference": one.reference, "sha256": one.sha256} for one in papers],
        "terminals": [one.tid for one in bank.merchants.terminals() if one.mid == merchant.mid],
        "history": [
            {
                "at": one.at,
                "event": one.event,
                "state": one.state_then,
                "by": one.by_whom,
                "reason": one.reason,
            }
            for one in bank.files.history(merchant.mid)
        ],
    }


def terminal_row(bank: Bank, terminal: Terminal) -> Row:
    """A terminal; its key is shown by check value only."""
    totals = bank.batch_totals(terminal.tid, terminal.mid, terminal.batch)
    demands = bank.merchants.demands(terminal.mid, terminal.tid)
    status = bank.merchants.status_of(terminal)
    return {
        "tid": terminal.tid,
        "mid": terminal.mid,
        "batch": terminal.batch,
        "signed_in": terminal.signed_in,
        "key_layout": terminal.key_layout,
        "demands": [what for what, digit in DEMANDS.items() if digit in demands],
        "status": status[1] if status else None,
        "tmk_index": terminal.tmk_index,
        "tmk_check_value": bank.hsm.tmk_check_value(terminal.tmk_sealed).hex().upper(),
        "batch_debit_count": totals.debit_count,
        "batch_debit_minor": totals.debit_minor,
    }


def batch_row(batch: Batch) -> Row:
    """A batch that was settled, with both ends' totals of its blocks together."""
    claimed, booked = F48Totals.parse(batch.claimed), F48Totals.parse(batch.booked)
    return {
        "mid": batch.mid,
        "tid": batch.tid,
        "batch": batch.batch,
        "state": batch.state.value,
        "balanced": batch.is_balanced,
        "terminal_debit_minor": claimed.domestic.debit_amount_minor + claimed.foreign.debit_amount_minor,
        "terminal_credit_minor": claimed.domestic.credit_amount_minor + claimed.foreign.credit_amount_minor,
        "bank_debit_minor": booked.domestic.debit_amount_minor + booked.foreign.debit_amount_minor,
        "bank_credit_minor": booked.domestic.credit_amount_minor + booked.foreign.credit_amount_minor,
        "records_told": batch.records_told,
        "closed_at": batch.closed_at,
    }


def difference_row(difference: Difference) -> Row:
    """A transaction on which terminal and bank differ."""
    return {
        "trace": difference.trace,
        "finding": difference.finding.value,
        "booked_minor": difference.booked_minor,
        "uploaded_minor": difference.uploaded_minor,
    }


def payout_row(payout: Payout) -> Row:
    """A payout (minor units)."""
    return asdict(payout)


def report_rows(report: DayReport) -> Row:
    """The report of a day, whole, for programs."""
    return {
        "day": report.day,
        "paid_minor": report.paid_minor,
        "fee_minor": report.fee_minor,
        "books_are_right": report.books_are_right,
        "merchants": [
            {
                "mid": merchant.mid,
                "name": merchant.name,
                "rate": merchant.rate,
                "balance_minor": merchant.balance_minor,
                "batches": [
                    {
                        **batch_row(one.batch),
                        "claimed": {
                            "domestic": asdict(one.claimed.domestic),
                            "foreign": asdict(one.claimed.foreign),
                        },
                        "booked": {
                            "domestic": asdict(one.booked.domestic),
                            "foreign": asdict(one.booked.foreign),
                        },
                        "results": {"domestic": one.batch.domestic, "foreign": one.batch.foreign},
                        "differences": [difference_row(difference) for difference in one.differences],
                    }
                    for one in merchant.batches
                ],
                "payouts": [payout_row(one) for one in merchant.payouts],
            }
            for merchant in report.merchants
        ],
    }


def posting_row(posting: Posting) -> Row:
    """A posting with its entries (minor units)."""
    return {
        "posting_id": posting.posting_id,
        "booked_at": posting.booked_at,
        "kind": posting.kind,
        "amount_minor": posting.amount_minor,
        "entries": [
            {"account": entry.account, "amount_minor": entry.amount_minor} for entry in posting.entries
        ],
    }


def audit_row(audit: Audit) -> Row:
    """The result of an audit."""
    return {
        "ok": audit.ok,
        "accounts": audit.account_count,
        "postings": audit.posting_count,
        "findings": list(audit.findings),
    }


def show_list(rows: Sequence[Row], *, as_json: bool) -> int:
    """Print rows as columns under their names, or as a JSON list; exit code 0."""
    if as_json:
        print(json.dumps(rows, ensure_ascii=False, indent=2))
    elif not rows:
        print("(none)")
    else:
        heads = [_head(key) for key in rows[0]]
        lines = [heads, *([_cell(key, value) for key, value in row.items()] for row in rows)]
        widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
        for line in lines:
            print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    return 0


def show_one(row: Row, *, as_json: bool) -> int:
    """Print one row as `name  value` lines, or as a JSON object; exit code 0."""
    if as_json:
        print(json.dumps(row, ensure_ascii=False, indent=2))
    else:
        width = max(len(_head(key)) for key in row)
        for key, value in row.items():
            print(f"{_head(key).ljust(width)}  {_cell(key, value)}".rstrip())
    return 0


def _head(key: str) -> str:
    return key.removesuffix("_minor").replace("_", " ")


def _cell(key: str, value: Cell) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return format_amount(value) if key.endswith("_minor") else str(value)
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return " ".join(_cell(k, v) for k, v in value.items())
    return ", ".join(
        one if isinstance(one, str) else " ".join(_cell(k, v) for k, v in one.items()) for one in value
    )
