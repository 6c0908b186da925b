"""Loading the initial key of DUKPT at the terminal: its serial number, its components, and every way out.

The key is the one that the bank derives from its base key, so that a payment proves that it is right.
"""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.cmac import CMAC

from bank import dukpt
from firmware.records import Flow, Outcome
from firmware.secure.tdes import check_value
from tests.sim.custodians import (
    ONE,
    Custodians,
    assert_tamper_wipes,
    everything_typed_is_gone,
    keys_of,
    keys_stored,
    service_visit,
    xor,
)
from tests.sim.invariants import check
from tests.sim.shop import Purchase, Shop

TDES_KSN, AES_KSN = "FFFF9876543210E00000", "123456789012345600000000"


def bare_shop(scheme: str) -> Shop:
    shop = Shop(Flow.PIN_FIRST, security={"key_scheme": scheme, "encrypt_track": "dukpt"})
    shop.open()
    service_visit(shop)
    assert shop.state == "no_keys"
    return shop


@pytest.fixture
def bare() -> Shop:
    return bare_shop("dukpt-tdes")


def initial_key(shop: Shop) -> bytes:
    """What the bank expects this terminal to have."""
    terminal = shop.provision.merchants[0].terminals[0]
    assert terminal.bdk is not None
    if shop.security["key_scheme"] == "dukpt-aes":
        return dukpt.aes_initial_key(terminal.bdk, terminal.ksn[:8])
    return dukpt.tdes_initial_key(terminal.bdk, terminal.ksn)


def aes_check_value(key: bytes) -> bytes:
    """CMAC over a block of zeros (ANSI X9.24-1:2017), by another library."""
    code = CMAC(algorithms.AES(key))
    code.update(bytes(16))
    return code.finalize()[:4]


CHECK_VALUES = {"dukpt-tdes": check_value, "dukpt-aes": aes_check_value}


@pytest.mark.parametrize(
    ("scheme", "serial_number"),
    [("dukpt-tdes", TDES_KSN), ("dukpt-aes", AES_KSN), ("dukpt-aes", AES_KSN[:16])],
    ids=["tdes", "aes", "aes-key-id"],
)
def test_custodians_load_an_initial_key_and_the_terminal_trades(scheme: str, serial_number: str) -> None:
    shop = bare_shop(scheme)
    people, key, value_of = Custodians(shop), initial_key(shop), CHECK_VALUES[scheme]
    people.choose_initial_key(serial_number)
    people.load(ONE, xor(key, ONE), check_value_of=value_of)
    assert value_of(key).hex().upper() in people.display
    assert f"KSN ..{serial_number[-10:]}" in people.display, "this display has no room for all of it"
    shop.station.press("enter")
    assert shop.state == "key_loaded"
    assert shop.station.run_until(lambda: shop.state == "idle", 60_000)
    assert everything_typed_is_gone(shop)
    shop.play(Purchase(amount="50"))
    assert shop.outcome is Outcome.APPROVED
    check(shop)


def test_another_serial_number_is_another_terminal(bare: Shop) -> None:
    people = Custodians(bare)
    people.choose_initial_key("FFFF9876543211E00000")
    people.load(ONE, xor(initial_key(bare), ONE))
    bare.station.press("enter")
    assert bare.station.run_until(lambda: bare.state == "idle", 60_000)
    bare.play(Purchase(amount="50"))
    assert bare.outcome is not Outcome.APPROVED


def test_the_serial_number_is_typed_in_the_open_and_must_be_whole(bare: Shop) -> None:
    station = bare.station
    station.press("up", "5", "enter")  # digits mean nothing here: an initial key has no index
    assert bare.state == "typing_serial_number"
    station.press(*keys_of(TDES_KSN[:19]), "enter")
    assert bare.state == "typing_serial_number", "one digit is missing"
    assert f"{TDES_KSN[:19]}_" in station.display.replace("\n", "")
    station.press("clear", "clear", *keys_of(TDES_KSN[17:]), "9", "enter")
    assert bare.state == "typing_component", "and one digit too many is not taken"


def test_a_transport_key_needs_no_serial_number(bare: Shop) -> None:
    bare.station.press("up", "f1", "7", "enter")
    assert bare.state == "typing_component"


def test_a_transport_key_of_a_terminal_with_aes_is_an_aes_key() -> None:
    shop = bare_shop("dukpt-aes")
    people = Custodians(shop)
    shop.station.press("up", "f1", "enter")
    people.load(ONE, xor(ONE, bytes(range(16))), check_value_of=aes_check_value)
    shop.station.press("enter")
    assert shop.station.terminal is not None
    values = shop.station.terminal.parts.secure.check_values()
    assert values == {"transport/01": aes_check_value(bytes(range(16))).hex().upper()}


def test_every_way_out_leaves_nothing_behind(bare: Shop) -> None:
    half = keys_of(TDES_KSN[:9])
    bare.station.press("up", "enter", *half, "cancel")
    assert bare.state == "no_keys"
    assert everything_typed_is_gone(bare)
    bare.station.press("up", "enter", *half)
    assert bare.station.run_until(lambda: bare.state == "no_keys", 120_000)
    assert bare.took("typing_serial_number", "timeout")
    assert everything_typed_is_gone(bare)
    bare.station.press("up", "enter", *half)
    bare.power_cycle()
    assert bare.state == "no_keys"
    assert not dict(keys_stored(bare))
    bare.station.press("up", "enter", *half)
    assert bare.state == "typing_serial_number"
    assert_tamper_wipes(bare)
