"""The amount editor against what a cashier sees."""

import pytest

from firmware.entry import AmountEditor
from hal.api import Key

OTHERS = [key for key in Key if not key.digits and key not in {Key.CLEAR, Key.POINT}]


def typed(keys: str) -> AmountEditor:
    editor = AmountEditor()
    for key in keys.split():
        assert editor.press(Key(key))
    return editor


@pytest.mark.parametrize(
    ("keys", "amount_minor"),
    [
        ("", 0),
        ("1 2 3 4", 1234),
        ("1 2 00", 1200),
        ("0 0 7", 7),
        ("00 5", 5),
        ("1 2 3 clear", 12),
        ("1 clear clear", 0),
        ("9 9 9 9 9 9 9 9 9 9 9 9", 999_999_999_999),
        ("1 2 .", 1200),
        ("1 2 . 3", 1230),
        ("1 2 . 3 4", 1234),
        (". 5", 50),
        ("1 00 . 0 5", 100_05),
        ("1 2 . 3 clear clear 4", 124),
    ],
)
def test_digits_come_in_from_the_right(keys: str, amount_minor: int) -> None:
    assert typed(keys).amount_minor == amount_minor


@pytest.mark.parametrize("key", [Key.DIGIT_0, Key.DIGIT_9, Key.DOUBLE_ZERO])
def test_a_thirteenth_digit_is_refused(key: Key) -> None:
    """F4 holds twelve."""
    editor = typed("1 2 3 4 5 6 7 8 9 0 1 2")
    assert not editor.press(key)
    assert editor.amount_minor == 123_456_789_012


@pytest.mark.parametrize("keys", ["1 . 2 3", "1 . 2"])
def test_a_second_point_and_a_third_decimal_are_refused(keys: str) -> None:
    editor = typed(keys)
    before = editor.amount_minor
    assert not editor.press(Key.POINT)
    assert not editor.press(Key.DOUBLE_ZERO)
    assert editor.amount_minor == before


def test_a_point_that_makes_the_amount_too_large_is_refused() -> None:
    editor = typed("9 9 9 9 9 9 9 9 9 9 9")
    assert not editor.press(Key.POINT)
    assert editor.amount_minor == 99_999_999_999


def test_a_double_zero_that_fits_by_half_is_refused_whole() -> None:
    editor = typed("1 2 3 4 5 6 7 8 9 0 1")
    assert not editor.press(Key.DOUBLE_ZERO)
    assert editor.amount_minor == 12_345_678_901


@pytest.mark.parametrize("key", OTHERS, ids=lambda key: key.value)
def test_other_keys_mean_nothing_here(key: Key) -> None:
    editor = typed("4 2")
    assert not editor.press(key)
    assert editor.amount_minor == 42


def test_reset() -> None:
    editor = typed("4 2")
    editor.reset()
    assert editor.amount_minor == 0
