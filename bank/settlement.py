"""What a terminal's batch adds up to on the bank's side, from the register of payments alone.

On which side a payment counts is in its plan. What was declined or reversed does not count, nor do
authorisations: they moved no money. A void is a credit of its own, it takes no debit away. A tip raises a
debit that is counted already. iso8583-pos sections 2.2 (last column) and 8.1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bank.payments import Payment, PaymentState
from bank.plans import BY_KIND, Side
from bank.schemes import is_domestic
from wire.iso8583.private import Totals


@dataclass(frozen=True, slots=True)
class BatchTotals:
    """Counts and sums (minor units) of one batch, or of one block of it."""

    debit_count: int = 0
    debit_minor: int = 0
    credit_count: int = 0
    credit_minor: int = 0

    @property
    def net_minor(self) -> int:
        """What the merchant gets before fees; below zero when more was paid back than taken."""
        return self.debit_minor - self.credit_minor

    def block(self, result: int = 0) -> Totals:
        """The same as a block of field 48."""
        return Totals(self.debit_minor, self.debit_count, self.credit_minor, self.credit_count, result)


def side_of(payment: Payment) -> Side:
    """Where a payment counts; NONE when it was not approved, or was reversed."""
    plan = BY_KIND.get(payment.kind)
    return plan.side if plan and payment.state is PaymentState.APPROVED else Side.NONE


def batch_totals(payments: Iterable[Payment]) -> BatchTotals:
    """The totals of the payments of one terminal and batch."""
    payments = list(payments)
    debits = [one.moved_minor for one in payments if side_of(one) is Side.DEBIT]
    credits_ = [one.moved_minor for one in payments if side_of(one) is Side.CREDIT]
    tips_minor = sum(one.moved_minor for one in payments if side_of(one) is Side.RAISES)
    return BatchTotals(len(debits), sum(debits) + tips_minor, len(credits_), sum(credits_))


def blocks(payments: Iterable[Payment]) -> tuple[BatchTotals, BatchTotals]:
    """The totals of the domestic and of the foreign cards."""
    payments = list(payments)
    domestic = [one for one in payments if is_domestic(one.organisation)]
    foreign = [one for one in payments if not is_domestic(one.organisation)]
    return batch_totals(domestic), batch_totals(foreign)
