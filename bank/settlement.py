"""What a terminal's batch adds up to on the bank's side, from the register of payments alone.

A completion or purchase is a debit (of the cardholder). What was declined or reversed does not count, nor
do authorisations: they moved no money. iso8583-pos sections 2.2 (last column) and 8.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bank.payments import Payment, PaymentKind, PaymentState

_DEBITS: Final = frozenset({PaymentKind.PURCHASE, PaymentKind.COMPLETION})


@dataclass(frozen=True, slots=True)
class BatchTotals:
    """Counts and sums (minor units) of one batch."""

    debit_count: int = 0
    debit_minor: int = 0
    credit_count: int = 0
    credit_minor: int = 0


def batch_totals(payments: list[Payment]) -> BatchTotals:
    """The totals of the payments of one terminal and batch."""
    debits = [
        payment.amount_minor
        for payment in payments
        if payment.kind in _DEBITS and payment.state is PaymentState.APPROVED
    ]
    return BatchTotals(debit_count=len(debits), debit_minor=sum(debits))
