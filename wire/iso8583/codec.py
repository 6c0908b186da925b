"""Messages to bytes and back, after a dialect's table.

A dialect is a table (see `wire.iso8583.table`); here it becomes something that encodes, decodes, finds the
place of the MAC, and lists a message for people with its secrets masked. The frame around the message
(TPDU and header) is put on and taken off here, the message itself is packed by `wire.iso8583.packing`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from wire.bcd import BcdError, pack_nibbles
from wire.confidential import ConfidentialBytes
from wire.errors import CodecError
from wire.iso8583.masking import masked
from wire.iso8583.message import IsoMessage
from wire.iso8583.packing import Packer, Parts, WireField
from wire.iso8583.table import DialectTable

_TPDU_DIGITS = 10
_MAC_FIELDS = (64, 128)
_NO_MAC = bytes(8)


@dataclass(frozen=True, slots=True)
class FieldView:
    """One line of a message listing. `number` is None for what is no data element."""

    number: int | None
    name: str
    value_masked: str
    name_zh: str = ""


class Dialect:
    """Packs and unpacks the messages of one dialect. Holds no state between calls."""

    def __init__(self, table: DialectTable) -> None:
        self.name = table.name
        self._table = table
        self._packer = Packer(table)

    @classmethod
    def from_mapping(cls, name: str, table: Mapping[str, Any]) -> Self:
        """Make a dialect out of a table like those in `dialects/`."""
        return cls(DialectTable.from_mapping(name, table))

    def encode(self, message: IsoMessage) -> bytes:
        """Return TPDU, header and message packed, without a length in front.

        A fixed field has to have its full length: nothing is filled or cut. Raises CodecError.
        """
        return self._encoded(message, message.fields)

    def encode_with_mac(self, message: IsoMessage, mac_of: Callable[[bytes], bytes]) -> bytes:
        """As `encode`, with field 64 as `mac_of` makes it, 8 bytes, out of what it is calculated over.

        `message` has no field beyond 64. What `mac_of` gets does not show itself. Raises CodecError, and what
        `mac_of` raises.
        """
        encoded = ConfidentialBytes(self._encoded(message, {**message.fields, 64: _NO_MAC}))
        start = self._mac_start(encoded)
        mac = mac_of(ConfidentialBytes(encoded[self._table.header : start]))
        return self._with_mac(encoded, start, mac)

    def decode(self, encoded: bytes) -> IsoMessage:
        """Return the message in `encoded`, every byte of which has to belong to it. Raises CodecError."""
        front = self._require_front(encoded)
        mti, values = self._packer.unpack(encoded, len(front))
        digits = front.hex().upper()
        return IsoMessage(mti, values, digits[:_TPDU_DIGITS], digits[_TPDU_DIGITS:])

    def mac_region(self, encoded: bytes) -> bytes:
        """Return what the MAC is calculated over: MTI to the last field before the MAC, as on the wire.

        `encoded` contains the MAC's field already (any value), so that its bit is set in the bitmap.
        Raises CodecError (bad_format) where it does not.
        """
        return encoded[self._table.header : self._mac_start(encoded)]

    def with_mac(self, encoded: bytes, mac: bytes) -> bytes:
        """Return `encoded` with its MAC field replaced by `mac`, 8 bytes. Raises CodecError."""
        return self._with_mac(encoded, self._mac_start(encoded), mac)

    def masked_hex(self, encoded: bytes) -> str:
        """Return `encoded` in hex with a star for every half byte that may not be shown. Never raises."""
        try:
            front, parts = self._take_apart(encoded)
        except CodecError:
            return f"<{len(encoded)} bytes, not decodable>"
        return (front + parts.mti + parts.bitmap).hex().upper() + "".join(
            unpacked.prefix.hex().upper() + self._masked_data(unpacked) for unpacked in parts.fields
        )

    def describe(self, encoded: bytes) -> list[FieldView]:
        """Return a listing of `encoded` for people, secrets masked. Never raises: one line says why not."""
        try:
            front, parts = self._take_apart(encoded)
        except CodecError as error:
            return [FieldView(None, "message", f"<{len(encoded)} bytes, not decodable: {error}>")]
        digits = front.hex().upper()
        views = [
            FieldView(None, "TPDU", digits[:_TPDU_DIGITS]),
            FieldView(None, "header", digits[_TPDU_DIGITS:], "报文头"),
        ]
        views = views if front else []
        views += [
            FieldView(0, "message type", _shown(parts.mti, as_text=self._table.mti == "ascii"), "消息类型"),
            FieldView(None, "bitmap", _shown(parts.bitmap, as_text=self._table.bitmap == "hex"), "位图"),
        ]
        return views + [self._view(unpacked) for unpacked in parts.fields]

    def _view(self, unpacked: WireField) -> FieldView:
        entry = self._table.fields[unpacked.number]
        return FieldView(
            entry.number, entry.name, masked(entry.mask, _as_text(unpacked.value)), entry.name_zh
        )

    def _masked_data(self, unpacked: WireField) -> str:
        shown = unpacked.data.hex().upper()
        entry = self._table.fields[unpacked.number]
        if entry.mask == "none":
            return shown
        stars = [character == "*" for character in masked(entry.mask, _as_text(unpacked.value))]
        if all(stars):
            return "*" * len(shown)
        if entry.data == "bcd":
            spare = [False] * (len(shown) - len(stars))
            stars = spare + stars if entry.pad == "left" else stars + spare
        else:
            stars = [star for star in stars for _ in range(2)]  # one character is two half bytes
        return "".join("*" if star else nibble for star, nibble in zip(stars, shown, strict=True))

    # --- parts ---------------------------------------------------------------------------------------

    def _encoded(self, message: IsoMessage, fields: Mapping[int, str | bytes]) -> bytes:
        if len(message.mti) != 4 or not (message.mti.isascii() and message.mti.isdigit()):
            raise CodecError("bad_format", None, "the message type has four digits")
        return self._front(message) + self._packer.pack(message.mti, fields)

    def _with_mac(self, encoded: bytes, start: int, mac: bytes) -> bytes:
        if len(mac) != 8:
            raise CodecError("bad_length", 64, "a MAC has 8 bytes")
        as_hex = len(encoded) - start == 16
        return encoded[:start] + (mac.hex().upper().encode("ascii") if as_hex else mac)

    def _take_apart(self, encoded: bytes) -> tuple[bytes, Parts]:
        front = self._require_front(encoded)
        return front, self._packer.parts(encoded[len(front) :])

    def _require_front(self, encoded: bytes) -> bytes:
        front = encoded[: self._table.header]
        if len(front) < self._table.header:
            raise CodecError("truncated", None, "the message ends inside TPDU and header")
        return front

    def _front(self, message: IsoMessage) -> bytes:
        if not self._table.header:
            return b""
        digits = message.tpdu + message.header
        if len(message.tpdu) != _TPDU_DIGITS or len(digits) != 2 * self._table.header:
            raise CodecError("bad_length", None, "TPDU and header have 10 and 12 digits")
        return _packed_front(digits)

    def _mac_start(self, encoded: bytes) -> int:
        front = self._require_front(encoded)
        number, size_bytes = self._packer.last_field(encoded, len(front))
        if number not in _MAC_FIELDS:
            raise CodecError("bad_format", None, "the message has no field for a MAC")
        return len(encoded) - size_bytes


@functools.lru_cache(maxsize=64)
def _packed_front(digits: str) -> bytes:
    # Kept: a terminal sends the same TPDU and header all day, and so does a host to each of its terminals.
    try:
        return pack_nibbles(digits)
    except BcdError:
        raise CodecError("bad_character", None, "TPDU and header are hex digits") from None


def _as_text(value: str | bytes) -> str:
    return value.hex().upper() if isinstance(value, bytes) else value


def _shown(raw: bytes, *, as_text: bool) -> str:
    return raw.decode("ascii") if as_text else raw.hex().upper()


@functools.cache
def dialect(name: str) -> Dialect:
    """Return the dialect `unionpay` or `iso87`, read once. Raises CodecError (unsupported) for others."""
    return Dialect(DialectTable.load(name))
