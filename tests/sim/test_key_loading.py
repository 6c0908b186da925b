"""Loading a key at the terminal, in virtual time: two custodians, every way out, and the tamper switch.

The key that is loaded is the one that the bank knows, so that a payment proves that it is right.
"""

from __future__ import annotations

import pytest

from firmware.records import Outcome
from firmware.secure.tdes import check_value
from tests.sim.custodians import (
    LOADING,
    ONE,
    TMK,
    TWO,
    Custodians,
    assert_tamper_wipes,
    everything_typed_is_gone,
    keys_stored,
    xor,
)
from tests.sim.invariants import check
from tests.sim.shop import Purchase, Shop


def assert_pays(shop: Shop) -> None:
    shop.play(Purchase(amount="50"))
    assert shop.outcome is Outcome.APPROVED
    check(shop)


# --- the way through -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "components", [(ONE, xor(TMK, ONE)), (ONE, TWO, xor(TMK, ONE, TWO))], ids=["two", "three"]
)
def test_custodians_load_the_master_key_and_the_terminal_trades_again(
    bare: Shop, components: tuple[bytes, ...]
) -> None:
    assert bare.state == "no_keys"
    people = Custodians(bare)
    people.choose()
    people.load(*components)
    assert check_value(TMK).hex().upper() in people.display
    bare.station.press("enter")
    assert bare.state == "key_loaded"
    assert bare.station.run_until(lambda: bare.state == "idle", 60_000)
    assert everything_typed_is_gone(bare)
    assert bare.took("signing_in", "host_approved")
    assert_pays(bare)


def test_a_wrong_check_value_is_refused_and_the_component_typed_again(bare: Shop) -> None:
    people = Custodians(bare)
    people.choose()
    people.type_component(TWO)  # the wrong letter
    people.type_check_value(check_value(ONE))
    assert bare.state == "component_refused"
    assert bare.station.run_until(lambda: bare.state == "typing_component", 10_000)
    assert "0/32" in people.display, "nothing is left of the first try"
    people.load(ONE, xor(TMK, ONE))
    bare.station.press("enter")
    assert bare.station.run_until(lambda: bare.state == "idle", 60_000)
    assert_pays(bare)


def test_the_same_component_twice_is_no_key(bare: Shop) -> None:
    people = Custodians(bare)
    people.go_to("key_refused")
    assert bare.state == "key_refused"
    assert bare.station.run_until(lambda: bare.state == "no_keys", 10_000)
    assert everything_typed_is_gone(bare)


def test_a_key_under_another_index_does_not_make_the_terminal_trade(bare: Shop) -> None:
    people = Custodians(bare)
    people.choose("0", "7")
    people.load(ONE, xor(TMK, ONE))
    bare.station.press("enter")
    assert bare.station.run_until(lambda: bare.state == "no_keys", 10_000)


def test_a_transport_key_in_service_leaves_the_sign_in_alone(shop: Shop) -> None:
    people = Custodians(shop)
    people.station.press("up", "f1")
    assert "Transport 01" in people.display
    people.station.press("enter")
    people.load(ONE, TWO)
    shop.station.press("enter")
    assert shop.state == "key_loaded"
    assert shop.station.run_until(lambda: shop.state == "idle", 60_000)
    assert shop.station.terminal is not None
    values = shop.station.terminal.parts.secure.check_values()
    assert values["transport/01"] == check_value(xor(ONE, TWO)).hex().upper()
    assert shop.took("key_loaded", "timeout")
    assert_pays(shop)


def test_a_new_master_key_in_service_ends_the_old_sign_in(shop: Shop) -> None:
    people = Custodians(shop)
    people.choose()
    people.load(ONE, TWO)
    shop.station.press("enter")
    assert shop.state == "key_loaded"
    shop.station.run_until(lambda: shop.state == "idle", 60_000)
    assert "Not signed in" in people.display, "the bank does not know this key"
    people.choose()
    people.load(ONE, xor(TMK, ONE))
    shop.station.press("enter")
    assert shop.station.run_until(lambda: shop.state == "idle", 60_000)
    assert_pays(shop)


def test_an_impatient_enter_does_not_load_twice(bare: Shop) -> None:
    people = Custodians(bare)
    people.choose()
    people.load(ONE, xor(TMK, ONE))
    bare.station.devices.keypad.press("enter", "enter", "enter")
    assert bare.station.run_until(lambda: bare.state == "idle", 60_000)
    assert_pays(bare)


def test_the_display_shows_stars_and_the_count_and_no_digit(bare: Shop) -> None:
    people = Custodians(bare)
    people.choose()
    heard = len(bare.station.devices.buzzer.played())
    bare.station.press("9", "8", "f1", ".", "2")
    assert "**** 4/32" in people.display
    assert len(bare.station.devices.buzzer.played()) > heard, "who types blindly hears that it is taken"
    shown = "\n".join(screen.text for _at_ms, screen in bare.station.devices.display.history)
    assert "98AB" not in shown


# --- every way out ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", LOADING)
def test_cancel_leaves_nothing_behind(bare: Shop, state: str) -> None:
    Custodians(bare).go_to(state)
    assert bare.state == state
    keys = dict(keys_stored(bare))
    bare.station.press("cancel")
    assert bare.station.run_until(lambda: bare.state in {"no_keys", "idle"}, 60_000)
    assert everything_typed_is_gone(bare)
    assert bool(keys) == (state == "key_loaded")
    check(_with_keys(bare))


@pytest.mark.parametrize("state", LOADING)
def test_a_timeout_leaves_nothing_behind(bare: Shop, state: str) -> None:
    Custodians(bare).go_to(state)
    assert bare.station.run_until(lambda: bare.state in {"no_keys", "idle"}, 120_000)
    assert bare.took(state, "timeout")
    assert everything_typed_is_gone(bare)


@pytest.mark.parametrize("state", LOADING)
def test_a_power_cut_leaves_nothing_behind(bare: Shop, state: str) -> None:
    Custodians(bare).go_to(state)
    stored = dict(keys_stored(bare))
    bare.power_cycle()
    assert bare.state == ("idle" if state == "key_loaded" else "no_keys")
    assert bool(stored) == (state == "key_loaded")
    assert everything_typed_is_gone(bare)


@pytest.mark.parametrize("state", [*LOADING, "no_keys"])
def test_tamper_wipes_a_ceremony(bare: Shop, state: str) -> None:
    if state != "no_keys":
        Custodians(bare).go_to(state)
    assert bare.state == state
    assert_tamper_wipes(bare)


def test_a_storage_that_fails_leaves_nothing_behind(bare: Shop) -> None:
    people = Custodians(bare)
    people.choose()
    people.load(ONE, xor(TMK, ONE))
    bare.storage.fail_at(bare.storage.commits + 1)
    bare.station.press("enter")
    assert bare.state == "out_of_service"
    assert everything_typed_is_gone(bare)
    assert not dict(keys_stored(bare))


def _with_keys(shop: Shop) -> Shop:
    """Loaded again, for whatever comes next."""
    if shop.state == "no_keys":
        people = Custodians(shop)
        people.choose()
        people.load(ONE, xor(TMK, ONE))
        shop.station.press("enter")
        shop.station.run_until(lambda: shop.state == "idle", 60_000)
    return shop
