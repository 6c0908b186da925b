"""The terminal table: power-on, recovery, sign-in, idle, and what happens around a payment.

While a payment runs (`in_transaction`) the transaction table decides, while a batch is settled the
settlement table; this one waits for their end. Nothing here moves money: it sends again what the outbox holds, and it refuses a new payment while the outbox owes the
bank something or the terminal is not signed in.
"""

# The columns are meant to be read down.
# fmt: off
# ruff: noqa: E501 - one rule a line, however long

from __future__ import annotations

from firmware.txn.schema import Group, Keys, Kind, Name, Row, Rule, Table, ignore


class State(Name):
    """The states of the terminal."""

    STARTING = "starting"
    RECOVERING = "recovering"
    SIGNING_IN = "signing_in"
    CLEARING = "clearing"
    IN_FLOOR = "in_floor"
    NO_KEYS = "no_keys"
    IDLE = "idle"
    SALE_REFUSED = "sale_refused"
    BATCH_CLOSED = "batch_closed"
    MANAGED = "managed"
    IN_TRANSACTION = "in_transaction"
    RESULT = "result"
    IN_SETTLEMENT = "in_settlement"
    NOT_SETTLED = "not_settled"
    NOT_MANAGED = "not_managed"
    MANAGING = "managing"
    REPRINTING = "reprinting"
    REPRINT_STOPPED = "reprint_stopped"
    NOTHING_TO_REPRINT = "nothing_to_reprint"
    CHOOSING_KEY = "choosing_key"
    TYPING_SERIAL_NUMBER = "typing_serial_number"
    TYPING_COMPONENT = "typing_component"
    TYPING_CHECK_VALUE = "typing_check_value"
    COMPONENT_REFUSED = "component_refused"
    COMPONENT_ACCEPTED = "component_accepted"
    CONFIRMING_KEY = "confirming_key"
    KEY_LOADED = "key_loaded"
    KEY_REFUSED = "key_refused"
    OUT_OF_SERVICE = "out_of_service"
    TAMPERED = "tampered"


class Event(Name):
    """What can happen to the terminal outside a payment."""

    SELF_TEST_PASSED = "self_test_passed"
    SELF_TEST_FAILED = "self_test_failed"
    STORAGE_FAILED = "storage_failed"
    TAMPERED = "tampered"
    SALE_KEY = "sale_key"
    REPRINT_KEY = "reprint_key"
    SIGN_IN_KEY = "sign_in_key"
    LANGUAGE_KEY = "language_key"
    SETTLE_KEY = "settle_key"
    MANAGE_KEY = "manage_key"
    LOAD_KEY_KEY = "load_key_key"
    MENU_KEY = "menu_key"
    KEY_CHOSEN = "key_chosen"
    SERIAL_NUMBER_TYPED = "serial_number_typed"
    COMPONENT_DIGIT = "component_digit"
    COMPONENT_TYPED = "component_typed"
    CHECK_VALUE_TYPED = "check_value_typed"
    ANOTHER_COMPONENT = "another_component"
    KEY_LOADED = "key_loaded"
    KEY_REFUSED = "key_refused"
    CONFIRM = "confirm"
    CANCEL = "cancel"
    TRANSACTION_ENDED = "transaction_ended"
    FLOOR_ENDED = "floor_ended"
    SETTLEMENT_ENDED = "settlement_ended"
    LINK_UP = "link_up"
    LINK_DOWN = "link_down"
    HOST_APPROVED = "host_approved"
    HOST_DECLINED = "host_declined"
    HOST_BAD_MAC = "host_bad_mac"
    HOST_NOT_SENT = "host_not_sent"
    HOST_LOST = "host_lost"
    COPY_PRINTED = "copy_printed"
    PRINTER_STOPPED = "printer_stopped"
    PRINTER_READY = "printer_ready"
    OUTBOX_DUE = "outbox_due"
    TIMEOUT = "timeout"


S, E = State, Event

ROWS = (
    Row(S.STARTING,            Group.START,      Kind.PASSING, "starting",           meaning="self-test of every device; the journal is read"),
    Row(S.RECOVERING,          Group.START,      Kind.WAITING, "recovering",         "connect_timeout_ms",  meaning="something is owed to the bank or no key is there: wait for the link"),
    Row(S.SIGNING_IN,          Group.ONLINE,     Kind.WAITING, "signing_in",         "response_timeout_ms", meaning="0800 is with the bank: working keys, batch, time"),
    Row(S.CLEARING,            Group.ONLINE,     Kind.WAITING, "clearing",           "response_timeout_ms", meaning="a reversal or completion that is due is with the bank"),
    Row(S.IN_FLOOR,            Group.FLOOR,      Kind.RESTING, "",                   meaning="the floor table decides: menus, operators, reports, maintenance"),
    Row(S.NO_KEYS,             Group.KEYS,       Kind.RESTING, "no_keys",            keys=Keys.IDLE, meaning="no master key: nothing can be sold until one is loaded"),
    Row(S.IDLE,                Group.IN_SERVICE, Kind.RESTING, "idle",               "idle_refresh_ms",     keys=Keys.IDLE, meaning="in service"),
    Row(S.SALE_REFUSED,        Group.IN_SERVICE, Kind.WAITING, "sale_refused",       "result_ms",           keys=Keys.IDLE, meaning="no new payment: the reason is shown"),
    Row(S.BATCH_CLOSED,        Group.ONLINE,     Kind.WAITING, "settled",            "result_ms",           keys=Keys.IDLE, meaning="the batch is settled and closed"),
    Row(S.MANAGED,             Group.ONLINE,     Kind.WAITING, "managed",            "result_ms",           keys=Keys.IDLE, meaning="it is done"),
    Row(S.IN_TRANSACTION,      Group.IN_SERVICE, Kind.RESTING, "",                   meaning="the transaction table decides"),
    Row(S.RESULT,              Group.IN_SERVICE, Kind.WAITING, "",                   "result_ms",           keys=Keys.IDLE, meaning="how the payment ended is shown"),
    Row(S.IN_SETTLEMENT,       Group.IN_SERVICE, Kind.RESTING, "",                   meaning="the settlement table decides"),
    Row(S.NOT_SETTLED,         Group.IN_SERVICE, Kind.WAITING, "settlement_interrupted", "result_ms",       keys=Keys.IDLE, meaning="a settlement is to be finished: nothing is sold before"),
    Row(S.NOT_MANAGED,         Group.ONLINE,     Kind.WAITING, "not_managed",        "result_ms",           keys=Keys.IDLE, meaning="it could not be done"),
    Row(S.MANAGING,            Group.ONLINE,     Kind.WAITING, "managing",           "response_timeout_ms", meaning="a sign-out, echo, status or download is with the bank"),
    Row(S.REPRINTING,          Group.PAPER,      Kind.WAITING, "reprinting",         "printer_timeout_ms",  meaning="the last slip is printed again, marked as a duplicate"),
    Row(S.REPRINT_STOPPED,     Group.PAPER,      Kind.WAITING, "printer_stopped",    "paper_timeout_ms",    meaning="no paper, cover open, too hot or jammed"),
    Row(S.NOTHING_TO_REPRINT,  Group.PAPER,      Kind.WAITING, "nothing_to_reprint", "result_ms",           keys=Keys.IDLE, meaning="there is no slip yet"),
    Row(S.CHOOSING_KEY,        Group.KEYS,       Kind.WAITING, "choosing_key",       "operator_timeout_ms", keys=Keys.KEY_CHOICE, meaning="which key is to be loaded"),
    Row(S.TYPING_SERIAL_NUMBER, Group.KEYS,      Kind.WAITING, "typing_serial_number", "operator_timeout_ms", keys=Keys.SERIAL_NUMBER, meaning="the serial number of an initial DUKPT key"),
    Row(S.TYPING_COMPONENT,    Group.KEYS,       Kind.WAITING, "typing_component",   "operator_timeout_ms", keys=Keys.COMPONENT, meaning="a custodian types a component; every digit gives the time anew"),
    Row(S.TYPING_CHECK_VALUE,  Group.KEYS,       Kind.WAITING, "typing_check_value", "operator_timeout_ms", keys=Keys.CHECK_VALUE, meaning="the custodian types the component's check value"),
    Row(S.COMPONENT_REFUSED,   Group.KEYS,       Kind.WAITING, "component_refused",  "result_ms",           meaning="component and check value do not fit: typed again"),
    Row(S.COMPONENT_ACCEPTED,  Group.KEYS,       Kind.WAITING, "component_accepted", "operator_timeout_ms", keys=Keys.CUSTODIAN, meaning="the next custodian comes, or the key is whole"),
    Row(S.CONFIRMING_KEY,      Group.KEYS,       Kind.WAITING, "confirming_key",     "operator_timeout_ms", meaning="the custodians compare the whole key's check value"),
    Row(S.KEY_LOADED,          Group.KEYS,       Kind.WAITING, "key_loaded",         "result_ms",           meaning="the key is sealed in the vault"),
    Row(S.KEY_REFUSED,         Group.KEYS,       Kind.WAITING, "key_refused",        "result_ms",           meaning="the key is not loaded: the reason is shown"),
    Row(S.OUT_OF_SERVICE,      Group.SERVICE,    Kind.RESTING, "out_of_service",     "service_retry_ms", meaning="a device or the storage failed: enter starts again, and so does time"),
    Row(S.TAMPERED,            Group.SERVICE,    Kind.RESTING, "tampered",           meaning="the keys are gone; only a service visit helps"),
)

_HOST_BAD = (E.HOST_DECLINED, E.HOST_BAD_MAC, E.HOST_NOT_SENT, E.HOST_LOST, E.TIMEOUT)
_INFORMING = (S.RESULT, S.SALE_REFUSED, S.NOTHING_TO_REPRINT, S.BATCH_CLOSED, S.NOT_SETTLED, S.MANAGED, S.NOT_MANAGED)
_SHOWING = (S.IDLE, *_INFORMING)
_WITHOUT_MEMORY = (S.RESULT, S.BATCH_CLOSED, S.NOT_MANAGED, S.NOTHING_TO_REPRINT, S.REPRINT_STOPPED)
"""No rule that leads there stores anything, and nothing is read there: what fails is noticed in the state after."""


_IDLE_KEYS = (E.SALE_KEY, E.REPRINT_KEY, E.SETTLE_KEY, E.MANAGE_KEY, E.SIGN_IN_KEY, E.LANGUAGE_KEY, E.MENU_KEY)


_ON_IDLE_KEYS = (
    Rule(S.IDLE, E.SALE_KEY, S.NOT_SETTLED, "settlement_open", effects=("beep_error", "schedule_outbox")),
    Rule(S.IDLE, E.SALE_KEY, S.NOT_SETTLED, "batch_full", effects=("beep_error",)),
    Rule(S.IDLE, E.SALE_KEY, S.SALE_REFUSED, "type_is_off", effects=("beep_error",)),
    Rule(S.IDLE, E.SALE_KEY, S.SIGNING_IN, "must_sign_in", effects=("want_sale", "send_sign_in")),
    Rule(S.IDLE, E.SALE_KEY, S.CLEARING, "owes_before_sale", effects=("want_sale", "send_outgoing")),
    Rule(S.IDLE, E.SALE_KEY, S.IN_TRANSACTION, records=("begin_payment",), effects=("begin_transaction",)),
    Rule(S.IDLE, E.REPRINT_KEY, S.REPRINTING, "slip_exists", effects=("print_duplicate",)),
    Rule(S.IDLE, E.REPRINT_KEY, S.NOTHING_TO_REPRINT, effects=("beep_error",)),
    Rule(S.IDLE, E.SETTLE_KEY, S.SIGNING_IN, "must_sign_in_to_send", effects=("want_settlement", "send_sign_in")),
    Rule(S.IDLE, E.SETTLE_KEY, S.CLEARING, "outbox_due", effects=("want_settlement", "send_outgoing")),
    Rule(S.IDLE, E.SETTLE_KEY, S.IN_SETTLEMENT, records=("begin_settlement",), effects=("settle",)),
    Rule(S.IDLE, E.MANAGE_KEY, S.MANAGING, effects=("send_management",)),
    Rule(S.IDLE, E.SIGN_IN_KEY, S.SIGNING_IN, effects=("send_sign_in",)),
    Rule(S.IDLE, E.LANGUAGE_KEY, S.IDLE, records=("switch_language",)),
    Rule(S.IDLE, E.MENU_KEY, S.IN_FLOOR, effects=("open_floor",)),
    # a screen that only informs gives way, and the key is looked at again
    *(Rule(state, event, S.IDLE, effects=("look_again",)) for state in _INFORMING for event in _IDLE_KEYS),
)


def _after_clearing(source: State, records: tuple[str, ...], effects: tuple[str, ...] = ()) -> tuple[Rule, ...]:
    """The bank has answered well: do what comes next."""
    return (
        Rule(source, E.HOST_APPROVED, S.CLEARING, "outbox_due_after", records, (*effects, "send_outgoing")),
        Rule(source, E.HOST_APPROVED, S.IN_TRANSACTION, "sale_wanted", (*records, "begin_payment"), (*effects, "begin_transaction")),
        Rule(source, E.HOST_APPROVED, S.IN_SETTLEMENT, "settlement_wanted", (*records, "begin_settlement"), (*effects, "settle")),
        Rule(source, E.HOST_APPROVED, S.IDLE, records=records, effects=effects),
    )


def _gave_up(source: State, event: Event, records: tuple[str, ...] = ()) -> tuple[Rule, ...]:
    """The bank could not be asked or gave no good answer: refuse the wanted sale, or rest."""
    return (
        Rule(source, event, S.SALE_REFUSED, "sale_wanted", records, ("forget_sale", "beep_error", "schedule_outbox")),
        Rule(source, event, S.NOT_SETTLED, "settlement_wanted", records, ("forget_sale", "beep_error", "schedule_outbox")),
        Rule(source, event, S.IDLE, records=records, effects=("schedule_outbox",)),
    )


def _key_loading_ends(source: State, *events: Event) -> tuple[Rule, ...]:
    """Out of key loading without a key: everything that was typed is wiped."""
    return tuple(
        rule
        for event in events
        for rule in (
            Rule(source, event, S.NO_KEYS, "lacks_master_key", effects=("abandon_key",)),
            Rule(source, event, S.IDLE, effects=("abandon_key",)),
        )
    )


_TYPED = (S.TYPING_SERIAL_NUMBER, S.TYPING_COMPONENT, S.TYPING_CHECK_VALUE, S.COMPONENT_ACCEPTED, S.CONFIRMING_KEY)

KEY_RULES = (
    Rule(S.NO_KEYS, E.LANGUAGE_KEY, S.NO_KEYS, records=("switch_language",)),
    Rule(S.NO_KEYS, E.MENU_KEY, S.IN_FLOOR, effects=("open_floor",)),
    *(
        rule
        for state in (S.NO_KEYS, S.IDLE)
        for rule in (
            Rule(state, E.LOAD_KEY_KEY, S.CHOOSING_KEY, "maintenance_allowed", effects=("begin_key_loading",)),
            Rule(state, E.LOAD_KEY_KEY, S.IN_FLOOR, effects=("ask_administrator",)),
        )
    ),
    Rule(S.CHOOSING_KEY, E.KEY_CHOSEN, S.TYPING_SERIAL_NUMBER, "has_serial_number", effects=("begin_serial_number",)),
    Rule(S.CHOOSING_KEY, E.KEY_CHOSEN, S.TYPING_COMPONENT, effects=("begin_component",)),
    Rule(S.TYPING_SERIAL_NUMBER, E.SERIAL_NUMBER_TYPED, S.TYPING_COMPONENT, effects=("begin_component",)),
    *_key_loading_ends(S.CHOOSING_KEY, E.CANCEL, E.TIMEOUT),
    Rule(S.TYPING_COMPONENT, E.COMPONENT_DIGIT, S.TYPING_COMPONENT, effects=("beep_key",)),
    Rule(S.TYPING_COMPONENT, E.COMPONENT_TYPED, S.TYPING_CHECK_VALUE, effects=("begin_check_value",)),
    Rule(S.TYPING_CHECK_VALUE, E.CHECK_VALUE_TYPED, S.COMPONENT_ACCEPTED, "check_value_fits", effects=("keep_component",)),
    Rule(S.TYPING_CHECK_VALUE, E.CHECK_VALUE_TYPED, S.COMPONENT_REFUSED, effects=("drop_component", "beep_error")),
    Rule(S.COMPONENT_REFUSED, E.CONFIRM, S.TYPING_COMPONENT, effects=("begin_component",)),
    Rule(S.COMPONENT_REFUSED, E.TIMEOUT, S.TYPING_COMPONENT, effects=("begin_component",)),
    *_key_loading_ends(S.COMPONENT_REFUSED, E.CANCEL),
    Rule(S.COMPONENT_ACCEPTED, E.CONFIRM, S.TYPING_COMPONENT, "components_missing", effects=("begin_component",)),
    Rule(S.COMPONENT_ACCEPTED, E.CONFIRM, S.CONFIRMING_KEY, effects=("combine_key",)),
    Rule(S.COMPONENT_ACCEPTED, E.ANOTHER_COMPONENT, S.TYPING_COMPONENT, "component_allowed", effects=("begin_component",)),
    Rule(S.COMPONENT_ACCEPTED, E.ANOTHER_COMPONENT, S.COMPONENT_ACCEPTED, effects=("beep_error",)),
    Rule(S.CONFIRMING_KEY, E.CONFIRM,     S.CONFIRMING_KEY, effects=("load_key",)),
    Rule(S.CONFIRMING_KEY, E.KEY_LOADED,  S.KEY_LOADED, effects=("beep_authorised",)),
    Rule(S.CONFIRMING_KEY, E.KEY_REFUSED, S.KEY_REFUSED, effects=("beep_error",)),
    *(rule for state in _TYPED for rule in _key_loading_ends(state, E.CANCEL, E.TIMEOUT)),
    *_key_loading_ends(S.KEY_REFUSED, E.CONFIRM, E.CANCEL, E.TIMEOUT),
    *(
        rule
        for event in (E.CONFIRM, E.CANCEL, E.TIMEOUT)
        for rule in (
            Rule(S.KEY_LOADED, event, S.NO_KEYS, "lacks_master_key", effects=("abandon_key",)),
            Rule(S.KEY_LOADED, event, S.RECOVERING, "owes_or_lacks_keys", effects=("abandon_key", "connect")),
            Rule(S.KEY_LOADED, event, S.IDLE, effects=("abandon_key",)),
        )
    ),
)

RULES = (
    Rule(S.STARTING, E.SELF_TEST_PASSED, S.NO_KEYS, "lacks_master_key", ("recover_payment",), ("open_link",)),
    Rule(S.STARTING, E.SELF_TEST_PASSED, S.RECOVERING, "owes_or_lacks_keys", ("recover_payment",), ("open_link", "connect")),
    Rule(S.STARTING, E.SELF_TEST_PASSED, S.IDLE, records=("recover_payment",), effects=("open_link",)),
    Rule(S.STARTING, E.SELF_TEST_FAILED, S.OUT_OF_SERVICE, effects=("beep_error",)),

    Rule(S.RECOVERING, E.LINK_UP, S.SIGNING_IN, "must_sign_in", effects=("send_sign_in",)),
    Rule(S.RECOVERING, E.LINK_UP, S.IDLE, effects=("look_again",)),
    Rule(S.RECOVERING, E.TIMEOUT, S.IDLE, effects=("schedule_outbox",)),
    Rule(S.RECOVERING, E.CANCEL,  S.IDLE, effects=("schedule_outbox",)),

    *_after_clearing(S.SIGNING_IN, ("note_sign_in",), ("set_clock",)),
    *(rule for event in (*_HOST_BAD, E.CANCEL) for rule in _gave_up(S.SIGNING_IN, event)),

    *_after_clearing(S.CLEARING, ("settle_outgoing",)),
    Rule(S.CLEARING, E.HOST_DECLINED, S.SIGNING_IN, "keys_refused", ("count_outgoing_attempt", "forget_sign_in"), ("send_sign_in",)),
    Rule(S.CLEARING, E.HOST_DECLINED, S.CLEARING, "refusal_is_final_and_more_due", ("refuse_outgoing",), ("send_outgoing",)),
    Rule(S.CLEARING, E.HOST_DECLINED, S.SALE_REFUSED, "sale_wanted", ("note_outgoing_declined",), ("forget_sale", "beep_error", "schedule_outbox")),
    Rule(S.CLEARING, E.HOST_DECLINED, S.NOT_SETTLED, "settlement_wanted", ("note_outgoing_declined",), ("forget_sale", "beep_error", "schedule_outbox")),
    Rule(S.CLEARING, E.HOST_DECLINED, S.IDLE, records=("note_outgoing_declined",), effects=("schedule_outbox",)),
    *(rule for event in (E.HOST_BAD_MAC, E.HOST_LOST, E.TIMEOUT) for rule in _gave_up(S.CLEARING, event, ("count_outgoing_attempt",))),
    *(rule for event in (E.HOST_NOT_SENT, E.CANCEL) for rule in _gave_up(S.CLEARING, event)),

    *(Rule(S.IDLE, event, S.IN_FLOOR, "nobody_logged_on", effects=("ask_log_on",)) for event in (E.SALE_KEY, E.REPRINT_KEY, E.MENU_KEY)),
    *_ON_IDLE_KEYS,
    *(
        rule
        for event in (E.OUTBOX_DUE, E.LINK_UP)
        for rule in (
            Rule(S.IDLE, event, S.SIGNING_IN, "signs_in_by_itself", effects=("send_sign_in",)),
            Rule(S.IDLE, event, S.CLEARING, "outbox_due", effects=("send_outgoing",)),
            Rule(S.IDLE, event, S.IN_SETTLEMENT, "settlement_open", effects=("settle",)),
            Rule(S.IDLE, event, S.MANAGING, "job_pending", effects=("send_job",)),
            Rule(S.IDLE, event, S.IDLE),
        )
    ),
    Rule(S.IDLE, E.TIMEOUT,    S.IDLE),
    *(Rule(state, event, S.IDLE) for state in _INFORMING for event in (E.CONFIRM, E.CANCEL, E.TIMEOUT)),

    Rule(S.IN_TRANSACTION, E.TRANSACTION_ENDED, S.RESULT, effects=("schedule_outbox",)),

    Rule(S.IN_FLOOR, E.FLOOR_ENDED, S.NO_KEYS, "lacks_master_key"),
    Rule(S.IN_FLOOR, E.FLOOR_ENDED, S.IDLE),
    Rule(S.IN_SETTLEMENT, E.SETTLEMENT_ENDED, S.NOT_SETTLED, "settlement_open", effects=("forget_sale", "schedule_outbox")),
    Rule(S.IN_SETTLEMENT, E.SETTLEMENT_ENDED, S.MANAGING, "signs_out_now", effects=("forget_sale", "sign_out")),
    Rule(S.IN_SETTLEMENT, E.SETTLEMENT_ENDED, S.BATCH_CLOSED, effects=("forget_sale", "schedule_outbox")),

    Rule(S.MANAGING, E.HOST_APPROVED, S.MANAGING, "parameters_came", ("note_parameters", "note_management"), ("send_download_end",)),
    Rule(S.MANAGING, E.HOST_APPROVED, S.NOT_MANAGED, "parameters_unreadable", effects=("beep_error", "schedule_outbox")),
    Rule(S.MANAGING, E.HOST_APPROVED, S.MANAGED, records=("note_management",), effects=("discard_keys", "schedule_outbox")),
    *(Rule(S.MANAGING, event, S.NOT_MANAGED, effects=("beep_error", "schedule_outbox")) for event in (E.HOST_DECLINED, E.HOST_NOT_SENT, E.HOST_LOST, E.TIMEOUT, E.CANCEL)),

    Rule(S.REPRINTING, E.COPY_PRINTED,    S.IDLE),
    Rule(S.REPRINTING, E.PRINTER_STOPPED, S.REPRINT_STOPPED, effects=("beep_alert",)),
    Rule(S.REPRINTING, E.TIMEOUT,         S.IDLE, effects=("stop_printing",)),
    Rule(S.REPRINTING, E.CANCEL,          S.IDLE, effects=("stop_printing",)),
    Rule(S.REPRINT_STOPPED, E.PRINTER_READY, S.REPRINTING, effects=("resume_printing",)),
    Rule(S.REPRINT_STOPPED, E.TIMEOUT,       S.IDLE, effects=("stop_printing",)),
    Rule(S.REPRINT_STOPPED, E.CANCEL,        S.IDLE, effects=("stop_printing",)),

    *KEY_RULES,

    Rule(S.OUT_OF_SERVICE, E.CONFIRM, S.STARTING, effects=("start",)),
    Rule(S.OUT_OF_SERVICE, E.TIMEOUT, S.STARTING, effects=("start",)),

    *(Rule(state, E.TAMPERED, S.TAMPERED, effects=("wipe_keys", "beep_alert")) for state in S if state is not S.TAMPERED),
    *(Rule(state, E.STORAGE_FAILED, S.OUT_OF_SERVICE, effects=("beep_error",)) for state in S if state not in {S.TAMPERED, S.OUT_OF_SERVICE, *_WITHOUT_MEMORY}),
)


def _except(*states: State) -> tuple[State, ...]:
    return tuple(state for state in S if state not in states)


_OUT = (S.OUT_OF_SERVICE, S.TAMPERED)
_HOST = (E.HOST_APPROVED, E.HOST_DECLINED, E.HOST_BAD_MAC, E.HOST_NOT_SENT, E.HOST_LOST)
_REPRINT = (S.REPRINTING, S.REPRINT_STOPPED)
_DELEGATED = (S.IN_TRANSACTION, S.IN_SETTLEMENT, S.IN_FLOOR)
_LOADING = (S.CHOOSING_KEY, S.TYPING_SERIAL_NUMBER, S.TYPING_COMPONENT, S.TYPING_CHECK_VALUE, S.COMPONENT_REFUSED, S.COMPONENT_ACCEPTED, S.CONFIRMING_KEY, S.KEY_LOADED, S.KEY_REFUSED)

IGNORED = (
    ignore((S.TAMPERED,), Event, "the keys are gone: nothing works until a service visit")
    | ignore((S.OUT_OF_SERVICE,), (E.STORAGE_FAILED, E.CANCEL), "out of service already; enter starts again")
    | ignore(_WITHOUT_MEMORY, (E.STORAGE_FAILED,), "the memory is not touched here")
    | ignore(_except(S.STARTING, S.TAMPERED), (E.SELF_TEST_PASSED, E.SELF_TEST_FAILED), "no self-test is running")
    | ignore(_except(*_SHOWING, S.NO_KEYS, S.TAMPERED), _IDLE_KEYS, "the function keys are off")
    | ignore((S.NO_KEYS,), (E.SALE_KEY, E.REPRINT_KEY, E.SIGN_IN_KEY, E.SETTLE_KEY, E.MANAGE_KEY), "nothing works without a master key")
    | ignore(_except(S.NO_KEYS, S.IDLE, S.TAMPERED), (E.LOAD_KEY_KEY,), "keys are loaded when the terminal is at rest")
    | ignore(_except(S.CHOOSING_KEY, S.TAMPERED), (E.KEY_CHOSEN,), "no key is to be chosen")
    | ignore(_except(S.TYPING_SERIAL_NUMBER, S.TAMPERED), (E.SERIAL_NUMBER_TYPED,), "no serial number is being typed")
    | ignore(_except(S.TYPING_COMPONENT, S.TAMPERED), (E.COMPONENT_DIGIT, E.COMPONENT_TYPED), "no component is being typed")
    | ignore(_except(S.TYPING_CHECK_VALUE, S.TAMPERED), (E.CHECK_VALUE_TYPED,), "no check value is being typed")
    | ignore(_except(S.COMPONENT_ACCEPTED, S.TAMPERED), (E.ANOTHER_COMPONENT,), "no custodian is waited for")
    | ignore(_except(S.CONFIRMING_KEY, S.TAMPERED), (E.KEY_LOADED, E.KEY_REFUSED), "no key is being loaded")
    | ignore((S.CHOOSING_KEY, S.TYPING_SERIAL_NUMBER, S.TYPING_COMPONENT, S.TYPING_CHECK_VALUE), (E.CONFIRM,), "the keys belong to what is being typed")
    | ignore((S.STARTING, S.RECOVERING, S.SIGNING_IN, S.CLEARING, S.NO_KEYS, S.IDLE, S.MANAGING, *_DELEGATED, *_REPRINT), (E.CONFIRM,), "there is nothing to confirm")
    | ignore((S.STARTING, S.NO_KEYS, S.IDLE), (E.CANCEL,), "there is nothing to cancel")
    | ignore((S.NO_KEYS,), (E.TIMEOUT,), "it lasts until a key is loaded")
    | ignore((S.STARTING,), (E.TIMEOUT,), "it is left when every device has been tested")
    | ignore(_DELEGATED, (E.CANCEL, E.TIMEOUT, *_HOST, E.COPY_PRINTED, E.PRINTER_STOPPED, E.PRINTER_READY), "another table decides")
    | ignore(_except(S.IN_TRANSACTION, S.TAMPERED), (E.TRANSACTION_ENDED,), "no payment is running")
    | ignore(_except(S.IN_SETTLEMENT, S.TAMPERED), (E.SETTLEMENT_ENDED,), "no settlement is running")
    | ignore(_except(S.IN_FLOOR, S.TAMPERED), (E.FLOOR_ENDED,), "the floor is closed")
    | ignore(_except(S.RECOVERING, S.IDLE, S.TAMPERED), (E.LINK_UP,), "only the lights change")
    | ignore(_except(S.TAMPERED), (E.LINK_DOWN,), "only the lights change; the state's timer decides")
    | ignore(_except(S.SIGNING_IN, S.CLEARING, S.MANAGING, *_DELEGATED, S.TAMPERED), _HOST, "no request is open")
    | ignore((S.MANAGING,), (E.HOST_BAD_MAC,), "these answers have no MAC (section 4)")
    | ignore(_except(*_REPRINT, *_DELEGATED, S.TAMPERED), (E.COPY_PRINTED, E.PRINTER_STOPPED, E.PRINTER_READY), "nothing is being printed")
    | ignore((S.REPRINTING,), (E.PRINTER_READY,), "the printer never stopped")
    | ignore((S.REPRINT_STOPPED,), (E.COPY_PRINTED, E.PRINTER_STOPPED), "the printer has stopped already")
    | ignore(_except(S.IDLE, S.TAMPERED), (E.OUTBOX_DUE,), "sent again when idle")
)

TABLE = Table("terminal", "The terminal around a payment", S.STARTING, ROWS, tuple(Event), RULES, IGNORED)
