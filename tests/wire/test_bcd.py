"""Packed digits: the two worked examples of the field table, and refusals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.bcd import BcdError, Pad, pack, pack_nibbles, unpack, unpack_nibbles


@pytest.mark.parametrize(
    ("digits", "pad", "packed"),
    [("021", "right", "0210"), ("001", "left", "0001"), ("000123", "left", "000123"), ("", "left", "")],
)
def test_odd_numbers_of_digits_are_padded_at_the_named_side(digits: str, pad: Pad, packed: str) -> None:
    assert pack(digits, pad=pad).hex() == packed
    assert unpack(bytes.fromhex(packed), len(digits), pad=pad) == digits


def test_nibbles_carry_the_separator() -> None:
    assert pack_nibbles("12D34", pad="right").hex().upper() == "12D340"
    assert unpack_nibbles(bytes.fromhex("12D340"), 5, pad="right") == "12D34"


@pytest.mark.parametrize(
    ("data", "digit_count", "pad", "reason"),
    [
        ("1A", 2, "left", "bad_character"),
        ("12", 4, "left", "bad_length"),
        ("1234", 2, "left", "bad_length"),
        ("1234", 3, "left", "bad_padding"),
        ("0123", 3, "right", "bad_padding"),
    ],
)
def test_unpack_refuses(data: str, digit_count: int, pad: Pad, reason: str) -> None:
    with pytest.raises(BcdError) as caught:
        unpack(bytes.fromhex(data), digit_count, pad=pad)
    assert caught.value.reason == reason


@pytest.mark.parametrize("digits", ["12A4", "1 2 3", "１２", "-1"])
def test_pack_refuses_what_is_no_digit(digits: str) -> None:
    with pytest.raises(BcdError) as caught:
        pack(digits)
    assert caught.value.reason == "bad_character"


@given(nibbles=st.text(alphabet="0123456789ABCDEF", max_size=40), pad=st.sampled_from(["left", "right"]))
def test_nibbles_round_trip(nibbles: str, pad: Pad) -> None:
    assert unpack_nibbles(pack_nibbles(nibbles, pad=pad), len(nibbles), pad=pad) == nibbles
