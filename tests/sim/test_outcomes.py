"""Everything that can happen to a payment, one thing at a time, in both flows; afterwards all must agree.

What each situation must lead to stands in the transaction table; here is asserted what a merchant, a
cardholder and an auditor see. The waiting states are taken from the table, so a new one is tested by itself.
"""

from __future__ import annotations

import pytest

from bank.faults import FaultKind
from firmware.records import Flow, Outcome, OutgoingState, Reason
from firmware.txn.transaction import TABLE, Event, State
from hal.api import PrinterStatus
from tests.sim.invariants import DUPLICATE, check, check_money, check_secrets, check_slips, check_traces
from tests.sim.shop import (
    FLOWS_AND_STATES,
    HURRIED,
    PIN,
    REQUESTS,
    SILENT_AFTER,
    SILENT_BEFORE,
    WRONG_PIN,
    Purchase,
    Shop,
    way_to,
)

flows = pytest.mark.parametrize("flow", list(Flow), ids=lambda flow: flow.value)
waiting = pytest.mark.parametrize(
    ("flow", "state"), FLOWS_AND_STATES, ids=[f"{flow.value}-{state}" for flow, state in FLOWS_AND_STATES]
)
REQUEST_CASES = [(flow, name) for flow in Flow for name in REQUESTS[flow]]
requests = pytest.mark.parametrize(
    ("flow", "request_name"), REQUEST_CASES, ids=[f"{flow.value}-{name}" for flow, name in REQUEST_CASES]
)
AUTHORISING = {Flow.AUTHORISE_FIRST: "authorisation", Flow.PIN_FIRST: "purchase"}
REVERSAL = ("0400", "")


def opened(flow: Flow, *, print_mm_per_s: int = 300) -> Shop:
    shop = Shop(flow, print_mm_per_s=print_mm_per_s)
    shop.open()
    assert shop.state == "idle"
    return shop


# --- the card and the money ------------------------------------------------------------------------------


@flows
def test_a_good_card_pays(flow: Flow) -> None:
    shop = opened(flow)
    shop.play()
    assert shop.outcome is Outcome.APPROVED
    assert shop.station.beeps == 2
    assert len(shop.station.slips) == 2
    check(shop)


@flows
@pytest.mark.parametrize(
    ("card", "code"),
    [("unknown", "14"), ("expired", "54"), ("lost", "41"), ("poor", "51"), ("limited", "61")],
)
def test_the_bank_says_no(flow: Flow, card: str, code: str) -> None:
    shop = opened(flow)
    shop.play(Purchase(card=card))
    assert shop.outcome is Outcome.DECLINED
    assert shop.station.payment is not None
    assert shop.station.payment.response_code == code
    assert shop.station.slips == []
    check(shop)


@flows
def test_a_card_within_its_limit_pays(flow: Flow) -> None:
    shop = opened(flow)
    shop.play(Purchase(card="limited", amount="1000"))
    assert shop.outcome is Outcome.APPROVED
    check(shop)


# --- the PIN ---------------------------------------------------------------------------------------------


@flows
@pytest.mark.parametrize("wrong", [1, 2])
def test_a_wrong_pin_may_be_tried_again(flow: Flow, wrong: int) -> None:
    shop = opened(flow)
    shop.play(Purchase(pins=(*[WRONG_PIN] * wrong, PIN)))
    assert shop.outcome is Outcome.APPROVED
    check(shop)


@flows
def test_the_third_wrong_pin_ends_the_payment(flow: Flow) -> None:
    shop = opened(flow)
    shop.play(Purchase(card="poor", amount="50", pins=(WRONG_PIN,)))
    assert shop.outcome is Outcome.DECLINED
    assert shop.bank.open_holds() == []
    check(shop)


@flows
def test_a_card_whose_pin_tries_are_used_up(flow: Flow) -> None:
    shop = opened(flow)
    shop.play(Purchase(card="limited", amount="50", pins=(WRONG_PIN,)))
    shop.play(Purchase(card="limited", amount="50"))
    assert shop.outcome is Outcome.DECLINED
    assert shop.station.payment is not None
    assert shop.station.payment.response_code == "75"
    check(shop)


# --- people, in every waiting state ----------------------------------------------------------------------


def _has_rule(state: str, event: Event) -> bool:
    return (State(state), event) in TABLE.by_pair


@waiting
def test_cancel(flow: Flow, state: str) -> None:
    shop = opened(flow)
    shop.expect_reach(state)
    shop.station.press("cancel")
    shop.go_on()
    assert shop.took(state, "cancel") == _has_rule(state, Event.CANCEL)
    shop.power_or_paper_trouble = True  # a cancelled slip is a missing slip
    check(shop)


@waiting
def test_card_removed(flow: Flow, state: str) -> None:
    shop = opened(flow)
    assert shop.reach(state, way_to(shop, state, inserted=True))
    if shop.station.devices.card_reader.card_present:
        shop.station.remove()
    shop.go_on()
    assert shop.took(state, "card_removed") == _has_rule(state, Event.CARD_REMOVED)
    check(shop)


@waiting
def test_timeout(flow: Flow, state: str) -> None:
    # Paper so slow that no slip is ever done in time, and a bank that hears nothing from now on.
    shop = opened(flow, print_mm_per_s=1 if state == "printing" else 300)
    shop.expect_reach(state)
    shop.power_or_paper_trouble = True
    shop.fault(SILENT_BEFORE, count=None)
    shop.instead[state] = lambda: None
    shop.go_on()
    assert shop.took(state, "timeout")
    check(shop)


@flows
def test_cancel_ends_a_payment_before_the_money_moves(flow: Flow) -> None:
    shop = opened(flow)
    shop.expect_reach("pin" if flow is Flow.AUTHORISE_FIRST else "purchase_pin")
    shop.station.press("cancel")
    shop.go_on()
    assert shop.outcome is Outcome.CANCELLED
    assert shop.station.slips == []
    check(shop)


@flows
@pytest.mark.parametrize("bad", ["bad", "half", "too_fast"])
def test_a_bad_swipe_may_be_repeated(flow: Flow, bad: str) -> None:
    shop = opened(flow)
    shop.play(Purchase(swipes=(bad, "good")))
    assert shop.outcome is Outcome.APPROVED
    check(shop)


@flows
def test_three_bad_swipes_end_the_payment(flow: Flow) -> None:
    shop = opened(flow)
    shop.play(Purchase(swipes=("bad",)))
    assert shop.outcome is Outcome.FAILED
    assert shop.station.payment is not None
    assert shop.station.payment.reason is Reason.CARD_UNREADABLE
    assert [message.mti for message in shop.bank.asked] == ["0800"]
    check(shop)


# --- the bank's answers ----------------------------------------------------------------------------------


@requests
@pytest.mark.parametrize("kind", [FaultKind.WRONG_MAC, FaultKind.WRONG_TRACE])
def test_an_answer_that_is_not_right(flow: Flow, request_name: str, kind: FaultKind) -> None:
    shop = opened(flow)
    shop.fault(kind, REQUESTS[flow][request_name])
    shop.play()
    expected = {
        "completion": Outcome.APPROVED,
        "other": Outcome.FAILED if kind is FaultKind.WRONG_MAC else Outcome.TIMED_OUT,
    }
    assert shop.outcome is expected.get(request_name, expected["other"])
    check(shop)


@flows
@pytest.mark.parametrize(
    "kind",
    [FaultKind.WRONG_MAC, FaultKind.WRONG_TRACE, SILENT_BEFORE, SILENT_AFTER, FaultKind.CLOSE_AFTER_POSTING],
)
def test_a_reversal_that_is_not_answered_well_is_sent_again(flow: Flow, kind: FaultKind) -> None:
    shop = opened(flow)
    shop.fault(FaultKind.WRONG_MAC, REQUESTS[flow][AUTHORISING[flow]])
    shop.fault(kind, REVERSAL)
    shop.play()
    assert shop.outcome is Outcome.FAILED
    assert shop.owes == ["reversal"]
    check(shop)
    assert sum(message.mti == "0400" for message in shop.bank.asked) == 2


@requests
@pytest.mark.parametrize("kind", [SILENT_BEFORE, SILENT_AFTER])
def test_the_bank_is_silent(flow: Flow, request_name: str, kind: FaultKind) -> None:
    shop = opened(flow)
    shop.fault(kind, REQUESTS[flow][request_name])
    shop.play()
    assert shop.outcome is (Outcome.APPROVED if request_name == "completion" else Outcome.TIMED_OUT)
    check(shop)


@requests
def test_the_bank_stays_silent_for_a_long_time(flow: Flow, request_name: str) -> None:
    """The reversals or completions that are due come first when the bank speaks again."""
    shop = opened(flow)
    shop.fault(SILENT_AFTER, REQUESTS[flow][request_name])
    shop.fault(SILENT_BEFORE, REVERSAL, count=None)
    shop.fault(SILENT_BEFORE, ("0220", ""), count=None)
    shop.play()
    shop.station.run_for(40_000)
    shop.go_on()
    assert len(shop.owes) == 1
    shop.play()
    assert shop.station.payment is not None
    assert shop.station.payment.number == 1, "no new payment starts while something is owed"
    check(shop)


@requests
@pytest.mark.parametrize("kind", [FaultKind.CLOSE_BEFORE_POSTING, FaultKind.CLOSE_AFTER_POSTING])
def test_the_connection_breaks_with_the_request_out(flow: Flow, request_name: str, kind: FaultKind) -> None:
    shop = opened(flow)
    shop.fault(kind, REQUESTS[flow][request_name])
    shop.play()
    assert shop.outcome is (Outcome.APPROVED if request_name == "completion" else Outcome.FAILED)
    check(shop)


@requests
def test_duplicate_answers(flow: Flow, request_name: str) -> None:
    shop = opened(flow)
    shop.fault(FaultKind.DUPLICATE, REQUESTS[flow][request_name])
    shop.play()
    assert shop.outcome is Outcome.APPROVED
    check(shop)


@requests
@pytest.mark.parametrize("late_ms", [-1_000, 500, 4_000, 10_000])
def test_late_answers(flow: Flow, request_name: str, late_ms: int) -> None:
    """After the timeout, during the reversal or the next payment: an answer that comes late is nothing."""
    shop = opened(flow)
    shop.fault(FaultKind.DELAY, REQUESTS[flow][request_name], delay_ms=HURRIED.response_timeout_ms + late_ms)
    shop.play()
    shop.play(Purchase(amount="77"))
    assert shop.outcome is Outcome.APPROVED
    check(shop)


@requests
def test_the_bank_is_in_trouble(flow: Flow, request_name: str) -> None:
    """96 is a decline, but not of a completion: that is sent again."""
    shop = opened(flow)
    shop.fault(FaultKind.RESPONSE_CODE, REQUESTS[flow][request_name], value="96")
    shop.play()
    if request_name != "completion":
        assert shop.outcome is Outcome.DECLINED
        check(shop)
        return
    assert shop.outcome is Outcome.APPROVED


def test_a_completion_that_the_bank_refuses_is_kept_for_the_operator() -> None:
    shop = opened(Flow.AUTHORISE_FIRST)
    shop.fault(FaultKind.RESPONSE_CODE, ("0220", "000000"), value="64")
    shop.play()
    assert shop.outcome is Outcome.APPROVED
    assert shop.station.payment is not None
    assert shop.station.payment.reason is Reason.COMPLETION_REFUSED
    assert shop.station.terminal is not None
    (entry,) = shop.station.terminal.journal.outbox.values()
    assert entry.state is OutgoingState.REFUSED
    shop.play()
    assert shop.outcome is Outcome.APPROVED
    shop.heal()
    check_slips(shop)
    check_traces(shop)
    check_secrets(shop)


@requests
def test_keys_that_the_bank_does_not_accept(flow: Flow, request_name: str) -> None:
    """A0 in the middle of a payment; the terminal signs in again and everything is settled."""
    shop = opened(flow)
    shop.fault(FaultKind.RESPONSE_CODE, ("0800", ""), value="96")

    def lose_keys() -> None:
        merchant, terminal = shop.provision.merchants[0], shop.provision.merchants[0].terminals[0]
        found = shop.bank.merchants.find_terminal(merchant.mid, terminal.tid)
        assert found is not None
        with shop.bank.store.transaction():
            shop.bank.merchants.sign_out(found)

    state = {"authorisation": "card", "verification": "pin", "completion": "tear_off"}
    shop.expect_reach(state.get(request_name, "purchase_pin"))
    lose_keys()
    shop.go_on()
    check(shop)


# --- the way to the bank ---------------------------------------------------------------------------------


@waiting
def test_the_bank_goes_down(flow: Flow, state: str) -> None:
    shop = opened(flow)
    shop.expect_reach(state)
    shop.drive.stop_bank()
    shop.go_on()
    check(shop)


@waiting
@pytest.mark.parametrize("outage_ms", [300, 5_000])
def test_the_cable_is_pulled_and_plugged_in_again(flow: Flow, state: str, outage_ms: int) -> None:
    shop = opened(flow)
    shop.expect_reach(state)
    shop.station.unplug_cable()
    shop.station.run_for(outage_ms)
    shop.station.plug_cable()
    shop.go_on()
    check(shop)


@waiting
def test_the_cable_is_pulled_and_stays_out(flow: Flow, state: str) -> None:
    """Until the payment has come to its end without it."""
    shop = opened(flow)
    shop.expect_reach(state)
    shop.station.unplug_cable()
    shop.go_on()
    check(shop)


@requests
def test_the_cable_is_pulled_at_each_point_of_the_dialogue(flow: Flow, request_name: str) -> None:
    """Before, during and after the request and its answer, every 6 ms; once for longer than the timeout."""
    state = {"authorisation": "authorising", "verification": "verifying_pin", "completion": "completing"}
    for pulled_after_ms in range(0, 60, 6):
        shop = opened(flow)
        shop.expect_reach(state.get(request_name, "purchasing"))
        shop.station.run_for(pulled_after_ms)
        shop.station.unplug_cable()
        shop.station.run_for(7_000 if pulled_after_ms == 24 else 500)
        shop.station.plug_cable()
        shop.go_on()
        check(shop, next_sale=pulled_after_ms == 24)


@waiting
def test_the_gateway_starts_again(flow: Flow, state: str) -> None:
    shop = opened(flow)
    shop.expect_reach(state)
    shop.drive.restart_gateway()
    shop.go_on()
    check(shop)


@requests
def test_the_gateway_starts_again_in_the_middle_of_the_dialogue(flow: Flow, request_name: str) -> None:
    state = {"authorisation": "authorising", "verification": "verifying_pin", "completion": "completing"}
    for after_ms in range(0, 60, 6):
        shop = opened(flow)
        shop.expect_reach(state.get(request_name, "purchasing"))
        shop.station.run_for(after_ms)
        shop.drive.restart_gateway()
        shop.go_on()
        check(shop, next_sale=after_ms == 24)


@flows
def test_no_bank_at_all(flow: Flow) -> None:
    shop = opened(flow)
    shop.drive.stop_bank()
    shop.play()
    assert shop.outcome is Outcome.FAILED
    assert shop.station.payment is not None
    assert shop.station.payment.reason is Reason.HOST_UNREACHABLE
    assert shop.owes == []
    check(shop)


# --- paper -----------------------------------------------------------------------------------------------

TROUBLES = [status for status in PrinterStatus if status is not PrinterStatus.READY]


@flows
@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda status: status.value)
@pytest.mark.parametrize("printed_items", [0, 1, 9, 26])
def test_the_printer_stops_and_goes_on(flow: Flow, trouble: PrinterStatus, printed_items: int) -> None:
    shop = opened(flow)
    printer = shop.station.devices.printer
    printer.fail_after_items(printed_items, trouble)
    assert shop.reach("printer_stopped")
    shop.station.run_for(3_000)
    printer.load_paper()
    printer.close_cover()
    printer.clear_jam()
    printer.cool_down()
    shop.go_on()
    assert shop.outcome is Outcome.APPROVED
    assert len(shop.station.slips) == 2
    assert ("CONTINUED" in shop.station.slips[0].upper()) == (printed_items > 0)
    check(shop)


@flows
def test_paper_runs_out_and_nobody_comes(flow: Flow) -> None:
    shop = opened(flow)
    shop.station.devices.printer.fail_after_items(9, PrinterStatus.PAPER_OUT)
    shop.play()
    assert shop.outcome is Outcome.APPROVED, "the payment stands whatever the printer does"
    shop.power_or_paper_trouble = True
    check(shop)


@flows
def test_an_unfinished_slip_is_not_joined_to_the_next(flow: Flow) -> None:
    shop = opened(flow)
    shop.station.devices.printer.fail_after_items(9, PrinterStatus.JAM)
    shop.play()
    shop.station.devices.printer.clear_jam()
    shop.play(Purchase(amount="77"))
    for slip in shop.station.slips:
        assert slip.count("POS SALES SLIP") == 1, slip


@flows
def test_the_last_slip_can_be_printed_again(flow: Flow) -> None:
    shop = opened(flow)
    shop.play()
    shop.station.press("f2")
    shop.station.run_until(lambda: shop.state == "idle")
    *_, again = shop.station.slips
    assert DUPLICATE in again
    assert "12.34" in again
    check(shop)


# --- storage and tamper ----------------------------------------------------------------------------------


def _commits_of_a_sale(flow: Flow) -> int:
    shop = opened(flow)
    before = shop.storage.commits
    shop.play()
    return shop.storage.commits - before


@flows
def test_a_commit_that_fails_is_told_to_nobody(flow: Flow) -> None:
    for number in range(1, _commits_of_a_sale(flow) + 1):
        shop = opened(flow)
        shop.storage.fail_at(shop.storage.commits + number)
        asked: list[int] = []  # by the time of each transition
        shop.on_transition = lambda _t, shop=shop, asked=asked: asked.append(len(shop.bank.asked))  # type: ignore[misc]
        shop.play()
        assert shop.state == "out_of_service", number
        shop.station.run_for(5_000)
        assert len(shop.bank.asked) == asked[-1], "something left after the commit that failed"
        shop.power_or_paper_trouble = True
        check(shop)


@waiting
def test_tamper(flow: Flow, state: str) -> None:
    shop = opened(flow)
    shop.expect_reach(state)
    shop.station.devices.tamper.trip()
    shop.station.settle()
    assert shop.state == "tampered"
    asked = len(shop.bank.asked)
    shop.station.run_for(30_000)
    assert shop.state == "tampered"
    sent_before = {"authorising", "verifying_pin", "purchasing", "completing", "reversing"}
    assert len(shop.bank.asked) <= asked + (state in sent_before)
    assert not shop.station.devices.card_reader.armed
    shop.power_or_paper_trouble = True
    check(shop)


@flows
def test_three_payments_and_the_money(flow: Flow) -> None:
    shop = opened(flow)
    for amount in ("1", "100", "99999"):
        shop.play(Purchase(amount=amount))
        assert shop.outcome is Outcome.APPROVED
    check_money(shop)
    check(shop)
