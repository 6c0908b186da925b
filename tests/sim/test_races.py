"""Things that happen in the same moment, or a moment too late."""

from __future__ import annotations

import pytest

from bank.faults import FaultKind
from firmware.records import Flow, Outcome
from hal.api import PrinterStatus
from hal.virtual.clock import VirtualClock
from hal.virtual.serial_port import VirtualSerialPort
from tests.sim.cases import REVERSAL, flows, opened
from tests.sim.invariants import check, payments
from tests.sim.shop import SILENT_AFTER, SILENT_BEFORE, Purchase, Shop


def clock_of(shop: Shop) -> VirtualClock:
    clock = shop.station.board.clock
    assert isinstance(clock, VirtualClock)
    return clock


def cancel_together_with_piece(shop: Shop, piece: int) -> bool:
    """Press cancel in the very turn in which the piece of that number comes from the gateway."""
    port = shop.station.board.serial_port
    assert isinstance(port, VirtualSerialPort)
    asked, pieces = len(shop.bank.asked), 0
    for _ in range(200):
        clock_of(shop).advance(1)
        heard = shop.drive.line.b_to_a.read(shop.drive.now_ms())
        port.feed(heard)
        pieces += bool(heard) and len(shop.bank.asked) > asked
        if pieces > piece:
            shop.station.devices.keypad.press("cancel")
            shop.station.settle()
            return True
        shop.station.settle()
    return False


@flows
def test_cancel_in_the_moment_of_the_answer(flow: Flow) -> None:
    """The answer to what was given up must not pass for the answer to its reversal."""
    state = {Flow.AUTHORISE_FIRST: "authorising", Flow.PIN_FIRST: "purchasing"}[flow]
    cancelled = 0
    for piece in range(40):
        shop = opened(flow)
        shop.expect_reach(state)
        shop.fault(SILENT_BEFORE, REVERSAL)
        if not cancel_together_with_piece(shop, piece):
            break
        shop.go_on()
        cancelled += shop.outcome is Outcome.CANCELLED
        shop.power_or_paper_trouble = True
        check(shop, next_sale=False)
    assert cancelled > 0


@pytest.mark.parametrize("first", ["1", "f1"])
def test_an_amount_typed_in_one_moment_is_the_amount(first: str) -> None:
    """The first digit opens the sale; those behind it must not get before it."""
    shop = opened(Flow.AUTHORISE_FIRST)
    keys = [first, "2", "3", "4"] if first == "1" else [first, "1", "2", "3", "4"]
    shop.station.devices.keypad.press(*keys, "enter")
    shop.station.settle()
    payment = shop.station.payment
    assert payment is not None
    assert payment.amount_minor == 12_34
    assert shop.station.state == "card"


@flows
def test_a_card_in_the_last_moment(flow: Flow) -> None:
    """Swipe and timeout in one turn: the card was first, and the timeout is the card's no more."""
    shop = opened(flow)
    shop.expect_reach("card")
    shop.station.devices.card_reader.swipe(shop.station.plastic("good"))
    clock_of(shop).advance(shop.station.settings.card_timeout_ms)
    shop.station.settle()
    shop.go_on()
    assert shop.outcome is Outcome.APPROVED
    check(shop)


def test_keys_typed_ahead_while_the_outbox_is_cleared_make_the_whole_amount() -> None:
    shop = opened(Flow.AUTHORISE_FIRST)
    shop.fault(SILENT_BEFORE, ("0220", ""))
    shop.play()
    assert shop.owes == ["completion"]
    shop.instead["amount"] = lambda: None
    shop.station.press("5", "6")
    assert shop.state == "clearing"
    shop.station.press("7", "8", "enter")
    shop.go_on()
    assert shop.station.payment is not None
    assert (shop.outcome, shop.station.payment.amount_minor) == (Outcome.APPROVED, 5678)
    check(shop)


def test_keys_of_a_refused_sale_are_forgotten() -> None:
    shop = opened(Flow.AUTHORISE_FIRST)
    shop.fault(SILENT_BEFORE, ("0220", ""), count=2)
    shop.play()
    shop.station.press("5", "6", "7")
    shop.go_on()
    assert shop.took("clearing", "timeout")
    shop.play(Purchase(amount="88"))
    assert shop.station.payment is not None
    assert shop.station.payment.amount_minor == 88
    check(shop)


def test_what_is_due_is_sent_although_a_reprint_was_on_when_its_time_came() -> None:
    shop = opened(Flow.AUTHORISE_FIRST)
    shop.fault(SILENT_BEFORE, ("0220", ""))
    shop.play()
    shop.station.devices.printer.fail_after_items(3, PrinterStatus.PAPER_OUT)
    shop.station.press("f2")
    shop.station.run_for(5_000)
    assert shop.state == "reprint_stopped"
    shop.station.devices.printer.load_paper()
    assert shop.station.run_until(lambda: shop.state == "idle" and not shop.owes, 60_000)
    check(shop)


@flows
@pytest.mark.parametrize("kind", [SILENT_AFTER, FaultKind.CLOSE_AFTER_POSTING, FaultKind.WRONG_TRACE])
def test_a_sign_in_whose_answer_is_lost_is_made_again_before_the_next_sale(
    flow: Flow, kind: FaultKind
) -> None:
    """The bank has changed the keys; the terminal still has the old ones."""
    shop = opened(flow)
    shop.fault(kind, ("0800", ""))
    shop.station.press("f3")
    shop.go_on()
    shop.play()
    assert shop.outcome is Outcome.APPROVED
    check(shop)


@flows
def test_power_fails_while_signing_in(flow: Flow) -> None:
    shop = opened(flow)
    for after_ms in range(0, 40, 5):
        shop.station.press("f3")
        shop.station.run_for(after_ms)
        shop.power_cycle()
        shop.play()
        assert shop.outcome is Outcome.APPROVED, after_ms
    check(shop)


def test_no_sale_begins_by_itself_after_a_failure_of_the_storage() -> None:
    shop = opened(Flow.AUTHORISE_FIRST)
    shop.fault(SILENT_BEFORE, ("0220", ""))
    shop.play()
    shop.storage.fail_at(shop.storage.commits + 1)
    shop.station.press("f1")
    shop.go_on()
    assert shop.state == "out_of_service"
    shop.station.press("enter")
    shop.go_on(limit_ms=10_000)
    assert [payment.number for payment in payments(shop)] == [1]
    check(shop)


@flows
def test_the_keypad_is_free_again_when_the_card_is_taken_out_at_the_pin(flow: Flow) -> None:
    shop = opened(flow)
    state = {Flow.AUTHORISE_FIRST: "pin", Flow.PIN_FIRST: "purchase_pin"}[flow]
    assert shop.reach(state, Purchase(inserted=True))
    shop.station.press("1", "2")
    shop.station.remove()
    assert not shop.station.devices.keypad._keys.is_secure
    shop.go_on()
    assert shop.outcome is Outcome.CANCELLED
    check(shop)
