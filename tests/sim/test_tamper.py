"""The tamper switch, in every state of the terminal: keys gone, alarm shown, nothing sold.

The states of a payment have the same test in `test_outcomes`, those of key loading in `test_key_loading`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from firmware.app import Transition
from firmware.records import Outcome
from firmware.txn.terminal import State
from hal.api import Led, PrinterStatus
from tests.sim.custodians import (
    ALL_LOADING,
    ONE,
    TMK,
    TWO,
    Custodians,
    assert_tamper_wipes,
    xor,
)
from tests.sim.invariants import check
from tests.sim.shop import Purchase, Shop


def _restart_owing(shop: Shop) -> None:
    """Off with a reversal in the outbox, and on again."""
    shop.expect_reach("pin")
    shop.station.cut_power()
    shop.open()


def _sale_refused(shop: Shop) -> None:
    shop.station.unplug_cable()
    shop.station.press("f3")
    shop.station.run_until(lambda: shop.state == "idle", 60_000)
    shop.station.press("f1")
    shop.station.run_until(lambda: shop.state == "idle", 60_000)


def _reprint(shop: Shop) -> None:
    shop.play()
    shop.station.press("f2")


def _reprint_stops(shop: Shop) -> None:
    shop.play()
    shop.station.devices.printer.fail_after_items(3, PrinterStatus.PAPER_OUT)
    shop.station.press("f2")
    shop.station.run_for(2_000)


def _storage_fails(shop: Shop) -> None:
    shop.storage.fail_at(shop.storage.commits + 1)
    shop.station.press("f4")


def _settle(shop: Shop) -> None:
    assert shop.station.terminal is not None
    shop.station.terminal.settle()
    shop.station.settle()


def _settle_to_the_end(shop: Shop) -> None:
    shop.play()
    _settle(shop)
    shop.go_on()


def _settlement_cut_off(shop: Shop) -> None:
    shop.play()
    _settle(shop)
    shop.station.unplug_cable()
    shop.go_on()


def _manage(shop: Shop) -> None:
    assert shop.station.terminal is not None
    shop.station.terminal.manage("echo")
    shop.station.settle()


def _manage_to_the_end(shop: Shop) -> None:
    _manage(shop)
    shop.go_on()


def _manage_in_vain(shop: Shop) -> None:
    shop.station.unplug_cable()
    _manage_to_the_end(shop)


SCENES: dict[State, Callable[[Shop], None]] = {
    State.RECOVERING: _restart_owing,
    State.SIGNING_IN: lambda shop: shop.station.press("f3"),
    State.CLEARING: _restart_owing,
    State.IDLE: lambda shop: shop.station.press("f2", "cancel"),
    State.IN_TRANSACTION: lambda shop: shop.station.press("f1"),
    State.IN_FLOOR: lambda shop: shop.station.press("down"),
    State.IN_SETTLEMENT: _settle,
    State.BATCH_CLOSED: _settle_to_the_end,
    State.NOT_SETTLED: _settlement_cut_off,
    State.MANAGING: _manage,
    State.MANAGED: _manage_to_the_end,
    State.NOT_MANAGED: _manage_in_vain,
    State.RESULT: lambda shop: shop.play(),
    State.SALE_REFUSED: _sale_refused,
    State.REPRINTING: _reprint,
    State.REPRINT_STOPPED: _reprint_stops,
    State.NOTHING_TO_REPRINT: lambda shop: shop.station.press("f2"),
    State.OUT_OF_SERVICE: _storage_fails,
}


def test_no_state_is_forgotten() -> None:
    elsewhere = {State.STARTING, State.TAMPERED, State.NO_KEYS} | {State(state) for state in ALL_LOADING}
    assert set(SCENES) | elsewhere == set(State)


@pytest.mark.parametrize("state", SCENES, ids=lambda state: state.value)
def test_tamper_in_every_state(shop: Shop, state: State) -> None:
    tripped: list[str] = []

    def trip(transition: Transition) -> None:
        if transition.rule.target is state and not tripped:
            tripped.append(state.value)
            shop.station.devices.tamper.trip()

    shop.on_transition = trip
    SCENES[state](shop)
    assert tripped, "the scene does not lead there"
    shop.station.settle()
    shop.on_transition = lambda _transition: None
    shop.power_or_paper_trouble = True
    assert_tamper_wipes(shop)
    check(shop)


def test_tamper_while_it_is_switched_off(shop: Shop) -> None:
    shop.station.cut_power()
    shop.station.devices.tamper.trip("removed from its place")
    shop.open()
    assert_tamper_wipes(shop)


def test_a_sale_after_the_service_visit_and_the_custodians(bare: Shop) -> None:
    people = Custodians(bare)
    people.choose()
    people.load(ONE, xor(TMK, ONE))
    bare.station.press("enter")
    bare.station.run_until(lambda: bare.state == "idle", 60_000)
    bare.play(Purchase(amount="50"))
    assert bare.outcome is Outcome.APPROVED


@pytest.mark.parametrize("cause", ["case opened", "switch", "removed from its place"])
def test_tamper_when_idle_whatever_the_cause(shop: Shop, cause: str) -> None:
    shop.station.devices.tamper.trip(cause)
    assert_tamper_wipes(shop)
    shop.power_or_paper_trouble = True
    check(shop)


def test_after_the_service_visit_nothing_is_sold_until_a_key_is_loaded(bare: Shop) -> None:
    asked = len(bare.bank.asked)
    assert "No keys loaded" in bare.station.display
    assert Led.ALARM in bare.station.devices.leds.lit
    bare.station.press("1", "f1", "f2", "f3", "enter", "cancel")
    bare.station.swipe("good")
    bare.station.run_for(700_000)
    assert bare.state == "no_keys"
    assert len(bare.bank.asked) == asked
    bare.station.press("f4")
    assert "没有主密钥" in bare.station.display


def test_records_of_another_device_key_are_no_keys(shop: Shop) -> None:
    """The power went before the wipe: what is stored does not open any more."""
    stored = shop.storage.snapshot()
    shop.station.devices.tamper.trip()
    shop.station.settle()
    shop.station.cut_power()
    shop.station.devices.tamper.service_reset()
    shop.storage.restore(stored)
    shop.open()
    assert shop.state == "no_keys"
    assert "secure: S130" in shop.station.display
    shop.power_or_paper_trouble = True
    people = Custodians(shop)
    people.choose("0", "7")
    people.load(ONE, TWO)
    shop.station.press("enter")
    assert shop.station.run_until(lambda: shop.state == "no_keys", 60_000)
    assert "secure" not in shop.station.display, "what did not open is gone; another key is missing"
    people.choose()
    people.load(ONE, xor(TMK, ONE))
    shop.station.press("enter")
    assert shop.station.run_until(lambda: shop.state == "idle", 60_000)
    check(shop)
