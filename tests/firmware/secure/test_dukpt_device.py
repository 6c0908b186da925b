"""A device's future keys against the host's derivation, which knows the initial key."""

from types import ModuleType

import pytest

from firmware.secure import dukpt_aes, dukpt_tdes
from firmware.secure.dukpt_device import FutureKeys
from firmware.secure.errors import BadInput

KSN = {
    dukpt_tdes: bytes.fromhex("FFFF9876543210E00000"),
    dukpt_aes: bytes.fromhex("123456789012345600000000"),
}
INITIAL = bytes(range(16))
SCHEMES = [pytest.param(dukpt_tdes, id="tdes"), pytest.param(dukpt_aes, id="aes")]


def device(scheme: ModuleType) -> FutureKeys:
    return FutureKeys(scheme, bytearray(INITIAL), KSN[scheme])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_keys_are_those_that_the_host_derives(scheme: ModuleType) -> None:
    terminal, ksn = device(scheme), KSN[scheme]
    for _ in range(300):
        ksn = scheme.next_ksn(ksn)
        number, key = terminal.next_transaction()
        assert number == ksn
        assert key == scheme.transaction_key(INITIAL, ksn)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_initial_key_and_used_keys_are_wiped(scheme: ModuleType) -> None:
    initial = bytearray(INITIAL)
    terminal = FutureKeys(scheme, initial, KSN[scheme])
    assert not any(initial)
    _, first = terminal.next_transaction()
    assert any(first)
    terminal.next_transaction()
    assert not any(first)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_no_register_leads_back(scheme: ModuleType) -> None:
    """Everything that can be derived from the registers lies in the future."""
    terminal, used = device(scheme), set()
    for _ in range(20):
        used.add(bytes(terminal.next_transaction()[1]))
    reachable = set()
    for place, key in terminal.registers.items():
        counter = terminal.counter >> (place + 1) << (place + 1) | 1 << place
        reachable |= {bytes(key)}
        reachable |= {
            bytes(scheme.child_key(key, KSN[scheme], counter | 1 << lower)) for lower in range(place)
        }
    assert not used & reachable


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_restart_goes_on_with_the_next_key(scheme: ModuleType) -> None:
    terminal, twin = device(scheme), device(scheme)
    for _ in range(7):
        terminal.next_transaction()
        twin.next_transaction()
    restored = FutureKeys.restore(scheme, KSN[scheme], terminal.counter, terminal.registers)
    for _ in range(20):
        assert restored.next_transaction() == twin.next_transaction()


def test_the_end_of_a_device() -> None:
    last = 0x1FF800  # ten one bits at the front: no usable counter is larger
    terminal = FutureKeys.restore(dukpt_tdes, KSN[dukpt_tdes], last, {})
    with pytest.raises(BadInput) as caught:
        terminal.next_transaction()
    assert caught.value.reason == "exhausted"


def test_a_counter_with_all_its_ones_has_no_keys_below() -> None:
    last = 0x1FF800
    parent = dukpt_tdes.transaction_key(INITIAL, bytes.fromhex("FFFF9876543210FFF000"))
    register = dukpt_tdes.child_key(parent, KSN[dukpt_tdes], last)
    terminal = FutureKeys.restore(dukpt_tdes, KSN[dukpt_tdes], last - 0x800 + 0x400, {11: register})
    number, key = terminal.next_transaction()
    assert number == bytes.fromhex("FFFF9876543210FFF800")
    assert key == dukpt_tdes.transaction_key(INITIAL, number)
    assert terminal.registers == {}


def test_wiped_as_a_whole() -> None:
    terminal = device(dukpt_aes)
    _, key = terminal.next_transaction()
    registers = list(terminal.registers.values())
    terminal.wipe()
    assert not any(map(any, [key, *registers]))
    assert terminal.registers == {}
