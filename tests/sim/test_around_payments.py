"""What else can happen around payments: at power-on, on a reprint's paper, with what the bank asks for."""

from __future__ import annotations

import pytest

from bank.faults import FaultKind
from firmware.app import Transition
from firmware.records import Flow
from firmware.txn.terminal import State
from hal.api import PrinterStatus
from tests.sim.cases import opened
from tests.sim.invariants import DUPLICATE, check
from tests.sim.shop import Shop


@pytest.mark.parametrize("ends", ["cancel", "timeout"])
def test_nobody_has_to_wait_for_ever_for_the_line_after_the_power_came_back(shop: Shop, ends: str) -> None:
    """Cancel, or time: the terminal is there, and what it owes goes later."""
    shop.expect_reach("pin")
    shop.station.cut_power()
    shop.station.unplug_cable()
    after: list[str] = []

    def on_transition(step: Transition) -> None:
        if step.rule.target is State.RECOVERING and ends == "cancel":
            shop.station.devices.keypad.press("cancel")
        if step.rule.source is State.RECOVERING:
            after.append(str(step.rule.target.value))

    shop.on_transition = on_transition
    started_ms = shop.drive.now_ms()
    shop.open()
    assert shop.took("recovering", ends)
    assert after == ["idle"]
    assert shop.state == "idle"
    waited_ms = shop.drive.now_ms() - started_ms
    assert (waited_ms >= shop.station.settings.connect_timeout_ms) == (ends == "timeout")
    assert shop.owes == ["reversal"]
    check(shop)


def test_the_bank_s_wish_is_done_as_soon_as_the_line_is_there(shop: Shop) -> None:
    """Its answer to a sale asked for the status; the cable was out before the terminal could tell it."""
    shop.fault(FaultKind.HEADER_DIGIT, ("0220", ""), value="2")
    shop.on_transition = lambda step: (
        shop.station.unplug_cable() if step.rule.target is State.RESULT else None
    )
    shop.play()
    shop.on_transition = lambda _step: None
    shop.station.run_until(lambda: not shop.link_is_up, 5_000)
    shop.station.plug_cable()
    shop.station.run_until(lambda: shop.state == "managing", 10_000)
    assert shop.took("idle", "link_up")
    shop.go_on()
    assert [message.mti for message in shop.bank.asked][-1] == "0820"
    check(shop)


@pytest.mark.parametrize(("digit", "asked"), [("1", ["360", "361"]), ("2", ["362"])])
def test_what_the_bank_wishes_once_is_done_once(shop: Shop, digit: str, asked: list[str]) -> None:
    """Network management codes of field 60 (iso8583-pos section 5.0)."""
    shop.fault(FaultKind.HEADER_DIGIT, ("0220", ""), value=digit, count=1)
    shop.play()
    shop.station.run_for(600_000)
    told = [str(message.fields[60])[8:11] for message in shop.bank.asked if message.mti in {"0800", "0820"}]
    assert told[1:] == asked, "the sign-in apart"
    check(shop)


def test_a_new_terminal_signs_in_as_soon_as_the_line_is_there() -> None:
    shop = Shop()
    shop.open()
    assert [str(one.rule.target.value) for one in shop.transitions] == ["recovering", "signing_in", "idle"]


def test_a_terminal_that_owes_nothing_is_in_service_at_once_without_a_line(shop: Shop) -> None:
    shop.station.cut_power()
    shop.station.unplug_cable()
    began = len(shop.transitions)
    shop.open()
    assert [str(one.rule.target.value) for one in shop.transitions[began:]] == ["idle"]


@pytest.mark.parametrize("ends", ["timeout", "cancel"])
def test_a_reprint_that_stops_is_left_and_the_next_sale_has_its_own_paper(ends: str) -> None:
    shop = opened(Flow.PIN_FIRST)
    shop.play()
    printer = shop.station.devices.printer
    printer.fail_after_items(3, PrinterStatus.PAPER_OUT)
    shop.station.press("f2")
    assert shop.station.run_until(lambda: shop.state == "reprint_stopped", 60_000)
    if ends == "cancel":
        shop.station.press("cancel")
    assert shop.station.run_until(lambda: shop.state == "idle", 600_000)
    assert shop.took("reprint_stopped", ends)
    printer.load_paper()
    slips = len(shop.station.slips)
    shop.play()
    assert len(shop.station.slips) >= slips + 2
    assert DUPLICATE not in "".join(shop.station.slips[-2:])


def test_a_reprint_that_takes_too_long_is_given_up() -> None:
    shop = opened(Flow.PIN_FIRST)
    shop.play()
    shop.station.devices.printer._speed_mm_per_s = 1
    shop.station.press("f2")
    assert shop.station.run_until(lambda: shop.state == "idle", 600_000)
    assert shop.took("reprinting", "timeout")
    shop.station.run_for(10_000)  # the line that is under way is printed
    shop.power_or_paper_trouble = True
    check(shop)
    assert DUPLICATE not in "".join(shop.station.slips[-2:])


def test_a_reprint_is_given_up_at_once_with_cancel() -> None:
    shop = opened(Flow.PIN_FIRST)
    shop.play()
    shop.station.press("f2")
    assert shop.state == "reprinting"
    shop.station.press("cancel")
    assert shop.state == "idle"
