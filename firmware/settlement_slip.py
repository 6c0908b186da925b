"""The settlement slip: the totals of a batch, domestic and foreign, and whether the bank has the same.

Source: iso8583-pos section 11, last part. Pure: the same settlement gives the same slip.
"""

from __future__ import annotations

from datetime import datetime

from firmware.batch_upload import BALANCED
from firmware.paper import Paper
from firmware.records import Settlement
from firmware.settings import TerminalSettings
from firmware.totals import BatchTotals, Block, Line
from firmware.txn.plans import PLANS, Totals
from hal.api import PrintCut, PrintItem, PrintRule
from wire.money import currency


def settlement_slip(
    settlement: Settlement,
    totals: BatchTotals,
    settings: TerminalSettings,
    *,
    language: str,
    columns: int,
    printed_at: datetime,
) -> tuple[PrintItem, ...]:
    """The slip of one settlement, down to the cut, for paper of `columns` (32 at least)."""
    paper = Paper(language, columns, "settlement")
    name = settings.merchant_name_zh if language == "zh" else settings.merchant_name
    return (
        *paper.centred("title", bold=True, large=True),
        PrintRule(),
        *paper.field("merchant_name", name),
        *paper.field("merchant_no", settings.merchant_id),
        *paper.field("terminal_no", settings.terminal_id),
        *paper.field("operator_no", settings.operator),
        *paper.field("batch_no", settlement.batch),
        *paper.field("date_time", f"{printed_at:%Y/%m/%d %H:%M:%S}"),
        *totals_items(paper, totals, settings.currency, settlement),
        *_upload(paper, settlement),
        PrintRule(),
        PrintCut(),
    )


def totals_items(
    paper: Paper, totals: BatchTotals, currency_code: str, settlement: Settlement | None = None
) -> list[PrintItem]:
    """Both blocks; with a settlement, whether the bank has the same. `paper` has the texts "settlement"."""
    blocks = (("domestic", totals.domestic), ("foreign", totals.foreign))
    items: list[PrintItem] = []
    for name, block in blocks:
        items += [PrintRule(), *paper.centred(name, bold=True)]
        if settlement is not None:
            result = settlement.domestic_result if name == "domestic" else settlement.foreign_result
            items += paper.centred("balanced" if result == BALANCED else "not_balanced")
        items += _block(paper, block, currency_code)
    return items


def _block(paper: Paper, block: Block, currency_code: str) -> list[PrintItem]:
    kinds = [name for name, plan in PLANS.items() if plan.totals is not Totals.NONE and name in block.by_kind]
    lines = [(f"kind.{kind}", block.by_kind[kind]) for kind in kinds]
    lines += [("debit", block.debit), ("credit", block.credit)]
    return [item for key, line in lines for item in _line(paper, key, line, currency_code)]


def _line(paper: Paper, key: str, line: Line, currency_code: str) -> list[PrintItem]:
    label = f"{paper.text(key)} x{line.count}"
    return paper.pair(label, currency(currency_code).format(line.amount_minor), bold="." not in key)


def _upload(paper: Paper, settlement: Settlement) -> list[PrintItem]:
    """How many records were uploaded, and how many of them the bank did not take."""
    if not settlement.sent:
        return []
    items = [PrintRule(), *paper.field("uploaded", str(settlement.sent))]
    return items + (paper.field("not_taken", str(settlement.failed)) if settlement.failed else [])
