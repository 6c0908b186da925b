"""Key loading that is left while the terminal is in service: it trades on with the keys that it has."""

from __future__ import annotations

import pytest

from firmware.records import Flow
from firmware.secure.tdes import check_value
from hal.api import Beep
from tests.sim.custodians import (
    ALL_LOADING,
    ONE,
    TMK,
    TWO,
    Custodians,
    everything_typed_is_gone,
    keys_of,
    keys_stored,
    xor,
)
from tests.sim.invariants import check
from tests.sim.shop import Shop


def in_service(state: str) -> Shop:
    """An open shop in a state of key loading, with something to wipe where there can be."""
    dukpt = {"key_scheme": "dukpt-tdes", "encrypt_track": "dukpt"}
    shop = Shop(Flow.PIN_FIRST, security=dukpt if state == "typing_serial_number" else {})
    shop.open()
    people = Custodians(shop)
    if state == "typing_serial_number":
        shop.station.press("up", "enter", *keys_of("FFFF98"))
    elif state == "key_loaded":  # a transport key, which leaves those in use alone
        shop.station.press("up", "f1", "enter")
        people.load(ONE, TWO)
        shop.station.press("enter")
    else:
        people.go_to(state)
    assert shop.state == state
    return shop


@pytest.mark.parametrize("state", ALL_LOADING)
@pytest.mark.parametrize("event", ["cancel", "timeout"])
def test_whoever_leaves_it_finds_the_terminal_in_service(state: str, event: str) -> None:
    shop = in_service(state)
    stored = dict(keys_stored(shop))
    if event == "cancel":
        shop.station.press("cancel")
    assert shop.station.run_until(lambda: shop.state == "idle", 400_000)
    assert shop.took(state, event)
    assert everything_typed_is_gone(shop)
    assert dict(keys_stored(shop)) == stored
    check(shop)


@pytest.mark.parametrize("state", ["key_loaded", "key_refused"])
def test_enter_takes_the_last_message_away(state: str) -> None:
    shop = in_service(state)
    shop.station.press("enter")
    assert shop.state == "idle"
    assert everything_typed_is_gone(shop)


@pytest.mark.parametrize("key", ["enter", "cancel"])
@pytest.mark.parametrize("state", ["key_loaded", "key_refused"])
def test_without_a_master_key_it_still_has_none(bare: Shop, state: str, key: str) -> None:
    """A transport key, or a key that was refused, is not enough to trade with."""
    people = Custodians(bare)
    if state == "key_loaded":
        bare.station.press("up", "f1", "enter")
        people.load(ONE, TWO)
        bare.station.press("enter")
    else:
        people.go_to(state)
    assert bare.state == state
    bare.station.press(key)
    assert bare.state == "no_keys"
    assert everything_typed_is_gone(bare)


def test_a_refused_component_is_typed_again_at_once_with_enter(bare: Shop) -> None:
    people = Custodians(bare)
    people.go_to("component_refused")
    bare.station.press("enter")
    assert bare.state == "typing_component"
    assert "0/32" in people.display
    people.load(ONE, xor(TMK, ONE))
    bare.station.press("enter")
    assert bare.station.run_until(lambda: bare.state == "idle", 60_000)
    check(bare)


def test_the_first_component_goes_too_when_the_second_is_refused_and_nobody_goes_on(bare: Shop) -> None:
    people = Custodians(bare)
    people.choose()
    people.enter(ONE)
    bare.station.press("enter")
    people.type_component(TWO)
    people.type_check_value(check_value(ONE))
    assert bare.state == "component_refused"
    bare.station.press("cancel")
    assert bare.state == "no_keys"
    assert everything_typed_is_gone(bare)


def test_there_is_no_fourth_custodian(bare: Shop) -> None:
    people = Custodians(bare)
    people.choose()
    for number, component in enumerate((ONE, TWO, xor(TMK, ONE, TWO))):
        if number:
            bare.station.press("f1")
        people.enter(component)
    bare.station.press("f1")
    assert bare.state == "component_accepted"
    assert bare.station.devices.buzzer.played()[-1].beep is Beep.ERROR
    bare.station.press("enter")
    assert check_value(TMK).hex().upper() in people.display
