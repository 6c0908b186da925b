"""What a batch adds up to on the terminal's side, from the journal alone.

On which side a transaction counts is in its plan. What was not approved, was reversed, or was refused by the
bank afterwards does not count. A void is a credit of its own, it takes no debit away; a tip raises a debit
that is counted already. Sources: iso8583-pos sections 2.2 (last column) and 8.1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from firmware.messages import plan_of
from firmware.records import Payment
from firmware.txn.plans import Totals as Side
from wire.iso8583.private import F48Totals, Totals

DOMESTIC = "CUP"


@dataclass(frozen=True, slots=True)
class Line:
    """How many transactions of one type, and their sum in minor units."""

    count: int = 0
    amount_minor: int = 0

    def with_one(self, amount_minor: int, *, counts: bool) -> Line:
        """One transaction more; a tip adds to the sum only."""
        return Line(self.count + counts, self.amount_minor + amount_minor)


@dataclass(frozen=True, slots=True)
class Block:
    """One block of the totals, of domestic or of foreign cards."""

    debit: Line = Line()
    credit: Line = Line()
    by_kind: Mapping[str, Line] = field(default_factory=dict)  # of the types that there were

    def encoded(self, result: int = 0) -> Totals:
        """The same as a block of field 48."""
        debit, credit = self.debit, self.credit
        return Totals(debit.amount_minor, debit.count, credit.amount_minor, credit.count, result)


@dataclass(frozen=True, slots=True)
class BatchTotals:
    """Both blocks of one batch."""

    domestic: Block = Block()
    foreign: Block = Block()

    def encoded(self) -> str:
        """Field 48 of a settlement request: both blocks, no results yet."""
        return F48Totals(self.domestic.encoded(), self.foreign.encoded()).encode()


def is_domestic(payment: Payment) -> bool:
    """Whether it belongs to the domestic block; so does a card of which the bank said nothing."""
    return payment.card_organisation in {"", DOMESTIC}


def counted(payments: Iterable[Payment], batch: str) -> list[Payment]:
    """The transactions of a batch that count in its totals."""
    return [one for one in payments if one.batch == batch and one.stands and side_of(one) is not Side.NONE]


def side_of(payment: Payment) -> Side:
    """Where a transaction counts if it stands."""
    return plan_of(payment).totals


def batch_totals(payments: Iterable[Payment], batch: str) -> BatchTotals:
    """The totals of a batch, by block, by side and by type."""
    chosen = counted(payments, batch)
    return BatchTotals(
        _block(one for one in chosen if is_domestic(one)),
        _block(one for one in chosen if not is_domestic(one)),
    )


def _block(payments: Iterable[Payment]) -> Block:
    sides = {Side.DEBIT: Line(), Side.CREDIT: Line()}
    by_kind: dict[str, Line] = {}
    for payment in payments:
        raises = side_of(payment) is Side.RAISES
        side = Side.DEBIT if raises else side_of(payment)
        amount_minor = payment.tip_minor if raises else payment.amount_minor
        sides[side] = sides[side].with_one(amount_minor, counts=not raises)
        by_kind[payment.kind] = by_kind.get(payment.kind, Line()).with_one(amount_minor, counts=True)
    return Block(sides[Side.DEBIT], sides[Side.CREDIT], by_kind)
