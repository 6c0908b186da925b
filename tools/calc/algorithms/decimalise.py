"""Decimal digits out of a cryptogram: how CVV and PVV become numbers."""

from __future__ import annotations


def decimal_digits(data: bytes, count: int) -> str:
    """The first `count` digits: those that are decimal first, then A to F less ten, each in its order."""
    text = data.hex().upper()
    decimal = [digit for digit in text if digit.isdigit()]
    letters = [str(int(digit, 16) - 10) for digit in text if not digit.isdigit()]
    return "".join((decimal + letters)[:count])
