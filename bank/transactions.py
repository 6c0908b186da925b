"""How a plan is carried out: the card, the original, the PIN, the money, and then what it does to the books.

One flow for every type of transaction (iso8583-pos section 13, steps 6 to 11); what differs from type to
type is the row of `bank.plans`. First it is judged; what is held or posted follows when the payment has its
row. The caller's store transaction makes all of that and the answer one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

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
from bank.ledger import Account, Hold, HoldState, PinState
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
_TAKES_MONEY: Final = frozenset({Effect.HOLD, Effect.COMPLETE, Effect.DEBIT, Effect.TIP})


Booking = Callable[[int], None]
"""What an approval does to the books, for the payment with this number."""


@dataclass(slots=True)
class Case:
    """A request, and what the questions asked so far have found. `amount_minor`: what is to be moved or held.

    A question returns the response code that refuses the request, "" for none.
    """

    office: Office
    plan: Plan
    request: Request
    terminal: Terminal
    amount_minor: int
    card: Card | None = None
    account: Account | None = None  # of the card
    original: Payment | None = None
    hold: Hold | None = None

    def outcome(self, code: str, **values: Any) -> Outcome:
        """An outcome that names this case's card and original; `values`: the rest of an Outcome."""
        return Outcome(
            code,
            pan_sealed=self.card.pan_sealed if self.card else None,
            organisation=organisation_of(self.card.pan) if self.card else "",
            original_id=self.original.payment_id if self.original else None,
            **values,
        )


def judge(
    office: Office, plan: Plan, request: Request, terminal: Terminal, *, part: bool = False
) -> tuple[Outcome, Booking]:
    """Judge one request: what comes of it, and what it does to the books, which is nothing if it is refused.

    What the PIN was is written down here: a wrong one counts, whatever becomes of the request.
    `part`: approve one half of the amount only, as a bank that is told to misbehave does.
    """
    case = Case(office, plan, request, terminal, request.amount_minor)
    if request.lacks(plan.required):
        return case.outcome("30"), book_nothing
    refusal = _card_and_original(case) or _pin(case) or _amount(case) or _funds(case, part=part)
    if refusal:
        return case.outcome(refusal), book_nothing
    return _approved(case), functools.partial(_BOOKINGS[plan.effect], case)


# --- which card, which original -----------------------------------------------------------------------


def _card_and_original(case: Case) -> str:
    """Find both, with the hold of the original."""
    office, plan, request = case.office, case.plan, case.request
    refusal = ""
    if plan.card is CardFrom.MESSAGE or request.names_card:
        case.card, data, refusal = card_in(office, request, case.terminal)
        if case.card is not None and data is not None and plan.standing:
            refusal = standing_refusal(office, request, case.card, data) or ""
    refusal = refusal or _qualification(case)
    if refusal or plan.original is None:
        return refusal
    case.original, refusal = find_original(office, plan.original, request, case.card)
    if case.original is None or refusal:
        return refusal
    case.hold = office.ledger.hold_of(case.original.payment_id)
    case.card = case.card or office.cards.find_sealed(case.original.pan_sealed)
    return _hold_refusal(plan, case.hold)


def _qualification(case: Case) -> str:
    """What the contract of the merchant (58) or that of the card (57) does not allow."""
    kind, request, card = case.plan.kind, case.request, case.card
    organisation = organisation_of(card.pan) if card else ""
    if lacks_qualification(case.office.merchants.qualifications(request.mid), kind, request, organisation):
        return "58"
    if card is None or not card.terms.forbids:
        return ""
    allowed = frozenset(QUALIFICATIONS) - card.terms.forbids
    return "57" if lacks_qualification(allowed, kind, request, organisation) else ""


def _hold_refusal(plan: Plan, hold: Hold | None) -> str:
    if plan.effect not in {Effect.RELEASE, Effect.COMPLETE, Effect.NOTE_PIN}:
        return ""
    assert hold is not None, "an approved authorisation has a hold"
    is_over = hold.state is not HoldState.OPEN if plan.needs_open_hold else hold.state in _ENDED
    if is_over:
        return "22"
    return "55" if plan.effect is Effect.COMPLETE and hold.pin_state is PinState.WRONG else ""


# --- the PIN and the money ----------------------------------------------------------------------------


def _pin(case: Case) -> str | None:
    rule, card = case.plan.pin, case.card
    if rule is PinRule.NONE or card is None:
        return None
    if case.request.pin_block is None:
        is_needed = rule is PinRule.NEEDED or (rule is PinRule.CARD_DECIDES and card.pin_required)
        return "55" if is_needed else None
    refusal = pin_refusal(case.office, case.request, case.terminal, card)
    if case.plan.effect is Effect.NOTE_PIN and case.hold is not None and refusal in {None, "55"}:
        case.office.ledger.note_pin(case.hold.hold_id, PinState.WRONG if refusal else PinState.VERIFIED)
    return refusal


def _amount(case: Case) -> str | None:
    """What F4 may be: by the card where the plan looks at funds, and compared with the original."""
    if case.card is not None:
        case.account = case.office.ledger.account(case.card.account_id)
    if case.plan.funds:
        assert case.card is not None
        assert case.account is not None
        refusal = amount_refusal(case.request, case.card, case.account)
        return refusal or count_refusal(case.office, case.request, case.card)
    if case.plan.original is None or case.original is None:
        return None
    if case.account is not None and is_other_currency(case.request, case.account):
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


def _funds(case: Case, *, part: bool) -> str:
    """Take the amount that is really there; 51 when it is not enough."""
    if case.plan.effect is Effect.TIP:
        case.amount_minor = _tip_minor(case.request) or 0
    takes_money = case.plan.effect in _TAKES_MONEY
    if not takes_money or case.card is None or case.account is None:
        return ""
    available_minor = case.account.available_minor
    if case.plan.effect is Effect.COMPLETE and case.hold and case.hold.state is HoldState.OPEN:
        available_minor += case.hold.amount_minor
    if part and case.amount_minor > 1:
        case.amount_minor //= 2
        return ""
    if case.amount_minor <= available_minor:
        return ""
    may_be_part = case.plan.partial and case.request.takes_partial and case.card.terms.partial_approval
    if may_be_part and available_minor > 0:
        case.amount_minor = available_minor
        return ""
    return "51"


# --- what an approval says ----------------------------------------------------------------------------


def _approved(case: Case) -> Outcome:
    code, fields = APPROVED, {}
    if case.plan.effect is Effect.TELL_BALANCE:
        return case.outcome(code, fields={54: _balance(case)})
    if case.amount_minor < case.request.amount_minor and case.plan.partial:
        code, fields = _PARTIAL, {4: f"{case.amount_minor:012d}"}
    elif case.plan.standing and case.card is not None:
        code = case.card.terms.approval_code
    return case.outcome(code, auth_code=_auth_code(case), moved_minor=case.amount_minor, fields=fields)


def _balance(case: Case) -> str:
    """Field 54: account 00, amount type 02 (available), currency, C or D, twelve digits."""
    assert case.account is not None
    available_minor = case.account.available_minor
    sign = "C" if available_minor >= 0 else "D"
    return f"0002{case.account.currency}{sign}{abs(available_minor):012d}"


def _auth_code(case: Case) -> str | None:
    if case.plan.gives_code:
        return case.office.payments.new_auth_code(case.request.mid, case.office.entropy)
    return case.original.auth_code if case.original else case.request.text(38) or None


# --- what an approval does ----------------------------------------------------------------------------


def book_nothing(*_: object) -> None:
    """What a refusal does to the books."""


def _hold(case: Case, payment_id: int) -> None:
    """Set the amount aside: for long, or until the PIN comes, if one is needed and was not sent yet."""
    assert case.card is not None
    profile, has_pin = case.office.policy.profile, case.request.pin_block is not None
    is_final = has_pin or not case.card.pin_required
    lifetime = timedelta(days=profile.preauth_valid_days) if is_final else case.office.policy.hold_lifetime
    percent = profile.completion_percent_max if is_final else 100
    case.office.ledger.place_hold(
        case.card.account_id,
        payment_id,
        case.amount_minor,
        completion_max_minor=case.amount_minor * percent // 100,
        pin_state=PinState.VERIFIED if has_pin else PinState.UNSEEN,
        now=case.request.now,
        expires_at=case.request.now + lifetime,
    )


def _release(case: Case, _payment_id: int) -> None:
    assert case.hold is not None
    case.office.ledger.set_hold(case.hold.hold_id, HoldState.RELEASED)


def _complete(case: Case, payment_id: int) -> None:
    """Turn a hold into a posting. One that expired too, if the money is there."""
    assert case.hold is not None
    case.office.ledger.set_hold(case.hold.hold_id, HoldState.COMPLETED)
    _debit(case, payment_id)


def _debit(case: Case, payment_id: int) -> None:
    assert case.card is not None
    _move(case, payment_id, debit=case.card.account_id, credit=case.terminal.account_id)


def _credit(case: Case, payment_id: int) -> None:
    assert case.card is not None
    _move(case, payment_id, debit=case.terminal.account_id, credit=case.card.account_id)


def _move(case: Case, payment_id: int, *, debit: int, credit: int) -> None:
    case.office.ledger.transfer(
        _POSTING_KINDS.get(case.plan.kind, case.plan.kind.value),
        debit=debit,
        credit=credit,
        amount_minor=case.amount_minor,
        now=case.request.now,
        payment_id=payment_id,
    )


_POSTING_KINDS: Final = {PaymentKind.COMPLETION_REQUEST: "completion"}

_BOOKINGS: Final[Mapping[Effect, Callable[[Case, int], None]]] = {
    Effect.NOTHING: book_nothing,
    Effect.TELL_BALANCE: book_nothing,
    Effect.HOLD: _hold,
    Effect.NOTE_PIN: book_nothing,
    Effect.RELEASE: _release,
    Effect.COMPLETE: _complete,
    Effect.DEBIT: _debit,
    Effect.CREDIT: _credit,
    Effect.TIP: _debit,
}
