"""BER-TLV data objects and data object lists, as EMV uses them (EMV Book 3, annex B and section 5.4).

Tags are upper-case hex texts (`9F02`): that is how specifications, tables and people write them. Values are
not printed: a chip's data hold card number and track.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from wire.errors import TlvError

__all__ = ["DolEntry", "Format", "Tlv", "TlvError", "build_dol", "decode", "encode", "find", "parse_dol"]

TAG_BYTES_MAX = 4
LENGTH_BYTES_MAX = 4
DEPTH_MAX = 16

Format = Literal["n", "cn", "b", "an", "ans"]


@dataclass(frozen=True, slots=True)
class Tlv:
    """One data object: a primitive one has a `value`, a constructed one (a template) has `children`."""

    tag: str
    value: bytes = field(default=b"", repr=False)
    children: tuple[Tlv, ...] = ()

    @property
    def constructed(self) -> bool:
        """True for a template, by bit 6 of the tag's first byte."""
        return _is_constructed(self.tag)


@dataclass(frozen=True, slots=True)
class DolEntry:
    """One object that a card asks for, and how many bytes of it."""

    tag: str
    length_bytes: int


def decode(data: bytes) -> list[Tlv]:
    """Take apart a sequence of data objects; order and duplicates are kept, zero bytes between are skipped.

    Raises TlvError: truncated, bad_tag (over four bytes), bad_length (indefinite, or a length of over four
    bytes), bad_format (templates nested deeper than 16).
    """
    return _decode(data, depth=0)


def encode(objects: Iterable[Tlv]) -> bytes:
    """Return `objects` one behind the other, each length in its shortest form. Raises TlvError: bad_tag."""
    encoded = b""
    for entry in objects:
        tag = _tag_bytes(entry.tag)
        value = encode(entry.children) if entry.constructed else entry.value
        encoded += tag + _length_bytes(len(value)) + value
    return encoded


def find(objects: Iterable[Tlv], tag: str) -> bytes | None:
    """Return the value of the first primitive object `tag`, searched in templates too; None without one."""
    for entry in objects:
        if entry.tag == tag and not entry.constructed:
            return entry.value
        if (found := find(entry.children, tag)) is not None:
            return found
    return None


def parse_dol(data: bytes) -> list[DolEntry]:
    """Take apart a data object list: tags with lengths, no values. Raises TlvError: truncated, bad_length."""
    entries, position = [], 0
    while position < len(data):
        tag, position = _read_tag(data, position)
        if position == len(data):
            raise TlvError("truncated", "the list ends before a length")
        if data[position] > 0x7F:
            raise TlvError("bad_length", "a length in a data object list has one byte, up to 7F")
        entries.append(DolEntry(tag, data[position]))
        position += 1
    return entries


def build_dol(
    entries: Iterable[DolEntry], values: Mapping[str, bytes], formats: Mapping[str, Format]
) -> bytes:
    """Return the values that a list asks for, one behind the other, cut or filled to its lengths.

    `formats`: how each tag is cut and filled (`b` where it is not named): `n` keeps the right and fills
    with 00 at the left, `cn` keeps the left and fills with FF, the others keep the left and fill with 00.
    A tag without a value is all 00 (EMV Book 3, section 5.4).
    """
    return b"".join(
        _fit(values[entry.tag], entry.length_bytes, formats.get(entry.tag, "b"))
        if entry.tag in values
        else bytes(entry.length_bytes)
        for entry in entries
    )


def _decode(data: bytes, *, depth: int) -> list[Tlv]:
    if depth > DEPTH_MAX:
        raise TlvError("bad_format", f"templates are nested deeper than {DEPTH_MAX}")
    objects, position = [], 0
    while position < len(data):
        if data[position] == 0x00:
            position += 1
            continue
        tag, position = _read_tag(data, position)
        length, position = _read_length(data, position)
        if length > len(data) - position:
            raise TlvError("truncated", f"the data end inside the value of {tag}")
        value = data[position : position + length]
        position += length
        if _is_constructed(tag):
            objects.append(Tlv(tag, children=tuple(_decode(value, depth=depth + 1))))
        else:
            objects.append(Tlv(tag, value))
    return objects


def _is_constructed(tag: str) -> bool:
    return bool(int(tag[:2], 16) & 0x20)


def _read_tag(data: bytes, start: int) -> tuple[str, int]:
    end = start + 1
    if data[start] & 0x1F == 0x1F:
        while end < len(data) and data[end] & 0x80:
            end += 1
        end += 1
    if end - start > TAG_BYTES_MAX:
        raise TlvError("bad_tag", f"a tag has at most {TAG_BYTES_MAX} bytes")
    if end > len(data):
        raise TlvError("truncated", "the data end inside a tag")
    return data[start:end].hex().upper(), end


def _read_length(data: bytes, start: int) -> tuple[int, int]:
    if start == len(data):
        raise TlvError("truncated", "the data end before a length")
    first = data[start]
    if first < 0x80:
        return first, start + 1
    end = start + 1 + (first & 0x7F)
    if not 1 <= first & 0x7F <= LENGTH_BYTES_MAX:
        raise TlvError("bad_length", "a length is indefinite, or has more than four bytes")
    if end > len(data):
        raise TlvError("truncated", "the data end inside a length")
    return int.from_bytes(data[start + 1 : end], "big"), end


def _tag_bytes(tag: str) -> bytes:
    try:
        data = bytes.fromhex(tag)
        # The hex text has to be the one that decode() gives: upper case, no blanks.
        whole = data[:1] not in {b"", b"\0"} and _read_tag(data, 0) == (tag, len(data))
    except ValueError:
        data, whole = b"", False
    if not whole:
        raise TlvError("bad_tag", "a tag to encode is malformed")
    return data


def _length_bytes(length: int) -> bytes:
    if length < 0x80:
        return bytes([length])
    body = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(body)]) + body


def _fit(value: bytes, length: int, value_format: Format) -> bytes:
    if value_format == "n":
        return value[-length:].rjust(length, b"\0") if length else b""
    return value[:length].ljust(length, b"\xff" if value_format == "cn" else b"\0")
