"""What a terminal uploaded, set against the register: the differences that people look into."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from bank.batches import Batch, Batches, Upload, UploadKind
from bank.payments import Payment, Payments
from bank.plans import Side
from bank.settlement import side_of


class Finding(Enum):
    """What is wrong with a transaction."""

    NOT_UPLOADED = "the bank has it, the terminal did not upload it"
    NOT_BOOKED = "the terminal uploaded it, the bank has no such payment that stands"
    AMOUNT = "the amounts differ"
    TWICE = "it was uploaded more than once"


@dataclass(frozen=True, slots=True)
class Difference:
    """One transaction of a batch that the two ends do not have alike; an absent amount is None."""

    trace: str
    finding: Finding
    booked_minor: int | None
    uploaded_minor: int | None


def differences(batches: Batches, payments: Payments, batch: Batch) -> list[Difference]:
    """Every difference in a batch, by trace. A balanced batch has no upload, and none."""
    if batch.is_balanced:
        return []
    booked = payments.of_batch(batch.mid, batch.tid, batch.batch)
    return list(compared(booked, batches.uploads(batch.mid, batch.tid, batch.batch)))


def compared(booked: Iterable[Payment], uploads: Iterable[Upload]) -> Iterator[Difference]:
    """The differences between payments and uploaded records.

    Certificates and failures are no records of money.
    """
    there: dict[str, list[int]] = {}
    for record in uploads:
        if record.kind in {UploadKind.DETAIL, UploadKind.ADVICE}:
            there.setdefault(record.trace, []).append(record.amount_minor)
    here = _booked(list(booked), there.keys())
    for trace in sorted(here.keys() | there.keys()):
        yield from _difference(trace, here.get(trace), there.get(trace, []))


def _booked(payments: list[Payment], uploaded: Container[str]) -> dict[str, int]:
    """What should have been uploaded, by trace.

    A tip comes as an advice of its own, with the amount that it had (F4), or within the amount of its sale.
    """
    tips = [one for one in payments if side_of(one) is Side.RAISES]
    within: dict[int | None, int] = {}
    for tip in tips:
        if tip.trace not in uploaded:
            within[tip.original_id] = within.get(tip.original_id, 0) + tip.moved_minor
    sales = {
        one.trace: one.moved_minor + within.get(one.payment_id, 0)
        for one in payments
        if side_of(one) in {Side.DEBIT, Side.CREDIT}
    }
    return sales | {tip.trace: tip.amount_minor for tip in tips if tip.trace in uploaded}


def _difference(trace: str, booked_minor: int | None, uploaded: list[int]) -> Iterator[Difference]:
    if not uploaded:
        yield Difference(trace, Finding.NOT_UPLOADED, booked_minor, None)
    elif booked_minor is None:
        yield Difference(trace, Finding.NOT_BOOKED, None, uploaded[0])
    elif len(uploaded) > 1:
        yield Difference(trace, Finding.TWICE, booked_minor, sum(uploaded))
    elif uploaded[0] != booked_minor:
        yield Difference(trace, Finding.AMOUNT, booked_minor, uploaded[0])
