"""PIN blocks of formats 1 to 4, in the terminal's own functions (POS message digest, section 6.5)."""

import random

import pytest

from firmware.secure import pin_block
from firmware.secure.errors import BadInput, PinFormat
from wire.pan import Pan

PAN = Pan("6225880123456783")


def digits(pin: str) -> bytearray:
    return bytearray(map(int, pin))


def test_format_1_is_control_pin_and_random_fill() -> None:
    block = pin_block.format_1(digits("1234"), bytes.fromhex("FFFFFFA5B6C7D8E9"))
    assert block.hex().upper() == "141234A5B6C7D8E9"


def test_format_2() -> None:
    assert pin_block.format_2(digits("1234")).hex().upper() == "241234FFFFFFFFFF"


def test_format_3_of_the_worked_example() -> None:
    block = pin_block.format_3(digits("1234"), PAN, bytes.fromhex("000000ACBDEFABCD"))
    assert block.hex().upper() == "34126C2CAFDBFDB5"


def test_format_3_brings_any_random_bytes_into_letters() -> None:
    draw = random.Random(3)
    for _ in range(50):
        block = pin_block.format_3(digits("123456"), PAN, draw.randbytes(8))
        account = pin_block.account_field(PAN)
        field = bytes(a ^ b for a, b in zip(block, account, strict=True)).hex().upper()
        assert field[:8] == "36123456"
        assert set(field[8:]) <= set("ABCDEF")


def test_format_4_of_the_worked_example() -> None:
    block = pin_block.format_4(digits("1234"), bytes.fromhex("0123456789ABCDEF"))
    assert block.hex().upper() == "441234AAAAAAAAAA0123456789ABCDEF"
    account = pin_block.format_4_account_field(PAN)
    assert account.hex().upper() == "46225880123456783000000000000000"
    pin_block.encipher_format_4(bytes.fromhex("00112233445566778899AABBCCDDEEFF"), block, account)
    assert block.hex().upper() == "BDE62A92BC3263C9FD5D142BE5337BC4"


@pytest.mark.parametrize("pin", ["123", "1234567890123", ""])
def test_pins_of_a_wrong_length(pin: str) -> None:
    with pytest.raises(PinFormat):
        pin_block.format_1(digits(pin), bytes(8))
    with pytest.raises(PinFormat):
        pin_block.format_2(digits(pin))
    with pytest.raises(PinFormat):
        pin_block.format_3(digits(pin), PAN, bytes(8))
    with pytest.raises(PinFormat):
        pin_block.format_4(digits(pin), bytes(8))


def test_fill_of_a_wrong_length() -> None:
    with pytest.raises(PinFormat):
        pin_block.format_1(digits("1234"), bytes(7))


def test_a_key_that_is_no_aes_key_leaves_nothing_enciphered() -> None:
    block = pin_block.format_4(digits("1234"), bytes(8))
    before = bytes(block)
    with pytest.raises(BadInput) as caught:
        pin_block.encipher_format_4(bytes(8), block, pin_block.format_4_account_field(PAN))
    assert caught.value.reason == "bad_key"
    assert block == before
