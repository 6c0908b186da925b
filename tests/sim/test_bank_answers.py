"""The bank answers wrongly, late, twice or not at all; afterwards all must agree."""

from __future__ import annotations

import pytest

from bank.faults import FaultKind
from firmware.records import Flow, Outcome, OutgoingState, Reason
from tests.sim.cases import AUTHORISING, REVERSAL, flows, opened, requests
from tests.sim.invariants import check, check_secrets, check_slips, check_traces
from tests.sim.shop import (
    HURRIED,
    REQUESTS,
    SILENT_AFTER,
    SILENT_BEFORE,
    Purchase,
)


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
