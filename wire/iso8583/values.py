"""Data elements with their lengths, compiled once for each dialect.

`compiled` makes a `FieldCodec` out of a field's line in the table: two functions that know its encoding, its
length and its alphabet (see `wire.iso8583.encodings`), so that a message looks nothing up while it is packed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from wire.iso8583.encodings import ENCODINGS, FromData, ToData, data_bytes
from wire.iso8583.faults import fault, impossible
from wire.iso8583.table import FieldTable, LengthEncoding, Value

Pack = Callable[[Value], bytes]
"""A value to its bytes, length prefix included. Raises CodecError: bad_format, bad_character, bad_length."""
Unpack = Callable[[bytes, int], tuple[Value, int]]
"""A body and where the field begins in it, to its value and where it ends. Raises CodecError."""


@dataclass(frozen=True, slots=True)
class FieldCodec:
    """One data element of a dialect, ready to use. `prefix_bytes`: how long its length in front is."""

    entry: FieldTable
    prefix_bytes: int
    pack: Pack
    unpack: Unpack


def compiled(entry: FieldTable) -> FieldCodec:
    """Make the functions for a line of the table. Raises CodecError (bad_format) for an impossible one."""
    to_data, from_data = ENCODINGS[entry.data](entry)
    if not entry.len_digits:
        return FieldCodec(entry, 0, to_data, _unpack_fixed(entry, from_data))
    prefixes = _length_prefixes(entry.len, entry.len_digits)
    if entry.max >= len(prefixes):
        raise impossible(entry, "the length in front has too few digits for the longest value")
    return FieldCodec(
        entry,
        len(prefixes[0]),
        _pack_variable(entry, to_data, prefixes),
        _unpack_variable(entry, from_data),
    )


# --- fixed and variable lengths ----------------------------------------------------------------------


def _unpack_fixed(entry: FieldTable, from_data: FromData) -> Unpack:
    number, count, size_bytes = entry.number, entry.max, data_bytes(entry, entry.max)

    def unpack(body: bytes, start: int) -> tuple[Value, int]:
        end = start + size_bytes
        if end > len(body):
            raise fault("truncated", number)
        return from_data(body[start:end], count), end

    return unpack


def _pack_variable(entry: FieldTable, to_data: ToData, prefixes: tuple[bytes, ...]) -> Pack:
    if entry.data == "bcd":  # the length counts digits

        def pack(value: Value) -> bytes:
            data = to_data(value)
            return prefixes[len(value)] + data

    else:  # and bytes elsewhere, which in Chinese text are more than the characters

        def pack(value: Value) -> bytes:
            data = to_data(value)
            return prefixes[len(data)] + data

    return pack


def _unpack_variable(entry: FieldTable, from_data: FromData) -> Unpack:
    number, count_max, is_bcd = entry.number, entry.max, entry.data == "bcd"
    counts = _lengths_by_prefix(entry.len, entry.len_digits)
    prefix_bytes = len(next(iter(counts)))

    def unpack(body: bytes, start: int) -> tuple[Value, int]:
        data_start = start + prefix_bytes
        count = counts.get(body[start:data_start])
        if count is None or count > count_max:
            raise fault("truncated" if data_start > len(body) else "bad_length", number)
        end = data_start + ((count + 1) // 2 if is_bcd else count)
        if end > len(body):
            raise fault("truncated", number)
        return from_data(body[data_start:end], count), end

    return unpack


@functools.cache
def _length_prefixes(encoding: LengthEncoding, digits: int) -> tuple[bytes, ...]:
    """Every length that can stand in front of a value, as it is written: looked up instead of calculated."""
    size_bytes = digits if encoding == "ascii" else (digits + 1) // 2
    if encoding == "binary":
        return tuple(count.to_bytes(size_bytes, "big") for count in range(min(256**size_bytes, 1000)))
    if encoding == "bcd":
        return tuple(bytes.fromhex(f"{count:0{2 * size_bytes}d}") for count in range(10**digits))
    return tuple(f"{count:0{digits}d}".encode("ascii") for count in range(10**digits))


@functools.cache
def _lengths_by_prefix(encoding: LengthEncoding, digits: int) -> Mapping[bytes, int]:
    return {prefix: count for count, prefix in enumerate(_length_prefixes(encoding, digits))}
