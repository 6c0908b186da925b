"""Custodians with key letters, a service engineer's visit, and what must be gone after it all."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from functools import reduce

from firmware.records import Flow
from firmware.secure.tdes import check_value
from firmware.txn.schema import Group
from firmware.txn.terminal import TABLE
from hal.api import Led
from tests.sim.shop import Shop

TMK = bytes.fromhex("11223344556677888877665544332211")  # iso8583-pos section 6.2
ONE = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
TWO = bytes.fromhex("A1B2C3D4E5F60718293A4B5C6D7E8F90")
ALL_LOADING = [row.state.value for row in TABLE.rows if row.group is Group.KEYS and row.timeout]
LOADING = [state for state in ALL_LOADING if state != "typing_serial_number"]  # of a master key
LETTERS = dict(zip("ABCDEF", ("f1", "f2", "f3", "f4", "up", "down"), strict=True))


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

    def enter(self, component: bytes, check_value_of: Callable[[bytes], bytes] = check_value) -> None:
        value = check_value_of(component)
        self.type_component(component)
        self.type_check_value(value)
        assert self.shop.state == "component_accepted"
        assert value.hex().upper() in self.display

    def choose_initial_key(self, serial_number: str) -> None:
        """Of a terminal with DUKPT: it offers no index, and asks for the serial number."""
        self.station.press("up", "enter")
        assert self.shop.state == "typing_serial_number"
        self.station.press(*keys_of(serial_number), "enter")
        assert self.shop.state == "typing_component"

    def load(self, *components: bytes, check_value_of: Callable[[bytes], bytes] = check_value) -> None:
        """From the first component to the check value of the whole."""
        for number, component in enumerate(components):
            if number:
                self.station.press("enter" if number == 1 else "f1")
            self.enter(component, check_value_of)
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


def open_shop() -> Shop:
    shop = Shop(Flow.AUTHORISE_FIRST)
    shop.open()
    return shop


def service_visit(shop: Shop) -> None:
    """A tamper alarm, then a new device key, before any key is loaded."""
    shop.station.devices.tamper.trip()
    shop.station.settle()
    shop.station.cut_power()
    shop.station.devices.tamper.service_reset()
    shop.open()
    shop.power_or_paper_trouble = True


def everything_typed_is_gone(shop: Shop) -> bool:
    assert shop.station.terminal is not None
    service = shop.station.terminal._service
    ceremony = service.ceremony
    assert service.serial_digits.digits == ""
    return (ceremony._kept, ceremony._typed, ceremony._entry) == (
        [],
        None,
        None,
    ) and service.shown_check_value == service.check_digits.digits == service.key_error == ""


def assert_tamper_wipes(shop: Shop) -> None:
    shop.station.devices.tamper.trip()
    shop.station.settle()
    assert shop.state == "tampered"
    assert not dict(keys_stored(shop))
    assert everything_typed_is_gone(shop)
    assert any(words in shop.station.display for words in ("TAMPER ALARM", "机器被拆动"))
    assert Led.ALARM in shop.station.devices.leds.lit
    asked = len(shop.bank.asked)
    shop.station.press("1", "f1", "f2", "f3", "up", "enter", "cancel")
    shop.station.swipe("good")
    shop.power_cycle()
    assert shop.state == "tampered", "switching off and on heals nothing"
    assert len(shop.bank.asked) == asked


def keys_stored(shop: Shop) -> Iterator[tuple[str, bytes]]:
    return ((key, value) for (table, key), value in shop.storage.snapshot().items() if table == "keys")
