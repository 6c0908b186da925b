"""The four framings that serial payment devices use most: COBS, SLIP, HDLC with FCS-16, STX/ETX with LRC.

Each framing is a pair of functions, bytes of one whole frame to payload and back. The link of this project
has its own framing (`host_link.framing`); these serve devices, captures and the calculator.

Sources: Cheshire and Baker, Consistent Overhead Byte Stuffing; RFC 1055; RFC 1662; ISO 1745 for STX/ETX.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from wire.crc import CATALOGUE
from wire.errors import FrameError

__all__ = ["FRAMINGS", "FrameError", "Framing"]

_FCS_16 = CATALOGUE["CRC-16/IBM-SDLC"]
_FCS_BYTES = 2

_SLIP_END, _SLIP_ESCAPE = 0xC0, 0xDB
_SLIP_ESCAPED = {0xDC: _SLIP_END, 0xDD: _SLIP_ESCAPE}

_HDLC_FLAG, _HDLC_ESCAPE, _HDLC_XOR = 0x7E, 0x7D, 0x20

_STX, _ETX = 0x02, 0x03


@dataclass(frozen=True, slots=True)
class Framing:
    """One framing: `decode` raises FrameError, `encode` takes any payload that the framing can carry."""

    decode: Callable[[bytes], bytes]
    encode: Callable[[bytes], bytes]


def decode_cobs(frame: bytes) -> bytes:
    """The payload of `frame`, which has no closing zero. Raises FrameError: truncated, bad_format."""
    payload, position = bytearray(), 0
    while position < len(frame):
        code = frame[position]
        block = frame[position + 1 : position + code]
        if code == 0 or 0 in block:
            raise FrameError("bad_format", "there is a zero byte inside the frame")
        if len(block) < code - 1:
            raise FrameError("truncated", "the frame ends inside a block")
        payload += block
        position += code
        if code < 0xFF and position < len(frame):
            payload.append(0)
    return bytes(payload)


def encode_cobs(payload: bytes) -> bytes:
    """The frame of `payload`, without the closing zero."""
    frame = bytearray()
    blocks = payload.split(b"\0")
    for block in blocks:
        rest = block
        while len(rest) >= 0xFE:
            frame += b"\xff" + rest[:0xFE]
            rest = rest[0xFE:]
            # A full block that ends the payload needs no empty block behind it.
            if not rest and block is blocks[-1]:
                return bytes(frame)
        frame += bytes([len(rest) + 1]) + rest
    return bytes(frame)


def decode_slip(frame: bytes) -> bytes:
    """The payload of `frame`; END bytes may stand at both ends. Raises FrameError (bad_format)."""
    body = frame.strip(bytes([_SLIP_END]))
    payload, escaped = bytearray(), False
    for byte in body:
        if escaped:
            if byte not in _SLIP_ESCAPED:
                raise FrameError("bad_format", "an escape byte stands before a byte that needs none")
            payload.append(_SLIP_ESCAPED[byte])
        elif byte == _SLIP_END:
            raise FrameError("bad_format", "an END byte stands inside the frame")
        elif byte != _SLIP_ESCAPE:
            payload.append(byte)
        escaped = not escaped and byte == _SLIP_ESCAPE
    if escaped:
        raise FrameError("bad_format", "the frame ends with an escape byte")
    return bytes(payload)


def encode_slip(payload: bytes) -> bytes:
    """The frame of `payload`, with END bytes at both ends."""
    stuffed = payload.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc")
    return b"\xc0" + stuffed + b"\xc0"


def decode_hdlc(frame: bytes) -> bytes:
    """The payload of `frame`, flags at both ends, FCS-16 checked.

    Raises FrameError: bad_format (a flag is missing, or stands inside), truncated (no room for the FCS),
    aborted (an escape before the closing flag), bad_crc.
    """
    flag = bytes([_HDLC_FLAG])
    if len(frame) < 2 or not (frame.startswith(flag) and frame.endswith(flag)):
        raise FrameError("bad_format", "a frame begins and ends with a flag, 7E")
    body = frame.strip(flag)
    if body.endswith(bytes([_HDLC_ESCAPE])):
        raise FrameError("aborted", "the sender cancelled the frame: an escape before the closing flag")
    if flag in body:
        raise FrameError("bad_format", "there is a flag inside the frame")
    content = _without_hdlc_escapes(body)
    if len(content) < _FCS_BYTES:
        raise FrameError("truncated", "the frame is shorter than its check sequence")
    return _FCS_16.split(content, "little")


def encode_hdlc(payload: bytes) -> bytes:
    """The frame of `payload`: FCS-16 behind it, flag and escape bytes stuffed, flags at both ends."""
    content = payload + _FCS_16.compute(payload).to_bytes(_FCS_BYTES, "little")
    return b"\x7e" + content.replace(b"\x7d", b"\x7d\x5d").replace(b"\x7e", b"\x7d\x5e") + b"\x7e"


def _without_hdlc_escapes(body: bytes) -> bytes:
    first, *others = body.split(bytes([_HDLC_ESCAPE]))
    if any(not part for part in others):
        raise FrameError("bad_format", "an escape byte stands behind another")
    return first + b"".join(bytes([part[0] ^ _HDLC_XOR]) + part[1:] for part in others)


def decode_stx_etx(frame: bytes) -> bytes:
    """The text between STX and ETX, LRC checked.

    Raises FrameError: bad_format (no STX), truncated (no ETX or LRC), trailing_data, bad_lrc.
    """
    if frame[:1] != bytes([_STX]):
        raise FrameError("bad_format", "a frame begins with STX, 02")
    text, etx, behind = frame[1:].partition(bytes([_ETX]))
    if not etx or not behind:
        raise FrameError("truncated", "the frame ends before its ETX or its LRC")
    if len(behind) > 1:
        raise FrameError("trailing_data", "there are bytes behind the LRC")
    if behind[0] != _lrc(text + etx):
        raise FrameError("bad_lrc", "the LRC at the end of the frame does not fit it")
    return text


def encode_stx_etx(text: bytes) -> bytes:
    """The frame of `text`, in which neither STX nor ETX may stand. Raises FrameError (bad_character)."""
    if _STX in text or _ETX in text:
        raise FrameError("bad_character", "the text holds STX or ETX, which end a frame of this kind")
    body = text + bytes([_ETX])
    return bytes([_STX]) + body + bytes([_lrc(body)])


def _lrc(data: bytes) -> int:
    check = 0
    for byte in data:
        check ^= byte
    return check


FRAMINGS: Mapping[str, Framing] = {
    "cobs": Framing(decode_cobs, encode_cobs),
    "slip": Framing(decode_slip, encode_slip),
    "hdlc-fcs16": Framing(decode_hdlc, encode_hdlc),
    "stx-etx-lrc": Framing(decode_stx_etx, encode_stx_etx),
}
