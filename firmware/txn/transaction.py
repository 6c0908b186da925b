"""The transaction table: every type of transaction, as data.

`firmware.txn.plans` says what each type asks for; here are the steps, in the one order in which they are
asked, and a type passes by what it does not ask (`_onward`). A purchase has two flows: `authorise-first`, the
default for a swiped card, is the seven steps; `pin-first` asks for the PIN before one online message, as all
other types do. All share the card, the connection, the paper and the undoing; the rules that differ carry a
guard.

Two principles explain most rows. A reversal is stored, held, in the same commit that allows the request to
leave; it is dropped only by a definite answer or by the commit that stores the completion in its place. And
from that commit on the money has moved: nothing a person does at the terminal undoes it any more.
"""

# The columns are meant to be read down.
# fmt: off
# ruff: noqa: E501 - one rule a line, however long

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from firmware.records import Outcome, Reason, ReversalReason
from firmware.txn.plans import PLANS, Ask, Delivery
from firmware.txn.schema import Group, Keys, Kind, Name, Recovery, Row, Rule, Table, ignore


class State(Name):
    """The states of one payment."""

    OPENING = "opening"
    ORIGINAL = "original"
    ORIGINAL_SHOWN = "original_shown"
    REFERENCE = "reference"
    AUTHORISATION_CODE = "authorisation_code"
    ORIGINAL_DATE = "original_date"
    AMOUNT = "amount"
    CARD = "card"
    CARD_NUMBER = "card_number"
    EXPIRY = "expiry"
    PURCHASE_PIN = "purchase_pin"
    CONNECTING = "connecting"
    AUTHORISING = "authorising"
    AUTHORISED = "authorised"
    PIN = "pin"
    VERIFYING_PIN = "verifying_pin"
    WRONG_PIN = "wrong_pin"
    PURCHASING = "purchasing"
    BALANCE_SHOWN = "balance_shown"
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


class Event(Name):
    """What can happen to a payment."""

    BEGIN = "begin"
    ORIGINAL_TYPED = "original_typed"
    REFERENCE_TYPED = "reference_typed"
    CODE_TYPED = "code_typed"
    DATE_TYPED = "date_typed"
    AMOUNT_ENTERED = "amount_entered"
    NUMBER_BEGUN = "number_begun"
    NUMBER_TYPED = "number_typed"
    EXPIRY_TYPED = "expiry_typed"
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
    Row(S.OPENING,         Group.ENTRY,  Kind.PASSING, "opening",         "",                    Keys.NONE,   R.NOTHING, "what is asked first depends on the type"),
    Row(S.ORIGINAL,        Group.ENTRY,  Kind.WAITING, "enter_original",  "operator_timeout_ms", Keys.TYPING, R.NOTHING, "the voucher number of the original is typed"),
    Row(S.ORIGINAL_SHOWN,  Group.ENTRY,  Kind.WAITING, "original_shown",  "operator_timeout_ms", Keys.NONE,   R.NOTHING, "the original is shown: is it the right one?"),
    Row(S.REFERENCE,       Group.ENTRY,  Kind.WAITING, "enter_reference", "operator_timeout_ms", Keys.TYPING, R.NOTHING, "the bank's reference number of the original is typed"),
    Row(S.AUTHORISATION_CODE, Group.ENTRY, Kind.WAITING, "enter_code",    "operator_timeout_ms", Keys.TYPING, R.NOTHING, "the authorisation code of the original is typed"),
    Row(S.ORIGINAL_DATE,   Group.ENTRY,  Kind.WAITING, "enter_date",      "operator_timeout_ms", Keys.TYPING, R.NOTHING, "month and day of the original are typed"),
    Row(S.AMOUNT,          Group.ENTRY,  Kind.WAITING, "enter_amount",    "operator_timeout_ms", Keys.AMOUNT, R.NOTHING, "the cashier types the amount"),
    Row(S.CARD,            Group.ENTRY,  Kind.WAITING, "present_card",    "card_timeout_ms",     Keys.CARD,   R.NOTHING, "step 1: a card is to be swiped or inserted"),
    Row(S.CARD_NUMBER,     Group.ENTRY,  Kind.WAITING, "enter_number",    "operator_timeout_ms", Keys.TYPING, R.NOTHING, "the card number is typed"),
    Row(S.EXPIRY,          Group.ENTRY,  Kind.WAITING, "enter_expiry",    "operator_timeout_ms", Keys.TYPING, R.NOTHING, "year and month of expiry are typed"),
    Row(S.PURCHASE_PIN,    Group.ENTRY,  Kind.WAITING, "enter_pin",       "pin_guard_ms",        Keys.PIN,    R.NOTHING, "the cardholder enters the PIN, before the one online message"),
    Row(S.CONNECTING,      Group.ONLINE, Kind.WAITING, "connecting",      "connect_timeout_ms",  Keys.NONE,   R.NOTHING, "step 2: the session with the host link must be up"),
    Row(S.AUTHORISING,     Group.ONLINE, Kind.WAITING, "authorising",     "response_timeout_ms", Keys.NONE,   R.REVERSE, "steps 2 and 3: the authorisation is with the bank"),
    Row(S.AUTHORISED,      Group.ENTRY,  Kind.WAITING, "authorised",      "authorised_ms",       Keys.NONE,   R.REVERSE, "step 4: authorised, two beeps; the PIN comes next"),
    Row(S.PIN,             Group.ENTRY,  Kind.WAITING, "enter_pin",       "pin_guard_ms",        Keys.PIN,    R.REVERSE, "step 5: the cardholder enters the PIN"),
    Row(S.VERIFYING_PIN,   Group.ONLINE, Kind.WAITING, "verifying_pin",   "response_timeout_ms", Keys.NONE,   R.REVERSE, "step 6: the bank verifies the PIN"),
    Row(S.WRONG_PIN,       Group.ENTRY,  Kind.WAITING, "wrong_pin",       "wrong_pin_ms",        Keys.NONE,   R.REVERSE, "the PIN was wrong and may be tried again"),
    Row(S.PURCHASING,      Group.ONLINE, Kind.WAITING, "purchasing",      "response_timeout_ms", Keys.NONE,   R.REVERSE, "the one online message is with the bank"),
    Row(S.BALANCE_SHOWN,   Group.ENTRY,  Kind.WAITING, "balance_shown",   "balance_ms",          Keys.NONE,   R.STANDS,  "the balance is shown to the cardholder"),
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
STORED = ("assign_stan", "store_advice", "note_slip")   # the terminal itself says yes; the advice follows
PURCHASED = ("note_authorisation", "drop_reversal", "note_slip")
DECLINE = ("note_decline", "drop_reversal")

ASKED = (  # what may be asked, in order: the state, the guard that asks for it, and what begins with it
    (S.ORIGINAL,           "asks_original",  ("begin_typing",)),
    (S.REFERENCE,          "asks_reference", ("begin_typing",)),
    (S.AUTHORISATION_CODE, "asks_code",      ("begin_typing",)),
    (S.ORIGINAL_DATE,      "asks_date",      ("begin_typing",)),
    (S.AMOUNT,             "asks_amount",    ()),
    (S.CARD,               "asks_card",      ("arm_card_reader",)),
    (S.PURCHASE_PIN,       "asks_pin",       ("begin_pin_entry",)),
)
_STATE_OF = dict(zip(Ask, (state for state, _, _ in ASKED), strict=True))


def _followers() -> Iterator[tuple[State | None, State]]:
    """What comes right after what in any type of transaction: the plans say so, and nothing else has a rule."""
    for plan in PLANS.values():
        end = S.PRINTING if plan.delivery is Delivery.STORED else S.CONNECTING
        for asks in plan.orders():
            yield from pairwise((None, *(_STATE_OF[ask] for ask in asks), end))


_FOLLOWERS = frozenset(_followers())


def _onward(source: State, event: Event, answered: State | None, records: tuple[str, ...] = (), effects: tuple[str, ...] = ()) -> tuple[Rule, ...]:
    """What is asked after `answered`: the next thing that the type asks for; then the bank, or the paper."""
    rules = (
        *(Rule(source, event, state, guard, records, (*effects, *begins)) for state, guard, begins in ASKED),
        Rule(source, event, S.PRINTING, "is_stored", (*records, *STORED), (*effects, "print_copy"), Outcome.APPROVED),
        Rule(source, event, S.CONNECTING, records=records, effects=(*effects, "connect")),
    )
    *asked, last = (rule for rule in rules if (answered, rule.target) in _FOLLOWERS)
    return *asked, replace(last, guard="")


def _left_alone(*states: State) -> tuple[Rule, ...]:
    """Nobody goes on, or somebody presses Cancel: nothing has left the terminal."""
    return tuple(
        rule
        for state in states
        for rule in (_end(state, E.CANCEL, S.CANCELLED, Reason.CANCELLED), _end(state, E.TIMEOUT, S.TIMED_OUT, Reason.OPERATOR_TIMEOUT))
    )


def _unknown(source: State) -> tuple[Rule, ...]:
    """The answer did not come, and nothing undoes what was asked: if money may have moved, the bank must be asked (section 7.5)."""
    return (
        _end(source, E.HOST_BAD_MAC, S.FAILED,    Reason.UNKNOWN,     "may_be_done"),
        _end(source, E.HOST_LOST,    S.FAILED,    Reason.UNKNOWN,     "may_be_done"),
        _end(source, E.TIMEOUT,      S.TIMED_OUT, Reason.UNKNOWN,     "may_be_done"),
        _end(source, E.CANCEL,       S.CANCELLED, Reason.UNKNOWN,     "may_be_done"),
        _end(source, E.CARD_REMOVED, S.CANCELLED, Reason.UNKNOWN,     "may_be_done"),
        _end(source, E.HOST_BAD_MAC, S.FAILED,    Reason.BAD_MAC,     "is_irreversible"),
        _end(source, E.HOST_LOST,    S.FAILED,    Reason.LINE_LOST,   "is_irreversible"),
        _end(source, E.TIMEOUT,      S.TIMED_OUT, Reason.NO_RESPONSE, "is_irreversible"),
        _end(source, E.CANCEL,       S.CANCELLED, Reason.CANCELLED,   "is_irreversible"),
        _end(source, E.CARD_REMOVED, S.CANCELLED, Reason.CARD_REMOVED, "is_irreversible"),
    )


RULES = (
    # what the type asks for: nothing has left the terminal
    *_onward(S.OPENING, E.BEGIN, None),
    Rule(S.ORIGINAL, E.ORIGINAL_TYPED, S.ORIGINAL_SHOWN, "original_found", ("note_original",)),
    Rule(S.ORIGINAL, E.ORIGINAL_TYPED, S.ORIGINAL, effects=("beep_error", "begin_typing")),
    *_onward(S.ORIGINAL_SHOWN, E.CONFIRM, S.ORIGINAL),
    *_onward(S.REFERENCE, E.REFERENCE_TYPED, S.REFERENCE, ("note_reference",)),
    *_onward(S.AUTHORISATION_CODE, E.CODE_TYPED, S.AUTHORISATION_CODE, ("note_code",)),
    *_onward(S.ORIGINAL_DATE, E.DATE_TYPED, S.ORIGINAL_DATE, ("note_date",)),
    Rule(S.AMOUNT, E.AMOUNT_ENTERED, S.AMOUNT, "amount_too_high", effects=("beep_error", "refuse_amount")),
    *_onward(S.AMOUNT, E.AMOUNT_ENTERED, S.AMOUNT, ("note_amount",)),
    *_left_alone(S.ORIGINAL, S.ORIGINAL_SHOWN, S.REFERENCE, S.AUTHORISATION_CODE, S.ORIGINAL_DATE, S.AMOUNT, S.CARD, S.CARD_NUMBER, S.EXPIRY),
    _end(S.CARD, E.CARD_READ, S.FAILED, Reason.CARD_DIFFERS, "card_differs"),
    *_onward(S.CARD, E.CARD_READ, S.CARD, ("note_card",), ("beep_key",)),
    Rule(S.CARD, E.CARD_UNREADABLE, S.CARD,         "swipes_left", ("count_bad_swipe",), ("beep_error",)),
    _end(S.CARD, E.CARD_UNREADABLE, S.FAILED,    Reason.CARD_UNREADABLE, records=("count_bad_swipe",)),
    Rule(S.CARD, E.NUMBER_BEGUN, S.CARD_NUMBER),
    Rule(S.CARD_NUMBER, E.NUMBER_TYPED, S.EXPIRY, effects=("begin_typing",)),
    _end(S.EXPIRY, E.EXPIRY_TYPED, S.FAILED, Reason.CARD_DIFFERS, "typed_card_differs"),
    *_onward(S.EXPIRY, E.EXPIRY_TYPED, S.CARD, ("note_typed_card",)),

    # the PIN before the one online message
    *_onward(S.PURCHASE_PIN, E.PIN_ENTERED, S.PURCHASE_PIN, ("note_pin",)),
    *_onward(S.PURCHASE_PIN, E.PIN_BYPASSED, S.PURCHASE_PIN),
    _end(S.PURCHASE_PIN, E.CANCEL,       S.CANCELLED, Reason.CANCELLED),
    _end(S.PURCHASE_PIN, E.CARD_REMOVED, S.CANCELLED, Reason.CARD_REMOVED),
    _end(S.PURCHASE_PIN, E.TIMEOUT,      S.TIMED_OUT, Reason.OPERATOR_TIMEOUT),
    _end(S.PURCHASE_PIN, E.PIN_UNAVAILABLE, S.FAILED, Reason.PIN_UNAVAILABLE),

    # connecting: still nothing sent
    Rule(S.CONNECTING, E.LINK_UP,      S.AUTHORISING, "authorises_first", REQUEST, ("send_request",)),
    Rule(S.CONNECTING, E.LINK_UP,      S.PURCHASING,  records=REQUEST, effects=("send_request",)),
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

    # one message does it all
    Rule(S.PURCHASING, E.HOST_APPROVED,  S.PRINTING, "has_slip", PURCHASED, ("beep_authorised", "print_copy"), Outcome.APPROVED),
    Rule(S.PURCHASING, E.HOST_APPROVED,  S.BALANCE_SHOWN, records=("note_authorisation",), effects=("beep_authorised", "show_balance"), outcome=Outcome.APPROVED),
    Rule(S.PURCHASING, E.HOST_WRONG_PIN, S.WRONG_PIN, "pin_tries_left", ("count_wrong_pin", "drop_reversal"), ("beep_error",)),
    _end(S.PURCHASING, E.HOST_WRONG_PIN, S.DECLINED, Reason.PIN_TRIES, records=("count_wrong_pin", "drop_reversal")),
    _end(S.PURCHASING, E.HOST_DECLINED,  S.DECLINED, Reason.BANK_DECLINED, records=DECLINE),
    _end(S.PURCHASING, E.HOST_NOT_SENT,  S.FAILED,   Reason.HOST_UNREACHABLE, records=("drop_reversal",)),
    *_unknown(S.PURCHASING),
    *_unanswered(S.PURCHASING),
    *(Rule(S.BALANCE_SHOWN, event, S.APPROVED) for event in (E.CONFIRM, E.CANCEL, E.TIMEOUT)),

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
        for event in (E.HOST_DECLINED, E.HOST_BAD_MAC, E.HOST_LOST, E.TIMEOUT, E.CANCEL)
    ),
    Rule(S.COMPLETING, E.HOST_NOT_SENT, S.APPROVED),

    # undoing: unanswered, it stays in the outbox and goes before the next transaction
    *_reversed(E.HOST_APPROVED, ("drop_reversal", "note_reversed")),
    *(rule for event in (E.HOST_DECLINED, E.HOST_BAD_MAC, E.HOST_LOST, E.TIMEOUT) for rule in _reversed(event, ("count_attempt",))),
    *_reversed(E.HOST_NOT_SENT, ()),
)

ENDED = (S.APPROVED, S.DECLINED, S.CANCELLED, S.TIMED_OUT, S.FAILED)
_LIVE = tuple(state for state in S if state not in ENDED)
_HOST = (E.HOST_APPROVED, E.HOST_DECLINED, E.HOST_WRONG_PIN, E.HOST_BAD_MAC, E.HOST_NOT_SENT, E.HOST_LOST)
_PRINTER = (E.COPY_PRINTED, E.PRINTER_STOPPED, E.PRINTER_READY)
_ENTRY = (S.OPENING, S.ORIGINAL, S.ORIGINAL_SHOWN, S.REFERENCE, S.AUTHORISATION_CODE, S.ORIGINAL_DATE, S.AMOUNT, S.CARD_NUMBER, S.EXPIRY)
_PAID = (S.BALANCE_SHOWN, S.PRINTING, S.PRINTER_STOPPED, S.TEAR_OFF, S.COMPLETING)


def _except(*states: State) -> tuple[State, ...]:
    return tuple(state for state in _LIVE if state not in states)


IGNORED = (
    ignore(ENDED, Event, "the payment has ended")
    | ignore(_except(S.OPENING), (E.BEGIN,), "it has begun")
    | ignore(_except(S.ORIGINAL), (E.ORIGINAL_TYPED,), "no voucher number is being typed")
    | ignore(_except(S.REFERENCE), (E.REFERENCE_TYPED,), "no reference number is being typed")
    | ignore(_except(S.AUTHORISATION_CODE), (E.CODE_TYPED,), "no authorisation code is being typed")
    | ignore(_except(S.ORIGINAL_DATE), (E.DATE_TYPED,), "no date is being typed")
    | ignore(_except(S.AMOUNT), (E.AMOUNT_ENTERED,), "the amount is settled")
    | ignore(_except(S.CARD), (E.NUMBER_BEGUN,), "no card is asked for")
    | ignore(_except(S.CARD_NUMBER), (E.NUMBER_TYPED,), "no card number is being typed")
    | ignore(_except(S.EXPIRY), (E.EXPIRY_TYPED,), "no expiry is being typed")
    | ignore(_except(S.ORIGINAL_SHOWN, S.AUTHORISED, S.WRONG_PIN, S.BALANCE_SHOWN, S.TEAR_OFF), (E.CONFIRM,), "there is nothing to confirm")
    | ignore((S.OPENING,), (E.CANCEL, E.TIMEOUT), "it is left in the same moment")
    | ignore((S.PRINTING,), (E.CANCEL,), "the money has moved; a void undoes it, not a key")
    | ignore((S.REVERSING,), (E.CANCEL,), "it is being undone already")
    | ignore(_except(S.CARD), (E.CARD_READ, E.CARD_UNREADABLE), "the reader is disarmed")
    | ignore((*_ENTRY, S.CARD), (E.CARD_REMOVED,), "no card is in use yet")
    | ignore((*_PAID, S.REVERSING), (E.CARD_REMOVED,), "the card is not needed any more")
    | ignore(_except(S.PURCHASE_PIN, S.PIN), (E.PIN_ENTERED, E.PIN_UNAVAILABLE), "PIN entry is off")
    | ignore(_except(S.PURCHASE_PIN), (E.PIN_BYPASSED,), "only before the one online message may the PIN be passed by, where the settings allow it")
    | ignore(_except(S.CONNECTING), (E.LINK_UP,), "the session resumes by itself; the state's timer decides")
    | ignore(_LIVE, (E.LINK_DOWN,), "the session resumes by itself; the state's timer decides")
    | ignore(_except(S.AUTHORISING, S.VERIFYING_PIN, S.PURCHASING, S.COMPLETING, S.REVERSING), _HOST, "no request is open")
    | ignore((S.COMPLETING, S.REVERSING), (E.HOST_WRONG_PIN,), "neither has a PIN that could be wrong")
    | ignore(_except(S.PRINTING, S.PRINTER_STOPPED), _PRINTER, "nothing is being printed")
    | ignore((S.PRINTING,), (E.PRINTER_READY,), "the printer never stopped")
    | ignore((S.PRINTER_STOPPED,), (E.COPY_PRINTED, E.PRINTER_STOPPED), "the printer has stopped already")
)

TABLE = Table("transaction", "A card transaction", S.OPENING, ROWS, tuple(Event), RULES, IGNORED)
