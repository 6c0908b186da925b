"""What holds for many rules of the tables alike: the same key, answer or failure means the same everywhere.

A rule that differs from its like is a mistake that a run through the terminal finds only if it passes there.
"""

from __future__ import annotations

import pytest

from firmware.txn import settlement, terminal, transaction
from firmware.txn.schema import Group, Keys, Kind, Rule
from firmware.txn.terminal import Event, State

T = terminal.TABLE
LISTENING = {row.state for row in T.rows if row.keys is Keys.IDLE} - {State.NO_KEYS}
KEY_STATES = {row.state for row in T.rows if row.group is Group.KEYS} - {State.NO_KEYS}


def of(source: object, event: Event) -> list[Rule]:
    return [rule for rule in T.rules if rule.source is source and rule.event is event]


def shape(rules: list[Rule]) -> list[tuple[object, ...]]:
    return [(rule.guard, rule.target, rule.records, rule.effects) for rule in rules]


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
def test_a_key_means_the_same_wherever_the_terminal_listens_to_it(event: Event) -> None:
    assert len(LISTENING) > 1
    expected = shape(of(State.RESULT, event))
    assert [(guard, target) for guard, target, _, _ in expected] == MEANINGS[event]
    for state in LISTENING:
        rules = [one for one in shape(of(state, event)) if one[0] != "nobody_logged_on"]
        assert rules == expected, state


def test_the_key_for_a_sale_is_asked_about_alike_wherever_the_terminal_listens_to_it() -> None:
    """The state that tells of a refusal may be the one that it is in; questions and effects are the same."""
    expected = [(guard, effects) for guard, _, _, effects in shape(of(State.RESULT, Event.SALE_KEY))]
    assert expected[-1] == ("", ("begin_transaction",))
    for state in LISTENING:
        rules = [(rule.guard, rule.effects) for rule in of(state, Event.SALE_KEY)]
        assert [one for one in rules if one[0] != "nobody_logged_on"] == expected, state


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


@pytest.mark.parametrize("name", ["totalling", "uploading", "ending_upload"])
def test_a_settlement_takes_every_missing_answer_alike(name: str) -> None:
    """No answer, none that came through, none that can be trusted: tried again, then given up."""
    state, happens = settlement.State(name), settlement.Event
    rules = settlement.TABLE.by_pair[state, happens.TIMEOUT]
    assert rules[0].guard == "tries_left"
    assert rules[-1].target is not state
    for event in (happens.HOST_LOST, happens.HOST_BAD_MAC):
        others = settlement.TABLE.by_pair[state, event]
        assert [(one.guard, one.target, one.records, one.effects) for one in others] == [
            (one.guard, one.target, one.records, one.effects) for one in rules
        ]


def test_a_settlement_goes_on_printing_where_the_paper_ran_out() -> None:
    (ready,) = settlement.TABLE.by_pair[settlement.State("totals_stopped"), settlement.Event.PRINTER_READY]
    assert (ready.target, ready.effects) == (settlement.State("printing_totals"), ("resume_printing",))


def test_a_memory_that_fails_takes_the_terminal_out_of_service_from_everywhere() -> None:
    failing = [rule for rule in T.rules if rule.event is Event.STORAGE_FAILED]
    assert {(rule.guard, rule.target) for rule in failing} == {("", State.OUT_OF_SERVICE)}
    ignoring = {state for state, event in T.ignored if event is Event.STORAGE_FAILED}
    assert ignoring <= {State.TAMPERED, State.OUT_OF_SERVICE, State.STARTING}
    assert all("beep_error" in rule.effects for rule in failing)
