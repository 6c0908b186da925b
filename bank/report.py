"""The report of a day: batches that were closed, what both ends said of them, payouts, the books."""

from __future__ import annotations

from dataclasses import dataclass

from bank.authoriser import Bank
from bank.batches import Batch, BatchState
from bank.payouts import Payout
from bank.reconcile import Difference
from wire.iso8583.private import F48Totals


@dataclass(frozen=True, slots=True)
class BatchReport:
    """One closed batch. Each block as the terminal claimed it and as the bank has booked it."""

    batch: Batch
    claimed: F48Totals
    booked: F48Totals
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class MerchantReport:
    """One merchant's day. `balance_minor`: what it is still owed."""

    mid: str
    name: str
    rate: str
    batches: tuple[BatchReport, ...]
    payouts: tuple[Payout, ...]
    balance_minor: int


@dataclass(frozen=True, slots=True)
class DayReport:
    """A day, by merchant; a merchant on whose account nothing happened is left out."""

    day: str
    merchants: tuple[MerchantReport, ...]
    books_are_right: bool

    @property
    def paid_minor(self) -> int:
        """What was paid out to all of them."""
        return sum(one.net_minor for merchant in self.merchants for one in merchant.payouts)

    @property
    def fee_minor(self) -> int:
        """The fees of all of them."""
        return sum(one.fee_minor for merchant in self.merchants for one in merchant.payouts)


def day_report(bank: Bank, day: str) -> DayReport:
    """The report of `day` (YYYY-MM-DD)."""
    merchants = []
    for merchant in bank.merchants.merchants():
        batches = tuple(
            _batch_report(bank, one)
            for one in bank.batches.batches()
            if one.mid == merchant.mid
            and one.state is BatchState.CLOSED
            and (one.closed_at or "")[:10] == day
        )
        payouts = tuple(bank.payouts.payouts(mid=merchant.mid, day=day))
        balance_minor = bank.ledger.account(merchant.account_id).balance_minor
        if batches or payouts:
            merchants.append(
                MerchantReport(merchant.mid, merchant.name, merchant.rate, batches, payouts, balance_minor)
            )
    return DayReport(day, tuple(merchants), bank.verify().ok)


def _batch_report(bank: Bank, batch: Batch) -> BatchReport:
    return BatchReport(
        batch,
        F48Totals.parse(batch.claimed),
        F48Totals.parse(batch.booked),
        tuple(bank.differences(batch)),
    )
