"""Blocks of the protocol T=1: NAD, PCB, LEN, up to 254 bytes of information, LRC or CRC.

Source: ISO/IEC 7816-3:2006, section 11.3. The PCB tells three kinds apart: I-blocks carry data, R-blocks
acknowledge or ask again, S-blocks steer (supervisory). The rules of the dialogue are not here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from functools import reduce
from operator import xor
from typing import NamedTuple

from wire.crc import CATALOGUE
from wire.errors import BlockError

__all__ = [
    "BlockError",
    "Damage",
    "InfoBlock",
    "Packet",
    "ReadyBlock",
    "Request",
    "SupervisoryBlock",
    "block_bytes_missing",
    "decode_block",
    "encode_block",
]

INF_BYTES_MAX = 254
_PROLOGUE_BYTES = 3
_CRC = CATALOGUE["CRC-16/IBM-SDLC"]  # ISO/IEC 13239, 16 bits; its bytes go high first here
_R, _S, _ANSWER = 0x80, 0xC0, 0x20


class Damage(Enum):
    """What an R-block says of the block before it."""

    NONE = 0
    CHECK = 1  # LRC, CRC or parity
    OTHER = 2


class Request(Enum):
    """What an S-block asks for or grants."""

    RESYNCH = 0
    IFS = 1
    ABORT = 2
    WTX = 3


@dataclass(frozen=True, slots=True)
class InfoBlock:
    """Data. `number`: 0 and 1 by turns; `more`: the next block goes on with the same data."""

    number: int
    data: bytes = field(default=b"", repr=False)
    more: bool = False


@dataclass(frozen=True, slots=True)
class ReadyBlock:
    """`number` is that of the I-block expected next; with damage, of the one to be sent again."""

    number: int
    damage: Damage = Damage.NONE


@dataclass(frozen=True, slots=True)
class SupervisoryBlock:
    """`value`: the new size for IFS, the multiplier of the waiting time for WTX, 0 otherwise."""

    request: Request
    answer: bool = False
    value: int = 0


Block = InfoBlock | ReadyBlock | SupervisoryBlock


class Packet(NamedTuple):
    """A block and its node address (NAD), 0 for all cards in use."""

    block: Block
    nad: int = 0


def encode_block(block: Block, *, nad: int = 0, crc: bool = False) -> bytes:
    """The block's bytes with LRC, or CRC. Raises BlockError: bad_length."""
    pcb, inf = _control(block)
    if len(inf) > INF_BYTES_MAX:
        raise BlockError("bad_length", f"a block carries at most {INF_BYTES_MAX} bytes")
    body = bytes([nad, pcb, len(inf)]) + inf
    return body + (_CRC.compute(body).to_bytes(2, "big") if crc else bytes([reduce(xor, body)]))


def decode_block(data: bytes, *, crc: bool = False) -> Packet:
    """Take a block apart.

    Raises BlockError: truncated, trailing_data, bad_length (LEN), bad_lrc, bad_crc, bad_format (PCB).
    """
    missing = block_bytes_missing(data, crc=crc)
    if missing:
        reason = "truncated" if missing > 0 else "trailing_data"
        raise BlockError(reason, "the block is shorter or longer than it says")
    if data[2] > INF_BYTES_MAX:
        raise BlockError("bad_length", "the length FF is reserved")
    check = 2 if crc else 1
    body, behind = data[:-check], data[-check:]
    if crc and _CRC.compute(body) != int.from_bytes(behind, "big"):
        raise BlockError("bad_crc", "the CRC of the block does not fit it")
    if not crc and reduce(xor, data):
        raise BlockError("bad_lrc", "the LRC of the block does not fit it")
    return Packet(_block(body[1], body[_PROLOGUE_BYTES:]), body[0])


def block_bytes_missing(data: bytes, *, crc: bool = False) -> int:
    """How many more bytes a block that begins like this has; negative: how many are too many."""
    check = 2 if crc else 1
    length = data[2] if len(data) >= _PROLOGUE_BYTES else 0
    return _PROLOGUE_BYTES + length + check - len(data)


def _control(block: Block) -> tuple[int, bytes]:
    match block:
        case InfoBlock(number, data, more):
            return number << 6 | more << 5, data
        case ReadyBlock(number, damage):
            return _R | number << 4 | damage.value, b""
        case SupervisoryBlock(request, answer, value):
            has_value = request in {Request.IFS, Request.WTX}
            return _S | (_ANSWER if answer else 0) | request.value, bytes([value]) if has_value else b""


def _block(pcb: int, inf: bytes) -> Block:
    if not pcb & _R:
        if pcb & 0x1F:
            raise BlockError("bad_format", "reserved bits of an I-block are set")
        return InfoBlock(pcb >> 6 & 1, inf, bool(pcb & 0x20))
    if pcb & _S == _S:
        return _supervisory(pcb, inf)
    if pcb & 0x2C or pcb & 3 > Damage.OTHER.value or inf:
        raise BlockError("bad_format", "reserved bits of an R-block are set, or it carries data")
    return ReadyBlock(pcb >> 4 & 1, Damage(pcb & 3))


def _supervisory(pcb: int, inf: bytes) -> SupervisoryBlock:
    if pcb & 0x1C:
        raise BlockError("bad_format", "an S-block that does not exist")
    request = Request(pcb & 3)
    if len(inf) != (request in {Request.IFS, Request.WTX}):
        raise BlockError("bad_format", "an S-block with too few or too many bytes")
    if request is Request.IFS and not 1 <= inf[0] <= INF_BYTES_MAX:
        raise BlockError("bad_format", "an information field size out of 01 to FE")
    return SupervisoryBlock(request, bool(pcb & _ANSWER), inf[0] if inf else 0)
