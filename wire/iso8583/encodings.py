"""Data elements as bytes: for each encoding of the table, two functions that know their field.

`ToData` takes a value to its bytes, `FromData` back. Each has one quick test of everything; only when that
fails, `wire.iso8583.faults` finds out which rule was broken. Errors are raised outside of handlers: those of
the standard library would hold the value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from wire.iso8583.alphabets import alphabet, is_hex, is_signed_amount
from wire.iso8583.faults import fault, impossible, refusal, wrong_character
from wire.iso8583.table import FieldTable, Value

ToData = Callable[[Value], bytes]
"""Raises CodecError: bad_format, bad_character, bad_length."""
FromData = Callable[[bytes, int], Value]
"""The bytes, and how many digits or bytes they are said to be. Raises bad_character, bad_padding."""


def data_bytes(entry: FieldTable, count: int) -> int:
    """How many bytes a value of `count` digits, characters or bytes takes."""
    sizes = {"bcd": (count + 1) // 2, "hex": 2 * count, "amount-bcd": 1 + count // 2}
    return sizes.get(entry.data, count)


def _bcd(entry: FieldTable) -> tuple[ToData, FromData]:
    if entry.len_digits == 0 and entry.max % 2 == 0 and entry.type == "n":
        return _even_digits(entry)
    allowed, is_left, is_track = alphabet(entry), entry.pad == "left", entry.type == "z"
    count_min, count_max = _count_range(entry)

    def to_data(value: Value) -> bytes:
        if not isinstance(value, str) or not count_min <= len(value) <= count_max or not allowed(value):
            raise refusal(entry, value)
        if len(value) % 2:
            return bytes.fromhex("0" + value if is_left else value + "0")
        return bytes.fromhex(value)

    def from_data(data: bytes, count: int) -> Value:
        text = data.hex().upper() if is_track else data.hex()
        if count % 2:
            spare, text = (text[0], text[1:]) if is_left else (text[-1], text[:-1])
            if spare != "0":
                raise fault("bad_padding", entry.number)
        if not (is_track or allowed(text)):
            raise wrong_character(entry)
        return text

    return to_data, from_data


def _even_digits(entry: FieldTable) -> tuple[ToData, FromData]:
    """Fixed, and an even number of digits: most fields of most messages."""
    count_exact = entry.max

    def to_data(value: Value) -> bytes:
        if (
            not isinstance(value, str)
            or len(value) != count_exact
            or not (value.isdigit() and value.isascii())
        ):
            raise refusal(entry, value)
        return bytes.fromhex(value)

    def from_data(data: bytes, _count: int) -> Value:
        text = data.hex()
        if not text.isdigit():
            raise wrong_character(entry)
        return text

    return to_data, from_data


def _text(entry: FieldTable) -> tuple[ToData, FromData]:
    if entry.charset != "ascii":
        return _text_in_charset(entry)
    allowed, is_track = alphabet(entry), entry.type == "z"  # whose separator is D here and = on the wire
    count_min, count_max = _count_range(entry)

    def to_data(value: Value) -> bytes:
        if not isinstance(value, str) or not count_min <= len(value) <= count_max or not allowed(value):
            raise refusal(entry, value)
        return (value.replace("D", "=") if is_track else value).encode("ascii")

    def from_data(data: bytes, _count: int) -> Value:
        if not data.isascii():
            raise fault("bad_character", entry.number)
        text = data.decode("ascii")
        if is_track:
            text = text.replace("=", "D")
        if not allowed(text):
            raise wrong_character(entry)
        return text

    return to_data, from_data


def _text_in_charset(entry: FieldTable) -> tuple[ToData, FromData]:
    allowed, charset = alphabet(entry), entry.charset
    count_min, count_max = _count_range(entry)

    def to_data(value: Value) -> bytes:
        data = value.encode(charset) if isinstance(value, str) and allowed(value) else None
        if data is None or not count_min <= len(data) <= count_max:
            raise refusal(entry, value)
        return data

    def from_data(data: bytes, _count: int) -> Value:
        # What cannot be decoded is left out, and then the lengths differ: so no error holds the bytes.
        text = data.decode(charset, "ignore")
        if len(text.encode(charset, "ignore")) != len(data):
            raise fault("bad_character", entry.number)
        if not allowed(text):
            raise wrong_character(entry)
        return text

    return to_data, from_data


def _binary(entry: FieldTable) -> tuple[ToData, FromData]:
    count_min, count_max = _count_range(entry)

    def to_data(value: Value) -> bytes:
        if not isinstance(value, bytes) or not count_min <= len(value) <= count_max:
            raise refusal(entry, value)
        return value

    def from_data(data: bytes, _count: int) -> Value:
        return data

    return to_data, from_data


def _hex_characters(entry: FieldTable) -> tuple[ToData, FromData]:
    if entry.len_digits:
        raise impossible(entry, "hex data has a fixed length")
    require_bytes, _ = _binary(entry)

    def to_data(value: Value) -> bytes:
        return require_bytes(value).hex().upper().encode("ascii")

    def from_data(data: bytes, _count: int) -> Value:
        text = data.decode("latin-1")
        if not is_hex(text.upper()):
            raise wrong_character(entry)
        return bytes.fromhex(text)

    return to_data, from_data


def _amount(entry: FieldTable) -> tuple[ToData, FromData]:
    if entry.len_digits or entry.max % 2 == 0:
        raise impossible(entry, "an amount has a sign and an even number of digits")

    def to_data(value: Value) -> bytes:
        if not isinstance(value, str) or len(value) != entry.max or not is_signed_amount(value):
            raise refusal(entry, value)
        return value[:1].encode("ascii") + bytes.fromhex(value[1:])

    def from_data(data: bytes, _count: int) -> Value:
        text = data[:1].decode("latin-1") + data[1:].hex()
        if not is_signed_amount(text):
            raise wrong_character(entry)
        return text

    return to_data, from_data


def _count_range(entry: FieldTable) -> tuple[int, int]:
    return (0 if entry.len_digits else entry.max), entry.max


ENCODINGS: Mapping[str, Callable[[FieldTable], tuple[ToData, FromData]]] = {
    "ascii": _text,
    "bcd": _bcd,
    "hex": _hex_characters,
    "binary": _binary,
    "amount-bcd": _amount,
}
