"""Settlements: the totals of both sides agree, or the upload says item by item what the journal has.

A difference between the two is allowed for one reason only: the answer to something that cannot be reversed
was lost, so the bank has it and the terminal reported it as unknown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from bank.authoriser import Bank
from bank.batches import Batch, BatchState, UploadKind
from bank.payments import PaymentKind, PaymentState
from bank.plans import BY_KIND, Side
from firmware.messages import plan_of
from firmware.records import Payment, Settlement
from firmware.txn.plans import Totals
from tools.simulate.any_till import AnyTill, Settled
from tools.simulate.checkers.finding import Finding
from tools.simulate.checkers.journal import counts, moved_minor, unknown_at_terminal

BALANCED, NOT_BALANCED = 1, 2
ERROR = 3
"""The bank could not say: what it had compared before stands, and everything is uploaded (section 8.1)."""
_DOMESTIC = frozenset({"", "CUP"})
_BLOCKS = (slice(0, 31), slice(31, 62))
"""The two halves of field 48: domestic and foreign, a result digit at the end of each (section 8.1)."""


def batches(till: AnyTill, bank: Bank) -> Iterator[Finding]:
    """Every batch that this till has settled."""
    for settled in till.settled.values():
        yield from (
            Finding("batch", f"{till.name}, batch {settled.settlement.batch}: {text}")
            for text in _defects(till, bank, settled)
        )


def _defects(till: AnyTill, bank: Bank, settled: Settled) -> Iterator[str]:
    settlement, settings = settled.settlement, till.station.settings
    batch = bank.batches.find(settings.merchant_id, settings.terminal_id, settlement.batch)
    if batch is None or batch.state is not BatchState.CLOSED:
        yield "settled at the terminal, and not closed at the bank"
        return
    results, compared = _told(settlement), (batch.domestic, batch.foreign)
    if any(told not in {ERROR, known} for told, known in zip(results, compared, strict=True)):
        yield f"the results are {results} at the terminal and {compared} at the bank"
    if batch.claimed != settlement.totals:
        yield "the bank compared other totals than the terminal told"
    yield from _totals(settled)
    yield from _halves(till, bank, batch, settled)


def _totals(settled: Settled) -> Iterator[str]:
    """What was told is what the journal adds up to: counted here anew."""
    for is_domestic, block in zip((True, False), _BLOCKS, strict=True):
        sums = Counter[str]()
        for payment in settled.payments:
            if not counts(payment) or _is_domestic(payment) is not is_domestic:
                continue
            side = plan_of(payment).totals
            where = "credit" if side is Totals.CREDIT else "debit"
            sums[where] += moved_minor(payment)
            sums[f"{where} count"] += side is not Totals.RAISES
        due = f"{sums['debit']:012d}{sums['debit count']:03d}{sums['credit']:012d}{sums['credit count']:03d}"
        if (told := settled.settlement.totals[block][:30]) != due:
            yield f"its totals say {told}, its journal {due}"


def _halves(till: AnyTill, bank: Bank, batch: Batch, settled: Settled) -> Iterator[str]:
    uploads = bank.batches.uploads(batch.mid, batch.tid, batch.batch)
    records = Counter(
        (one.trace, one.amount_minor) for one in uploads if one.kind in {UploadKind.DETAIL, UploadKind.ADVICE}
    )
    domestic, foreign = _told(settled.settlement)
    wanted = Counter(
        (one.posted_stan, one.amount_minor)
        for one in settled.payments
        if counts(one) and (domestic if _is_domestic(one) else foreign) != BALANCED
    )
    if not settled.settlement.failed and records != wanted:
        extra, missing = (sorted(one.elements()) for one in (records - wanted, wanted - records))
        yield f"uploaded (trace, amount) {extra} for nothing, and {missing} not"
    if batch.records_told != settled.settlement.sent:
        yield f"{settled.settlement.sent} records were sent, the bank was told of {batch.records_told}"
    if batch.is_balanced and batch.claimed != batch.booked:
        yield "said to balance, and the totals differ"
    if NOT_BALANCED in {batch.domestic, batch.foreign}:
        yield from _unexplained(till, bank, batch, settled)


def _told(settlement: Settlement) -> tuple[int, int]:
    """The bank's answer to the totals as the terminal took it: what decides about the upload."""
    return settlement.domestic_result, settlement.foreign_result


def _is_domestic(payment: Payment) -> bool:
    return payment.card_organisation in _DOMESTIC


def _unexplained(till: AnyTill, bank: Bank, batch: Batch, settled: Settled) -> Iterator[str]:
    """The bank's own list of the batch against the journal's: every difference needs its reason."""
    unknown = {one.stan for one in unknown_at_terminal(till) if one.batch == batch.batch}
    booked = {
        one.trace: one.moved_minor
        for one in bank.payments.of_batch(batch.mid, batch.tid, batch.batch)
        if one.state is PaymentState.APPROVED and _side(one.kind) is not Side.NONE
    }
    journal = {one.posted_stan: moved_minor(one) for one in settled.payments if counts(one)}
    differing = {trace for trace, _ in booked.items() ^ journal.items()}
    if unexplained := sorted(differing - unknown):
        yield f"the totals differ, and nothing explains traces {unexplained}"
    if not differing:
        yield "the totals are said to differ, and every item agrees"


def _side(kind: PaymentKind) -> Side:
    plan = BY_KIND.get(kind)
    return plan.side if plan is not None else Side.NONE
