"""The message that a request refers to: how it is found, and whether it can serve.

Answers are response codes (iso8583-pos section 12, their meaning for a host): 25 not found, 12 it was
declined, 22 it is undone or used up, or too old, or of another batch, 14 another card.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from bank.cards import Card
from bank.office import Office
from bank.payments import Payment, PaymentKind, PaymentState
from bank.plans import Match, OriginalRule
from bank.request import Request


def find_original(
    office: Office, rule: OriginalRule, request: Request, card: Card | None
) -> tuple[Payment | None, str]:
    """The payment that `request` refers to, and the code that refuses it ("" if it can serve).

    `card`: the one in the message, None when there is none.
    """
    original = _found(office, rule, request, card)
    if original is None:
        return None, "25"
    if original.kind not in rule.kinds:
        return None, "22" if original.state is PaymentState.FORESTALLED else "25"
    if original.state is PaymentState.DECLINED and not rule.declined_too:
        return original, "12"
    if not _agrees(office, request, original):
        return original, "25"
    if card is not None and original.pan_sealed != card.pan_sealed:
        return original, "14"
    return original, "22" if _is_used_up(office, rule, request, original) else ""


def _found(office: Office, rule: OriginalRule, request: Request, card: Card | None) -> Payment | None:
    found = None
    if Match.MESSAGE in rule.by:
        found = _by_message(office, request)
    if found is None and Match.RRN in rule.by:
        found = office.payments.find_by_rrn(request.mid, request.text(37))
    reference = request.original
    is_unnamed = reference is None or not reference.names_a_message
    if found is None and Match.AUTH_CODE in rule.by and is_unnamed and card is not None:
        found = office.payments.find_authorisation(request.mid, request.text(38), card.pan_sealed)
    if found is None or (reference and not reference.names_day(found.date_mmdd)):
        return None
    return _completion_of(office, rule, found)


def _by_message(office: Office, request: Request) -> Payment | None:
    reference = request.original
    if reference is None or not reference.names_a_message:
        return None
    return office.payments.find(request.mid, request.tid, reference.batch, reference.trace)


def _completion_of(office: Office, rule: OriginalRule, found: Payment) -> Payment:
    """The completion of an authorisation that was named where a completion was meant, else `found`."""
    if found.kind is not PaymentKind.AUTHORISATION or PaymentKind.AUTHORISATION in rule.kinds:
        return found
    meant = [one for one in office.payments.referring_to(found.payment_id) if one.kind in rule.kinds]
    standing = [one for one in meant if one.state is PaymentState.APPROVED]
    return (standing or meant or [found])[-1]


def _agrees(office: Office, request: Request, original: Payment) -> bool:
    """Whether F37 and F38, where they were sent, are the original's (or those of its authorisation)."""
    before = office.payments.get(original.original_id) if original.original_id else None
    references = {one.rrn for one in (original, before) if one}
    has_reference = request.lacks(frozenset({37})) or request.text(37) in references
    has_code = request.lacks(frozenset({38})) or request.text(38) == original.auth_code
    return has_reference and has_code


def _is_used_up(office: Office, rule: OriginalRule, request: Request, original: Payment) -> bool:
    if original.state in {PaymentState.REVERSED, PaymentState.FORESTALLED}:
        return True
    if rule.same_batch and original.batch != request.batch:
        return True
    if rule.age_days:
        oldest = request.now - timedelta(days=getattr(office.policy.profile, rule.age_days))
        if datetime.fromisoformat(original.received_at) < oldest.replace(tzinfo=None):
            return True
    return any(one.kind in rule.spent_by for one in office.payments.standing(original.payment_id))
