"""Every transaction as a row of a table: what selects it, what it must carry, how it is judged and booked.

`bank.transactions` carries a row out; nothing about a single type of transaction stands there. Sources:
iso8583-pos sections 2.2 (selectors), 4 (fields), 7 (rules) and 8.1 (totals). Verification of a PIN after the
authorisation is posterm's own message (docs/decisions 0002).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from bank.payments import PaymentKind as Kind
from bank.request import Request


class CardFrom(Enum):
    """Where the card is known from."""

    MESSAGE = "the message"
    ORIGINAL = "the original; a card in the message must be the same"


class PinRule(Enum):
    """Whether a PIN is asked for. One that was sent is verified in any case but NONE."""

    CARD_DECIDES = "needed if the card needs one"
    IF_SENT = "not needed"
    NEEDED = "needed"
    NONE = "not looked at"


class Effect(Enum):
    """What an approval does to the books."""

    NOTHING = "nothing"
    TELL_BALANCE = "the balance goes into the answer"
    HOLD = "the amount is set aside"
    NOTE_PIN = "the hold learns what the PIN was"
    RELEASE = "the original's hold is released"
    COMPLETE = "the original's hold becomes a posting"
    DEBIT = "from the card to the merchant"
    CREDIT = "from the merchant to the card"
    TIP = "the tip (F48) from the card to the merchant"


class AmountRule(Enum):
    """What F4 must be, compared with the original; 64 otherwise."""

    FREE = "anything"
    FULL = "the original's whole amount"
    WITHIN_HOLD = "up to what may be completed"
    REST = "up to what has not been refunded yet"
    WITH_TIP = "the original's amount and the tip, which has a limit of its own (61)"


class Match(Enum):
    """How the original is found."""

    MESSAGE = "F61 names batch and trace of a message of this terminal"
    AUTH_CODE = "F38 and the card"
    RRN = "F37, at any terminal of the merchant"


class Side(Enum):
    """On which side of the batch's totals it counts."""

    NONE = "not at all"
    DEBIT = "debit"
    CREDIT = "credit"
    RAISES = "raises its original's amount"


@dataclass(frozen=True, slots=True)
class OriginalRule:
    """What a linked transaction may refer to.

    `spent_by`: kinds of which one that stands takes the original away (22). `age_days`: the name of the
    profile's limit. F37, F38 and F61 must agree with the original wherever they are sent (25). Where a
    completion is meant, its authorisation may be named: that is the number on the slip.
    """

    kinds: frozenset[Kind]
    by: tuple[Match, ...]
    amount: AmountRule = AmountRule.FREE
    spent_by: frozenset[Kind] = frozenset()
    same_batch: bool = False
    age_days: str = ""
    declined_too: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """One type of transaction.

    `required`: fields beside F3 11 41 42 60 64. `standing`: whether a card that is blocked, expired or asked
    to use its chip is refused. `funds`: whether amount, currency, limit and balance are looked at.
    `partial`: whether a part of the amount may be approved (10). `needs_open_hold`: whether a hold whose time
    is over is refused (22).
    """

    kind: Kind
    required: frozenset[int]
    card: CardFrom
    pin: PinRule
    effect: Effect
    side: Side = Side.NONE
    original: OriginalRule | None = None
    standing: bool = False
    funds: bool = False
    partial: bool = False
    reversible: bool = False
    needs_open_hold: bool = False
    gives_code: bool = False  # a new authorisation code (F38)


Selector = tuple[str, str, str, str]  # MTI, F3, F25, 60.1

_MONEY: Final = frozenset({4, 22, 25, 49})
_SALES: Final = frozenset({Kind.PURCHASE, Kind.COMPLETION, Kind.COMPLETION_REQUEST, Kind.OFFLINE_SALE})
_VOIDS: Final = frozenset({Kind.PURCHASE_VOID, Kind.COMPLETION_VOID})
_COMPLETIONS: Final = frozenset({Kind.COMPLETION, Kind.COMPLETION_REQUEST})
_CHANGES: Final = frozenset({*_VOIDS, Kind.REFUND, Kind.ADJUSTMENT})
_HOLD_ENDS: Final = frozenset({*_COMPLETIONS, Kind.AUTHORISATION_CANCEL})
_HELD: Final = frozenset({Kind.AUTHORISATION})
_HELD_BY: Final = (Match.MESSAGE, Match.AUTH_CODE)

_ADJUSTMENT = Plan(
    Kind.ADJUSTMENT,
    _MONEY | {48, 61},
    CardFrom.ORIGINAL,
    PinRule.NONE,
    Effect.TIP,
    Side.RAISES,
    OriginalRule(_SALES, (Match.MESSAGE,), AmountRule.WITH_TIP, _CHANGES, same_batch=True),
)

PLANS: Final[Mapping[Selector, Plan]] = {
    ("0200", "310000", "00", "01"): Plan(
        Kind.BALANCE,
        frozenset({22, 25}),
        CardFrom.MESSAGE,
        PinRule.CARD_DECIDES,
        Effect.TELL_BALANCE,
        standing=True,
    ),
    ("0200", "000000", "00", "22"): Plan(
        Kind.PURCHASE,
        _MONEY,
        CardFrom.MESSAGE,
        PinRule.CARD_DECIDES,
        Effect.DEBIT,
        Side.DEBIT,
        standing=True,
        funds=True,
        partial=True,
        reversible=True,
        gives_code=True,
    ),
    ("0200", "200000", "00", "23"): Plan(
        Kind.PURCHASE_VOID,
        _MONEY | {37, 61},
        CardFrom.ORIGINAL,
        PinRule.IF_SENT,
        Effect.CREDIT,
        Side.CREDIT,
        OriginalRule(
            frozenset({Kind.PURCHASE}), (Match.MESSAGE,), AmountRule.FULL, _CHANGES, same_batch=True
        ),
        reversible=True,
    ),
    ("0220", "200000", "00", "25"): Plan(
        Kind.REFUND,
        _MONEY | {37, 61},
        CardFrom.MESSAGE,
        PinRule.IF_SENT,
        Effect.CREDIT,
        Side.CREDIT,
        OriginalRule(_SALES, (Match.RRN,), AmountRule.REST, _VOIDS, age_days="refund_days_max"),
    ),
    ("0100", "030000", "06", "10"): Plan(
        Kind.AUTHORISATION,
        _MONEY,
        CardFrom.MESSAGE,
        PinRule.IF_SENT,
        Effect.HOLD,
        standing=True,
        funds=True,
        reversible=True,
        gives_code=True,
    ),
    ("0100", "330000", "06", "01"): Plan(
        Kind.PIN_VERIFICATION,
        frozenset({22, 25, 38, 52, 53, 61}),
        CardFrom.ORIGINAL,
        PinRule.NEEDED,
        Effect.NOTE_PIN,
        original=OriginalRule(_HELD, _HELD_BY, spent_by=_HOLD_ENDS),
        needs_open_hold=True,
    ),
    ("0100", "200000", "06", "11"): Plan(
        Kind.AUTHORISATION_CANCEL,
        _MONEY | {38, 61},
        CardFrom.ORIGINAL,
        PinRule.IF_SENT,
        Effect.RELEASE,
        original=OriginalRule(_HELD, _HELD_BY, AmountRule.FULL, _HOLD_ENDS),
        needs_open_hold=True,
        reversible=True,
    ),
    ("0200", "000000", "06", "20"): Plan(
        Kind.COMPLETION_REQUEST,
        _MONEY | {38, 61},
        CardFrom.ORIGINAL,
        PinRule.IF_SENT,
        Effect.COMPLETE,
        Side.DEBIT,
        OriginalRule(_HELD, _HELD_BY, AmountRule.WITHIN_HOLD, _HOLD_ENDS),
        needs_open_hold=True,
        reversible=True,
    ),
    ("0220", "000000", "06", "24"): Plan(
        Kind.COMPLETION,
        _MONEY | {38, 61},
        CardFrom.ORIGINAL,
        PinRule.NONE,
        Effect.COMPLETE,
        Side.DEBIT,
        OriginalRule(_HELD, _HELD_BY, AmountRule.WITHIN_HOLD, _HOLD_ENDS),
    ),
    ("0200", "200000", "06", "21"): Plan(
        Kind.COMPLETION_VOID,
        _MONEY | {37, 38, 61},
        CardFrom.ORIGINAL,
        PinRule.IF_SENT,
        Effect.CREDIT,
        Side.CREDIT,
        OriginalRule(_COMPLETIONS, (Match.MESSAGE,), AmountRule.FULL, _CHANGES, same_batch=True),
        reversible=True,
    ),
    ("0220", "000000", "00", "30"): Plan(
        Kind.OFFLINE_SALE,
        _MONEY | {38},
        CardFrom.MESSAGE,
        PinRule.NONE,
        Effect.DEBIT,
        Side.DEBIT,
        standing=True,
        funds=True,
    ),
    ("0220", "000000", "00", "32"): _ADJUSTMENT,
    ("0220", "000000", "00", "34"): _ADJUSTMENT,
}
"""What the bank does, by what selects it."""

SCRIPT_RESULT: Final = Plan(
    Kind.SCRIPT_RESULT,
    frozenset({22, 25, 37, 49, 55, 61}),
    CardFrom.ORIGINAL,
    PinRule.NONE,
    Effect.NOTHING,
    original=OriginalRule(frozenset(Kind) - {Kind.UNKNOWN}, (Match.MESSAGE,), declined_too=True),
)
"""The advice of what a card did with the issuer's script: 0620, its original's codes, and 60.3 951."""

BY_KIND: Final[Mapping[Kind, Plan]] = {plan.kind: plan for plan in (*PLANS.values(), SCRIPT_RESULT)}
"""The plan that a row of the register was carried out by."""

MAKES_NO_CLAIM: Final = frozenset({Kind.PIN_VERIFICATION, Kind.SCRIPT_RESULT})
"""Kinds that refer to an original and still leave it free to be reversed."""

_SCRIPT_RESULT_CODE: Final = "951"


def plan_of(request: Request) -> Plan | None:
    """The plan that a request selects, or None."""
    if request.mti == "0620":
        return SCRIPT_RESULT if request.network_code == _SCRIPT_RESULT_CODE else None
    return PLANS.get(request.selector)
