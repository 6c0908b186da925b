"""Bytes <-> frames: where a frame begins, where it ends, and whether it is whole.

On the line frames stand between zero bytes:

    COBS( body | check ) | 00          check = CRC-32(body) XOR tag, least significant byte first

COBS (Cheshire and Baker, 1999) takes the zero bytes out of the content, so a zero is a boundary and nothing
else. Each frame ends with one; the sender puts another before a frame that follows a pause, because what a
pause adds is noise. A frame is lost when one of its own bytes is damaged, and for no other reason: where a
damaged boundary has joined two frames, the decoder finds the place again (`_parted`).

The length is not written anywhere: it follows from the boundaries, and since the check covers every byte
between them a wrong length is a wrong check.

The tag ties a frame to its session and its direction without costing a byte. Tag 0 is for frames that belong
to no session yet. All others are CRC-32C over direction and both session ids: a CRC, not a hash, because a
CRC over equally long inputs that differ in at most 32 consecutive bits never gives the same value twice, so
the tag is certain to change when one end restarts.

The CRC of a body with its check behind it depends on the tag alone: the residue. So one CRC call judges a
frame, and its check need not be cut off and read first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache, partial
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


@lru_cache(maxsize=1024)  # asked for with every frame
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

_received: Callable[[tuple[bytes, bool]], FrameReceived] = partial(tuple.__new__, FrameReceived)
"""Makes the most frequent event without the named tuple's own, slower constructor."""


def encode_frame(body: bytes, tag: int = NO_SESSION_TAG) -> bytes:
    """Wrap `body` (1 to FRAME_BODY_BYTES_MAX bytes) for the line, with the boundary after it."""
    stuffed: bytes = encode(body + (crc32(body) ^ tag).to_bytes(4, "little"))
    return stuffed + b"\x00"


def frame_bytes(body_bytes: int) -> int:
    """How many bytes a frame with a body of that size takes on the line at most, its boundary included."""
    stuffed = body_bytes + CHECK_BYTES
    return stuffed + -(-stuffed // 254) + len(DELIMITER)


class FrameDecoder:
    """Takes the line's bytes in pieces of any size and gives frames. Holds at most two frames.

    `tag` may be set between two frames: a frame can tell the tag of the next one.
    """

    def __init__(self, tag: int = NO_SESSION_TAG, *, body_bytes_max: int = FRAME_BODY_BYTES_MAX) -> None:
        self.tag = tag
        self._content_bytes_max = body_bytes_max + CHECK_BYTES
        self._piece_bytes_max = 2 * frame_bytes(body_bytes_max)  # two frames joined by a damaged boundary
        self._piece = b""
        self._oversize_bytes = 0  # of a piece that is being thrown away
        self._safe_bytes = self._piece_bytes_max  # so few bytes surely hold no piece that is too long

    @property
    def tag(self) -> int:
        """The tag of the frames to come; frames of no session are heard besides."""
        return self._tag

    @tag.setter
    def tag(self, tag: int) -> None:
        self._tag = tag
        self._residue = _residue(tag) if tag != NO_SESSION_TAG else None

    def feed(self, data: bytes) -> list[FrameEvent]:
        """The frames that `data` completes, and the noise between them, in the line's order."""
        return list(self.frames(data))

    def frames(self, data: bytes) -> Iterable[FrameEvent]:
        """As `feed`, but each is judged when it is asked for, by the tag of that moment.

        All must be asked for before more is fed.
        """
        joined = self._piece + data
        pieces = joined.split(DELIMITER)
        if len(joined) > self._safe_bytes:
            return self._judged_with_noise(self._measured(pieces))
        self._piece = pieces.pop()
        return self._judged(pieces) if pieces else ()

    def split(self, data: bytes) -> list[bytes | NoiseSkipped]:
        """The pieces that `data` completes: what stood between two boundaries, empty pieces left out."""
        return self._measured((self._piece + data).split(DELIMITER))

    def judge(self, piece: bytes | NoiseSkipped) -> FrameEvent:
        """Say what one piece is. Frames that a damaged boundary has joined are noise here."""
        if isinstance(piece, NoiseSkipped):
            return piece
        content = _unstuffed(piece)
        return self._whole(content) or NoiseSkipped(_noise_reason(content), len(piece))

    def _measured(self, split: list[bytes]) -> list[bytes | NoiseSkipped]:
        """Keep the last piece, which is not complete yet, and give up what is too long."""
        *complete, rest = split
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
        self._safe_bytes = -1 if self._oversize_bytes else self._piece_bytes_max
        return pieces

    def _judged(self, pieces: Iterable[bytes]) -> Iterator[FrameEvent]:
        content_bytes_max = self._content_bytes_max
        for piece in pieces:
            if not piece:
                continue
            try:
                content: bytes = decode(piece)
            except DecodeError:
                content = b""
            if crc32(content) == self._residue and CHECK_BYTES < len(content) <= content_bytes_max:
                yield _received((content[:-CHECK_BYTES], True))
            else:
                yield from self._judged_closely(piece)

    def _judged_with_noise(self, pieces: Iterable[bytes | NoiseSkipped]) -> Iterator[FrameEvent]:
        for piece in pieces:
            if isinstance(piece, NoiseSkipped):
                yield piece
            else:
                yield from self._judged((piece,))

    def _judged_closely(self, piece: bytes) -> Iterator[FrameEvent]:
        """What a piece is, with the frames that damaged boundaries have joined taken apart."""
        while piece:
            first, piece = self._parted(piece)
            yield self.judge(first)

    def _whole(self, content: bytes) -> FrameReceived | None:
        if not CHECK_BYTES < len(content) <= self._content_bytes_max:
            return None
        residue = crc32(content)
        if residue in {self._residue, _NO_SESSION_RESIDUE}:
            return FrameReceived(content[:-CHECK_BYTES], in_session=residue == self._residue)
        return None

    def _parted(self, piece: bytes) -> tuple[bytes, bytes]:
        """Part a piece where a boundary was damaged or lost: (the first frame, what follows its boundary).

        The stuffing's chain of code bytes leads from the first byte of a frame to the boundary after it, so
        only the chain's bytes are looked at, and there the frame before must be whole. Moreover the byte must
        be a zero with one bit flipped, or a whole frame must follow: else each byte of a chain would be one
        more chance for noise to pass.
        """
        index = crc = 0
        while (end := index + piece[index]) < len(piece):
            crc = crc32(piece[index + 1 : end], crc)
            if crc in {self._residue, _NO_SESSION_RESIDUE} and self._whole(_unstuffed(piece[:end])):
                behind, lost = piece[end + 1 :], piece[end:]
                if self._whole(_unstuffed(lost)):
                    return piece[:end], lost
                if piece[end].bit_count() == 1 or self._whole(_unstuffed(behind)):
                    return piece[:end], behind
            if piece[index] < 0xFF:
                crc = crc32(DELIMITER, crc)
            index = end
        return piece, b""


def _residue(tag: int) -> int:
    """The CRC-32 of every body with its check behind it: it depends on the tag alone."""
    return crc32(tag.to_bytes(CHECK_BYTES, "little"))


_NO_SESSION_RESIDUE = _residue(NO_SESSION_TAG)


def _unstuffed(piece: bytes) -> bytes:
    try:
        content: bytes = decode(piece)
    except DecodeError:
        return b""
    return content


def _noise_reason(content: bytes) -> NoiseReason:
    if not content:
        return NoiseReason.BAD_STUFFING
    return NoiseReason.TOO_SHORT if len(content) <= CHECK_BYTES else NoiseReason.BAD_CHECK
