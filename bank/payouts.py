"""What merchants are paid: settled sales less what was paid back, less fees, once for every payment.

A payment is paid out when its batch is closed. One that is reversed after that is taken off the next payout.
What a merchant is owed in the end is never paid twice, and never less than nothing: where more went back than
came in, it waits for the next day.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from bank.batches import Batches
from bank.ledger import AccountKind, Ledger
from bank.merchants import Merchant, Merchants
from bank.payments import Payment, PaymentKind, Payments, PaymentState
from bank.plans import Side
from bank.rates import Rate, rates
from bank.schemes import is_domestic
from bank.settlement import batch_totals, side_of
from bank.settling import close_abandoned
from bank.store import BankStore, clock_text

PAYOUTS: Final = "payouts"
FEES: Final = "fees"
_VOIDS: Final = frozenset({PaymentKind.PURCHASE_VOID, PaymentKind.COMPLETION_VOID})


@dataclass(frozen=True, slots=True)
class Payout:
    """Money that left for a merchant's own account. `correction_minor`: taken off for earlier payouts.

    `fee_minor`: less the fees of what was corrected. `net_minor` = debits - credits - corrections - fees.
    """

    payout_id: int
    mid: str
    paid_at: str
    debit_count: int
    debit_minor: int
    credit_count: int
    credit_minor: int
    correction_minor: int
    fee_minor: int
    net_minor: int


class PayoutRegister:
    """The register of payouts. Writing methods open a store transaction of their own or join the caller's."""

    def __init__(
        self,
        store: BankStore,
        ledger: Ledger,
        merchants: Merchants,
        payments: Payments,
        batches: Batches,
    ) -> None:
        self._store = store
        self._batches = batches
        self._ledger = ledger
        self._merchants = merchants
        self._payments = payments

    def pay_all(self, *, now: datetime) -> list[Payout]:
        """Pay every merchant what is due, all of it or, if something fails, nothing; what was paid.

        Batches that no terminal will settle any more are closed before.
        """
        with self._store.transaction():
            close_abandoned(self._batches, self._merchants, self._payments, now=now)
            paid = [self._pay(merchant, now) for merchant in self._merchants.merchants()]
        return [one for one in paid if one is not None]

    def payouts(self, *, mid: str = "", day: str = "") -> list[Payout]:
        """Payouts, oldest first: of one merchant, of one day (YYYY-MM-DD), or all."""
        rows = self._store.rows(
            "SELECT * FROM payout WHERE (? = '' OR mid = ?) AND (? = '' OR substr(paid_at, 1, 10) = ?)"
            " ORDER BY payout_id",
            (mid, mid, day, day),
        )
        return [_payout(row) for row in rows]

    def due(self, mid: str) -> list[Payment]:
        """The payments of a merchant's closed batches that were not paid out yet."""
        return self._payments.chosen(
            "JOIN batch USING (mid, tid, batch) WHERE mid = ? AND batch.state = 'closed'"
            " AND payment.state = 'approved' AND payout_id IS NULL",
            (mid,),
        )

    def _corrections(self, mid: str) -> list[Payment]:
        """Payments that were paid out, and reversed afterwards, and not taken off since."""
        return self._payments.chosen(
            "WHERE mid = ? AND payment.state = 'reversed' AND payout_id IS NOT NULL"
            " AND correction_id IS NULL",
            (mid,),
        )

    def _pay(self, merchant: Merchant, now: datetime) -> Payout | None:
        due, undone = self.due(merchant.mid), self._corrections(merchant.mid)
        fees = {one.payment_id: fee_of(one, rates()[merchant.rate]) for one in due}
        totals = batch_totals(due)
        correction_minor = sum(_worth(one) for one in undone)
        fee_minor = sum(fees.values()) - sum(one.fee_minor for one in undone)
        net_minor = totals.net_minor - correction_minor - fee_minor
        if net_minor <= 0:
            return None
        payout_id = self._store.insert(
            "INSERT INTO payout (mid, paid_at, debit_count, debit_minor, credit_count, credit_minor,"
            " correction_minor, fee_minor, net_minor) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(merchant.mid, clock_text(now), totals.debit_count, totals.debit_minor),
                *(totals.credit_count, totals.credit_minor, correction_minor, fee_minor, net_minor),
            ),
        )
        for one in due:
            self._payments.note_payout(one.payment_id, payout_id, fee_minor=fees[one.payment_id])
        for one in undone:
            self._payments.note_correction(one.payment_id, payout_id)
        self._book(merchant, fee_minor, net_minor, now)
        return _payout(self._store.rows("SELECT * FROM payout WHERE payout_id = ?", (payout_id,))[0])

    def _book(self, merchant: Merchant, fee_minor: int, net_minor: int, now: datetime) -> None:
        payouts = self._ledger.own_account_id(PAYOUTS, AccountKind.PAYOUT)
        fees = self._ledger.own_account_id(FEES, AccountKind.INCOME)
        if fee_minor > 0:
            self._ledger.transfer(
                "fee", debit=merchant.account_id, credit=fees, amount_minor=fee_minor, now=now
            )
        elif fee_minor < 0:
            self._ledger.transfer(
                "fee", debit=fees, credit=merchant.account_id, amount_minor=-fee_minor, now=now
            )
        self._ledger.transfer(
            "payout", debit=merchant.account_id, credit=payouts, amount_minor=net_minor, now=now
        )


def fee_of(payment: Payment, rate: Rate) -> int:
    """What the bank keeps of a payment: of sales and tips; a void gives it back, a refund does not."""
    fee = rate.domestic if is_domestic(payment.organisation) else rate.foreign
    if side_of(payment) in {Side.DEBIT, Side.RAISES}:
        return fee.of(payment.moved_minor)
    return -fee.of(payment.moved_minor) if payment.kind in _VOIDS else 0


def _worth(payment: Payment) -> int:
    """What a payment that was reversed since had brought into its payout, before its fee."""
    assert payment.state is PaymentState.REVERSED
    then = replace(payment, state=PaymentState.APPROVED)
    return batch_totals([then]).net_minor


def _payout(row: sqlite3.Row) -> Payout:
    return Payout(**{key: row[key] for key in row.keys()})  # noqa: SIM118 - a sqlite3.Row iterates over values
