"""Amounts and currencies (ISO 4217). An amount is an integer of minor units: 12.34 CNY is 1234.

Sources: data element 4 (n 12) of ISO 8583 gives the largest amount; ISO 4217 the codes and exponents.
"""

from __future__ import annotations

from dataclasses import dataclass

from wire.errors import AmountError

__all__ = ["AMOUNT_MINOR_MAX", "AmountError", "Currency", "currency", "format_amount", "parse_amount"]

AMOUNT_MINOR_MAX = 999_999_999_999
"""Twelve digits: what field 4 and tag 9F02 hold."""


def parse_amount(text: str, exponent: int = 2) -> int:
    """Return the amount in minor units that `text` means: `12.34` is 1234, `12` is 1200.

    `exponent`: how many decimals the currency has. Only digits and one point are taken: no sign, no
    thousands separator, no blank. Raises AmountError with one clear line: bad_format for anything else,
    bad_length for too many decimals or over twelve digits, bad_amount for zero and for negative amounts.
    """
    if text.startswith("-"):
        raise AmountError("bad_amount", "an amount cannot be negative")
    whole, point, decimals = text.partition(".")
    if not _is_digits(whole) or (point and not _is_digits(decimals)):
        raise AmountError("bad_format", f"an amount is written like {_example(exponent)}")
    if len(decimals) > exponent:
        raise AmountError("bad_length", f"this currency has {_decimals_in_words(exponent)}")
    amount_minor = _minor(whole.lstrip("0"), decimals.ljust(exponent, "0"))
    if amount_minor == 0:
        raise AmountError("bad_amount", "an amount must be more than zero")
    return amount_minor


def format_amount(amount_minor: int, exponent: int = 2) -> str:
    """Return an amount as people write it: 1234 is `12.34`, -5 is `-0.05`; 1234 yen (exponent 0) is `1234`.

    >>> format_amount(5)
    '0.05'
    """
    sign = "-" if amount_minor < 0 else ""
    digits = str(abs(amount_minor)).zfill(exponent + 1)
    if exponent == 0:
        return sign + digits
    return f"{sign}{digits[:-exponent]}.{digits[-exponent:]}"


@dataclass(frozen=True, slots=True)
class Currency:
    """One currency. `symbol` stands on slips (printers know it), `sign` on displays that can draw it."""

    numeric: str
    alpha: str
    symbol: str
    sign: str
    exponent: int

    def format(self, amount_minor: int) -> str:
        """Return an amount with its currency, as on a slip: `RMB 12.34`."""
        return f"{self.symbol} {format_amount(amount_minor, self.exponent)}"


_CURRENCIES = (
    Currency("156", "CNY", "RMB", "¥", 2),
    Currency("344", "HKD", "HKD", "HK$", 2),
    Currency("446", "MOP", "MOP", "MOP$", 2),
    Currency("392", "JPY", "JPY", "¥", 0),
    Currency("414", "KWD", "KWD", "KD", 3),
    Currency("826", "GBP", "GBP", "£", 2),
    Currency("840", "USD", "USD", "$", 2),
    Currency("978", "EUR", "EUR", "€", 2),
)
_BY_CODE = {code: entry for entry in _CURRENCIES for code in (entry.numeric, entry.alpha)}


def currency(code: str) -> Currency:
    """Return the currency of a numeric or alphabetic code: `156`, `CNY`. Raises AmountError: unsupported."""
    try:
        return _BY_CODE[code]
    except KeyError:
        known = ", ".join(entry.alpha for entry in _CURRENCIES)
        raise AmountError("unsupported", f"this currency code is not one of {known}") from None


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _minor(whole: str, decimals: str) -> int:
    # The length is judged before int(): a megabyte of digits would keep it busy for long.
    if len(whole) + len(decimals) > 12:
        raise AmountError("bad_length", "an amount has at most twelve digits, decimals included")
    return int(whole + decimals or "0")


def _example(exponent: int) -> str:
    return "12" + ("." + "3456"[:exponent] if exponent else "")


def _decimals_in_words(exponent: int) -> str:
    return {0: "no decimals", 1: "one decimal at most"}.get(exponent, f"{exponent} decimals at most")
