"""What the terminal remembers of its work: the records of the journal, as values.

Nothing here holds a card number, a track, a PIN or a key: a record can be stored, printed and exported as it
stands. The card's data lives in memory for as long as the transaction needs it, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import Enum
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, Self

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class Flow(Enum):
    """The order in which a swiped card's payment asks for the PIN."""

    AUTHORISE_FIRST = "authorise-first"
    PIN_FIRST = "pin-first"


class Outcome(Enum):
    """How a payment ended, as the merchant sees it."""

    APPROVED = "approved"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    FAILED = "failed"


class Reason(Enum):
    """Why a payment did not end approved, or what is left to do although it did."""

    NONE = ""
    CARD_UNREADABLE = "card_unreadable"
    CARD_DIFFERS = "card_differs"  # not the original's card
    CARD_REMOVED = "card_removed"
    CANCELLED = "cancelled"
    OPERATOR_TIMEOUT = "operator_timeout"
    HOST_UNREACHABLE = "host_unreachable"  # the request surely never left
    LINE_LOST = "line_lost"  # the connection broke with the request on its way
    NO_RESPONSE = "no_response"
    BAD_MAC = "bad_mac"
    BANK_DECLINED = "bank_declined"
    PIN_TRIES = "pin_tries"
    PIN_UNAVAILABLE = "pin_unavailable"  # the secure room refused an entry: too many in an hour, no key
    POWER_CUT = "power_cut"
    COMPLETION_REFUSED = "completion_refused"
    UNKNOWN = "unknown"  # the bank may have done it, and nothing can undo it: it must be asked


class SlipCopy(Enum):
    """Who gets this copy of the slip."""

    MERCHANT = "merchant"
    CARDHOLDER = "cardholder"


class ReversalReason(Enum):
    """F39 of a reversal (0400): why it is sent. Source: iso8583-pos section 7.2."""

    OPERATOR = "06"  # card removed, operator abort, PIN not verified
    UNFINISHED = "96"  # approved, but the terminal could not finish
    NO_RESPONSE = "98"
    BAD_MAC = "A0"


_PLAIN_TYPES = {"int": int, "str": str, "bool": bool}
_STORED_AS_THEY_ARE = {*_PLAIN_TYPES, "dict[str, str]"}
"""The annotations of such fields; the others are enumerations."""

CLEARED = "cleared"
"""The mark of a transaction whose message a supervisor has taken out of the outbox: it is settled by hand."""


@dataclass(frozen=True)
class Record:
    """What every record can do: a frozen dataclass of numbers, texts, flags and enumerations."""

    _enumerations: ClassVar[tuple[str, ...]] = ()  # the names of the fields that are not plain already

    def __init_subclass__(cls) -> None:
        """Find them, once for all its records."""
        kinds = cls.__annotations__.items()
        cls._enumerations = tuple(name for name, kind in kinds if kind not in _STORED_AS_THEY_ARE)

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain values, in the order of the fields."""
        values = dict(vars(self))
        for name in self._enumerations:
            if isinstance(value := values[name], Enum):  # or None
                values[name] = value.value
        return values

    def changed(self, **changes: Any) -> Self:
        """The same with other values in some fields. TypeError: there is no such field.

        As `dataclasses.replace`, which sets every field anew: that takes ten times as long for a payment,
        and each rule changes one.
        """
        values = vars(self) | changes
        if len(values) != len(vars(self)):
            raise TypeError(f"{type(self).__name__} has no {', '.join(changes.keys() - vars(self).keys())}")
        record = object.__new__(type(self))
        vars(record).update(values)
        return record


def has_plain_types(record: DataclassInstance) -> bool:
    """Whether every field of a record that is a number, a text or a flag holds one."""
    plain_of, types = _plain_fields(type(record))
    return tuple(map(type, plain_of(record))) == types


@cache
def _plain_fields(
    kind: type[DataclassInstance],
) -> tuple[Callable[[object], tuple[Any, ...]], tuple[type, ...]]:
    plain = {item.name: _PLAIN_TYPES[item.type] for item in fields(kind) if item.type in _PLAIN_TYPES}
    return attrgetter(*plain), tuple(plain.values())


@dataclass(frozen=True)
class Payment(Record):
    """One transaction, from the amount to the slip; the journal keeps the newest version.

    `kind` is its type, a name in `firmware.txn.plans.PLANS`; `sends` is the type whose message it sends. They
    differ where the bank knows a thing by another name: the authorise-first purchase sends first what a
    pre-authorisation sends, and the void of one voids its completion. The `original_` fields name the
    transaction that it is about. `mark` says what a later one made of it ("voided", "adjusted"), `tip_minor`
    what an adjustment adds to it; in the adjustment's own record that is part of `amount_minor`.

    `stan` is the trace of the message that authorised the money (0100 or 0200), and the voucher number on the
    slip; `rrn`, `authorisation_code` and the host's date and time come from its answer.
    """

    number: int  # counts the terminal's payments from 1, never reused
    flow: Flow
    amount_minor: int
    kind: str = "purchase"
    sends: str = "purchase"
    state: str = "opening"
    currency: str = "156"  # ISO 4217 numeric, as F49 carries it
    batch: str = ""
    stan: str = ""
    rrn: str = ""
    authorisation_code: str = ""
    response_code: str = ""
    host_date: str = ""  # MMDD
    host_time: str = ""  # hhmmss
    settlement_date: str = ""  # MMDD
    issuer: str = ""
    acquirer: str = ""
    acquiring_institution: str = ""  # F32
    card_organisation: str = ""
    host_text: str = ""
    entry_mode: str = "02"  # first two digits of F22
    pan_masked: str = ""
    expiry_yymm: str = ""
    pin_entered: bool = False
    wrong_pins: int = 0
    bad_swipes: int = 0
    verification_stan: str = ""  # trace of the newest PIN verification
    completion_stan: str = ""
    completion_rrn: str = ""
    original_number: int = 0  # its number in this journal; 0 when it is not here
    original_batch: str = ""
    original_stan: str = ""  # under which the bank has posted it
    original_voucher: str = ""  # as on its slip: the same, but for an authorise-first purchase
    original_date: str = ""  # MMDD
    original_rrn: str = ""
    original_code: str = ""
    tip_minor: int = 0
    mark: str = ""
    is_fallback: bool = False  # the stripe was read because the chip could not be
    outcome: Outcome | None = None
    reason: Reason = Reason.NONE
    reversed: bool = False  # the bank has confirmed that the authorisation is undone
    completed: bool = False  # the bank has confirmed the completion, or the advice
    copies_printed: int = 0
    operator: str = "01"
    started_at: str = ""  # the terminal's clock, ISO 8601 without zone

    @property
    def stands(self) -> bool:
        """Whether it counts: approved, not undone, and not refused by the bank afterwards."""
        is_approved = self.outcome is Outcome.APPROVED and not self.reversed
        return is_approved and self.reason is not Reason.COMPLETION_REFUSED

    @property
    def posted_stan(self) -> str:
        """The trace under which the bank has posted it: the completion's where there is one."""
        return self.completion_stan or self.stan

    @property
    def posted_rrn(self) -> str:
        """The bank's reference number of what was posted."""
        return self.completion_rrn or self.rrn

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The record that `to_json` gave."""
        outcome = values["outcome"]
        return cls(
            **values
            | {
                "flow": Flow(values["flow"]),
                "outcome": None if outcome is None else Outcome(outcome),
                "reason": Reason(values["reason"]),
            }
        )


class SettlementStep(Enum):
    """How far a settlement has come (iso8583-pos section 8.3)."""

    TOTALS = "totals"  # the bank is to compare
    RECORDS = "records"  # what differs is uploaded
    END = "end"  # the bank is to be told that this is all
    PAPER = "paper"  # the slip is due
    CLOSED = "closed"


@dataclass(frozen=True)
class Settlement(Record):
    """The newest settlement; until its step is CLOSED nothing new is sold."""

    batch: str
    stan: str  # trace of the message at hand
    totals: str  # field 48 of the request
    step: SettlementStep = SettlementStep.TOTALS
    domestic_result: int = 0  # 1 balanced, 2 not balanced, 3 error
    foreign_result: int = 0
    position: int = 0  # how many messages of the upload are done
    sent: int = 0  # records told to the bank, those that it did not take included
    failed: int = 0
    tries: int = 0  # of the message at hand
    next_batch: str = ""  # where the bank names one that is not the next
    started_at: str = ""  # the terminal's clock, ISO 8601 without zone

    @property
    def is_open(self) -> bool:
        """Whether something of it is left to do."""
        return self.step is not SettlementStep.CLOSED

    @property
    def is_balanced(self) -> bool:
        """Whether the bank has the same totals."""
        return self.domestic_result == self.foreign_result == 1

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The record that `to_json` gave."""
        return cls(**values | {"step": SettlementStep(values["step"])})


class OutgoingKind(Enum):
    """What the outbox holds."""

    REVERSAL = "reversal"
    SCRIPT_RESULT = "script_result"
    COMPLETION = "completion"
    ADVICE = "advice"  # of what the terminal itself has approved


class OutgoingState(Enum):
    """Where an outgoing message stands."""

    HELD = "held"  # a reversal whose transaction is still running: not to be sent
    DUE = "due"  # to be sent until a definite answer
    REFUSED = "refused"  # the bank gave a definite no: kept for the operator, not sent again


@dataclass(frozen=True)
class Outgoing(Record):
    """A message that must reach the bank, whatever happens in between.

    It holds only what the message repeats from its payment's own request, so that a repeat after a power cut
    is the same message: field numbers with the text that goes into them, F64 apart. `names_card`: the card's
    number and expiry come with it when it is sent, out of the secure room.
    """

    number: int
    kind: OutgoingKind
    payment_number: int
    mti: str
    fields: dict[str, str]
    state: OutgoingState
    attempts: int = 0
    refusals: int = 0  # attempts that the bank has answered with a no, trouble of its own apart
    refused_with: str = ""  # the newest such answer's code
    names_card: bool = False
    chip_data: str = ""  # field 55 in hex

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The record that `to_json` gave."""
        return cls(**values | {"kind": OutgoingKind(values["kind"]), "state": OutgoingState(values["state"])})
