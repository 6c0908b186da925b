"""What has been done when a state begins, by whichever rule: it has been sent, armed, printed, heard.

A state that waits for something waits in vain where the rule that leads to it has not asked for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

import pytest

from firmware.txn import floor, settlement, terminal, transaction
from firmware.txn.schema import Rule, Table

F, S, T, P = floor.State, settlement.State, terminal.State, transaction.State
TABLES: Mapping[type[Enum], Table] = {
    F: floor.TABLE,
    S: settlement.TABLE,
    T: terminal.TABLE,
    P: transaction.TABLE,
}

BEGINS_WITH: dict[Enum, set[str]] = {  # one of these, where the state was another one before
    P.ORIGINAL: {"begin_typing"},
    P.REFERENCE: {"begin_typing"},
    P.AUTHORISATION_CODE: {"begin_typing"},
    P.ORIGINAL_DATE: {"begin_typing"},
    P.EXPIRY: {"begin_typing"},
    P.CARD: {"arm_card_reader"},
    P.PURCHASE_PIN: {"begin_pin_entry"},
    P.PIN: {"begin_pin_entry"},
    P.CONNECTING: {"connect"},
    P.AUTHORISING: {"send_request"},
    P.PURCHASING: {"send_request"},
    P.VERIFYING_PIN: {"send_pin_verification"},
    P.COMPLETING: {"send_completion"},
    P.REVERSING: {"send_reversal"},
    P.BALANCE_SHOWN: {"show_balance"},
    P.PRINTING: {"print_copy", "resume_printing"},
    S.LINKING: {"connect"},
    S.TOTALLING: {"send_totals"},
    S.UPLOADING: {"send_records"},
    S.ENDING: {"send_end"},
    S.PRINTING: {"print_totals", "resume_printing"},
    T.STARTING: {"start"},
    T.RECOVERING: {"connect"},
    T.SIGNING_IN: {"send_sign_in"},
    T.CLEARING: {"send_outgoing"},
    T.MANAGING: {"send_management", "send_job", "sign_out"},
    T.IN_TRANSACTION: {"begin_transaction"},
    T.IN_SETTLEMENT: {"settle"},
    T.IN_FLOOR: {"open_floor", "ask_log_on", "ask_administrator"},
    T.REPRINTING: {"print_duplicate", "resume_printing"},
    T.CHOOSING_KEY: {"begin_key_loading"},
    T.TYPING_SERIAL_NUMBER: {"begin_serial_number"},
    T.TYPING_COMPONENT: {"begin_component"},
    T.TYPING_CHECK_VALUE: {"begin_check_value"},
    T.COMPONENT_ACCEPTED: {"keep_component"},
    T.COMPONENT_REFUSED: {"drop_component"},
    T.CONFIRMING_KEY: {"combine_key"},
    F.DECIDING: {"go_on"},
    F.TYPING_NUMBER: {"begin_typing"},
    F.TYPING_PASSWORD: {"begin_typing"},
    F.TYPING_NEW_PASSWORD: {"begin_typing", "refuse_password"},
    F.REPEATING_PASSWORD: {"begin_typing"},
    F.READING: {"open_report"},
    F.REPORT_PRINTING: {"print_report", "resume_printing"},
    F.NOTICE: {"tell_refusal", "tell_lock", "finish_action"},
    F.ADJUSTING: {"begin_level"},
    F.GUIDING: {"begin_guide"},
    F.ASKING_BANK: {"send_echo"},
    F.TESTING_DEVICES: {"begin_tests"},
}

IS_HEARD: dict[Enum, str] = {  # whenever it begins
    **dict.fromkeys((P.DECLINED, P.CANCELLED, P.TIMED_OUT, P.FAILED, P.WRONG_PIN), "beep_error"),
    P.AUTHORISED: "beep_authorised",
    P.BALANCE_SHOWN: "beep_authorised",
    P.PRINTER_STOPPED: "beep_alert",
    S.INTERRUPTED: "beep_error",
    S.SETTLED: "beep_authorised",
    S.PRINTER_STOPPED: "beep_alert",
    T.SALE_REFUSED: "beep_error",
    T.NOT_MANAGED: "beep_error",
    T.NOTHING_TO_REPRINT: "beep_error",
    T.COMPONENT_REFUSED: "beep_error",
    T.KEY_REFUSED: "beep_error",
    T.KEY_LOADED: "beep_authorised",
    T.OUT_OF_SERVICE: "beep_error",
    T.TAMPERED: "beep_alert",
    T.REPRINT_STOPPED: "beep_alert",
    F.REPORT_STOPPED: "beep_alert",
}


def leading_to(state: Enum) -> list[Rule]:
    """Every rule by which the state begins."""
    rules = [rule for rule in TABLES[type(state)].rules if rule.target is state and rule.source is not state]
    assert rules
    return rules


@pytest.mark.parametrize("state", BEGINS_WITH, ids=lambda state: state.value)
def test_what_a_state_waits_for_was_asked_for_by_every_rule_that_leads_there(state: Enum) -> None:
    idle = [rule for rule in leading_to(state) if not BEGINS_WITH[state] & set(rule.effects)]
    assert idle == []


@pytest.mark.parametrize("state", IS_HEARD, ids=lambda state: state.value)
def test_what_a_person_must_notice_is_heard_whichever_rule_leads_there(state: Enum) -> None:
    assert [rule for rule in leading_to(state) if IS_HEARD[state] not in rule.effects] == []


def test_whatever_was_sent_printed_or_armed_is_only_asked_for_where_it_is_waited_for() -> None:
    """A message, say, that leaves while nobody waits for its answer."""
    for table in TABLES.values():
        asked = {state: effects for state, effects in BEGINS_WITH.items() if state in table.by_state}
        shared = {"go_on", "begin_typing", "refuse_password", "connect"}
        for rule in table.rules:
            for effect in set(rule.effects) - shared:
                waiting = {state for state, effects in asked.items() if effect in effects}
                assert not waiting or rule.target in waiting, (rule, effect)


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_paper_goes_on_where_it_stopped(table: Table) -> None:
    ready = [rule for rule in table.rules if rule.event.value == "printer_ready"]
    assert ready
    assert all("resume_printing" in rule.effects for rule in ready)


@pytest.mark.parametrize(
    ("table", "printing"),
    [
        (terminal.TABLE, {T.REPRINTING, T.REPRINT_STOPPED}),
        (floor.TABLE, {F.REPORT_PRINTING, F.REPORT_STOPPED}),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_what_is_not_waited_for_any_more_is_not_printed_on(table: Table, printing: set[Enum]) -> None:
    """Unless the paper is done, the keys are gone, or the memory is."""
    for rule in table.rules:
        if rule.source in printing and rule.target not in printing:
            is_done = rule.event.value in {"copy_printed", "tampered", "storage_failed"}
            assert is_done or "stop_printing" in rule.effects, rule


def test_whoever_swipes_a_card_hears_whether_it_was_taken() -> None:
    swiped = [
        rule
        for table in (transaction.TABLE, floor.TABLE)
        for rule in table.rules
        if rule.event.value in {"card_read", "card_unreadable"}
    ]
    assert swiped
    for rule in swiped:
        assert {"beep_key", "beep_error", "print_report"} & set(rule.effects), rule


def test_money_that_moved_is_heard() -> None:
    """Two beeps when the bank says yes to what was asked; not again when the PIN is right."""
    approved = transaction.TABLE.by_pair[P.PURCHASING, transaction.Event.HOST_APPROVED]
    assert all("beep_authorised" in rule.effects for rule in approved)


def test_the_keys_are_gone_before_anybody_is_told_of_a_tamper_alarm() -> None:
    for rule in leading_to(T.TAMPERED):
        assert rule.effects == ("wipe_keys", "beep_alert"), rule
