"""A merchant's way from the application to the end, as a table (`posterm diagram --machine merchant`)."""

from __future__ import annotations

from enum import Enum
from typing import Final

from bank.states import StateRow, StateRule, StateTable, refuse


class MerchantStatus(Enum):
    """Where a merchant is on its way. Only an active one may trade."""

    APPLIED = "applied"
    IN_REVIEW = "in_review"
    REJECTED = "rejected"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    CLOSED = "closed"


class MerchantEvent(Enum):
    """What is done with a merchant's file."""

    APPLY = "apply"
    AMEND = "amend"
    REVIEW = "review"
    APPROVE = "approve"
    REJECT = "reject"
    SUSPEND = "suspend"
    RESUME = "resume"
    CLOSE = "close"


S = MerchantStatus
E = MerchantEvent

_OPEN: Final = (S.APPLIED, S.IN_REVIEW)
_TRADED: Final = (S.ACTIVE, S.SUSPENDED)

_RULES: Final = (
    StateRule(S.APPLIED, E.AMEND, S.APPLIED, records=("file",)),
    StateRule(S.APPLIED, E.REVIEW, S.IN_REVIEW),
    StateRule(S.IN_REVIEW, E.AMEND, S.IN_REVIEW, records=("file",)),
    StateRule(S.IN_REVIEW, E.APPROVE, S.ACTIVE, "file_complete", ("file", "terminal")),
    StateRule(S.IN_REVIEW, E.APPROVE, S.IN_REVIEW, refuses="the file is not complete"),
    StateRule(S.IN_REVIEW, E.REJECT, S.REJECTED, "reason_given"),
    StateRule(S.IN_REVIEW, E.REJECT, S.IN_REVIEW, refuses="a rejection needs a reason"),
    StateRule(S.REJECTED, E.APPLY, S.APPLIED, records=("file",)),
    StateRule(S.ACTIVE, E.SUSPEND, S.SUSPENDED, "reason_given"),
    StateRule(S.ACTIVE, E.SUSPEND, S.ACTIVE, refuses="a suspension needs a reason"),
    StateRule(S.SUSPENDED, E.RESUME, S.ACTIVE),
    *(StateRule(state, E.CLOSE, S.CLOSED) for state in (*_OPEN, S.REJECTED)),
    *(
        rule
        for state in _TRADED
        for rule in (
            StateRule(state, E.CLOSE, S.CLOSED, "nothing_owed", ("terminals_out",)),
            StateRule(state, E.CLOSE, state, refuses="there is money that was not settled and paid out"),
        )
    ),
)

MERCHANT_TABLE: Final = StateTable(
    name="merchant",
    title="A merchant",
    initial=S.APPLIED,
    rows=(
        StateRow(S.APPLIED, "the application is in, with its documents"),
        StateRow(S.IN_REVIEW, "somebody of the bank examines it"),
        StateRow(S.ACTIVE, "it has a contract and a terminal, and trades"),
        StateRow(S.SUSPENDED, "its terminals are refused (03) until it is resumed"),
        StateRow(S.REJECTED, "the application was refused, with a reason; it may apply again"),
        StateRow(S.CLOSED, "it is over; its terminals are refused (03)", ended=True),
    ),
    events=tuple(MerchantEvent),
    rules=_RULES,
    refused={
        **refuse((*_OPEN, *_TRADED), (E.APPLY,), "there is a file of this merchant already"),
        **refuse((S.REJECTED,), (E.AMEND,), "it was rejected: apply again"),
        **refuse(_TRADED, (E.AMEND,), "it has a contract: what is in its file stands"),
        **refuse((S.APPLIED,), (E.APPROVE, E.REJECT), "it has not been reviewed"),
        **refuse((S.IN_REVIEW,), (E.REVIEW,), "it is being reviewed already"),
        **refuse((S.REJECTED,), (E.REVIEW, E.APPROVE, E.REJECT), "it was rejected: apply again"),
        **refuse(_TRADED, (E.REVIEW, E.APPROVE, E.REJECT), "it was approved already"),
        **refuse((*_OPEN, S.REJECTED), (E.SUSPEND, E.RESUME), "it does not trade"),
        **refuse((S.ACTIVE,), (E.RESUME,), "it trades already"),
        **refuse((S.SUSPENDED,), (E.SUSPEND,), "it is suspended already"),
        **refuse((S.CLOSED,), tuple(MerchantEvent), "it is closed"),
    },
)
