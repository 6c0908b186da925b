"""The settlement of a batch: totals compared (0500), records uploaded (0320), the batch closed.

None of these messages carries a MAC (iso8583-pos sections 4 and 8), so none of them moves money: what an
upload says is set against the register, and people look at what differs. Each may come again: it is then
answered as before, and nothing is counted twice.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from bank.answers import APPROVED, Outcome
from bank.batches import Batch, Batches, BatchState, Upload, UploadKind
from bank.merchants import Merchants, Terminal
from bank.office import Office
from bank.payments import Payments
from bank.request import Request
from bank.schemes import is_domestic
from bank.settlement import BatchTotals, blocks
from bank.store import clock_text
from wire.errors import CodecError
from wire.iso8583.private import ChipUpload, F48Details, F48Totals, Totals

BALANCED: Final = 1
NOT_BALANCED: Final = 2
ERROR: Final = 3

_NOTHING: Final = F48Totals(Totals()).encode()
_COUNT_DIGITS: Final = 4
_CARD_KINDS: Final = {True: "00", False: "01"}  # domestic, foreign


def settle(office: Office, request: Request, terminal: Terminal, *, unbalanced: bool = False) -> Outcome:
    """0500: compare the terminal's totals with the register; the answer's field 48 has the results.

    `unbalanced`: say that they differ whatever they are, as a bank that is told to misbehave does.
    """
    claimed = _totals(request)
    if claimed is None:
        return refused_settlement(request)
    known = office.batches.find(terminal.mid, terminal.tid, request.batch)
    if known is None or known.state is not BatchState.CLOSED:
        known = _compare(office, request, terminal, claimed)
        if unbalanced:
            known = replace(known, domestic=NOT_BALANCED, foreign=NOT_BALANCED)
        office.batches.claim(known)
    answer = F48Totals(
        replace(claimed.domestic, result=known.domestic), replace(claimed.foreign, result=known.foreign)
    )
    return Outcome(APPROVED, fields={48: answer.encode(), 63: request.text(63) or "01 "})


def refused_settlement(request: Request) -> Outcome:
    """The answer to a settlement that is not understood, or not taken: there is no F39, but a result 3."""
    claimed = _totals(request) or F48Totals(Totals())
    refused = F48Totals(replace(claimed.domestic, result=ERROR), replace(claimed.foreign, result=ERROR))
    return Outcome("30", fields={48: refused.encode(), 63: request.text(63) or "01 "})


def _totals(request: Request) -> F48Totals | None:
    """Field 48 of a settlement with its result digits at 0; None when it is no such field."""
    try:
        told = F48Totals.parse(request.text(48))
    except CodecError:
        return None
    return F48Totals(replace(told.domestic, result=0), replace(told.foreign, result=0))


def _compare(office: Office, request: Request, terminal: Terminal, claimed: F48Totals) -> Batch:
    domestic, foreign = blocks(office.payments.of_batch(terminal.mid, terminal.tid, request.batch))
    booked = _told(domestic, foreign)
    return Batch(
        mid=terminal.mid,
        tid=terminal.tid,
        batch=request.batch,
        state=BatchState.CLAIMED,
        claimed=claimed.encode(),
        booked=booked or _NOTHING,
        domestic=_result(claimed.domestic, domestic) if booked else ERROR,
        foreign=_result(claimed.foreign, foreign) if booked else ERROR,
        records_told=None,
        claimed_at=clock_text(request.now),
        closed_at=None,
    )


def _told(domestic: BatchTotals, foreign: BatchTotals) -> str:
    """Both blocks as field 48 has them, or "" when there is more than it can say (999 of a kind)."""
    try:
        return F48Totals(domestic.block(), foreign.block()).encode()
    except CodecError:
        return ""


def _result(claimed: Totals, booked: BatchTotals) -> int:
    return BALANCED if claimed == booked.block() else NOT_BALANCED


# --- the upload ---------------------------------------------------------------------------------------


def take_details(office: Office, request: Request, terminal: Terminal) -> Outcome:
    """0320, 201: up to eight records of one half of the batch."""
    try:
        details = F48Details.parse(request.text(48)).details
    except CodecError:
        return Outcome("30")
    records = [
        Upload(
            UploadKind.DETAIL,
            one.trace,
            one.card_kind,
            one.amount_minor,
            office.hsm.seal_pan(one.pan) if one.pan else None,
        )
        for one in details
    ]
    return _taken(office, request, terminal, records)


def take_advice(office: Office, request: Request, terminal: Terminal) -> Outcome:
    """0320 with the fields of a 0220: an advice again, this time for the comparison."""
    known = office.payments.find(terminal.mid, terminal.tid, request.batch, request.trace)
    if not request.text(3) or request.lacks(frozenset({4, 11})):
        return Outcome("30")
    kind = _CARD_KINDS[is_domestic(known.organisation if known else "")]
    record = Upload(UploadKind.ADVICE, request.trace, kind, request.amount_minor)
    return _taken(office, request, terminal, [record])


def take_certificate(office: Office, request: Request, terminal: Terminal) -> Outcome:
    """0320, 203 or 205: the certificate of an approved chip transaction (field 62, usage 6)."""
    return _take_chip(office, request, terminal, "6", UploadKind.CERTIFICATE)


def take_failed(office: Office, request: Request, terminal: Terminal) -> Outcome:
    """0320, 204 or 206: a chip transaction that failed (field 62, usage 7)."""
    return _take_chip(office, request, terminal, "7", UploadKind.FAILED)


def _take_chip(office: Office, request: Request, terminal: Terminal, usage: str, kind: UploadKind) -> Outcome:
    try:
        told = ChipUpload.parse(request.binary(62) or b"")
    except CodecError:
        return Outcome("30")
    if told.usage != usage:
        return Outcome("30")
    record = Upload(kind, request.trace, told.card_kind, told.amount_minor)
    return _taken(office, request, terminal, [record])


def _taken(office: Office, request: Request, terminal: Terminal, records: list[Upload]) -> Outcome:
    """Enter an upload, if the batch's totals were told before; once it is closed it changes no more."""
    batch = office.batches.find(terminal.mid, terminal.tid, request.batch)
    if batch is None or request.lacks(frozenset({11})):
        return Outcome("12" if batch is None else "30")
    if batch.state is BatchState.CLAIMED:
        office.batches.take_upload(terminal.mid, terminal.tid, request.batch, request.trace, records)
    return Outcome(APPROVED)


def end_upload(office: Office, request: Request, terminal: Terminal) -> Outcome:
    """0320, 202 or 207: close the batch. The answer has another batch number if the next is not to be +1."""
    told = request.text(48)
    batch = office.batches.find(terminal.mid, terminal.tid, request.batch)
    if batch is None or len(told) != _COUNT_DIGITS:
        return Outcome("12" if batch is None else "30")
    if batch.state is BatchState.CLAIMED:
        office.batches.close(
            terminal.mid, terminal.tid, request.batch, records_told=int(told), now=request.now
        )
        if terminal.batch == request.batch:
            office.merchants.open_batch(terminal, _next_batch(office, terminal))
    current = office.merchants.terminal(terminal.mid, terminal.tid).batch
    is_next = int(current) == (int(request.batch) + 1) % 1_000_000
    return Outcome(
        APPROVED, fields={48: told} | ({} if is_next else {60: f"00{current}{request.network_code}"})
    )


def close_abandoned(
    batches: Batches, merchants: Merchants, payments: Payments, *, now: datetime
) -> list[Batch]:
    """Close what no terminal will settle any more: not its own batch, and no payment in it today.

    That is what a terminal leaves behind that has lost its storage: it signs in and gets another batch. There
    are no totals of its own, so the results say error (3), and the report shows all of it.
    """
    closed = []
    for terminal in merchants.terminals():
        for number in payments.quiet_batches(terminal.mid, terminal.tid, before=now):
            known = batches.find(terminal.mid, terminal.tid, number)
            if number == terminal.batch or (known and known.state is BatchState.CLOSED):
                continue
            if known is None:
                batches.claim(_unclaimed(payments, terminal, number, now))
            batches.close(terminal.mid, terminal.tid, number, records_told=0, now=now)
            found = batches.find(terminal.mid, terminal.tid, number)
            assert found is not None
            closed.append(found)
    return closed


def _unclaimed(payments: Payments, terminal: Terminal, number: str, now: datetime) -> Batch:
    domestic, foreign = blocks(payments.of_batch(terminal.mid, terminal.tid, number))
    return Batch(
        mid=terminal.mid,
        tid=terminal.tid,
        batch=number,
        state=BatchState.CLAIMED,
        claimed=_NOTHING,
        booked=_told(domestic, foreign) or _NOTHING,
        domestic=ERROR,
        foreign=ERROR,
        records_told=None,
        claimed_at=clock_text(now),
        closed_at=None,
    )


def _next_batch(office: Office, terminal: Terminal) -> str:
    return office.payments.unused_batch(terminal.mid, terminal.tid, after=terminal.batch)
