"""pyiso8583 behind a wall: the one file that calls it.

It packs and unpacks MTI, bitmaps and data elements as a dialect's table says. Its errors carry the whole
message, card number included: none of them leaves this file, not even as the context of ours, which are
therefore raised outside of the handlers. What was wrong is found out from what had been unpacked so far,
because the library's error texts may change; and what the library takes but the formats do not allow
(` 6` or `+6` as a length, blanks in a hex bitmap) is refused here.
"""

from __future__ import annotations

import string
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import iso8583

from wire.errors import CodecError
from wire.iso8583.table import DialectTable

_FAULTS = {
    "truncated": "the message ends inside it",
    "trailing_data": "bytes follow it, and it is the last",
    "bad_length": "its length is no number, or more than it may hold",
    "bad_character": "it holds bytes that its encoding has not",
    "bad_padding": "the spare half byte of an odd number of digits is not 0",
    "unsupported": "the dialect has no such field",
}
_PLACES = {"t": "message type", "p": "bitmap", "1": "second bitmap"}
_HEX = frozenset(string.hexdigits.encode("ascii"))


@dataclass(frozen=True, slots=True)
class WireField:
    """One field as it lies on the wire. `key`: t MTI, p and 1 bitmaps, else the field's number."""

    key: str
    text: str = field(repr=False)
    prefix: bytes = field(repr=False)
    data: bytes = field(repr=False)

    @property
    def number(self) -> int | None:
        """The data element's number; None for MTI and bitmaps."""
        return None if self.key in _PLACES else int(self.key)


class Packer:
    """Packs and unpacks for one dialect. Knows nothing of TPDU and header."""

    def __init__(self, table: DialectTable) -> None:
        self._spec = table.library_spec()
        self._mti_bytes = 2 if table.mti == "bcd" else 4
        self._bitmap_bytes = 8 if table.bitmap == "binary" else 16
        self._wide_bitmap = table.wide_bitmap
        assert not table.wide_bitmap or table.bitmap == "hex", "only hex bitmaps are sent wide"

    def pack(self, mti: str, texts: dict[int, str]) -> bytes:
        """Pack what `wire.iso8583.values.to_library` gave for each field. Raises CodecError."""
        library_texts = {"t": mti} | {str(number): text for number, text in texts.items()}
        try:
            packed, wire = iso8583.encode(library_texts, self._spec)
        except iso8583.EncodeError as error:
            key = error.field
        else:
            return self._widen(bytes(packed), second="1" in wire) if self._wide_bitmap else bytes(packed)
        raise _fault("bad_length", key)

    def unpack(self, body: bytes) -> list[WireField]:
        """Unpack a message, every byte of which has to belong to it. Raises CodecError."""
        announced = self._announce_second_bitmap(body) if self._wide_bitmap else body
        try:
            texts, wire = iso8583.decode(announced, self._spec)
        except iso8583.DecodeError as error:
            key, reason = error.field, self._reason(error)
        except KeyError as error:
            key, reason = str(error.args[0]), "unsupported"
        else:
            fields = [WireField(key, texts[key], part["len"], part["data"]) for key, part in wire.items()]
            if self._wide_bitmap:
                fields[1] = self._bitmap_as_sent(body)
            for unpacked in fields:
                self._refuse_what_the_library_takes(unpacked)
            return fields
        raise _fault(reason, key)

    def _reason(self, error: iso8583.DecodeError) -> str:
        prefix, data = error.doc_enc[error.field]["len"], error.doc_enc[error.field]["data"]
        entry = self._spec[error.field]
        if len(prefix) < entry["len_type"]:
            return "truncated"
        length = _length(entry, prefix)
        if length is None or length > entry["max_len"]:
            return "bad_length"
        nibbles = entry.get("len_count") == "nibbles"
        if len(data) < ((length + 1) // 2 if nibbles else length):
            return "truncated"
        unpacked_bytes = sum(len(part["len"]) + len(part["data"]) for part in error.doc_enc.values())
        if error.pos == unpacked_bytes < len(error.s):
            return "trailing_data"
        return "bad_padding" if nibbles else "bad_character"

    def _refuse_what_the_library_takes(self, unpacked: WireField) -> None:
        key, data = unpacked.key, unpacked.data
        if key == "t" and not _is_digits(unpacked.text):
            raise _fault("bad_character", key)
        if key in {"p", "1"} and self._bitmap_bytes == 16 and not _HEX.issuperset(data):
            raise _fault("bad_character", key)
        if key == "1" and len(data) > self._bitmap_bytes:
            raise _fault("unsupported", "65")  # a third bitmap
        if key not in _PLACES and _length(self._spec[key], unpacked.prefix) is None:
            raise _fault("bad_length", key)

    # A wide bitmap: some hosts always send both hex bitmaps and leave bit 1, which announces the second,
    # clear. The library goes by bit 1: it is set for the library, and cleared for the wire.

    def _announce_second_bitmap(self, body: bytes) -> bytes:
        start = self._mti_bytes
        first = body[start : start + 1]
        if not first or first[0] not in _HEX:
            return body  # the library says what is wrong with it
        return body[:start] + b"%X" % (int(first, 16) | 8) + body[start + 1 :]

    def _bitmap_as_sent(self, body: bytes) -> WireField:
        data = body[self._mti_bytes : self._mti_bytes + self._bitmap_bytes]
        return WireField("p", data.decode("ascii"), b"", data)

    def _widen(self, packed: bytes, *, second: bool) -> bytes:
        start, end = self._mti_bytes, self._mti_bytes + self._bitmap_bytes
        first = b"%X" % (int(packed[start : start + 1], 16) & 7)
        return (
            packed[:start] + first + packed[start + 1 : end] + (b"" if second else b"0" * 16) + packed[end:]
        )


def bitmap_numbers(bitmap: bytes) -> Iterator[int]:
    """Return the numbers of the bits that are set, 1 for the first; 65 and 129 begin the next bitmaps."""
    return (
        8 * index + place
        for index, byte in enumerate(bitmap)
        for place in range(1, 9)
        if byte & (0x100 >> place)
    )


def _length(entry: dict[str, Any], prefix: bytes) -> int | None:
    if entry["len_type"] == 0:
        return int(entry["max_len"])
    if entry["len_enc"] == "b":
        return int.from_bytes(prefix, "big")
    digits = prefix.hex() if entry["len_enc"] == "bcd" else prefix.decode("latin-1")
    return int(digits) if _is_digits(digits) else None


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _fault(reason: str, key: str) -> CodecError:
    if place := _PLACES.get(key if reason != "unsupported" else ""):
        return CodecError(reason, None, f"{place}: {_FAULTS[reason]}")
    return CodecError(reason, int(key), _FAULTS[reason])
