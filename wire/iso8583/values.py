"""One data element between its value and the text that pyiso8583 packs.

pyiso8583 takes and gives every value as `str`: digits and text as they are, binary as hex. It checks
lengths; what characters a field may hold is checked here, in both directions.
"""

from __future__ import annotations

import string

from wire.errors import CodecError
from wire.iso8583.table import FieldTable

_HEX = frozenset("0123456789ABCDEF")
_DIGITS = frozenset(string.digits)
_ALPHABETS = {
    "n": _DIGITS,
    "an": frozenset(string.ascii_letters + string.digits + " "),
    "ans": frozenset(map(chr, range(0x20, 0x7F))),
    "z": _HEX,
}


def to_library(field: FieldTable, value: str | bytes) -> str:
    """Return what pyiso8583 packs for `value`. Raises CodecError: bad_format, bad_character, bad_length."""
    if isinstance(value, bytes) != (field.type == "b"):
        wanted = "bytes" if field.type == "b" else "str"
        raise CodecError("bad_format", field.number, f"its value has to be {wanted}")
    text = value.hex().upper() if isinstance(value, bytes) else value
    _require_characters(field, text)
    _require_length(field, len(value if isinstance(value, bytes) else value.encode(field.charset)))
    if field.data == "amount-bcd":
        return text[:1].encode("ascii").hex() + text[1:]
    if field.type == "z" and field.data == "ascii":
        return text.replace("D", "=")
    return text


def from_library(field: FieldTable, text: str) -> str | bytes:
    """Return the value that pyiso8583 unpacked as `text`. Raises CodecError: bad_character."""
    if field.data == "amount-bcd":
        text = bytes.fromhex(text[:2]).decode("latin-1") + text[2:]
    if field.type == "z" and field.data == "ascii":
        text = text.replace("=", "D")
    _require_characters(field, text)
    return bytes.fromhex(text) if field.type == "b" else text


def _require_length(field: FieldTable, length: int) -> None:
    if length > field.max or (field.len_digits == 0 and length != field.max):
        allowed = f"up to {field.max}" if field.len_digits else f"exactly {field.max}"
        raise CodecError("bad_length", field.number, f"it holds {allowed}, not {length}")


def _require_characters(field: FieldTable, text: str) -> None:
    if field.type == "b":
        good = _HEX.issuperset(text.upper())
    elif field.type == "x+n":
        good = _ALPHABETS["an"].issuperset(text[:1]) and _DIGITS.issuperset(text[1:])
    elif text.encode(field.charset, "ignore").decode(field.charset) != text:
        good = False
    elif field.charset != "ascii":
        good = text.replace("\u3000", " ").isprintable()  # the wide blank of Chinese text is no control
    else:
        good = _ALPHABETS[field.type].issuperset(text)
    if not good:
        raise CodecError(
            "bad_character", field.number, f"it holds a character that type {field.type} has not"
        )
