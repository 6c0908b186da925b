"""Loading a key at the terminal, in virtual time: two custodians, every way out, and the tamper switch.

The key that is loaded is the one that the bank knows, so that a payment proves that it is right.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from functools import reduce

import pytest

from firmware.records import Flow, Outcome
from firmware.secure.tdes import check_value
from firmware.txn.schema import Group
from firmware.txn.terminal import RULES, TABLE, Event, State
from hal.api import Led
from tests.sim.invariants import check
from tests.sim.shop import Purchase, Shop

TMK = bytes.fromhex("11223344556677888877665544332211")  # iso8583-pos section 6.2
ONE = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
TWO = bytes.fromhex("A1B2C3D4E5F60718293A4B5C6D7E8F90")
LETTERS = dict(zip("ABCDEF", ("f1", "f2", "f3", "f4", "up", "down"), strict=True))
LOADING = [row.state.value for row in TABLE.rows if row.group is Group.KEYS and row.timeout]


def keys_of(digits: str) -> list[str]:
    return [LETTERS.get(digit, digit) for digit in digits]


def xor(*parts: bytes) -> bytes:
    return bytes(reduce(operator.xor, column) for column in zip(*parts, strict=True))


class Custodians:
    """The people with the key letters."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.station = shop.station

    @property
    def display(self) -> str:
        return self.station.display

    def choose(self, *index: str) -> None:
        self.station.press("up")
        assert self.shop.state == "choosing_key"
        self.station.press(*index, "enter")
        assert self.shop.state == "typing_component"

    def type_component(self, component: bytes) -> None:
        self.station.press(*keys_of(component.hex().upper()))
        assert "32/32" in self.display
        self.station.press("enter")
        assert self.shop.state == "typing_check_value"

    def type_check_value(self, value: bytes) -> None:
        self.station.press(*keys_of(value.hex().upper()), "enter")

    def enter(self, component: bytes) -> None:
        self.type_component(component)
        self.type_check_value(check_value(component))
        assert self.shop.state == "component_accepted"
        assert check_value(component).hex().upper() in self.display

    def load(self, *components: bytes) -> None:
        """From the first component to the check value of the whole."""
        for number, component in enumerate(components):
            if number:
                self.station.press("enter" if number == 1 else "f1")
            self.enter(component)
        self.station.press("enter")
        assert self.shop.state == "confirming_key"

    def go_to(self, state: str) -> None:
        """Into a state of the ceremony, with something to wipe where there can be."""
        self.choose()
        if state == "choosing_key":
            self.station.press("cancel")
            self.station.press("up")
            return
        self.station.press("1", "2", "3")
        if state == "typing_component":
            return
        self.station.press("clear")
        self.type_component(ONE)
        if state == "typing_check_value":
            return
        if state == "component_refused":
            self.type_check_value(bytes(4))
            return
        self.type_check_value(check_value(ONE))
        if state == "component_accepted":
            return
        self.station.press("enter")
        self.enter(ONE if state == "key_refused" else xor(TMK, ONE))
        self.station.press("enter")
        if state == "key_loaded":
            self.station.press("enter")


@pytest.fixture
def shop() -> Shop:
    shop = Shop(Flow.AUTHORISE_FIRST)
    shop.open()
    return shop


@pytest.fixture
def bare(shop: Shop) -> Shop:
    """After a tamper alarm and a visit of the service, before any key is loaded."""
    shop.station.devices.tamper.trip()
    shop.station.settle()
    shop.station.cut_power()
    shop.station.devices.tamper.service_reset()
    shop.open()
    shop.power_or_paper_trouble = True
    return shop


def everything_typed_is_gone(shop: Shop) -> bool:
    assert shop.station.terminal is not None
    service = shop.station.terminal._service
    ceremony = service.ceremony
    return (ceremony._kept, ceremony._typed, ceremony._entry) == (
        [],
        None,
        None,
    ) and service.shown_check_value == service.check_digits.digits == service.key_error == ""


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
    bare.station.press("9", "8", "f1", ".", "2")
    assert "**** 4/32" in people.display
    shown = "\n".join(screen.text for _at_ms, screen in bare.station.devices.display.history)
    assert "98AB" not in shown


# --- every way out ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", LOADING)
def test_cancel_leaves_nothing_behind(bare: Shop, state: str) -> None:
    Custodians(bare).go_to(state)
    assert bare.state == state
    keys = dict(_keys_stored(bare))
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
    stored = dict(_keys_stored(bare))
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
    assert not dict(_keys_stored(bare))


def test_every_rule_that_leaves_key_loading_wipes() -> None:
    """The table itself: no way out is forgotten, whatever is added."""
    loading = {State(state) for state in LOADING}
    for rule in RULES:
        if rule.source in loading and rule.target not in loading:
            wipes = {"abandon_key", "wipe_keys"} & set(rule.effects)
            assert wipes or rule.event is Event.STORAGE_FAILED, rule  # which `app` wipes before any rule


# --- tamper: everything is gone, and nothing is sold -----------------------------------------------------


def assert_tamper_wipes(shop: Shop) -> None:
    shop.station.devices.tamper.trip()
    shop.station.settle()
    assert shop.state == "tampered"
    assert not dict(_keys_stored(shop))
    assert everything_typed_is_gone(shop)
    assert "TAMPER ALARM" in shop.station.display
    assert Led.ALARM in shop.station.devices.leds.lit
    asked = len(shop.bank.asked)
    shop.station.press("1", "f1", "f2", "f3", "up", "enter", "cancel")
    shop.station.swipe("good")
    shop.power_cycle()
    assert shop.state == "tampered", "switching off and on heals nothing"
    assert len(shop.bank.asked) == asked


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
    shop.power_or_paper_trouble = True
    people = Custodians(shop)
    people.choose()
    people.load(ONE, xor(TMK, ONE))
    shop.station.press("enter")
    assert shop.station.run_until(lambda: shop.state == "idle", 60_000)
    assert_pays(shop)


def _keys_stored(shop: Shop) -> Iterator[tuple[str, bytes]]:
    return ((key, value) for (table, key), value in shop.storage.snapshot().items() if table == "keys")


def _with_keys(shop: Shop) -> Shop:
    """Loaded again, for whatever comes next."""
    if shop.state == "no_keys":
        people = Custodians(shop)
        people.choose()
        people.load(ONE, xor(TMK, ONE))
        shop.station.press("enter")
        shop.station.run_until(lambda: shop.state == "idle", 60_000)
    return shop
