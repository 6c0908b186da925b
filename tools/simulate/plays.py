"""What is played in the crash matrix: every type of transaction, and all else that talks with the bank.

A play is what is done before it, how it begins, and from which state on its points count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from firmware.management_work import MESSAGES
from firmware.records import Flow
from firmware.txn.plans import PLANS
from tools.simulate.town import VISITOR

RICH = "rich0"


@dataclass(frozen=True, slots=True)
class Deed:
    """A transaction that is done before. `answer_lost`: the bank does it, and the terminal never learns."""

    kind: str
    card: str = RICH
    answer_lost: bool = False


class Begins(Enum):
    """How a play begins."""

    TRANSACTION = "transaction"  # of the type `what`
    SETTLEMENT = "settlement"
    SIGN_IN = "sign in"
    MANAGEMENT = "management"  # the message `what`


@dataclass(frozen=True, slots=True)
class Play:
    """One row of the matrix. `counts_from`: the state with which its points begin; "" for all of it.

    `answer_lost`: the bank does what it is asked first, and its answer is lost. `cancels_in`: the state in
    which the cardholder cancels.
    """

    name: str
    flow: Flow
    what: str
    begins: Begins = Begins.TRANSACTION
    before: tuple[Deed, ...] = ()
    counts_from: str = ""
    answer_lost: bool = False
    cancels_in: str = ""

    @property
    def title(self) -> str:
        """Its name, with the flow where it is not the usual one of that name."""
        return f"{self.name} ({self.flow.value})" if self.begins is Begins.TRANSACTION else self.name


NEEDS: Mapping[str, str] = {
    "refund": "purchase",
    "preauth_cancel": "preauth",
    "completion": "preauth",
    "completion_advice": "preauth",
    "completion_void": "completion",
}
"""What must have been done before a type that refers to something; the rest is in its plan."""

_BATCH = (
    Deed("purchase"),
    Deed("purchase", VISITOR),
    Deed("offline_settlement"),
    Deed("adjustment"),
    Deed("refund"),
)
"""Something of every part of an upload: advices, details of both halves, and what is told last."""
_UNKNOWN = (
    Deed("purchase"),
    Deed("refund", answer_lost=True),
    Deed("refund", VISITOR, answer_lost=True),
)
"""What the bank has and the terminal has not: nothing undoes a refund, so both halves differ."""


def _needed(kind: str) -> tuple[Deed, ...]:
    """What must have been done before that type, in order."""
    first = next(iter(PLANS[kind].originals), NEEDS.get(kind, ""))
    return (*_needed(first), Deed(first)) if first else ()


def _transaction(kind: str, flow: Flow = Flow.PIN_FIRST) -> Play:
    return Play(kind, flow, kind, before=_needed(kind))


def _reversal(name: str, flow: Flow, counts_from: str, *, cancelled: bool = False) -> Play:
    cancels_in = counts_from if cancelled else ""
    return Play(
        name, flow, "purchase", counts_from=counts_from, answer_lost=not cancelled, cancels_in=cancels_in
    )


PLAYS = (
    _transaction("purchase", Flow.AUTHORISE_FIRST),
    *(_transaction(kind) for kind in PLANS),
    _reversal("reversal_unanswered", Flow.AUTHORISE_FIRST, "authorising"),
    _reversal("reversal_unanswered", Flow.PIN_FIRST, "purchasing"),
    _reversal("reversal_cancelled", Flow.AUTHORISE_FIRST, "pin", cancelled=True),
    Play("settlement", Flow.PIN_FIRST, "", Begins.SETTLEMENT, _BATCH),
    Play("settlement_upload", Flow.PIN_FIRST, "", Begins.SETTLEMENT, (*_BATCH, *_UNKNOWN)),
    Play("sign_in", Flow.PIN_FIRST, "", Begins.SIGN_IN),
    *(
        Play(name, Flow.PIN_FIRST, name, Begins.MANAGEMENT)
        for name in MESSAGES
        if name != "parameters_end"  # the second half of "parameters"
    ),
)
"""The rows of the matrix, in order."""


def plays_named(text: str) -> tuple[Play, ...]:
    """The plays of a command line: "all", or names with commas. Raises ValueError."""
    if text == "all":
        return PLAYS
    known = dict.fromkeys(play.name for play in PLAYS)
    names = text.split(",")
    for name in names:
        if name not in known:
            raise ValueError(f"nothing called {name!r} is played: {', '.join(known)}")
    return tuple(play for play in PLAYS if play.name in names)
