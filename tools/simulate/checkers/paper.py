"""The paper as a witness: what a slip says was approved is so, with that amount, in journal and books."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass

from bank.authoriser import Bank
from firmware.messages import plan_of
from firmware.records import Outcome, Payment, Reason
from firmware.txn.plans import Totals
from tools.simulate.any_till import AnyTill
from tools.simulate.checkers.finding import Finding
from tools.simulate.checkers.journal import Key, name_of, posted_of

_LINE = re.compile(
    r"^\s*(?:批次号 |凭证号 |金额 |总计 )?(BATCH NO\.|VOUCHER NO\.|AMOUNT|TOTAL)\s+(?:RMB )?-?([0-9.]+)\s*$",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class PaperSlip:
    """What a piece of paper says of one transaction; `amount_minor` None where the paper ended before it."""

    batch: str
    voucher: str
    amount_minor: int | None


def slips_on(text: str) -> Iterator[PaperSlip]:
    """Every slip on a piece of paper, the pieces of one that the paper ran out on included."""
    batch, voucher, amount = "", "", None
    for label, value in _LINE.findall(text):
        if label in {"AMOUNT", "TOTAL"}:
            amount = int(value.replace(".", ""))
            continue
        if voucher:  # another slip begins
            yield PaperSlip(batch, voucher, amount)
            batch, voucher, amount = "", "", None
        if label == "BATCH NO.":
            batch = value
        else:
            voucher = value
    if voucher:
        yield PaperSlip(batch, voucher, amount)


def slips(
    till: AnyTill, bank: Bank, paper: Iterable[str], refused: Container[Key] | None
) -> Iterator[Finding]:
    """A slip belongs to an approved transaction that is posted, with the amount on it. A reprint is no other.

    `paper`: the text of each piece. `refused`: the advices that the bank was seen to refuse; None when nobody
    watched: the journal's word is taken then.
    """
    payments = {(one.batch, one.stan): one for one in till.payments.values() if one.stan}
    vouchers = {one.stan: one for one in payments.values()}
    posted = {(one.batch, one.trace) for one in posted_of(till, bank)}
    told = {slip for text in paper for slip in slips_on(text)}
    for slip in sorted(told, key=lambda one: (one.batch, one.voucher)):
        payment = payments.get((slip.batch, slip.voucher)) if slip.batch else vouchers.get(slip.voucher)
        if payment is None or payment.outcome is not Outcome.APPROVED or payment.reversed:
            yield Finding("slip", f"{till.name}: a slip of voucher {slip.voucher}, which is not approved")
        elif slip.amount_minor is not None and slip.amount_minor not in _amounts(payment, payments.values()):
            yield Finding("slip", f"{till.name}: a slip of {name_of(payment)} says {slip.amount_minor}")
        elif plan_of(payment).totals is Totals.NONE:
            continue
        elif (key := (payment.batch, payment.posted_stan)) not in posted and not _is_refused(
            payment, key, refused
        ):
            yield Finding("slip", f"{till.name}: there is a slip of {name_of(payment)}, and no posting")


def _amounts(payment: Payment, payments: Iterable[Payment]) -> set[int]:
    """What its slips may say: the amount, or the total with a later tip, be it refused since or not."""
    is_tip = plan_of(payment).totals is Totals.RAISES
    base_minor = payment.amount_minor - (payment.tip_minor if is_tip else 0)
    tips = [one for one in payments if plan_of(one).totals is Totals.RAISES]
    raised = {one.amount_minor for one in tips if one.original_number == payment.number}
    return {base_minor, base_minor + payment.tip_minor} | raised


def _is_refused(payment: Payment, key: Key, refused: Container[Key] | None) -> bool:
    is_told = payment.reason is Reason.COMPLETION_REFUSED
    return is_told and (refused is None or key in refused)
