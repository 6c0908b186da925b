"""The settlement table: totals told to the bank, records uploaded where they differ, the batch closed.

Every step is committed before its message leaves, so that a settlement goes on where it stood, whatever cuts
it off; until it is through, nothing new is sold. Sources: iso8583-pos sections 8.1 to 8.3.
"""

# The columns are meant to be read down.
# fmt: off
# ruff: noqa: E501 - one rule a line, however long

from __future__ import annotations

from firmware.txn.schema import Group, Kind, Name, Row, Rule, Table, ignore


class State(Name):
    """The states of a settlement."""

    LINKING = "settlement_linking"
    TOTALLING = "totalling"
    UPLOADING = "uploading"
    ENDING = "ending_upload"
    PRINTING = "printing_totals"
    PRINTER_STOPPED = "totals_stopped"
    SETTLED = "settled"
    INTERRUPTED = "settlement_interrupted"


class Event(Name):
    """What can happen to a settlement."""

    LINK_UP = "link_up"
    LINK_DOWN = "link_down"
    HOST_APPROVED = "host_approved"
    HOST_DECLINED = "host_declined"
    HOST_NOT_SENT = "host_not_sent"
    HOST_LOST = "host_lost"
    COPY_PRINTED = "copy_printed"
    PRINTER_STOPPED = "printer_stopped"
    PRINTER_READY = "printer_ready"
    CONFIRM = "confirm"
    CANCEL = "cancel"
    TIMEOUT = "timeout"


S, E = State, Event

ROWS = (
    Row(S.LINKING,         Group.ONLINE, Kind.WAITING, "settlement_linking",     "connect_timeout_ms",  meaning="the session with the host link must be up"),
    Row(S.TOTALLING,       Group.ONLINE, Kind.WAITING, "totalling",              "response_timeout_ms", meaning="0500: the totals are with the bank"),
    Row(S.UPLOADING,       Group.ONLINE, Kind.WAITING, "uploading",              "response_timeout_ms", meaning="0320: records of the half that differs are with the bank"),
    Row(S.ENDING,          Group.ONLINE, Kind.WAITING, "ending_upload",          "response_timeout_ms", meaning="0320, 202 or 207: the end of the upload is with the bank"),
    Row(S.PRINTING,        Group.PAPER,  Kind.WAITING, "printing_totals",        "printer_timeout_ms",  meaning="the settlement slip is being printed"),
    Row(S.PRINTER_STOPPED, Group.PAPER,  Kind.WAITING, "printer_stopped",        "paper_timeout_ms",    meaning="no paper, cover open, too hot or jammed"),
    Row(S.SETTLED,         Group.END,    Kind.ENDED_WELL,  "settled",            meaning="the batch is closed, the next is open"),
    Row(S.INTERRUPTED,     Group.END,    Kind.ENDED_BADLY, "settlement_interrupted", meaning="it goes on later, at the step where it stands"),
)

_UNANSWERED = (E.HOST_LOST, E.TIMEOUT)  # a wrong MAC there is none: no answer here has one (section 4)


def _next_step(source: State, event: Event) -> tuple[Rule, ...]:
    """Whatever the stored step says, with all tries anew."""
    return (
        Rule(source, event, S.TOTALLING, "totals_left", ("forget_tries",), ("send_totals",)),
        Rule(source, event, S.UPLOADING, "records_left", ("forget_tries",), ("send_records",)),
        Rule(source, event, S.ENDING,    "end_left", ("forget_tries",), ("send_end",)),
        Rule(source, event, S.PRINTING,  effects=("print_totals",)),
    )


def _unfinished(source: State, *events: Event) -> tuple[Rule, ...]:
    """Not now: the step is stored, and everything resumes there."""
    return tuple(Rule(source, event, S.INTERRUPTED, effects=("beep_error",)) for event in events)


def _line_fails(source: State) -> tuple[Rule, ...]:
    """The message did not leave: the line is waited for, until it has failed three times (section 8.2)."""
    again = Rule(source, E.HOST_NOT_SENT, S.LINKING, "connections_left", effects=("count_connection", "connect"))
    return again, *_unfinished(source, E.HOST_NOT_SENT)


def _tried_again(source: State, send: str, *events: Event) -> tuple[Rule, ...]:
    """The same message once more, as often as the settings allow."""
    return tuple(
        rule
        for event in events
        for rule in (
            Rule(source, event, source, "tries_left", ("count_try",), (send,)),
            *_unfinished(source, event),
        )
    )


def _start_over(source: State) -> Rule:
    """The bank has no totals of this batch (any more): they are told again, the next time."""
    return Rule(source, E.HOST_DECLINED, S.INTERRUPTED, "bank_has_no_totals", ("start_over",), ("beep_error",))


def _printed(source: State, *events: Event) -> tuple[Rule, ...]:
    """On paper or not: the batch is closed. The slip can be printed again."""
    return tuple(Rule(source, event, S.SETTLED, records=("close_batch",), effects=("beep_authorised",)) for event in events)


RULES = (
    *_next_step(S.LINKING, E.LINK_UP),
    *_unfinished(S.LINKING, E.TIMEOUT, E.CANCEL),

    # 0500: no answer moves anything, so it is asked again until the bank has compared
    Rule(S.TOTALLING, E.HOST_APPROVED, S.INTERRUPTED, "result_unreadable", effects=("beep_error",)),
    Rule(S.TOTALLING, E.HOST_APPROVED, S.UPLOADING, "differs", ("note_result",), ("send_records",)),
    Rule(S.TOTALLING, E.HOST_APPROVED, S.ENDING, records=("note_result",), effects=("send_end",)),
    *_tried_again(S.TOTALLING, "send_totals", *_UNANSWERED),
    *_line_fails(S.TOTALLING),
    *_unfinished(S.TOTALLING, E.HOST_DECLINED, E.CANCEL),

    # 0320: one message after the other; what the bank will not take is marked and passed by
    Rule(S.UPLOADING, E.HOST_APPROVED, S.UPLOADING, "more_records", ("note_uploaded",), ("send_records",)),
    Rule(S.UPLOADING, E.HOST_APPROVED, S.ENDING, records=("note_uploaded",), effects=("send_end",)),
    _start_over(S.UPLOADING),
    *(
        rule
        for event in (E.HOST_DECLINED, *_UNANSWERED)
        for rule in (
            Rule(S.UPLOADING, event, S.UPLOADING, "tries_left", ("count_try",), ("send_records",)),
            Rule(S.UPLOADING, event, S.UPLOADING, "more_records", ("note_not_uploaded",), ("send_records",)),
            Rule(S.UPLOADING, event, S.ENDING, records=("note_not_uploaded",), effects=("send_end",)),
        )
    ),
    *_line_fails(S.UPLOADING),
    *_unfinished(S.UPLOADING, E.CANCEL),

    Rule(S.ENDING, E.HOST_APPROVED, S.PRINTING, records=("note_end",), effects=("print_totals",)),
    _start_over(S.ENDING),
    *_tried_again(S.ENDING, "send_end", *_UNANSWERED, E.HOST_DECLINED),
    *_line_fails(S.ENDING),
    *_unfinished(S.ENDING, E.CANCEL),

    *_printed(S.PRINTING, E.COPY_PRINTED, E.TIMEOUT),
    Rule(S.PRINTING, E.PRINTER_STOPPED, S.PRINTER_STOPPED, effects=("beep_alert",)),
    Rule(S.PRINTER_STOPPED, E.PRINTER_READY, S.PRINTING, effects=("resume_printing",)),
    *_printed(S.PRINTER_STOPPED, E.TIMEOUT, E.CANCEL),
)

ENDED = (S.SETTLED, S.INTERRUPTED)
_ONLINE = (S.TOTALLING, S.UPLOADING, S.ENDING)
_PAPER = (S.PRINTING, S.PRINTER_STOPPED)
_HOST = (E.HOST_APPROVED, E.HOST_DECLINED, E.HOST_NOT_SENT, E.HOST_LOST)
_PRINTER = (E.COPY_PRINTED, E.PRINTER_STOPPED, E.PRINTER_READY)

IGNORED = (
    ignore(ENDED, Event, "it has ended")
    | ignore((S.LINKING, *_PAPER), _HOST, "no request is open")
    | ignore((S.LINKING, *_ONLINE), _PRINTER, "nothing is being printed")
    | ignore((*_ONLINE, *_PAPER), (E.LINK_UP,), "the session resumes by itself; the state's timer decides")
    | ignore((S.LINKING, *_ONLINE, *_PAPER), (E.LINK_DOWN,), "the session resumes by itself; the state's timer decides")
    | ignore((S.LINKING, *_ONLINE, *_PAPER), (E.CONFIRM,), "there is nothing to confirm")
    | ignore((S.PRINTING,), (E.CANCEL, E.PRINTER_READY), "the slip is on its way")
    | ignore((S.PRINTER_STOPPED,), (E.COPY_PRINTED, E.PRINTER_STOPPED), "the printer has stopped already")
)

TABLE = Table("settlement", "The settlement of a batch", S.LINKING, ROWS, tuple(Event), RULES, IGNORED)
