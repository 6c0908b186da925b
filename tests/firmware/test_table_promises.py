"""What holds for many rules of the tables alike: the same key, answer or failure means the same everywhere.

A rule that differs from its like is a mistake that a run through the terminal finds only if it passes there.
"""

from __future__ import annotations

from enum import Enum

import pytest

from firmware import batch_upload
from firmware.exchange import NEVER_MACED
from firmware.management_work import MESSAGES
from firmware.txn import floor, settlement, terminal, transaction
from firmware.txn.schema import Group, Keys, Kind, Rule, Table
from firmware.txn.terminal import Event, State

T = terminal.TABLE
LISTENING = {row.state for row in T.rows if row.keys is Keys.IDLE} - {State.NO_KEYS}
KEY_STATES = {row.state for row in T.rows if row.group is Group.KEYS} - {State.NO_KEYS}


def of(source: object, event: Event) -> list[Rule]:
    return [rule for rule in T.rules if rule.source is source and rule.event is event]


def test_whoever_is_refused_hears_it() -> None:
    bad = {row.state for row in transaction.TABLE.rows if row.kind is Kind.ENDED_BADLY}
    silent = [rule for rule in transaction.RULES if rule.target in bad and "beep_error" not in rule.effects]
    assert silent == []


def test_who_must_do_it_again_hears_it() -> None:
    again = [rule for rule in transaction.RULES if rule.source is rule.target]
    assert again
    assert [rule for rule in again if "beep_error" not in rule.effects] == []


def test_only_the_bank_calls_a_pin_wrong() -> None:
    calling = [rule for rule in transaction.RULES if rule.target is transaction.State.WRONG_PIN]
    assert {rule.event for rule in calling} == {transaction.Event.HOST_WRONG_PIN}
    assert all("count_wrong_pin" in rule.records for rule in calling)


def test_every_sign_in_sets_the_clock() -> None:
    signed_in = of(State.SIGNING_IN, Event.HOST_APPROVED)
    assert len(signed_in) > 1
    assert all("set_clock" in rule.effects for rule in signed_in)


def test_whatever_is_tried_again_in_a_settlement_is_counted_or_it_would_be_for_ever() -> None:
    tried = [rule for rule in settlement.TABLE.rules if rule.guard == "tries_left"]
    assert tried
    assert [rule for rule in tried if "count_try" not in rule.records] == []


MEANINGS = {
    Event.SETTLE_KEY: [
        ("must_sign_in_to_send", State.SIGNING_IN),
        ("outbox_due", State.CLEARING),
        ("", State.IN_SETTLEMENT),
    ],
    Event.MANAGE_KEY: [("", State.MANAGING)],
    Event.MENU_KEY: [("", State.IN_FLOOR)],
    Event.SIGN_IN_KEY: [("", State.SIGNING_IN)],
    Event.REPRINT_KEY: [("slip_exists", State.REPRINTING), ("", State.NOTHING_TO_REPRINT)],
}


@pytest.mark.parametrize("event", MEANINGS, ids=lambda event: event.value)
def test_a_key_asks_first_what_must_be_done_before(event: Event) -> None:
    rules = [rule for rule in of(State.IDLE, event) if rule.guard != "nobody_logged_on"]
    assert [(rule.guard, rule.target) for rule in rules] == MEANINGS[event]


def test_a_key_means_on_every_screen_that_informs_what_it_means_on_the_idle_screen() -> None:
    """So nobody gets past a question, such as who is logged on, because something is shown."""
    keys = {event for event in Event if event.value.endswith("_key") and of(State.IDLE, event)}
    assert len(LISTENING) > 1
    for state in LISTENING - {State.IDLE}:
        for event in keys - {Event.LOAD_KEY_KEY}:
            (rule,) = of(state, event)
            assert (rule.target, rule.records, rule.effects) == (State.IDLE, (), ("look_again",)), state


def test_a_tamper_alarm_leads_to_the_one_state_from_everywhere() -> None:
    rules = [rule for rule in T.rules if rule.event is Event.TAMPERED]
    assert {(rule.guard, rule.target) for rule in rules} == {("", State.TAMPERED)}
    assert {rule.source for rule in rules} == set(State) - {State.TAMPERED}


@pytest.mark.parametrize("event", [Event.CANCEL, Event.TIMEOUT], ids=lambda event: event.value)
def test_key_loading_that_is_left_ends_where_the_keys_that_there_are_allow(event: Event) -> None:
    """Without a master key nothing works; a key that was just loaded may have something to be sent first."""
    for state in KEY_STATES - ({State.COMPONENT_REFUSED} if event is Event.TIMEOUT else set()):
        first = [("lacks_master_key", State.NO_KEYS)]
        then = [("owes_or_lacks_keys", State.RECOVERING)] if state is State.KEY_LOADED else []
        ways = [(rule.guard, rule.target) for rule in of(state, event)]
        assert ways == [*first, *then, ("", State.IDLE)], state


@pytest.mark.parametrize("state", [State.KEY_LOADED, State.KEY_REFUSED], ids=lambda state: state.value)
def test_whether_a_key_is_loaded_or_refused_enter_and_cancel_lead_to_the_same(state: State) -> None:
    by_key = [
        [(rule.guard, rule.target, rule.effects) for rule in of(state, event)]
        for event in (Event.CONFIRM, Event.CANCEL)
    ]
    assert by_key[0] == by_key[1]


def test_every_rule_that_leaves_key_loading_wipes() -> None:
    """No way out is forgotten, whatever is added."""
    for rule in T.rules:
        if rule.source in KEY_STATES and rule.target not in KEY_STATES:
            wipes = {"abandon_key", "wipe_keys"} & set(rule.effects)
            assert wipes or rule.event is Event.STORAGE_FAILED, rule  # which `app` wipes before any rule


@pytest.mark.parametrize("state", [State.SIGNING_IN, State.CLEARING], ids=lambda state: state.value)
@pytest.mark.parametrize(
    "event",
    [
        *(Event.HOST_DECLINED, Event.HOST_BAD_MAC, Event.HOST_LOST),
        *(Event.HOST_NOT_SENT, Event.TIMEOUT, Event.CANCEL),
    ],
    ids=lambda event: event.value,
)
def test_what_waited_for_the_bank_is_refused_when_no_good_answer_comes(state: State, event: Event) -> None:
    """It is told, with a beep, and what is due is tried again later. A refusal may be about more."""
    refused = ("forget_sale", "beep_error", "schedule_outbox")
    about_more = {"keys_refused", "refusal_is_final_and_more_due"} if event is Event.HOST_DECLINED else set()
    rules = [rule for rule in of(state, event) if rule.guard not in about_more]
    assert [(rule.guard, rule.target, rule.effects) for rule in rules] == [
        ("sale_wanted", State.SALE_REFUSED, refused),
        ("settlement_wanted", State.NOT_SETTLED, refused),
        ("", State.IDLE, ("schedule_outbox",)),
    ]


def test_a_message_is_left_by_a_key_or_by_itself() -> None:
    for state in LISTENING:
        assert [(rule.guard, rule.target) for rule in of(state, Event.TIMEOUT)] == [("", State.IDLE)], state
        if state is not State.IDLE:
            assert [(rule.guard, rule.target) for rule in of(state, Event.CONFIRM)] == [("", State.IDLE)], (
                state
            )


def test_the_floor_decides_wherever_it_is_told_to_and_nowhere_else() -> None:
    """Whoever comes to `deciding` untold would stay there; told elsewhere, an entry is left half open."""
    deciding = [rule for rule in floor.TABLE.rules if rule.target is floor.State.DECIDING]
    assert deciding
    assert deciding == [rule for rule in floor.TABLE.rules if "go_on" in rule.effects]


@pytest.mark.parametrize("name", ["totalling", "uploading", "ending_upload"])
def test_a_settlement_takes_every_missing_answer_alike(name: str) -> None:
    """None in time, none that came through: tried again, then given up."""
    state, happens = settlement.State(name), settlement.Event
    rules = settlement.TABLE.by_pair[state, happens.TIMEOUT]
    assert rules[0].guard == "tries_left"
    assert rules[-1].target is not state
    others = settlement.TABLE.by_pair[state, happens.HOST_LOST]
    assert [(one.guard, one.target, one.records, one.effects) for one in others] == [
        (one.guard, one.target, one.records, one.effects) for one in rules
    ]


def test_a_settlement_gone_on_with_has_all_tries_anew_at_every_step() -> None:
    rules = settlement.TABLE.by_pair[settlement.State.LINKING, settlement.Event.LINK_UP]
    asking = [rule for rule in rules if rule.target is not settlement.State.PRINTING]
    assert len(asking) == 3
    assert [rule for rule in asking if rule.records != ("forget_tries",)] == []


def test_every_good_answer_moves_the_step_at_which_a_settlement_stands() -> None:
    """Or a power cut would have the bank asked again what it has answered."""
    noted = {"totalling": "note_result", "uploading": "note_uploaded", "ending_upload": "note_end"}
    for name, record in noted.items():
        rules = settlement.TABLE.by_pair[settlement.State(name), settlement.Event.HOST_APPROVED]
        taken = [rule for rule in rules if rule.guard != "result_unreadable"]
        assert taken
        assert [rule for rule in taken if rule.records != (record,)] == []


def test_a_settlement_goes_on_printing_where_the_paper_ran_out() -> None:
    (ready,) = settlement.TABLE.by_pair[settlement.State("totals_stopped"), settlement.Event.PRINTER_READY]
    assert (ready.target, ready.effects) == (settlement.State("printing_totals"), ("resume_printing",))


def test_a_memory_that_fails_takes_the_terminal_out_of_service_from_everywhere() -> None:
    failing = [rule for rule in T.rules if rule.event is Event.STORAGE_FAILED]
    assert {(rule.guard, rule.target) for rule in failing} == {("", State.OUT_OF_SERVICE)}
    ignoring = {state for state, event in T.ignored if event is Event.STORAGE_FAILED}
    ignoring -= {State.TAMPERED, State.OUT_OF_SERVICE}
    shows_only = {State.RESULT, State.BATCH_CLOSED, State.NOT_MANAGED, State.NOTHING_TO_REPRINT}
    assert ignoring == shows_only | {State.REPRINT_STOPPED}
    assert [rule for rule in T.rules if rule.target in ignoring and rule.records] == [], (
        "or a commit may fail"
    )
    assert all("beep_error" in rule.effects for rule in failing)


def test_nobody_waits_for_a_wrong_mac_where_no_answer_has_one() -> None:
    """iso8583-pos section 4: none on 03xx, 05xx and 08xx; settlement, floor and management ask no others."""
    asked = {batch_upload.SETTLEMENT_MTI, batch_upload.UPLOAD_MTI, *(one.mti for one in MESSAGES.values())}
    assert {mti[:2] for mti in asked} <= set(NEVER_MACED)
    for table in (settlement.TABLE, floor.TABLE):
        assert "host_bad_mac" not in {event.value for event in table.events}
    assert of(State.MANAGING, Event.HOST_BAD_MAC) == []


@pytest.mark.parametrize(
    ("table", "state"),
    [
        (transaction.TABLE, transaction.State.REVERSING),
        (transaction.TABLE, transaction.State.COMPLETING),
        (terminal.TABLE, State.CLEARING),
    ],
    ids=lambda value: getattr(value, "value", ""),
)
def test_every_try_that_left_without_a_good_answer_is_counted(table: Table, state: Enum) -> None:
    """So that the bank's "known already" can be believed the next time, and a refusal is told."""
    counting = {"count_attempt", "count_outgoing_attempt", "note_outgoing_declined"}
    counting |= {"refuse_completion", "refuse_outgoing"}
    for event in ("host_declined", "host_bad_mac", "host_lost", "timeout"):
        rules = [rule for rule in table.rules if (rule.source, rule.event.value) == (state, event)]
        assert rules
        assert [rule for rule in rules if not counting & set(rule.records)] == []
    unsent = [rule for rule in table.rules if (rule.source, rule.event.value) == (state, "host_not_sent")]
    assert [rule for rule in unsent if counting & set(rule.records)] == []


def test_what_the_bank_has_taken_is_not_due_any_more_whatever_comes_next() -> None:
    rules = of(State.CLEARING, Event.HOST_APPROVED)
    assert len(rules) > 1
    assert [rule for rule in rules if "settle_outgoing" not in rule.records] == []


def test_what_is_given_up_is_tried_again_later() -> None:
    """From every state of the terminal that waits for the bank or the line, back to rest without it."""
    asking = {State.RECOVERING, State.SIGNING_IN, State.CLEARING, State.MANAGING}
    came = {Event.LINK_UP, Event.HOST_APPROVED}
    given_up = [
        rule
        for rule in T.rules
        if rule.source in asking and rule.target in LISTENING and rule.event not in came
    ]
    assert {rule.source for rule in given_up} == asking
    managed = [rule for rule in T.rules if rule.source is State.MANAGING and rule.target in LISTENING]
    assert [rule for rule in given_up + managed if "schedule_outbox" not in rule.effects] == []


def test_a_payment_that_is_over_lets_what_it_left_be_sent() -> None:
    (ended,) = of(State.IN_TRANSACTION, Event.TRANSACTION_ENDED)
    assert "schedule_outbox" in ended.effects
    for rule in of(State.IN_SETTLEMENT, Event.SETTLEMENT_ENDED):
        assert {"schedule_outbox", "sign_out"} & set(rule.effects)
        assert "forget_sale" in rule.effects, "nobody waits for it any more"


def test_a_clock_is_set_before_anything_is_dated_by_it() -> None:
    for rule in of(State.SIGNING_IN, Event.HOST_APPROVED):
        assert rule.effects[0] == "set_clock"
        assert rule.records[0] == "note_sign_in", "a payment that begins with it is of the bank's batch"


def test_whoever_must_settle_first_hears_it_and_it_is_gone_on_with() -> None:
    """The settlement that is in the way is not left for somebody to ask for."""
    refused = [rule for rule in T.rules if rule.target is State.NOT_SETTLED and rule.source is State.IDLE]
    assert {rule.guard for rule in refused} == {"settlement_open", "batch_full"}
    for rule in refused:
        assert "beep_error" in rule.effects
        assert ("schedule_outbox" in rule.effects) == (rule.guard == "settlement_open")


def test_what_is_wanted_is_remembered_while_something_else_must_be_done_first() -> None:
    wants = {Event.SALE_KEY: "want_sale", Event.SETTLE_KEY: "want_settlement"}
    for rule in T.rules:
        if rule.source is State.IDLE and rule.event in wants:
            first = rule.target in {State.SIGNING_IN, State.CLEARING}
            assert (wants[rule.event] in rule.effects) == first, rule


def test_every_copy_on_paper_is_counted() -> None:
    printed = [rule for rule in transaction.RULES if rule.event is transaction.Event.COPY_PRINTED]
    assert {rule.target for rule in printed} >= {transaction.State.TEAR_OFF, transaction.State.COMPLETING}
    assert [rule for rule in printed if rule.records != ("count_copy",)] == []


def test_the_end_of_the_paper_sends_the_completion_that_is_owed() -> None:
    """Not some time later: the bank holds the money until then."""
    paper = {row.state for row in transaction.TABLE.rows if row.group is Group.PAPER}
    for (state, event), rules in transaction.TABLE.by_pair.items():
        if state in paper and any(rule.target is transaction.State.APPROVED for rule in rules):
            first = [rule for rule in rules if rule.guard == "owes_completion"]
            assert [rule.target for rule in first] == [transaction.State.COMPLETING], (state, event)


def test_a_settlement_begins_only_where_it_is_wanted_or_open() -> None:
    """And where none may be open, its totals are stored before anything is done about it."""
    begins = [rule for rule in T.rules if rule.target is State.IN_SETTLEMENT]
    assert {(rule.source, rule.event): rule.guard for rule in begins} == {
        (State.IDLE, Event.SETTLE_KEY): "",
        (State.SIGNING_IN, Event.HOST_APPROVED): "settlement_wanted",
        (State.CLEARING, Event.HOST_APPROVED): "settlement_wanted",
        (State.IDLE, Event.OUTBOX_DUE): "settlement_open",
        (State.IDLE, Event.LINK_UP): "settlement_open",
    }
    for rule in begins:
        assert ("begin_settlement" in rule.records) == (rule.guard != "settlement_open"), rule


def test_power_on_ends_what_a_power_cut_left_open_wherever_it_leads() -> None:
    rules = of(State.STARTING, Event.SELF_TEST_PASSED)
    assert [(rule.guard, rule.target) for rule in rules] == [
        ("lacks_master_key", State.NO_KEYS),
        ("owes_or_lacks_keys", State.RECOVERING),
        ("", State.IDLE),
    ]
    assert [rule for rule in rules if rule.records != ("recover_payment",)] == []
    back = of(State.RECOVERING, Event.LINK_UP)
    assert [(rule.guard, rule.target) for rule in back] == [
        ("must_sign_in", State.SIGNING_IN),
        ("", State.IDLE),
    ]


def test_what_is_to_be_sent_goes_alike_when_the_line_comes_and_when_its_time_has_come() -> None:
    by_line, by_time = (of(State.IDLE, event) for event in (Event.LINK_UP, Event.OUTBOX_DUE))
    assert len(by_line) > 1
    assert [(rule.guard, rule.target, rule.effects) for rule in by_line] == [
        (rule.guard, rule.target, rule.effects) for rule in by_time
    ]


def test_a_refusal_at_the_menus_is_heard_and_a_lock_calls_somebody() -> None:
    heard = {"tell_refusal": "beep_error", "tell_lock": "beep_alert", "refuse_password": "beep_error"}
    for rule in floor.TABLE.rules:
        for effect in set(rule.effects) & set(heard):
            assert heard[effect] in rule.effects, rule
