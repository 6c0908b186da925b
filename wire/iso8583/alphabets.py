"""Which characters a data element may hold, for both directions: a test for each type of the table."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

from wire.iso8583.table import FieldTable

_HEX = "0123456789ABCDEF"


def is_digits(text: str) -> bool:
    """True for nothing but 0 to 9."""
    return (text.isdigit() and text.isascii()) or not text


def _is_letters_and_digits(text: str) -> bool:
    return text.isascii() and (text.isalnum() or not text.strip(" ") or text.replace(" ", "").isalnum())


def _is_printable(text: str) -> bool:
    return text.isascii() and text.isprintable()


def is_hex(text: str) -> bool:
    """True for nothing but 0 to 9 and A to F."""
    return not text.strip(_HEX)  # what is left of it begins with another character


def is_signed_amount(text: str) -> bool:
    """True for a letter, a digit or a blank as the sign, and digits behind it."""
    return _is_letters_and_digits(text[:1]) and is_digits(text[1:])


_ALLOWED: Mapping[str, Callable[[str], bool]] = {
    "n": is_digits,
    "an": _is_letters_and_digits,
    "ans": _is_printable,
    "z": is_hex,
    "x+n": is_signed_amount,
}


def _is_text_of(charset: str, text: str) -> bool:
    if text.encode(charset, "ignore").decode(charset) != text:
        return False
    return text.replace("\u3000", " ").isprintable()  # the wide blank of Chinese text is no control


def alphabet(entry: FieldTable) -> Callable[[str], bool]:
    """The test for the characters of a field that is no binary one. No text at all passes it."""
    if entry.data == "ascii" and entry.charset != "ascii":
        return functools.partial(_is_text_of, entry.charset)
    return _ALLOWED[entry.type]
