"""The transaction table: one card payment in both flows, as data.

`authorise-first` is the default for a swiped card: the seven steps. `pin-first` asks for the PIN before one
online message. Both share the card, the connection, the paper and the undoing; the rules that differ carry a
guard. What each message contains is in `firmware.txn.plans`.

Two principles explain most rows. A reversal is stored, held, in the same commit that allows the request to
leave; it is dropped only by a definite answer or by the commit that stores the completion in its place. And
from that commit on the money has moved: nothing a person does at the terminal undoes it any more.
"""

# The columns are meant to be read down.
# fmt: off
# ruff: noqa: E501 - one rule a line, however long

from __future__ import annotations

from enum import Enum

from firmware.records import Outcome, Reason, ReversalReason
from firmware.txn.schema import Group, Keys, Kind, Recovery, Row, Rule, Table, ignore


class State(Enum):
    """The states of one payment."""

    AMOUNT = "amount"
    CARD = "card"
    PURCHASE_PIN = "purchase_pin"
    CONNECTING = "connecting"
    AUTHORISING = "authorising"
    AUTHORISED = "authorised"
    PIN = "pin"
    VERIFYING_PIN = "verifying_pin"
    WRONG_PIN = "wrong_pin"
    PURCHASING = "purchasing"
    PRINTING = "printing"
    PRINTER_STOPPED = "printer_stopped"
    TEAR_OFF = "tear_off"
    COMPLETING = "completing"
    REVERSING = "reversing"
    APPROVED = "approved"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    FAILED = "failed"


class Event(Enum):
    """What can happen to a payment."""

    AMOUNT_ENTERED = "amount_entered"
    CONFIRM = "confirm"
    CANCEL = "cancel"
    CARD_READ = "card_read"
    CARD_UNREADABLE = "card_unreadable"
    CARD_REMOVED = "card_removed"
    PIN_ENTERED = "pin_entered"
    PIN_BYPASSED = "pin_bypassed"
    PIN_UNAVAILABLE = "pin_unavailable"
    LINK_UP = "link_up"
    LINK_DOWN = "link_down"
    HOST_APPROVED = "host_approved"
    HOST_DECLINED = "host_declined"
    HOST_WRONG_PIN = "host_wrong_pin"
    HOST_BAD_MAC = "host_bad_mac"
    HOST_NOT_SENT = "host_not_sent"
    HOST_LOST = "host_lost"
    COPY_PRINTED = "copy_printed"
    PRINTER_STOPPED = "printer_stopped"
    PRINTER_READY = "printer_ready"
    TIMEOUT = "timeout"


S, E, R = State, Event, Recovery

ROWS = (
    Row(S.AMOUNT,          Group.ENTRY,  Kind.WAITING, "enter_amount",    "operator_timeout_ms", Keys.AMOUNT, R.NOTHING, "the cashier types the amount"),
    Row(S.CARD,            Group.ENTRY,  Kind.WAITING, "present_card",    "card_timeout_ms",     Keys.NONE,   R.NOTHING, "step 1: a card is to be swiped or inserted"),
    Row(S.PURCHASE_PIN,    Group.ENTRY,  Kind.WAITING, "enter_pin",       "pin_guard_ms",        Keys.PIN,    R.NOTHING, "pin-first: the cardholder enters the PIN"),
    Row(S.CONNECTING,      Group.ONLINE, Kind.WAITING, "connecting",      "connect_timeout_ms",  Keys.NONE,   R.NOTHING, "step 2: the session with the host link must be up"),
    Row(S.AUTHORISING,     Group.ONLINE, Kind.WAITING, "authorising",     "response_timeout_ms", Keys.NONE,   R.REVERSE, "steps 2 and 3: the authorisation is with the bank"),
    Row(S.AUTHORISED,      Group.ENTRY,  Kind.WAITING, "authorised",      "authorised_ms",       Keys.NONE,   R.REVERSE, "step 4: authorised, two beeps; the PIN comes next"),
    Row(S.PIN,             Group.ENTRY,  Kind.WAITING, "enter_pin",       "pin_guard_ms",        Keys.PIN,    R.REVERSE, "step 5: the cardholder enters the PIN"),
    Row(S.VERIFYING_PIN,   Group.ONLINE, Kind.WAITING, "verifying_pin",   "response_timeout_ms", Keys.NONE,   R.REVERSE, "step 6: the bank verifies the PIN"),
    Row(S.WRONG_PIN,       Group.ENTRY,  Kind.WAITING, "wrong_pin",       "wrong_pin_ms",        Keys.NONE,   R.REVERSE, "the PIN was wrong and may be tried again"),
    Row(S.PURCHASING,      Group.ONLINE, Kind.WAITING, "purchasing",      "response_timeout_ms", Keys.NONE,   R.REVERSE, "pin-first: the purchase is with the bank"),
    Row(S.PRINTING,        Group.PAPER,  Kind.WAITING, "printing",        "printer_timeout_ms",  Keys.NONE,   R.STANDS,  "step 7: a copy of the slip is being printed"),
    Row(S.PRINTER_STOPPED, Group.PAPER,  Kind.WAITING, "printer_stopped", "paper_timeout_ms",    Keys.NONE,   R.STANDS,  "no paper, cover open, too hot or jammed"),
    Row(S.TEAR_OFF,        Group.PAPER,  Kind.WAITING, "tear_off",        "tear_off_timeout_ms", Keys.NONE,   R.STANDS,  "the merchant's copy is torn off, the cardholder's is next"),
    Row(S.COMPLETING,      Group.ONLINE, Kind.WAITING, "completing",      "response_timeout_ms", Keys.NONE,   R.STANDS,  "step 7: the completion is with the bank"),
    Row(S.REVERSING,       Group.UNDO,   Kind.WAITING, "reversing",       "response_timeout_ms", Keys.NONE,   R.REVERSE, "the reversal is with the bank"),
    Row(S.APPROVED,        Group.END,    Kind.ENDED_WELL,  "approved",    recovery=R.ENDED, meaning="paid, printed, completed or due to be"),
    Row(S.DECLINED,        Group.END,    Kind.ENDED_BADLY, "declined",    recovery=R.ENDED, meaning="the bank said no"),
    Row(S.CANCELLED,       Group.END,    Kind.ENDED_BADLY, "cancelled",   recovery=R.ENDED, meaning="a person ended it"),
    Row(S.TIMED_OUT,       Group.END,    Kind.ENDED_BADLY, "timed_out",   recovery=R.ENDED, meaning="somebody or the bank took too long"),
    Row(S.FAILED,          Group.END,    Kind.ENDED_BADLY, "failed",      recovery=R.ENDED, meaning="it could not be done"),
)


def _end(source: State, event: Event, target: State, reason: Reason, guard: str = "", records: tuple[str, ...] = ()) -> Rule:
    """End with nothing to undo."""
    return Rule(source, event, target, guard, records, effects=("beep_error",), outcome=Outcome(target.value), reason=reason)


def _undo(source: State, event: Event, why: ReversalReason, outcome: Outcome, reason: Reason, guard: str = "", records: tuple[str, ...] = ()) -> Rule:
    """End by reversing the authorisation: the held reversal becomes due in the same commit."""
    return Rule(source, event, S.REVERSING, guard, (*records, "release_reversal"), ("send_reversal",), outcome, reason, why)


def _unanswered(source: State) -> tuple[Rule, ...]:
    """What to do when a request that may have moved money got no usable answer."""
    return (
        _undo(source, E.HOST_BAD_MAC, ReversalReason.BAD_MAC,     Outcome.FAILED,    Reason.BAD_MAC),
        _undo(source, E.HOST_LOST,    ReversalReason.NO_RESPONSE, Outcome.FAILED,    Reason.LINE_LOST),
        _undo(source, E.TIMEOUT,      ReversalReason.NO_RESPONSE, Outcome.TIMED_OUT, Reason.NO_RESPONSE),
        _undo(source, E.CANCEL,       ReversalReason.OPERATOR,    Outcome.CANCELLED, Reason.CANCELLED),
        _undo(source, E.CARD_REMOVED, ReversalReason.OPERATOR,    Outcome.CANCELLED, Reason.CARD_REMOVED),
    )


def _given_up(source: State) -> tuple[Rule, ...]:
    """What to do when a person ends a payment whose money is on hold."""
    return (
        _undo(source, E.CANCEL,       ReversalReason.OPERATOR, Outcome.CANCELLED, Reason.CANCELLED),
        _undo(source, E.CARD_REMOVED, ReversalReason.OPERATOR, Outcome.CANCELLED, Reason.CARD_REMOVED),
    )


def _paper_done(source: State, event: Event, records: tuple[str, ...] = ()) -> tuple[Rule, ...]:
    """No more paper for this payment: send the completion, or be done when there is none."""
    return (
        Rule(source, event, S.COMPLETING, "owes_completion", records, ("send_completion",)),
        Rule(source, event, S.APPROVED, records=records),
    )


def _reversed(event: Event, records: tuple[str, ...]) -> tuple[Rule, ...]:
    """The reversal had its try: end as decided when it was released."""
    return (
        Rule(S.REVERSING, event, S.DECLINED,  "ends_declined",  records, ("beep_error",)),
        Rule(S.REVERSING, event, S.CANCELLED, "ends_cancelled", records, ("beep_error",)),
        Rule(S.REVERSING, event, S.TIMED_OUT, "ends_timed_out", records, ("beep_error",)),
        Rule(S.REVERSING, event, S.FAILED,    "",               records, ("beep_error",)),
    )


REQUEST = ("assign_stan", "store_reversal")            # before anything leaves that may move money
VERIFIED = ("store_completion", "note_slip")            # the completion takes the reversal's place: the money has moved
PURCHASED = ("note_authorisation", "drop_reversal", "note_slip")
DECLINE = ("note_decline", "drop_reversal")

RULES = (
    # amount and card: nothing has left the terminal
    Rule(S.AMOUNT, E.AMOUNT_ENTERED,  S.CARD, records=("note_amount",), effects=("arm_card_reader",)),
    _end(S.AMOUNT, E.CANCEL,          S.CANCELLED, Reason.CANCELLED),
    _end(S.AMOUNT, E.TIMEOUT,         S.TIMED_OUT, Reason.OPERATOR_TIMEOUT),
    Rule(S.CARD,   E.CARD_READ,       S.CONNECTING,   "authorises_first", ("note_card",), ("beep_key", "connect")),
    Rule(S.CARD,   E.CARD_READ,       S.PURCHASE_PIN, records=("note_card",), effects=("beep_key", "begin_pin_entry")),
    Rule(S.CARD,   E.CARD_UNREADABLE, S.CARD,         "swipes_left", ("count_bad_swipe",), ("beep_error", "arm_card_reader")),
    _end(S.CARD,   E.CARD_UNREADABLE, S.FAILED,    Reason.CARD_UNREADABLE, records=("count_bad_swipe",)),
    _end(S.CARD,   E.CANCEL,          S.CANCELLED, Reason.CANCELLED),
    _end(S.CARD,   E.TIMEOUT,         S.TIMED_OUT, Reason.OPERATOR_TIMEOUT),

    # pin-first: the PIN before the one online message
    Rule(S.PURCHASE_PIN, E.PIN_ENTERED,  S.CONNECTING, records=("note_pin",), effects=("connect",)),
    Rule(S.PURCHASE_PIN, E.PIN_BYPASSED, S.CONNECTING, effects=("connect",)),
    _end(S.PURCHASE_PIN, E.CANCEL,       S.CANCELLED, Reason.CANCELLED),
    _end(S.PURCHASE_PIN, E.CARD_REMOVED, S.CANCELLED, Reason.CARD_REMOVED),
    _end(S.PURCHASE_PIN, E.TIMEOUT,      S.TIMED_OUT, Reason.OPERATOR_TIMEOUT),
    _end(S.PURCHASE_PIN, E.PIN_UNAVAILABLE, S.FAILED, Reason.PIN_UNAVAILABLE),

    # connecting: still nothing sent
    Rule(S.CONNECTING, E.LINK_UP,      S.AUTHORISING, "authorises_first", REQUEST, ("send_authorisation",)),
    Rule(S.CONNECTING, E.LINK_UP,      S.PURCHASING,  records=REQUEST, effects=("send_purchase",)),
    _end(S.CONNECTING, E.TIMEOUT,      S.FAILED,    Reason.HOST_UNREACHABLE),
    _end(S.CONNECTING, E.CANCEL,       S.CANCELLED, Reason.CANCELLED),
    _end(S.CONNECTING, E.CARD_REMOVED, S.CANCELLED, Reason.CARD_REMOVED),

    # authorise-first: the hold, then the PIN
    Rule(S.AUTHORISING, E.HOST_APPROVED,  S.AUTHORISED, records=("note_authorisation",), effects=("beep_authorised",)),
    _end(S.AUTHORISING, E.HOST_DECLINED,  S.DECLINED, Reason.BANK_DECLINED, records=DECLINE),
    _end(S.AUTHORISING, E.HOST_WRONG_PIN, S.DECLINED, Reason.BANK_DECLINED, records=DECLINE),
    _end(S.AUTHORISING, E.HOST_NOT_SENT,  S.FAILED,   Reason.HOST_UNREACHABLE, records=("drop_reversal",)),
    *_unanswered(S.AUTHORISING),
    Rule(S.AUTHORISED, E.TIMEOUT, S.PIN, effects=("begin_pin_entry",)),
    Rule(S.AUTHORISED, E.CONFIRM, S.PIN, effects=("begin_pin_entry",)),
    *_given_up(S.AUTHORISED),
    Rule(S.PIN, E.PIN_ENTERED, S.VERIFYING_PIN, records=("note_pin", "assign_verification_stan"), effects=("send_pin_verification",)),
    _undo(S.PIN, E.PIN_UNAVAILABLE, ReversalReason.OPERATOR, Outcome.FAILED, Reason.PIN_UNAVAILABLE),
    _undo(S.PIN, E.TIMEOUT, ReversalReason.OPERATOR, Outcome.TIMED_OUT, Reason.OPERATOR_TIMEOUT),
    *_given_up(S.PIN),
    Rule(S.VERIFYING_PIN, E.HOST_APPROVED,  S.PRINTING, records=VERIFIED, effects=("print_copy",), outcome=Outcome.APPROVED),
    Rule(S.VERIFYING_PIN, E.HOST_WRONG_PIN, S.WRONG_PIN, "pin_tries_left", ("count_wrong_pin",), ("beep_error",)),
    _undo(S.VERIFYING_PIN, E.HOST_WRONG_PIN, ReversalReason.OPERATOR, Outcome.DECLINED, Reason.PIN_TRIES, records=("count_wrong_pin",)),
    _undo(S.VERIFYING_PIN, E.HOST_DECLINED,  ReversalReason.OPERATOR, Outcome.DECLINED, Reason.BANK_DECLINED, records=("note_decline",)),
    _undo(S.VERIFYING_PIN, E.HOST_NOT_SENT,  ReversalReason.OPERATOR, Outcome.FAILED, Reason.HOST_UNREACHABLE),
    *_unanswered(S.VERIFYING_PIN),
    Rule(S.WRONG_PIN, E.TIMEOUT, S.PIN, "authorises_first", effects=("begin_pin_entry",)),
    Rule(S.WRONG_PIN, E.TIMEOUT, S.PURCHASE_PIN, effects=("begin_pin_entry",)),
    Rule(S.WRONG_PIN, E.CONFIRM, S.PIN, "authorises_first", effects=("begin_pin_entry",)),
    Rule(S.WRONG_PIN, E.CONFIRM, S.PURCHASE_PIN, effects=("begin_pin_entry",)),
    _undo(S.WRONG_PIN, E.CANCEL, ReversalReason.OPERATOR, Outcome.CANCELLED, Reason.CANCELLED, "authorises_first"),
    _end(S.WRONG_PIN, E.CANCEL, S.CANCELLED, Reason.CANCELLED),
    _undo(S.WRONG_PIN, E.CARD_REMOVED, ReversalReason.OPERATOR, Outcome.CANCELLED, Reason.CARD_REMOVED, "authorises_first"),
    _end(S.WRONG_PIN, E.CARD_REMOVED, S.CANCELLED, Reason.CARD_REMOVED),

    # pin-first: one message does it all
    Rule(S.PURCHASING, E.HOST_APPROVED,  S.PRINTING, records=PURCHASED, effects=("beep_authorised", "print_copy"), outcome=Outcome.APPROVED),
    Rule(S.PURCHASING, E.HOST_WRONG_PIN, S.WRONG_PIN, "pin_tries_left", ("count_wrong_pin", "drop_reversal"), ("beep_error",)),
    _end(S.PURCHASING, E.HOST_WRONG_PIN, S.DECLINED, Reason.PIN_TRIES, records=("count_wrong_pin", "drop_reversal")),
    _end(S.PURCHASING, E.HOST_DECLINED,  S.DECLINED, Reason.BANK_DECLINED, records=DECLINE),
    _end(S.PURCHASING, E.HOST_NOT_SENT,  S.FAILED,   Reason.HOST_UNREACHABLE, records=("drop_reversal",)),
    *_unanswered(S.PURCHASING),

    # paper: the payment stands whatever the printer does
    Rule(S.PRINTING, E.COPY_PRINTED, S.TEAR_OFF, "more_copies", ("count_copy",)),
    *_paper_done(S.PRINTING, E.COPY_PRINTED, ("count_copy",)),
    Rule(S.PRINTING, E.PRINTER_STOPPED, S.PRINTER_STOPPED, effects=("beep_alert",)),
    *_paper_done(S.PRINTING, E.TIMEOUT),
    Rule(S.PRINTER_STOPPED, E.PRINTER_READY, S.PRINTING, effects=("resume_printing",)),
    *_paper_done(S.PRINTER_STOPPED, E.TIMEOUT),
    *_paper_done(S.PRINTER_STOPPED, E.CANCEL),
    Rule(S.TEAR_OFF, E.CONFIRM, S.PRINTING, effects=("print_copy",)),
    Rule(S.TEAR_OFF, E.TIMEOUT, S.PRINTING, effects=("print_copy",)),
    *_paper_done(S.TEAR_OFF, E.CANCEL),

    # completion: unanswered, it stays in the outbox
    Rule(S.COMPLETING, E.HOST_APPROVED, S.APPROVED, records=("drop_completion",)),
    Rule(S.COMPLETING, E.HOST_DECLINED, S.APPROVED, "refusal_is_final", ("refuse_completion",), ("beep_alert",), reason=Reason.COMPLETION_REFUSED),
    *(
        Rule(S.COMPLETING, event, S.APPROVED, records=("count_attempt",))
        for event in (E.HOST_DECLINED, E.HOST_WRONG_PIN, E.HOST_BAD_MAC, E.HOST_LOST, E.TIMEOUT, E.CANCEL)
    ),
    Rule(S.COMPLETING, E.HOST_NOT_SENT, S.APPROVED),

    # undoing: unanswered, it stays in the outbox and goes before the next transaction
    *_reversed(E.HOST_APPROVED, ("drop_reversal", "note_reversed")),
    *(rule for event in (E.HOST_DECLINED, E.HOST_WRONG_PIN, E.HOST_BAD_MAC, E.HOST_LOST, E.TIMEOUT) for rule in _reversed(event, ("count_attempt",))),
    *_reversed(E.HOST_NOT_SENT, ()),
)

ENDED = (S.APPROVED, S.DECLINED, S.CANCELLED, S.TIMED_OUT, S.FAILED)
_LIVE = tuple(state for state in S if state not in ENDED)
_HOST = (E.HOST_APPROVED, E.HOST_DECLINED, E.HOST_WRONG_PIN, E.HOST_BAD_MAC, E.HOST_NOT_SENT, E.HOST_LOST)
_PRINTER = (E.COPY_PRINTED, E.PRINTER_STOPPED, E.PRINTER_READY)
_PAID = (S.PRINTING, S.PRINTER_STOPPED, S.TEAR_OFF, S.COMPLETING)


def _except(*states: State) -> tuple[State, ...]:
    return tuple(state for state in _LIVE if state not in states)


IGNORED = (
    ignore(ENDED, Event, "the payment has ended")
    | ignore(_except(S.AMOUNT), (E.AMOUNT_ENTERED,), "the amount is settled")
    | ignore(_except(S.AUTHORISED, S.WRONG_PIN, S.TEAR_OFF), (E.CONFIRM,), "there is nothing to confirm")
    | ignore((S.PRINTING,), (E.CANCEL,), "the money has moved; a void undoes it, not a key")
    | ignore((S.REVERSING,), (E.CANCEL,), "it is being undone already")
    | ignore(_except(S.CARD), (E.CARD_READ, E.CARD_UNREADABLE), "the reader is disarmed")
    | ignore((S.AMOUNT, S.CARD), (E.CARD_REMOVED,), "no card is in use yet")
    | ignore((*_PAID, S.REVERSING), (E.CARD_REMOVED,), "the card is not needed any more")
    | ignore(_except(S.PURCHASE_PIN, S.PIN), (E.PIN_ENTERED, E.PIN_UNAVAILABLE), "PIN entry is off")
    | ignore(_except(S.PURCHASE_PIN), (E.PIN_BYPASSED,), "only a purchase may do without a PIN, where the settings allow it")
    | ignore(_except(S.CONNECTING), (E.LINK_UP,), "the session resumes by itself; the state's timer decides")
    | ignore(_LIVE, (E.LINK_DOWN,), "the session resumes by itself; the state's timer decides")
    | ignore(_except(S.AUTHORISING, S.VERIFYING_PIN, S.PURCHASING, S.COMPLETING, S.REVERSING), _HOST, "no request is open")
    | ignore(_except(S.PRINTING, S.PRINTER_STOPPED), _PRINTER, "nothing is being printed")
    | ignore((S.PRINTING,), (E.PRINTER_READY,), "the printer never stopped")
    | ignore((S.PRINTER_STOPPED,), (E.COPY_PRINTED, E.PRINTER_STOPPED), "the printer has stopped already")
)

TABLE = Table("transaction", "A card payment", S.AMOUNT, ROWS, tuple(Event), RULES, IGNORED)
