"""Messages as bytes: MTI, bitmap and data elements, as a dialect's table says.

The fields that a message has decide how it lies on the wire. That layout (the bitmap, and the functions of
each field in order) is worked out once for every set of fields and kept: terminals and hosts use few of them.
"""

from __future__ import annotations

import functools
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from wire.errors import CodecError
from wire.iso8583.encodings import data_bytes
from wire.iso8583.faults import FAULTS, fault
from wire.iso8583.table import DialectTable, Value
from wire.iso8583.values import FieldCodec, Pack, Unpack, compiled

_LAYOUTS_MAX = 256
"""Many times what one host uses, and a bound for whoever sends us every bitmap there is."""

_BITMAP_BITS = 64
_HEX = frozenset(string.hexdigits.encode("ascii"))


@dataclass(frozen=True, slots=True)
class WireField:
    """One data element as it lies on the wire: its value, the length in front of it, its data."""

    number: int
    value: Value = field(repr=False)
    prefix: bytes = field(repr=False)
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Parts:
    """A whole message on the wire, without TPDU and header."""

    mti: bytes
    bitmap: bytes
    fields: list[WireField] = field(repr=False)


class Packer:
    """Packs and unpacks for one dialect. Knows nothing of TPDU and header."""

    def __init__(self, table: DialectTable) -> None:
        assert not table.wide_bitmap or table.bitmap == "hex", "only hex bitmaps are sent wide"
        self._table = table
        last = _BITMAP_BITS if table.primary_only else 2 * _BITMAP_BITS
        # Published tables list 1 and 65 as fields: these bits announce bitmaps.
        numbers = [number for number in table.fields if 1 < number <= last and number != _BITMAP_BITS + 1]
        self._codecs = {number: compiled(table.fields[number]) for number in numbers}
        self._mti_bytes = 2 if table.mti == "bcd" else 4
        self._bitmap_bytes = 8 if table.bitmap == "binary" else 16
        self._layout_to_pack = functools.lru_cache(_LAYOUTS_MAX)(self._make_layout_to_pack)
        self._layout_to_unpack = functools.lru_cache(_LAYOUTS_MAX)(self._make_layout_to_unpack)

    def pack(self, mti: str, values: Mapping[int, Value]) -> bytes:
        """Pack a message. `mti`: four digits; `values`: in the order of their numbers. Raises CodecError."""
        bitmap, packs = self._layout_to_pack(tuple(values))
        front = bytes.fromhex(mti) if self._mti_bytes == 2 else mti.encode("ascii")
        data = [pack(value) for pack, value in zip(packs, values.values(), strict=True)]
        return b"".join((front, bitmap, *data))

    def unpack(self, body: bytes, start: int = 0) -> tuple[str, dict[int, Value]]:
        """Return MTI and values of the message at `start`, all of it up to the end. Raises CodecError."""
        mti, bitmap, position = self._front(body, start)
        values: dict[int, Value] = {}
        for number, unpack in self._layout_to_unpack(bitmap):
            values[number], position = unpack(body, position)
        if position != len(body):
            raise _trailing(values)
        return mti, values

    def parts(self, body: bytes) -> Parts:
        """Return the message with the bytes of each field, every byte of it once. Raises as `unpack` does."""
        _, bitmap, position = self._front(body, 0)
        fields: dict[int, WireField] = {}
        for number, unpack in self._layout_to_unpack(bitmap):
            start, data_start = position, position + self._codecs[number].prefix_bytes
            value, position = unpack(body, start)
            fields[number] = WireField(number, value, body[start:data_start], body[data_start:position])
        if position != len(body):
            raise _trailing(fields)
        return Parts(body[: self._mti_bytes], bitmap, list(fields.values()))

    def last_field(self, body: bytes, start: int) -> tuple[int, int]:
        """The number of the last field of a message, 0 for none, and its bytes, 0 where its length varies.

        The bitmap alone is read: that the rest is in order is for `unpack` to see. Raises CodecError.
        """
        _, bitmap, position = self._front(body, start)
        layout = self._layout_to_unpack(bitmap)
        if not layout:
            return 0, 0
        number = layout[-1][0]
        entry = self._codecs[number].entry
        size_bytes = 0 if entry.len_digits else data_bytes(entry, entry.max)
        if len(body) - position < size_bytes:
            raise fault("truncated", number)
        return number, size_bytes

    def _front(self, body: bytes, start: int) -> tuple[str, bytes, int]:
        """MTI, bitmap or bitmaps, and where they end."""
        mti_end = start + self._mti_bytes
        raw = body[start:mti_end]
        mti = raw.hex() if self._mti_bytes == 2 else raw.decode("latin-1")
        if len(mti) < 4:
            raise _front_fault("truncated", "message type")
        if not (mti.isdigit() and mti.isascii()):
            raise _front_fault("bad_character", "message type")
        end = mti_end + self._bitmap_bytes
        if len(body) < end:
            raise _front_fault("truncated", "bitmap")
        if self._has_second_bitmap(body[mti_end]):
            end += self._bitmap_bytes
            if len(body) < end:
                raise _front_fault("truncated", "second bitmap")
        return mti, body[mti_end:end], end

    def _has_second_bitmap(self, first: int) -> bool:
        if self._table.primary_only:
            return False
        if self._bitmap_bytes == 8:
            return first >= 0x80
        return self._table.wide_bitmap or first in b"89ABCDEFabcdef"

    # --- layouts -------------------------------------------------------------------------------------

    def _make_layout_to_pack(self, numbers: tuple[int, ...]) -> tuple[bytes, list[Pack]]:
        packs = [self._codec(number).pack for number in numbers]
        bits = sum(1 << (2 * _BITMAP_BITS - number) for number in numbers)
        wide = self._table.wide_bitmap
        if any(number > _BITMAP_BITS for number in numbers) and not wide:
            bits |= 1 << (2 * _BITMAP_BITS - 1)  # it announces the second bitmap; wide bitmaps do without
        whole = bits.to_bytes(16, "big")
        bitmap = whole if wide or whole[0] >= 0x80 else whole[:8]
        return (bitmap if self._bitmap_bytes == 8 else bitmap.hex().upper().encode("ascii")), packs

    def _make_layout_to_unpack(self, bitmap: bytes) -> list[tuple[int, Unpack]]:
        if self._bitmap_bytes == 16:
            if not _HEX.issuperset(bitmap):
                raise _front_fault("bad_character", "bitmap")
            bitmap = bytes.fromhex(bitmap.decode("ascii"))
        numbers = bitmap_numbers(bitmap)
        if not self._table.primary_only:
            numbers = (number for number in numbers if number != 1)
        return [(number, self._codec(number).unpack) for number in numbers]

    def _codec(self, number: int) -> FieldCodec:
        try:
            return self._codecs[number]
        except KeyError:
            raise fault("unsupported", number) from None


def bitmap_numbers(bitmap: bytes) -> Iterator[int]:
    """Return the numbers of the bits that are set, 1 for the first; 65 and 129 begin the next bitmaps."""
    return (
        8 * index + place
        for index, byte in enumerate(bitmap)
        for place in range(1, 9)
        if byte & (0x100 >> place)
    )


def _trailing(fields: Mapping[int, object]) -> CodecError:
    return fault("trailing_data", max(fields)) if fields else _front_fault("trailing_data", "bitmap")


def _front_fault(reason: str, place: str) -> CodecError:
    return CodecError(reason, None, f"{place}: {FAULTS[reason]}")
