"""Key components, key by key: what a numeric keypad can type, and that nothing is left behind."""

from __future__ import annotations

import pytest

from firmware.secure import sm4
from firmware.secure.component_entry import (
    ComponentCancelled,
    ComponentDigits,
    ComponentEntry,
    ComponentTooShort,
    ComponentTyped,
    HexKeys,
    KeyCeremony,
)
from firmware.secure.errors import KeyFormat
from firmware.secure.tdes import check_value
from hal.api import Key
from hal.virtual.clock import VirtualClock
from hal.virtual.keypad import VirtualKeypad

# iso8583-pos section 6.2: the TMK of the worked example, here as the XOR of three components.
TMK = bytes.fromhex("11223344556677888877665544332211")
ONE = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
TWO = bytes.fromhex("A1B2C3D4E5F60718293A4B5C6D7E8F90")
THREE = bytes(a ^ b ^ c for a, b, c in zip(TMK, ONE, TWO, strict=True))
REST = bytes(a ^ b for a, b in zip(TMK, ONE, strict=True))
LETTERS = dict(zip("ABCDEF", ("f1", "f2", "f3", "f4", "up", "down"), strict=True))


def keys_of(component: bytes) -> list[str]:
    return [LETTERS.get(digit, digit) for digit in component.hex().upper()]


def press(entry: ComponentEntry, *names: str) -> None:
    for name in names:
        entry.press(Key(name))


@pytest.fixture
def keypad() -> VirtualKeypad:
    keypad = VirtualKeypad(VirtualClock())
    keypad.open()
    return keypad


def type_component(ceremony: KeyCeremony, keypad: VirtualKeypad, component: bytes) -> None:
    ceremony.begin_component(keypad)
    keypad.press(*keys_of(component), "enter")
    assert keypad.poll() == (), "no digit leaves as an event"
    assert ceremony.events()[-1] == ComponentTyped()


def keep(ceremony: KeyCeremony, keypad: VirtualKeypad, *components: bytes) -> None:
    for component in components:
        type_component(ceremony, keypad, component)
        assert ceremony.fits(check_value(component))
        assert ceremony.keep() == check_value(component)


@pytest.mark.parametrize(
    ("keys", "digits"),
    [
        ("0 1 2 3 4 5 6 7 8 9", "0123456789"),
        ("f1 f2 f3 f4 up down", "ABCDEF"),
        (". 1 . 2 . 3 . 4 . 5 . 6", "ABCDEF"),
        (". 7 . . 1 . f1 2", "A2"),  # a point takes the next key with it, and only that
        ("00 left right enter 5", "5"),
    ],
)
def test_sixteen_digits_on_a_numeric_keypad(keys: str, digits: str) -> None:
    hex_keys = HexKeys()
    typed = [hex_keys.press(Key(name)) for name in keys.split()]
    assert "".join(f"{digit:X}" for digit in typed if digit is not None) == digits


def test_a_component_is_thirty_two_digits_and_only_their_number_is_told() -> None:
    entry = ComponentEntry()
    press(entry, *keys_of(ONE), "7", "enter")
    assert entry.events() == [*(ComponentDigits(count) for count in range(1, 33)), ComponentTyped()]
    assert entry.take() == ONE
    assert not any(entry._component)


def test_enter_too_early_goes_on_and_clear_begins_again() -> None:
    entry = ComponentEntry()
    press(entry, "1", "2", "enter", "clear", *keys_of(TWO), "enter")
    assert entry.events()[:4] == [
        ComponentDigits(1),
        ComponentDigits(2),
        ComponentTooShort(),
        ComponentDigits(0),
    ]
    assert entry.take() == TWO


def test_cancel_wipes_and_nothing_is_taken_after_it() -> None:
    entry = ComponentEntry()
    press(entry, "1", "2", "cancel", "3", "enter")
    assert entry.events() == [ComponentDigits(1), ComponentDigits(2), ComponentCancelled()]
    assert not any(entry._component)


@pytest.mark.parametrize("components", [(ONE, REST), (ONE, TWO, THREE)], ids=["two", "three"])
def test_the_key_is_the_exclusive_or_of_its_components(
    keypad: VirtualKeypad, components: tuple[bytes, ...]
) -> None:
    ceremony = KeyCeremony()
    keep(ceremony, keypad, *components)
    assert ceremony.combined_check_value() == check_value(TMK)
    assert ceremony.take_key() == TMK
    assert ceremony.components == 0


@pytest.mark.parametrize("length", [3, 4])
def test_a_check_value_of_three_or_four_bytes(keypad: VirtualKeypad, length: int) -> None:
    ceremony = KeyCeremony()
    type_component(ceremony, keypad, ONE)
    right = check_value(ONE)[:length]
    assert ceremony.fits(right)
    assert not ceremony.fits(right[:-1] + bytes([right[-1] ^ 1]))
    assert not ceremony.fits(b"")


def test_the_components_of_an_sm4_key_have_sm4_check_values(keypad: VirtualKeypad) -> None:
    ceremony = KeyCeremony()
    ceremony.algorithm = "S"
    for component in (ONE, REST):
        type_component(ceremony, keypad, component)
        assert not ceremony.fits(check_value(component))
        assert ceremony.fits(sm4.check_value(component)[:4])
        ceremony.keep()
    assert ceremony.combined_check_value() == sm4.check_value(TMK)[:4]


@pytest.mark.parametrize(
    "components", [(), (ONE,), (ONE, ONE), (bytes(16), bytes(16))], ids=["none", "one", "twice", "zeros"]
)
def test_what_is_no_key_is_refused_without_telling_it(
    keypad: VirtualKeypad, components: tuple[bytes, ...]
) -> None:
    ceremony = KeyCeremony()
    keep(ceremony, keypad, *components)
    with pytest.raises(KeyFormat) as caught:
        ceremony.combined_check_value()
    assert ONE.hex()[:6] not in str(caught.value).lower()
    with pytest.raises(KeyFormat):
        ceremony.take_key()
    assert ceremony.components == 0, "taking it ends the ceremony, whatever came of it"


def test_a_fourth_component_is_refused(keypad: VirtualKeypad) -> None:
    ceremony = KeyCeremony()
    keep(ceremony, keypad, ONE, TWO, THREE)
    type_component(ceremony, keypad, ONE)
    with pytest.raises(KeyFormat, match="2 or 3"):
        ceremony.keep()


def test_abandoning_wipes_what_is_kept_and_gives_the_keypad_back(keypad: VirtualKeypad) -> None:
    ceremony = KeyCeremony()
    keep(ceremony, keypad, ONE)
    kept = ceremony._kept[0]
    ceremony.begin_component(keypad)
    keypad.press("1", "2")
    keypad.poll()
    entry = ceremony._entry
    assert entry is not None
    ceremony.abandon()
    assert kept == bytes(16)
    assert not any(entry._component)
    assert ceremony.events() == []
    keypad.press("5")
    assert len(keypad.poll()) == 1, "the keypad is in ordinary mode again"
