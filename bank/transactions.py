"""How a plan is carried out: the card, the original, the PIN, the money, and then what it does to the books.

One flow for every type of transaction (iso8583-pos section 13, steps 6 to 11); what differs from type to
type is the row of `bank.plans`. It may hold and post money; the caller's store transaction makes that and the
answer one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from bank.answers import APPROVED, Outcome
from bank.cards import Card
from bank.checks import (
    amount_refusal,
    card_in,
    count_refusal,
    is_other_currency,
    pin_refusal,
    standing_refusal,
)
from bank.ledger import Hold, HoldState, PinState
from bank.merchants import Terminal
from bank.office import Office
from bank.originals import find_original
from bank.payments import Payment, PaymentKind
from bank.plans import AmountRule, CardFrom, Effect, PinRule, Plan
from bank.qualifications import QUALIFICATIONS, lacks_qualification
from bank.request import Request
from bank.schemes import organisation_of

_PARTIAL: Final = "10"
_TIP_DIGITS: Final = 12
_ENDED: Final = frozenset({HoldState.COMPLETED, HoldState.RELEASED})


@dataclass(frozen=True, slots=True)
class Case:
    """A request that passed the questions asked so far. `amount_minor`: what is to be moved or held."""

    office: Office
    plan: Plan
    request: Request
    payment_id: int
    amount_minor: int
    card: Card | None = None
    original: Payment | None = None
    hold: Hold | None = None

    def refused(self, code: str) -> Outcome:
        """The outcome of a case that goes no further."""
        pan = self.card.pan if self.card else None
        return Outcome(code, pan=pan, original_id=self.original.payment_id if self.original else None)


def carry_out(
    office: Office, plan: Plan, request: Request, terminal: Terminal, payment_id: int, *, part: bool = False
) -> Outcome:
    """Judge one request and, if nothing refuses it, do what its plan says.

    `part`: approve one half of the amount only, as a bank that is told to misbehave does.
    """
    case = Case(office, plan, request, payment_id, request.amount_minor)
    if request.lacks(plan.required):
        return case.refused("30")
    case, refusal = _with_card_and_original(case, terminal)
    refusal = refusal or _pin(case, terminal) or _amount(case) or ""
    if refusal:
        return case.refused(refusal)
    case, refusal = _with_funds(case, part=part)
    return case.refused(refusal) if refusal else _EFFECTS[plan.effect](case)


# --- which card, which original -----------------------------------------------------------------------


def _with_card_and_original(case: Case, terminal: Terminal) -> tuple[Case, str]:
    """The case with both, and the code that refuses it ("" for none)."""
    office, plan, request = case.office, case.plan, case.request
    card, refusal = None, ""
    if plan.card is CardFrom.MESSAGE or request.names_card:
        card, data, refusal = card_in(office, request, terminal)
        case = replace(case, card=card)
        if card is not None and data is not None and plan.standing:
            refusal = standing_refusal(office, request, card, data) or ""
    refusal = refusal or _qualification(case)
    if refusal or plan.original is None:
        return case, refusal
    original, refusal = find_original(office, plan.original, request, card.pan if card else None)
    if original is None or refusal:
        return replace(case, original=original), refusal
    hold = office.ledger.hold_of(original.payment_id)
    card = card or office.cards.find_sealed(original.pan_sealed)
    case = replace(case, original=original, hold=hold, card=card)
    return case, _hold_refusal(plan, hold)


def _qualification(case: Case) -> str:
    """What the contract of the merchant (58) or that of the card (57) does not allow."""
    organisation = organisation_of(case.card.pan) if case.card else ""
    held = case.office.merchants.qualifications(case.request.mid)
    if lacks_qualification(held, case.plan.kind, case.request, organisation):
        return "58"
    allowed = frozenset(QUALIFICATIONS) - (case.card.terms.forbids if case.card else frozenset())
    return "57" if lacks_qualification(allowed, case.plan.kind, case.request, organisation) else ""


def _hold_refusal(plan: Plan, hold: Hold | None) -> str:
    if plan.effect not in {Effect.RELEASE, Effect.COMPLETE, Effect.NOTE_PIN}:
        return ""
    assert hold is not None, "an approved authorisation has a hold"
    is_over = hold.state is not HoldState.OPEN if plan.needs_open_hold else hold.state in _ENDED
    if is_over:
        return "22"
    return "55" if plan.effect is Effect.COMPLETE and hold.pin_state is PinState.WRONG else ""


# --- the PIN and the money ----------------------------------------------------------------------------


def _pin(case: Case, terminal: Terminal) -> str | None:
    rule, card = case.plan.pin, case.card
    if rule is PinRule.NONE or card is None:
        return None
    if case.request.pin_block is None:
        is_needed = rule is PinRule.NEEDED or (rule is PinRule.CARD_DECIDES and card.pin_required)
        return "55" if is_needed else None
    refusal = pin_refusal(case.office, case.request, terminal, card)
    if case.plan.effect is Effect.NOTE_PIN and case.hold is not None and refusal in {None, "55"}:
        case.office.ledger.note_pin(case.hold.hold_id, PinState.WRONG if refusal else PinState.VERIFIED)
    return refusal


def _amount(case: Case) -> str | None:
    """What F4 may be: by the card where the plan looks at funds, and compared with the original."""
    if case.plan.funds:
        assert case.card is not None
        refusal = amount_refusal(case.office, case.request, case.card)
        return refusal or count_refusal(case.office, case.request, case.card)
    if case.plan.original is None or case.original is None:
        return None
    if case.card is not None and is_other_currency(case.office, case.request, case.card):
        return "12"
    return _AMOUNTS[case.plan.original.amount](case, case.original)


def _full(case: Case, original: Payment) -> str | None:
    return None if case.request.amount_minor == original.moved_minor else "64"


def _within_hold(case: Case, _original: Payment) -> str | None:
    assert case.hold is not None
    return None if 0 < case.request.amount_minor <= case.hold.completion_max_minor else "64"


def _rest(case: Case, original: Payment) -> str | None:
    standing = case.office.payments.standing(original.payment_id)
    tips = sum(one.moved_minor for one in standing if one.kind is PaymentKind.ADJUSTMENT)
    refunded = sum(one.moved_minor for one in standing if one.kind is PaymentKind.REFUND)
    return None if 0 < case.request.amount_minor <= original.moved_minor + tips - refunded else "64"


def _with_tip(case: Case, original: Payment) -> str | None:
    tip_minor = _tip_minor(case.request)
    if tip_minor is None:
        return "30"
    profile = case.office.policy.profile
    base_minor = original.moved_minor if profile.adjustment_amount == "total" else 0
    if case.request.amount_minor != base_minor + tip_minor or tip_minor == 0:
        return "64"
    return "61" if tip_minor * 100 > original.moved_minor * profile.tip_percent_max else None


def _tip_minor(request: Request) -> int | None:
    """Field 48 of an adjustment: twelve digits; None when it is something else."""
    text = request.text(48)
    return int(text) if len(text) == _TIP_DIGITS and text.isascii() and text.isdigit() else None


_AMOUNTS: Final[Mapping[AmountRule, Callable[[Case, Payment], str | None]]] = {
    AmountRule.FREE: lambda _case, _original: None,
    AmountRule.FULL: _full,
    AmountRule.WITHIN_HOLD: _within_hold,
    AmountRule.REST: _rest,
    AmountRule.WITH_TIP: _with_tip,
}


def _with_funds(case: Case, *, part: bool) -> tuple[Case, str]:
    """The case with the amount that is really there, and 51 when it is not enough."""
    if case.plan.effect is Effect.TIP:
        case = replace(case, amount_minor=_tip_minor(case.request) or 0)
    takes_money = case.plan.effect in {Effect.HOLD, Effect.COMPLETE, Effect.DEBIT, Effect.TIP}
    if not takes_money or case.card is None:
        return case, ""
    available_minor = case.office.ledger.account(case.card.account_id).available_minor
    if case.plan.effect is Effect.COMPLETE and case.hold and case.hold.state is HoldState.OPEN:
        available_minor += case.hold.amount_minor
    if part and case.amount_minor > 1:
        return replace(case, amount_minor=case.amount_minor // 2), ""
    if case.amount_minor <= available_minor:
        return case, ""
    may_be_part = case.plan.partial and case.request.takes_partial and case.card.terms.partial_approval
    if may_be_part and available_minor > 0:
        return replace(case, amount_minor=available_minor), ""
    return case, "51"


# --- what an approval does ----------------------------------------------------------------------------


def _nothing(case: Case) -> Outcome:
    return _approved(case)


def _tell_balance(case: Case) -> Outcome:
    """Field 54: account 00, amount type 02 (available), currency, C or D, twelve digits."""
    assert case.card is not None
    account = case.office.ledger.account(case.card.account_id)
    sign = "C" if account.available_minor >= 0 else "D"
    text = f"0002{account.currency}{sign}{abs(account.available_minor):012d}"
    return Outcome(APPROVED, pan=case.card.pan, fields={54: text})


def _hold(case: Case) -> Outcome:
    """Set the amount aside: for long, or until the PIN comes, if one is needed and was not sent yet."""
    assert case.card is not None
    profile, has_pin = case.office.policy.profile, case.request.pin_block is not None
    is_final = has_pin or not case.card.pin_required
    lifetime = timedelta(days=profile.preauth_valid_days) if is_final else case.office.policy.hold_lifetime
    percent = profile.completion_percent_max if is_final else 100
    hold_id = case.office.ledger.place_hold(
        case.card.account_id,
        case.payment_id,
        case.amount_minor,
        completion_max_minor=case.amount_minor * percent // 100,
        now=case.request.now,
        expires_at=case.request.now + lifetime,
    )
    if has_pin:
        case.office.ledger.note_pin(hold_id, PinState.VERIFIED)
    return _approved(case)


def _release(case: Case) -> Outcome:
    assert case.hold is not None
    case.office.ledger.set_hold(case.hold.hold_id, HoldState.RELEASED)
    return _approved(case)


def _complete(case: Case) -> Outcome:
    """Turn a hold into a posting. One that expired too, if the money is there."""
    assert case.hold is not None
    case.office.ledger.set_hold(case.hold.hold_id, HoldState.COMPLETED)
    return _debit(case)


def _debit(case: Case) -> Outcome:
    assert case.card is not None
    _move(case, debit=case.card.account_id, credit=_merchant_account(case))
    return _approved(case)


def _credit(case: Case) -> Outcome:
    assert case.card is not None
    _move(case, debit=_merchant_account(case), credit=case.card.account_id)
    return _approved(case)


def _approved(case: Case) -> Outcome:
    code, fields = APPROVED, {}
    if case.amount_minor < case.request.amount_minor and case.plan.partial:
        code, fields = _PARTIAL, {4: f"{case.amount_minor:012d}"}
    elif case.plan.standing and case.card is not None:
        code = case.card.terms.approval_code
    return Outcome(
        code,
        auth_code=_auth_code(case),
        pan=case.card.pan if case.card else None,
        original_id=case.original.payment_id if case.original else None,
        moved_minor=case.amount_minor,
        fields=fields,
    )


def _auth_code(case: Case) -> str | None:
    if case.plan.gives_code:
        return case.office.payments.new_auth_code(case.request.mid, case.office.entropy)
    return case.original.auth_code if case.original else case.request.text(38) or None


def _merchant_account(case: Case) -> int:
    merchant = case.office.merchants.find(case.request.mid)
    assert merchant is not None, "the authoriser has looked the merchant up"
    return merchant.account_id


def _move(case: Case, *, debit: int, credit: int) -> None:
    case.office.ledger.transfer(
        _POSTING_KINDS.get(case.plan.kind, case.plan.kind.value),
        debit=debit,
        credit=credit,
        amount_minor=case.amount_minor,
        now=case.request.now,
        payment_id=case.payment_id,
    )


_POSTING_KINDS: Final = {PaymentKind.COMPLETION_REQUEST: "completion"}

_EFFECTS: Final[Mapping[Effect, Callable[[Case], Outcome]]] = {
    Effect.NOTHING: _nothing,
    Effect.TELL_BALANCE: _tell_balance,
    Effect.HOLD: _hold,
    Effect.NOTE_PIN: _nothing,
    Effect.RELEASE: _release,
    Effect.COMPLETE: _complete,
    Effect.DEBIT: _debit,
    Effect.CREDIT: _credit,
    Effect.TIP: _debit,
}
