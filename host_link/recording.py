"""Recordings of a line: what each side sent, and when. The format is described in docs/link-recording.md.

    header   "PTLR" | version 1 | header bytes 2 | started 8 | bits/s 4 | ports 1 | { name bytes 1 | name }
    record   side 1 | port 1 | at 6 | bytes 2 | the bytes

Numbers are big-endian, times are microseconds: `started` since 1970 (UTC), `at` since `started`. A recording
holds the raw bytes of the line, card data included.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from host_link.errors import RecordingUnusable

VERSION = 1
RECORD_BYTES_MAX = 0xFFFF
_MAGIC = b"PTLR"
_START_BYTES = len(_MAGIC) + 1 + 2
_RECORD_HEADER_BYTES = 10
_CODES = {"terminal": b"T", "gateway": b"G"}
_SIDES = {code: side for side, code in _CODES.items()}


@dataclass(frozen=True, slots=True)
class RecordingHeader:
    """When the recording began (microseconds since 1970, UTC), the line's rate, and the ports' names."""

    started_us: int
    bits_per_s: int
    ports: tuple[str, ...]

    def encode(self) -> bytes:
        """The bytes at the beginning of the file. A name is cut at 255 bytes."""
        names = [port.encode()[:255] for port in self.ports]
        content = self.started_us.to_bytes(8, "big") + self.bits_per_s.to_bytes(4, "big")
        content += bytes([len(names)]) + b"".join(bytes([len(name)]) + name for name in names)
        return _MAGIC + bytes([VERSION]) + (_START_BYTES + len(content)).to_bytes(2, "big") + content


@dataclass(frozen=True, slots=True)
class Record:
    """Bytes that one side has sent. `port`: its number in the header, from 0."""

    at_us: int
    port: int
    side: str
    data: bytes

    def __repr__(self) -> str:
        return f"Record(at_us={self.at_us}, {self.port}, {self.side}, <{len(self.data)} bytes>)"

    def encode(self) -> bytes:
        """The bytes in the file; data of more than RECORD_BYTES_MAX bytes becomes several records."""
        start = _CODES[self.side] + bytes([self.port]) + self.at_us.to_bytes(6, "big")
        pieces = (
            self.data[begin : begin + RECORD_BYTES_MAX]
            for begin in range(0, len(self.data), RECORD_BYTES_MAX)
        )
        return b"".join(start + len(piece).to_bytes(2, "big") + piece for piece in pieces)


def read_header(file: BinaryIO) -> RecordingHeader:
    """Read the header; the records follow. Raises RecordingUnusable."""
    start = file.read(_START_BYTES)
    if len(start) < _START_BYTES or not start.startswith(_MAGIC):
        raise RecordingUnusable("this is no recording of a link: give a file made by link serve --record")
    if start[4] != VERSION:
        raise RecordingUnusable(f"a recording of version {start[4]}: this program reads version {VERSION}")
    length = int.from_bytes(start[5:], "big") - _START_BYTES
    content = file.read(max(0, length))
    names = _names(content[12:])
    if len(content) < length or names is None:
        raise RecordingUnusable("the recording's header is damaged: nothing can be read from it")
    started_us, bits_per_s = int.from_bytes(content[:8], "big"), int.from_bytes(content[8:12], "big")
    return RecordingHeader(started_us, bits_per_s, names)


def _names(counted: bytes) -> tuple[str, ...] | None:
    """The ports' names; None when they are cut off."""
    names, position = [], 1
    for _ in range(counted[0] if counted else 0):
        end = position + 1 + counted[position] if position < len(counted) else len(counted) + 1
        if end > len(counted):
            return None
        names.append(counted[position + 1 : end].decode("utf-8", "replace"))
        position = end
    return tuple(names) if counted else None


def read_records(file: BinaryIO) -> Iterator[Record]:
    """The records, from behind the header. A last record that is cut off (a power cut) is left out.

    Raises RecordingUnusable where the bytes are none.
    """
    while len(start := file.read(_RECORD_HEADER_BYTES)) == _RECORD_HEADER_BYTES:
        side = _SIDES.get(start[:1])
        if side is None:
            raise RecordingUnusable("the recording is damaged: what came before this point has been read")
        data = file.read(int.from_bytes(start[8:], "big"))
        if len(data) == int.from_bytes(start[8:], "big"):
            yield Record(int.from_bytes(start[2:8], "big"), start[1], side, data)
