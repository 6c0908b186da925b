"""Power-on: what the design's table says about a payment that the power cut left open."""

import pytest

from firmware import boot
from firmware.journal import Counters, Draft
from firmware.records import (
    Flow,
    Outcome,
    Outgoing,
    OutgoingKind,
    OutgoingState,
    Payment,
    Reason,
    ReversalReason,
)
from firmware.txn.schema import Recovery
from firmware.txn.transaction import State
from hal.api import SelfTest

OPEN_REQUESTS = [State.AUTHORISING, State.PURCHASING]
AUTHORISED = [State.AUTHORISED, State.PIN, State.VERIFYING_PIN, State.WRONG_PIN]
UNSENT = [State.AMOUNT, State.CARD, State.PURCHASE_PIN, State.CONNECTING]
PAID = [State.PRINTING, State.PRINTER_STOPPED, State.TEAR_OFF, State.COMPLETING]


def cut_off(
    state: State,
    *,
    authorisation_code: str = "",
    outcome: Outcome | None = None,
    reason: Reason = Reason.NONE,
    kind: OutgoingKind | None = None,
    outgoing: OutgoingState = OutgoingState.HELD,
    fields: dict[str, str] | None = None,
) -> Draft:
    payment = Payment(
        5,
        Flow.AUTHORISE_FIRST,
        1234,
        state=state.value,
        authorisation_code=authorisation_code,
        outcome=outcome,
        reason=reason,
    )
    entries = [Outgoing(9, kind, 5, "0400", fields or {"11": "000041"}, outgoing)] if kind else []
    return Draft(Counters(payment_number=5), payment, {entry.number: entry for entry in entries}, {})


def ending(draft: Draft) -> tuple[str, Outcome | None, Reason]:
    assert draft.payment is not None
    return draft.payment.state, draft.payment.outcome, draft.payment.reason


@pytest.mark.parametrize("state", UNSENT)
def test_nothing_was_sent_so_nothing_happened(state: State) -> None:
    draft = cut_off(state)
    assert boot.recover(draft) is Recovery.NOTHING
    assert ending(draft) == ("failed", Outcome.FAILED, Reason.POWER_CUT)
    assert draft.outbox == {}


@pytest.mark.parametrize("state", OPEN_REQUESTS)
def test_an_unanswered_request_is_reversed_as_unanswered(state: State) -> None:
    draft = cut_off(state, kind=OutgoingKind.REVERSAL)
    assert boot.recover(draft) is Recovery.REVERSE
    assert ending(draft) == ("failed", Outcome.FAILED, Reason.POWER_CUT)
    assert draft.outbox[9].state is OutgoingState.DUE
    assert draft.outbox[9].fields == {"39": ReversalReason.NO_RESPONSE.value, "11": "000041"}


@pytest.mark.parametrize("state", AUTHORISED)
def test_an_authorisation_without_a_verified_pin_is_reversed_as_unfinished(state: State) -> None:
    draft = cut_off(state, authorisation_code="123456", kind=OutgoingKind.REVERSAL)
    assert boot.recover(draft) is Recovery.REVERSE
    assert draft.outbox[9].state is OutgoingState.DUE
    assert draft.outbox[9].fields["39"] == ReversalReason.UNFINISHED.value


def test_a_reversal_on_its_way_keeps_its_reason_and_the_payment_its_outcome() -> None:
    draft = cut_off(
        State.REVERSING,
        authorisation_code="123456",
        outcome=Outcome.CANCELLED,
        reason=Reason.CANCELLED,
        kind=OutgoingKind.REVERSAL,
        outgoing=OutgoingState.DUE,
        fields={"39": ReversalReason.OPERATOR.value},
    )
    assert boot.recover(draft) is Recovery.REVERSE
    assert ending(draft) == ("cancelled", Outcome.CANCELLED, Reason.CANCELLED)
    assert draft.outbox[9].fields == {"39": ReversalReason.OPERATOR.value}
    assert draft.outbox[9].state is OutgoingState.DUE


@pytest.mark.parametrize("state", PAID)
def test_a_verified_payment_stands_and_its_completion_is_sent_again(state: State) -> None:
    draft = cut_off(
        state,
        authorisation_code="123456",
        outcome=Outcome.APPROVED,
        kind=OutgoingKind.COMPLETION,
        outgoing=OutgoingState.DUE,
    )
    before = draft.outbox[9]
    assert boot.recover(draft) is Recovery.STANDS
    assert ending(draft) == ("approved", Outcome.APPROVED, Reason.NONE)
    assert draft.outbox == {9: before}


@pytest.mark.parametrize("state", [State.APPROVED, State.DECLINED])
def test_what_had_ended_is_left_alone(state: State) -> None:
    draft = cut_off(state, outcome=Outcome(state.value))
    before = draft.payment
    assert boot.recover(draft) is Recovery.ENDED
    assert draft.payment == before


def test_a_new_terminal_has_nothing_to_recover() -> None:
    draft = Draft(Counters(), None, {}, {})
    assert boot.recover(draft) is Recovery.ENDED
    assert draft.payment is None


def test_the_first_essential_device_that_failed_is_named() -> None:
    good, bad = SelfTest(ok=True), SelfTest(ok=False, detail="broken")
    printer, keypad, reader = (boot.DeviceReport(kind, bad) for kind in ("printer", "keypad", "card_reader"))
    assert boot.first_failure([boot.DeviceReport("clock", good), printer]) is None, "no paper is no reason"
    assert boot.first_failure([printer, keypad, reader]) is keypad
