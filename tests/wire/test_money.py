"""Amounts: what people may key in, and what is printed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.money import AMOUNT_MINOR_MAX, AmountError, Currency, currency, format_amount, parse_amount


@pytest.mark.parametrize(
    ("text", "exponent", "amount_minor"),
    [
        ("12.34", 2, 1234),
        ("12", 2, 1200),
        ("12.3", 2, 1230),
        ("0.01", 2, 1),
        ("0000000000000000.01", 2, 1),
        ("9999999999.99", 2, AMOUNT_MINOR_MAX),
        ("12", 0, 12),
        ("1.234", 3, 1234),
    ],
)
def test_amounts_that_are_taken(text: str, exponent: int, amount_minor: int) -> None:
    assert parse_amount(text, exponent) == amount_minor


@pytest.mark.parametrize(
    ("text", "exponent", "reason"),
    [
        ("0", 2, "bad_amount"),
        ("0.00", 2, "bad_amount"),
        ("-1.00", 2, "bad_amount"),
        ("1.234", 2, "bad_length"),
        ("1.0", 0, "bad_length"),
        ("10000000000.00", 2, "bad_length"),
        ("9" * 1_000_000, 2, "bad_length"),
        ("", 2, "bad_format"),
        (".5", 2, "bad_format"),
        ("5.", 2, "bad_format"),
        ("1.2.3", 2, "bad_format"),
        ("1,234.00", 2, "bad_format"),
        ("+1", 2, "bad_format"),
        (" 1", 2, "bad_format"),
        ("1e3", 2, "bad_format"),
        ("１２", 2, "bad_format"),
        ("1_0", 2, "bad_format"),
    ],
)
def test_amounts_that_are_refused(text: str, exponent: int, reason: str) -> None:
    with pytest.raises(AmountError) as caught:
        parse_amount(text, exponent)
    assert caught.value.reason == reason
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 80


@pytest.mark.parametrize(
    ("amount_minor", "exponent", "text"),
    [
        (1234, 2, "12.34"),
        (5, 2, "0.05"),
        (0, 2, "0.00"),
        (-1234, 2, "-12.34"),
        (1234, 0, "1234"),
        (5, 3, "0.005"),
    ],
)
def test_amounts_as_written(amount_minor: int, exponent: int, text: str) -> None:
    assert format_amount(amount_minor, exponent) == text


@given(amount_minor=st.integers(1, AMOUNT_MINOR_MAX), exponent=st.integers(0, 4))
def test_written_amounts_are_read_back(amount_minor: int, exponent: int) -> None:
    assert parse_amount(format_amount(amount_minor, exponent), exponent) == amount_minor


def test_currencies_by_either_code() -> None:
    assert currency("156") == currency("CNY") == Currency("156", "CNY", "RMB", "¥", 2)
    assert currency("CNY").format(12345) == "RMB 123.45"
    assert currency("JPY").format(12345) == "JPY 12345"
    with pytest.raises(AmountError) as caught:
        currency("XXX")
    assert caught.value.reason == "unsupported"
