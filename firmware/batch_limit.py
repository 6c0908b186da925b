"""When the open batch is full: field 48 of a settlement has room for 999 transactions a side.

Sources: iso8583-pos sections 7.1 ("log not full, batch total below limit") and 8.1 (the digits of field 48).
"""

from __future__ import annotations

from firmware.journal import Journal
from firmware.records import Payment
from firmware.totals import side_of
from firmware.txn.plans import Totals as Side
from wire.money import AMOUNT_MINOR_MAX

COUNT_MAX = 999
SUM_MAX_MINOR = 20_000_000_000  # 200 million yuan
ONE_MAX_MINOR = AMOUNT_MINOR_MAX - SUM_MAX_MINOR  # with it, a batch that is not full still fits field 48


class BatchLimit:
    """Counts the open batch along, so that each payment is read once and not before every sale.

    It counts at least as much as a settlement will: what was reversed or refused afterwards stays counted
    until the next power-on.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._forget(0)

    def _forget(self, settled_up_to: int) -> None:
        self._settled_up_to = self._seen_up_to = settled_up_to
        self._counts = {Side.DEBIT: 0, Side.CREDIT: 0}
        self._sum_minor = 0

    def is_reached(self) -> bool:
        """Whether nothing that counts may be added before a settlement. Raises JournalDamaged."""
        counters = self._journal.counters
        if counters.settled_up_to != self._settled_up_to:
            self._forget(counters.settled_up_to)
        for number in range(self._seen_up_to + 1, counters.payment_number + 1):
            if (payment := self._journal.read_payment(number)) is not None and payment.stands:
                self._add(payment)
        self._seen_up_to = counters.payment_number
        return max(self._counts.values()) >= COUNT_MAX or self._sum_minor >= SUM_MAX_MINOR

    def _add(self, payment: Payment) -> None:
        side = side_of(payment)
        if side in self._counts:
            self._counts[side] += 1
            self._sum_minor += payment.amount_minor
        elif side is Side.RAISES:
            self._sum_minor += payment.tip_minor
