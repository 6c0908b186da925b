"""Bytes <-> frames: where a frame begins, where it ends, and whether it is whole.

On the line every frame stands between two zero bytes of its own:

    00 | COBS( body | check ) | 00        check = CRC-32(body) XOR tag, most significant byte first

COBS (Cheshire and Baker, 1999) takes the zero bytes out of the content, so a zero is a boundary and nothing
else, and damage never reaches past the next zero. Both zeros belong to the frame: a damaged frame, or one
whose own boundary is damaged, cannot take an intact neighbour with it.

The length is not written anywhere: it follows from the boundaries, and since the check covers every byte
between them a wrong length is a wrong check.

The tag ties a frame to its session and its direction without costing a byte. Tag 0 is for frames that belong
to no session yet. All others are CRC-32C over direction and both session ids: a CRC, not a hash, because a
CRC over equally long inputs that differ in at most 32 consecutive bits never gives the same value twice, so
the tag is certain to change when one end restarts.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from importlib import import_module
from typing import NamedTuple
from zlib import crc32

import crcmod.predefined
from cobs.cobs import DecodeError, decode, encode

DELIMITER = b"\x00"
CHECK_BYTES = 4
FRAME_BODY_BYTES_MAX = 1024
NO_SESSION_TAG = 0

_crc32c = crcmod.predefined.mkCrcFun("crc-32c")
_DIRECTIONS = {"terminal": b"T", "gateway": b"G"}


def crcmod_is_fast() -> bool:
    """Whether crcmod runs as a C extension; without it the link works, but needs more processor time."""
    # The package hides its module of the same name from `import`, and tells it nowhere else.
    return bool(import_module("crcmod.crcmod")._usingExtension)  # noqa: SLF001


def session_tag(sender: str, terminal_nonce: int, gateway_nonce: int) -> int:
    """The tag of what `sender` ("terminal" or "gateway") sends in the session of two 32-bit nonces."""
    nonces = terminal_nonce.to_bytes(4, "big") + gateway_nonce.to_bytes(4, "big")
    return int(_crc32c(_DIRECTIONS[sender] + nonces))


class NoiseReason(Enum):
    """Why bytes between two boundaries were not a frame."""

    BAD_STUFFING = "bad_stuffing"  # not COBS
    BAD_CHECK = "bad_check"  # damaged, or of another session
    TOO_SHORT = "too_short"
    OVERSIZE = "oversize"


class FrameReceived(NamedTuple):
    """An intact frame. `in_session`: it bears the session's tag, not tag 0."""

    body: bytes
    in_session: bool

    def __repr__(self) -> str:
        return f"FrameReceived(<{len(self.body)} bytes>, in_session={self.in_session})"


@dataclass(frozen=True, slots=True)
class NoiseSkipped:
    """Bytes that were no frame. Only their number is told: they may hold card data."""

    reason: NoiseReason
    byte_count: int


FrameEvent = FrameReceived | NoiseSkipped


def encode_frame(body: bytes, tag: int = NO_SESSION_TAG) -> bytes:
    """Wrap `body` (1 to FRAME_BODY_BYTES_MAX bytes) for the line, boundaries included."""
    stuffed: bytes = encode(body + (crc32(body) ^ tag).to_bytes(CHECK_BYTES, "big"))
    return b"\x00" + stuffed + b"\x00"


def frame_bytes(body_bytes: int) -> int:
    """How many bytes a frame with a body of that size takes on the line at most."""
    stuffed = body_bytes + CHECK_BYTES
    return stuffed + -(-stuffed // 254) + 2 * len(DELIMITER)


class FrameDecoder:
    """Takes the line's bytes in pieces of any size and gives frames. Holds at most one frame.

    `feed` is the whole of it. A caller to whom one frame can tell the next one's tag (a session) takes the
    two steps of `feed` one by one: `split`, then `judge` for each piece, setting `tag` in between.
    """

    def __init__(self, tag: int = NO_SESSION_TAG, *, body_bytes_max: int = FRAME_BODY_BYTES_MAX) -> None:
        self.tag = tag
        self._piece_bytes_max = frame_bytes(body_bytes_max) - 2 * len(DELIMITER)
        self._piece = b""
        self._oversize_bytes = 0

    def feed(self, data: bytes) -> list[FrameEvent]:
        """The frames that `data` completes, and the noise between them, in the line's order."""
        return [self.judge(piece) for piece in self.split(data)]

    def split(self, data: bytes) -> list[bytes | NoiseSkipped]:
        """The pieces that `data` completes: what stood between two boundaries, empty pieces left out."""
        *complete, rest = (self._piece + data).split(DELIMITER)
        pieces: list[bytes | NoiseSkipped] = []
        for piece in complete:
            if self._oversize_bytes or len(piece) > self._piece_bytes_max:
                pieces.append(NoiseSkipped(NoiseReason.OVERSIZE, self._oversize_bytes + len(piece)))
                self._oversize_bytes = 0
            elif piece:
                pieces.append(piece)
        if self._oversize_bytes or len(rest) > self._piece_bytes_max:
            self._oversize_bytes += len(rest)
            rest = b""
        self._piece = rest
        return pieces

    def judge(self, piece: bytes | NoiseSkipped) -> FrameEvent:
        """Say what a piece is."""
        if isinstance(piece, NoiseSkipped):
            return piece
        try:
            content: bytes = decode(piece)
        except DecodeError:
            return NoiseSkipped(NoiseReason.BAD_STUFFING, len(piece))
        body = content[:-CHECK_BYTES]
        tag = crc32(body) ^ int.from_bytes(content[-CHECK_BYTES:], "big")
        if not body:
            return NoiseSkipped(NoiseReason.TOO_SHORT, len(piece))
        if tag == NO_SESSION_TAG:
            return FrameReceived(body, in_session=False)
        if tag == self.tag:
            return FrameReceived(body, in_session=True)
        return NoiseSkipped(NoiseReason.BAD_CHECK, len(piece))
