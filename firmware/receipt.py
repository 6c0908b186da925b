"""The slip: an approved payment in, the items for the printer out.

Content and order follow iso8583-pos section 11 (merchant block, transaction block, remarks, signature). Pure:
the same payment gives the same slip, so a slip that paper ran out on goes on with the items not yet printed,
under the mark of `continued`. A slip never shows a full card number: the payment does not hold one, and what
looks like one is refused.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import ClassVar

from firmware.messages import plan_of
from firmware.paper import Paper
from firmware.records import Outcome, Payment, SlipCopy
from firmware.settings import TerminalSettings
from firmware.texts import response_code
from firmware.txn.plans import Link
from hal.api import PrintCut, PrintFeed, PrintItem, PrintRule
from wire.money import currency
from wire.pan import Pan

# How the card was read, by the first two digits of F22. Source: iso8583-pos sections 2.3 and 11.
_ENTRY_SUFFIX = {
    "01": "/M",
    "02": "/S",
    "05": "/I",
    "95": "/I",
    "07": "/C",
    "91": "/C",
    "96": "/C",
    "98": "/C",
}
_NO_CARD = "/N"
_CLEAR_DIGITS_MAX = 10  # of a masked card number: the first six and the last four


class SlipRefusedError(ValueError):
    """No slip may be printed for this payment."""

    code: ClassVar[str] = "F520"


def slip(
    payment: Payment,
    settings: TerminalSettings,
    copy: SlipCopy,
    *,
    language: str,
    columns: int,
    duplicate: bool = False,
    printed_at: datetime,
    full_pan: Pan | None = None,
) -> tuple[PrintItem, ...]:
    """One copy of the slip of an approved transaction, for paper of `columns` (32 at least), down to the cut.

    `language`: "en", or "zh" with the English beside the Chinese. `duplicate`: the slip is printed again.
    `printed_at`: the terminal's clock, which lends its year to the bank's date. `full_pan`: printed instead
    of the masked number, where a pre-authorisation is to be completed by hand. Every text fits its line.

    Raises SlipRefusedError, a ValueError, for a payment that is not approved (a decline is only shown), for
    one that has been reversed, and for one whose card number is not masked.
    """
    _refuse_unless_printable(payment)
    paper = Paper(language, columns, "slip")
    return (
        *_heading(paper, copy, duplicate=duplicate),
        *_merchant(paper, payment, settings),
        PrintRule(),
        *_transaction(paper, payment, printed_at, full_pan),
        *_amounts(paper, payment),
        *_remarks(paper, payment),
        PrintRule(),
        *(_signature(paper) if copy is SlipCopy.MERCHANT else ()),
        *_footer(paper, copy),
        PrintCut(),
    )


def continued(payment: Payment, *, language: str, columns: int) -> tuple[PrintItem, ...]:
    """The mark on top of the rest of a slip, on new paper: says to which slip the rest belongs."""
    paper = Paper(language, columns, "slip")
    return (*paper.centred("continued", bold=True), *paper.field("voucher_no", payment.stan), PrintRule())


def _refuse_unless_printable(payment: Payment) -> None:
    if payment.outcome is not Outcome.APPROVED:
        raise SlipRefusedError("only an approved payment has a slip: show the outcome on the display instead")
    if payment.reversed:
        raise SlipRefusedError("this payment has been reversed: it has no slip")
    if sum(character.isdigit() for character in payment.pan_masked) > _CLEAR_DIGITS_MAX:
        raise SlipRefusedError("the card number of this payment is not masked: nothing was printed")


def _heading(paper: Paper, copy: SlipCopy, *, duplicate: bool) -> list[PrintItem]:
    return [
        *paper.centred("title", bold=True, large=True),
        *paper.centred(f"copy.{copy.value}"),
        *(paper.centred("duplicate", bold=True) if duplicate else ()),
        PrintRule(),
    ]


def _merchant(paper: Paper, payment: Payment, settings: TerminalSettings) -> list[PrintItem]:
    name = settings.merchant_name_zh if paper.language == "zh" else settings.merchant_name
    return [
        *paper.field("merchant_name", name),
        *paper.field("merchant_no", settings.merchant_id),
        *paper.field("terminal_no", settings.terminal_id),
        *paper.field("operator_no", payment.operator),
    ]


def _transaction(
    paper: Paper, payment: Payment, printed_at: datetime, full_pan: Pan | None
) -> list[PrintItem]:
    number = full_pan.reveal() if full_pan is not None else payment.pan_masked
    card = number + _ENTRY_SUFFIX.get(payment.entry_mode, _NO_CARD)
    expiry = payment.expiry_yymm
    return [
        *paper.field("issuer", payment.issuer),
        *paper.field("acquirer", payment.acquirer),
        *paper.field("card_no", card, bold=True),
        *paper.field("card_type", payment.card_organisation),
        *(paper.field("exp_date", f"20{expiry[:2]}/{expiry[2:]}") if expiry else ()),
        *paper.field("trans_type", paper.text(f"kind.{payment.kind}"), bold=True),
        *paper.field("batch_no", payment.batch),
        *paper.field("voucher_no", payment.stan),
        *paper.field("auth_no", payment.authorisation_code or payment.original_code),
        *paper.field("refer_no", payment.rrn),
        *paper.field("date_time", f"{_host_moment(payment, printed_at):%Y/%m/%d %H:%M:%S}"),
    ]


def _host_moment(payment: Payment, printed_at: datetime) -> datetime:
    """The bank's date and time (F13, F12), which come without a year.

    The year is the latest that does not put the payment into the future: a payment of December that is
    printed in January belongs to last year. Clocks may differ by a day, so a bank that is already in January
    does not lose a year. Without the bank's date and time the terminal's own stand in.
    """
    date, time = payment.host_date, payment.host_time
    for year in (printed_at.year + 1, printed_at.year, printed_at.year - 1):
        try:
            moment = printed_at.replace(
                year, int(date[:2]), int(date[2:]), int(time[:2]), int(time[2:4]), int(time[4:]), 0
            )
        except ValueError:  # no such day in that year, or not a date at all
            continue
        if moment <= printed_at + timedelta(days=1):
            return moment
    return datetime.fromisoformat(payment.started_at) if payment.started_at else printed_at


def _amounts(paper: Paper, payment: Payment) -> list[PrintItem]:
    """The amount; with a tip, what it was before, the tip, and both together (section 11)."""
    money, tip_minor = currency(payment.currency), payment.tip_minor
    if not tip_minor:
        return paper.field("amount", money.format(payment.amount_minor), large=True)
    base_minor = payment.amount_minor - (tip_minor if payment.kind == "adjustment" else 0)
    return [
        *paper.field("amount", money.format(base_minor)),
        *paper.field("tips", money.format(tip_minor)),
        *paper.field("total", money.format(base_minor + tip_minor), large=True),
    ]


def _original(paper: Paper, payment: Payment) -> list[str]:
    """What the transaction is about: the original's voucher, or its reference or code, and its day."""
    match plan_of(payment).link:
        case Link.VOUCHER:
            told = {"original_voucher": payment.original_voucher}
        case Link.REFERENCE:
            told = {"original_reference": payment.original_rrn, "original_date": payment.original_date}
        case Link.AUTHORISATION:
            told = {"original_auth": payment.original_code, "original_date": payment.original_date}
        case _:
            told = {}
    return [f"{paper.text(key)} {value}" for key, value in told.items() if value]


def _remarks(paper: Paper, payment: Payment) -> list[PrintItem]:
    """What the bank wants on the slip: its texts (F63), and the words of an answer that is not a plain 00."""
    lines = _original(paper, payment)
    lines += [part for part in re.split(r"\s{2,}", payment.host_text.strip()) if part]
    if payment.response_code not in {"", "00"}:
        answer = response_code(payment.response_code)
        lines.append(f"{answer.code} {answer.text(paper.language)}")
    if not lines:
        return []
    return [
        *paper.paragraph(paper.text("reference")),
        *(item for line in lines for item in paper.paragraph(line)),
    ]


def _signature(paper: Paper) -> list[PrintItem]:
    return [
        *paper.paragraph(paper.text("signature")),
        PrintFeed(2),
        PrintRule("_"),
        *paper.paragraph(paper.text("consent")),
        PrintFeed(),
    ]


def _footer(paper: Paper, copy: SlipCopy) -> list[PrintItem]:
    thanks = paper.centred("thanks") if copy is SlipCopy.CARDHOLDER else []
    return [*paper.centred("keep"), *thanks]
