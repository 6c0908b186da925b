"""What each type of transaction needs, asks, sends, prints and posts: one table over one machine.

The transaction table (`firmware.txn.transaction`) has the steps that a transaction may take; a plan says which
of them its type takes and what it sends. A new type is a row here, not a flow of its own.

Sources: iso8583-pos sections 2.2 (what selects a message), 5.1 (switches), 7.4 to 7.7 (rules of each type).
PIN verification is posterm's own message (docs/decisions): the published tables have none, because today's
networks send the PIN with the purchase. It takes codes that no published message uses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import combinations


@dataclass(frozen=True, slots=True)
class MessagePlan:
    """One kind of request."""

    mti: str
    processing_code: str  # F3
    condition_code: str  # F25
    type_code: str  # F60.1


class Ask(Enum):
    """What a person is asked for, in the order in which it is asked."""

    ORIGINAL = "original"  # the voucher number of a payment of this batch
    REFERENCE = "reference"  # the bank's reference number (F37) of the original
    AUTHORISATION_CODE = "authorisation_code"  # of the original (F38)
    ORIGINAL_DATE = "original_date"  # MMDD
    AMOUNT = "amount"
    CARD = "card"
    PIN = "pin"


class Amount(Enum):
    """What the amount of a transaction is."""

    NONE = "none"
    TYPED = "typed"
    ORIGINAL = "original"  # all of the original's
    TIP = "tip"  # the tip is typed; the amount is the original's with the tip


class Authority(Enum):
    """Who may do it (section 5.3)."""

    CASHIER = "cashier"
    SUPERVISOR = "supervisor"


class Totals(Enum):
    """Where it counts in the settlement."""

    NONE = "none"
    DEBIT = "debit"
    CREDIT = "credit"
    RAISES = "raises"  # not by itself: it raises the amount of its original


class Delivery(Enum):
    """How it reaches the bank."""

    ONLINE = "online"  # the bank decides
    STORED = "stored"  # the terminal decides; the advice follows when there is time


class Link(Enum):
    """Which original a message names, and how: F37, F38, F61 (section 3.3)."""

    NONE = "none"
    VOUCHER = "voucher"  # F37, F38 and F61 with batch, trace and date, from the journal
    REFERENCE = "reference"  # F37 and the date, as typed
    AUTHORISATION = "authorisation"  # F38 and the date, as typed
    TELEPHONE = "telephone"  # F38, as the issuer gave it on the telephone


class Mark(Enum):
    """What becomes of the original when the transaction stands."""

    NONE = ""
    VOIDED = "voided"
    ADJUSTED = "adjusted"


@dataclass(frozen=True, slots=True)
class Plan:
    """One type of transaction.

    `switch`: its bit in parameter 26, from 1; 0 when it has none. `originals`: the names of the types whose
    payments it refers to by voucher number. `mark`: what it makes of that payment. `manual_entry`: whether the
    card number may be typed, where the parameters allow it at all.
    """

    name: str
    message: MessagePlan
    asks: tuple[Ask, ...]
    amount: Amount = Amount.TYPED
    authority: Authority = Authority.CASHIER
    totals: Totals = Totals.NONE
    delivery: Delivery = Delivery.ONLINE
    link: Link = Link.NONE
    reversible: bool = False
    manual_entry: bool = True
    has_slip: bool = True
    switch: int = 0
    originals: tuple[str, ...] = ()
    mark: Mark = Mark.NONE

    @property
    def may_be_left_out(self) -> frozenset[Ask]:
        """What settings do without: of a void its card and its PIN, of the seven steps the PIN before the message."""
        if self.originals:
            return frozenset(self.asks) & {Ask.CARD, Ask.PIN}
        return frozenset({Ask.PIN}) if self is DEFAULT_PLAN else frozenset()

    def orders(self) -> Iterator[tuple[Ask, ...]]:
        """Everything that it may ask for, in its order: all of it, and less what may be left out."""
        for count in range(len(self.may_be_left_out) + 1):
            for left_out in combinations(sorted(self.may_be_left_out, key=self.asks.index), count):
                yield tuple(ask for ask in self.asks if ask not in left_out)


AUTHORISATION = MessagePlan("0100", "030000", "06", "10")
PIN_VERIFICATION = MessagePlan("0100", "330000", "06", "01")
COMPLETION = MessagePlan("0220", "000000", "06", "24")
PURCHASE = MessagePlan("0200", "000000", "00", "22")
REVERSAL_MTI = "0400"
SIGN_IN_MTI = "0800"

# The columns are meant to be read down.
# fmt: off
# ruff: noqa: E501 - one type a line, however long
_A = Ask
_BY_CODE = (_A.AUTHORISATION_CODE, _A.ORIGINAL_DATE, _A.AMOUNT, _A.CARD)
_CREDIT, _DEBIT = Totals.CREDIT, Totals.DEBIT

_ROWS = (
    Plan("purchase",           PURCHASE,                                    (_A.AMOUNT, _A.CARD, _A.PIN),   totals=_DEBIT,  reversible=True, switch=6),
    Plan("balance",            MessagePlan("0200", "310000", "00", "01"),   (_A.CARD, _A.PIN),              Amount.NONE,    switch=1, manual_entry=False, has_slip=False),
    Plan("purchase_void",      MessagePlan("0200", "200000", "00", "23"),   (_A.ORIGINAL, _A.CARD, _A.PIN), Amount.ORIGINAL, Authority.SUPERVISOR, _CREDIT, link=Link.VOUCHER, reversible=True, switch=7, originals=("purchase",), mark=Mark.VOIDED),
    Plan("refund",             MessagePlan("0220", "200000", "00", "25"),   (_A.REFERENCE, _A.ORIGINAL_DATE, _A.AMOUNT, _A.CARD), Amount.TYPED, Authority.SUPERVISOR, _CREDIT, link=Link.REFERENCE, switch=8),
    Plan("preauth",            AUTHORISATION,                               (_A.AMOUNT, _A.CARD, _A.PIN),   reversible=True, switch=2),
    Plan("preauth_cancel",     MessagePlan("0100", "200000", "06", "11"),   (*_BY_CODE, _A.PIN),            Amount.TYPED,   Authority.SUPERVISOR, link=Link.AUTHORISATION, reversible=True, switch=3),
    Plan("completion",         MessagePlan("0200", "000000", "06", "20"),   (*_BY_CODE, _A.PIN),            totals=_DEBIT,  link=Link.AUTHORISATION, reversible=True, switch=4),
    Plan("completion_advice",  COMPLETION,                                  _BY_CODE,                       totals=_DEBIT,  link=Link.AUTHORISATION, delivery=Delivery.STORED, switch=11),
    Plan("completion_void",    MessagePlan("0200", "200000", "06", "21"),   (_A.ORIGINAL, _A.CARD, _A.PIN), Amount.ORIGINAL, Authority.SUPERVISOR, _CREDIT, link=Link.VOUCHER, reversible=True, switch=5, originals=("completion",), mark=Mark.VOIDED),
    Plan("offline_settlement", MessagePlan("0220", "000000", "00", "30"),   (_A.AUTHORISATION_CODE, _A.AMOUNT, _A.CARD), totals=_DEBIT, link=Link.TELEPHONE, delivery=Delivery.STORED, switch=9),
    Plan("adjustment",         MessagePlan("0220", "000000", "00", "32"),   (_A.ORIGINAL, _A.AMOUNT),       Amount.TIP,     totals=Totals.RAISES, link=Link.VOUCHER, delivery=Delivery.STORED, switch=10, originals=("purchase", "offline_settlement"), mark=Mark.ADJUSTED),
)
# fmt: on

PLANS: Mapping[str, Plan] = {plan.name: plan for plan in _ROWS}
"""Every type of transaction by its name."""

DEFAULT_PLAN = PLANS["purchase"]
