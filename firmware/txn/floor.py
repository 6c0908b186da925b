"""The floor table: menus, operators, approval, enquiries, reports, maintenance.

A menu's entry is data (`firmware/texts/menus.toml`); the states here are the ways in which a person deals with
one: choosing, typing a number or a password, confirming, reading, waiting for paper. Between any two of them
stands `deciding`, which lasts no time: there the rules say in which order an entry's needs are met (that it is
allowed now, a password, a number, a confirmation), what it then does, and where a person is left when it is
done. Nothing here moves money: a transaction is begun by the terminal table after the floor has closed.
"""

# The columns are meant to be read down.
# fmt: off
# ruff: noqa: E501 - one rule a line, however long

from __future__ import annotations

from firmware.txn.schema import Group, Keys, Kind, Name, Row, Rule, Table, ignore


class State(Name):
    """How a person deals with the floor."""

    DECIDING = "deciding"
    MENU = "menu"
    TYPING_NUMBER = "typing_number"
    TYPING_PASSWORD = "typing_password"  # noqa: S105 - a state
    TYPING_NEW_PASSWORD = "typing_new_password"  # noqa: S105 - a state
    REPEATING_PASSWORD = "repeating_password"  # noqa: S105 - a state
    CONFIRMING = "confirming"
    ASKING_BANK = "asking_bank"
    READING = "reading"
    REPORT_PRINTING = "report_printing"
    REPORT_STOPPED = "report_stopped"
    NOTICE = "notice"
    ADJUSTING = "adjusting"
    GUIDING = "guiding"
    TESTING_DEVICES = "testing_devices"
    CLOSED = "floor_closed"


class Event(Name):
    """What can happen on the floor."""

    GO_ON = "go_on"
    ENTRY_CHOSEN = "entry_chosen"
    NUMBER_TYPED = "number_typed"
    PASSWORD_TYPED = "password_typed"  # noqa: S105 - an event
    NEW_PASSWORD_TYPED = "new_password_typed"  # noqa: S105 - an event
    CARD_READ = "card_read"
    CARD_UNREADABLE = "card_unreadable"
    HOST_APPROVED = "host_approved"
    HOST_DECLINED = "host_declined"
    HOST_NOT_SENT = "host_not_sent"
    HOST_LOST = "host_lost"
    CONFIRM = "confirm"
    CANCEL = "cancel"
    COPY_PRINTED = "copy_printed"
    PRINTER_STOPPED = "printer_stopped"
    PRINTER_READY = "printer_ready"
    TIMEOUT = "timeout"


S, E = State, Event

ROWS = (
    Row(S.DECIDING,            Group.IN_SERVICE, Kind.PASSING, "menu",                meaning="what the entry lacks, does, or leaves: decided at once"),
    Row(S.MENU,                Group.IN_SERVICE, Kind.WAITING, "menu",                "operator_timeout_ms", Keys.MENU, meaning="an entry is to be chosen, by its digit or by arrows and enter"),
    Row(S.TYPING_NUMBER,       Group.ASKING,     Kind.WAITING, "typing_number",       "operator_timeout_ms", Keys.NUMBER, meaning="the number of an operator or a voucher is typed"),
    Row(S.TYPING_PASSWORD,     Group.ASKING,     Kind.WAITING, "typing_password",     "operator_timeout_ms", Keys.PASSWORD, meaning="the password of whoever must approve, or of who logs on"),
    Row(S.TYPING_NEW_PASSWORD, Group.ASKING,     Kind.WAITING, "typing_new_password", "operator_timeout_ms", Keys.NEW_PASSWORD, meaning="a new password is typed"),
    Row(S.REPEATING_PASSWORD,  Group.ASKING,     Kind.WAITING, "repeating_password",  "operator_timeout_ms", Keys.NEW_PASSWORD, meaning="and once more, so that a slip of the finger locks nobody out"),
    Row(S.CONFIRMING,          Group.ASKING,     Kind.WAITING, "confirming",          "operator_timeout_ms", Keys.CONFIRMATION, meaning="what cannot be taken back is confirmed"),
    Row(S.ASKING_BANK,         Group.UPKEEP,     Kind.WAITING, "asking_bank",         "response_timeout_ms", meaning="the communication test: an echo is with the bank"),
    Row(S.READING,             Group.PAPER,      Kind.WAITING, "reading",             "operator_timeout_ms", Keys.READING, meaning="a report is on the display"),
    Row(S.REPORT_PRINTING,     Group.PAPER,      Kind.WAITING, "report_printing",     "report_timeout_ms",   meaning="a report, or a slip again, is being printed"),
    Row(S.REPORT_STOPPED,      Group.PAPER,      Kind.WAITING, "report_stopped",      "paper_timeout_ms",    meaning="no paper, cover open, too hot or jammed"),
    Row(S.NOTICE,              Group.IN_SERVICE, Kind.WAITING, "notice",              "result_ms",           meaning="it is done, or why it cannot be"),
    Row(S.ADJUSTING,           Group.UPKEEP,     Kind.WAITING, "adjusting",           "operator_timeout_ms", Keys.LEVEL, meaning="contrast or volume: seen and heard at once, kept with enter"),
    Row(S.GUIDING,             Group.UPKEEP,     Kind.WAITING, "guiding",             "guide_timeout_ms",    meaning="a person does something by hand, step by step"),
    Row(S.TESTING_DEVICES,     Group.UPKEEP,     Kind.WAITING, "testing_devices",     "device_test_ms",      meaning="one device after the other tests itself"),
    Row(S.CLOSED,              Group.END,        Kind.ENDED_WELL, "",                 meaning="back to the terminal"),
)


_HOST = (E.HOST_APPROVED, E.HOST_DECLINED, E.HOST_NOT_SENT, E.HOST_LOST)  # an echo has no MAC (section 4)
_TYPING = (S.TYPING_NUMBER, S.TYPING_PASSWORD, S.TYPING_NEW_PASSWORD, S.REPEATING_PASSWORD, S.CONFIRMING)


def _leave(source: State, *events: Event, effects: tuple[str, ...] = ()) -> tuple[Rule, ...]:
    """The entry is done with: back to its menu, or to the terminal."""
    return tuple(Rule(source, event, S.DECIDING, effects=(*effects, "forget_entry", "go_on")) for event in events)


RULES = (
    Rule(S.DECIDING, E.GO_ON, S.MENU,                "in_menu"),
    Rule(S.DECIDING, E.GO_ON, S.CLOSED,              "nothing_left"),
    Rule(S.DECIDING, E.GO_ON, S.NOTICE,              "entry_refused", effects=("tell_refusal", "beep_error")),
    Rule(S.DECIDING, E.GO_ON, S.TYPING_PASSWORD,     "password_missing", effects=("begin_typing",)),
    Rule(S.DECIDING, E.GO_ON, S.TYPING_NUMBER,       "number_missing", effects=("begin_typing",)),
    Rule(S.DECIDING, E.GO_ON, S.TYPING_NEW_PASSWORD, "new_password_missing", effects=("begin_typing",)),
    Rule(S.DECIDING, E.GO_ON, S.CONFIRMING,          "confirmation_missing"),
    Rule(S.DECIDING, E.GO_ON, S.MENU,                "opens_menu", effects=("open_menu",)),
    Rule(S.DECIDING, E.GO_ON, S.CLOSED,              "posts_event", effects=("post_event",)),
    Rule(S.DECIDING, E.GO_ON, S.READING,             "shows_report", effects=("open_report",)),
    Rule(S.DECIDING, E.GO_ON, S.REPORT_PRINTING,     "prints_report", effects=("print_report",)),
    Rule(S.DECIDING, E.GO_ON, S.ADJUSTING,           "adjusts_level", effects=("begin_level",)),
    Rule(S.DECIDING, E.GO_ON, S.GUIDING,             "guides", effects=("begin_guide",)),
    Rule(S.DECIDING, E.GO_ON, S.ASKING_BANK,         "asks_bank", effects=("send_echo",)),
    Rule(S.DECIDING, E.GO_ON, S.TESTING_DEVICES,     "tests_devices", effects=("begin_tests",)),
    Rule(S.DECIDING, E.GO_ON, S.NOTICE,              records=("do_action",), effects=("finish_action",)),

    Rule(S.MENU, E.ENTRY_CHOSEN, S.DECIDING, effects=("go_on",)),
    Rule(S.MENU, E.CANCEL,       S.DECIDING, effects=("leave_menu", "go_on")),
    Rule(S.MENU, E.TIMEOUT,      S.CLOSED),

    Rule(S.TYPING_NUMBER, E.NUMBER_TYPED, S.DECIDING, effects=("go_on",)),
    Rule(S.TYPING_PASSWORD, E.PASSWORD_TYPED, S.NOTICE, "password_locks", ("count_wrong_password",), ("tell_lock", "beep_alert")),
    Rule(S.TYPING_PASSWORD, E.PASSWORD_TYPED, S.TYPING_PASSWORD, "password_wrong", ("count_wrong_password",), ("begin_typing", "beep_error")),
    Rule(S.TYPING_PASSWORD, E.PASSWORD_TYPED, S.DECIDING, records=("forgive_wrong_passwords",), effects=("go_on",)),
    Rule(S.TYPING_NEW_PASSWORD, E.NEW_PASSWORD_TYPED, S.TYPING_NEW_PASSWORD, "new_password_weak", effects=("refuse_password", "beep_error")),
    Rule(S.TYPING_NEW_PASSWORD, E.NEW_PASSWORD_TYPED, S.REPEATING_PASSWORD, effects=("begin_typing",)),
    Rule(S.REPEATING_PASSWORD, E.NEW_PASSWORD_TYPED, S.TYPING_NEW_PASSWORD, "new_password_differs", effects=("refuse_password", "beep_error")),
    Rule(S.REPEATING_PASSWORD, E.NEW_PASSWORD_TYPED, S.DECIDING, effects=("go_on",)),
    Rule(S.CONFIRMING, E.CONFIRM, S.DECIDING, effects=("go_on",)),
    *(rule for state in _TYPING for rule in _leave(state, E.CANCEL, E.TIMEOUT)),

    Rule(S.READING, E.CONFIRM, S.REPORT_PRINTING, effects=("print_report",)),
    *_leave(S.READING, E.CANCEL, E.TIMEOUT),
    Rule(S.REPORT_PRINTING, E.COPY_PRINTED, S.NOTICE, "clears_after_paper", ("clear_pending",), ("finish_action",)),
    *_leave(S.REPORT_PRINTING, E.COPY_PRINTED),
    Rule(S.REPORT_PRINTING, E.PRINTER_STOPPED, S.REPORT_STOPPED, effects=("beep_alert",)),
    *_leave(S.REPORT_PRINTING, E.CANCEL, E.TIMEOUT, effects=("stop_printing",)),
    Rule(S.REPORT_STOPPED, E.PRINTER_READY, S.REPORT_PRINTING, effects=("resume_printing",)),
    *_leave(S.REPORT_STOPPED, E.CANCEL, E.TIMEOUT, effects=("stop_printing",)),
    *_leave(S.NOTICE, E.CONFIRM, E.CANCEL, E.TIMEOUT),

    Rule(S.ADJUSTING, E.CONFIRM, S.NOTICE, records=("keep_level",), effects=("finish_action",)),
    *_leave(S.ADJUSTING, E.CANCEL, E.TIMEOUT, effects=("restore_level",)),

    Rule(S.GUIDING, E.CONFIRM, S.GUIDING, "card_awaited", effects=("beep_error",)),
    Rule(S.GUIDING, E.CONFIRM, S.GUIDING, "steps_left", effects=("next_step",)),
    Rule(S.GUIDING, E.CONFIRM, S.REPORT_PRINTING, records=("note_cleaning",), effects=("print_report",)),
    Rule(S.GUIDING, E.CARD_READ, S.GUIDING, "passes_left", effects=("count_pass", "beep_key")),
    Rule(S.GUIDING, E.CARD_READ, S.GUIDING, "steps_left", effects=("next_step", "beep_key")),
    Rule(S.GUIDING, E.CARD_READ, S.REPORT_PRINTING, records=("note_cleaning",), effects=("print_report",)),
    Rule(S.GUIDING, E.CARD_UNREADABLE, S.GUIDING, "card_must_be_read", effects=("beep_error",)),
    Rule(S.GUIDING, E.CARD_UNREADABLE, S.GUIDING, "passes_left", effects=("count_pass", "beep_key")),
    Rule(S.GUIDING, E.CARD_UNREADABLE, S.GUIDING, effects=("next_step", "beep_key")),
    *_leave(S.GUIDING, E.CANCEL, E.TIMEOUT),

    Rule(S.TESTING_DEVICES, E.TIMEOUT, S.TESTING_DEVICES, "devices_left", effects=("try_device",)),
    Rule(S.TESTING_DEVICES, E.TIMEOUT, S.REPORT_PRINTING, "printer_is_ready", effects=("print_report",)),
    Rule(S.TESTING_DEVICES, E.TIMEOUT, S.READING, effects=("open_report",)),
    *_leave(S.TESTING_DEVICES, E.CANCEL, effects=("leave_tests",)),

    *(Rule(S.ASKING_BANK, event, S.READING, effects=("note_echo", "open_report")) for event in _HOST),
    Rule(S.ASKING_BANK, E.TIMEOUT, S.READING, effects=("open_report",)),
    *_leave(S.ASKING_BANK, E.CANCEL),
)


def _except(*states: State) -> tuple[State, ...]:
    return tuple(state for state in S if state not in {*states, S.CLOSED})


_PRINTER = (E.COPY_PRINTED, E.PRINTER_STOPPED, E.PRINTER_READY)

IGNORED = (
    ignore((S.CLOSED,), Event, "the floor is closed")
    | ignore(_except(S.DECIDING), (E.GO_ON,), "nothing is to be decided")
    | ignore((S.DECIDING,), (E.CANCEL, E.TIMEOUT), "it is left in the same moment")
    | ignore(_except(S.MENU), (E.ENTRY_CHOSEN,), "no menu is shown")
    | ignore(_except(S.TYPING_NUMBER), (E.NUMBER_TYPED,), "no number is being typed")
    | ignore(_except(S.TYPING_PASSWORD), (E.PASSWORD_TYPED,), "no password is asked for")
    | ignore(_except(S.TYPING_NEW_PASSWORD, S.REPEATING_PASSWORD), (E.NEW_PASSWORD_TYPED,), "no new password is being typed")
    | ignore(_except(S.CONFIRMING, S.READING, S.NOTICE, S.ADJUSTING, S.GUIDING), (E.CONFIRM,), "there is nothing to confirm")
    | ignore(_except(S.ASKING_BANK), _HOST, "no request is open")
    | ignore(_except(S.GUIDING), (E.CARD_READ, E.CARD_UNREADABLE), "the reader is disarmed")
    | ignore(_except(S.REPORT_PRINTING, S.REPORT_STOPPED), _PRINTER, "nothing is being printed")
    | ignore((S.REPORT_PRINTING,), (E.PRINTER_READY,), "the printer never stopped")
    | ignore((S.REPORT_STOPPED,), (E.COPY_PRINTED, E.PRINTER_STOPPED), "the printer has stopped already")
)

TABLE = Table("floor", "The shop floor", S.DECIDING, ROWS, tuple(Event), RULES, IGNORED)
