"""The bank is down, the cable out, the gateway starts again, the paper is at its end: all must agree."""

from __future__ import annotations

import pytest

from firmware.records import Flow, Outcome, Reason
from hal.api import PrinterStatus
from tests.sim.cases import flows, opened, requests, waiting
from tests.sim.invariants import DUPLICATE, check
from tests.sim.shop import (
    Purchase,
)

# --- the way to the bank ---------------------------------------------------------------------------------


@waiting
def test_the_bank_goes_down(flow: Flow, state: str) -> None:
    shop = opened(flow)
    shop.expect_reach(state)
    shop.drive.stop_bank()
    shop.go_on()
    check(shop)


@waiting
def test_the_cable_is_pulled_and_plugged_in_again(flow: Flow, state: str) -> None:
    """For longer than the link takes to notice."""
    shop = opened(flow)
    shop.expect_reach(state)
    shop.station.unplug_cable()
    shop.station.run_for(3_000)
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
@pytest.mark.parametrize("printed_items", [0, 9])
def test_the_printer_stops_and_goes_on(flow: Flow, trouble: PrinterStatus, printed_items: int) -> None:
    shop = opened(flow)
    printer = shop.station.devices.printer
    printer.fail_after_items(printed_items, trouble)
    assert shop.reach("printer_stopped")
    shop.station.run_for(3_000)
    printer.plug()
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
    assert shop.took("reprinting", "copy_printed"), "and not only given up in the end"
    *_, again = shop.station.slips
    assert DUPLICATE in again
    assert "12.34" in again
    check(shop)
