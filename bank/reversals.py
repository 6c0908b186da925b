"""A reversal undoes any of the reversible (iso8583-pos section 7.2)."""

from __future__ import annotations

from bank.answers import APPROVED, Outcome
from bank.ledger import HoldState
from bank.office import Office
from bank.payments import Payment, PaymentState
from bank.plans import BY_KIND, MAKES_NO_CLAIM, Effect
from bank.request import Request


def reverse(office: Office, request: Request, original: Payment | None, *, rrn: str) -> Outcome:
    """Undo the request that had this key.

    00: undone, also the second time. 12: it was declined. 25: unknown, and remembered from now on.
    64: another amount or kind than the original's. 22: too late, or nothing that can be reversed.
    """
    if original is None:
        unknown = Outcome("25")
        office.payments.forestall(request, unknown, rrn=rrn)
        return unknown
    if original.state is PaymentState.FORESTALLED:
        return Outcome("25")
    if (original.processing_code, original.amount_minor) != (request.text(3), request.amount_minor):
        return Outcome("64")
    if original.state is PaymentState.REVERSED:
        return Outcome(APPROVED)
    if original.state is PaymentState.DECLINED:
        return Outcome("12")
    claims = [one for one in office.payments.standing(original.payment_id) if one.kind not in MAKES_NO_CLAIM]
    if claims or not BY_KIND[original.kind].reversible:
        return Outcome("22")
    _undo(office, request, original)
    return Outcome(APPROVED)


def _undo(office: Office, request: Request, original: Payment) -> None:
    """Books and holds as if the original had never been. A hold whose time is over ends at once again."""
    effect = BY_KIND[original.kind].effect
    held_for = original.payment_id if effect is Effect.HOLD else original.original_id
    hold = office.ledger.hold_of(held_for) if held_for is not None else None
    if hold is not None and effect is Effect.HOLD:
        office.ledger.set_hold(hold.hold_id, HoldState.RELEASED)
    elif hold is not None and effect in {Effect.RELEASE, Effect.COMPLETE}:
        office.ledger.set_hold(hold.hold_id, HoldState.OPEN)
    office.ledger.reverse_postings(original.payment_id, now=request.now)
    office.payments.mark_reversed(original.payment_id, request.text(39))
