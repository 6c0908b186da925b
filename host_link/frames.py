"""The bodies of the link's frames: what stands in them, and how it is written.

    HELLO  03 | version max | version min | flags | nonce 4 | peer nonce 4 | body max 2 | window 2 | caps 2
    ACK    01 | next | echo | received 1..16
    PING   02 | token | number
    CLOSE  04 | reason
    RATE   05 | step | bits/s 4
    TURN   06 | sender
    DATA   1APcccnn nnnnoooo oooooooo                | [next | received] | bytes of the channel's stream
    DATA   01AP0ccc | number | offset 2              | [next | received] | bytes of the channel's stream

DATA has two forms. The short one tells the low 6 bits of the number and the low 12 of the offset: enough
while little is on its way. Small frames are what a bad line needs, and there every byte counts.

Behind the HELLO of a paired end follow: salt 12 | salt heard 12 | proof 16.

Numbers are big-endian. HELLO and TURN belong to no session (tag 0); all others bear the session's tag. Kinds
that are not known, and what follows a known HELLO, are ignored: that is how later versions add to this one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from host_link.errors import ProtocolViolation
from host_link.pairing import PROOF_BYTES, SALT_BYTES

ACK, PING, HELLO, CLOSE, RATE, TURN = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06
SHORT_FLAG, LONG_FLAG = 0x80, 0x40
CHANNELS_MAX = 8
ANSWER_WANTED, FROM_GATEWAY, PAIRED = 0x01, 0x02, 0x04
CAN_CHANGE_RATE = 0x0001  # a capability
HISTORY_BITS = 128
PIGGYBACK_BITS = 8
SHORT_HEADER_BYTES = 3
LONG_HEADER_BYTES = 4
SHORT_NUMBER_BITS, SHORT_OFFSET_BITS = 6, 12
LONG_NUMBER_BITS, LONG_OFFSET_BITS = 8, 16
PIGGYBACK_BYTES = 2
HELLO_BYTES = 18
RATE_BYTES = 6
RECENT_BYTES = 4
"""How much of the history an ACK tells that nobody asked for: four times what DATA frames tell."""


@dataclass(frozen=True, slots=True)
class Hello:
    """Opens a session: who I am, and whom I have heard. `peer_nonce` 0: nobody yet.

    `salts`: of a paired end, its own and the one that it has heard; None: the sender is not paired.
    `proven` is the body that its `proof` is about.
    """

    nonce: int
    peer_nonce: int
    from_gateway: bool
    answer_wanted: bool
    version_max: int
    version_min: int
    body_bytes_max: int
    window_bytes: int
    capabilities: int = 0
    salts: tuple[bytes, bytes] | None = None
    proof: bytes = field(default=b"", repr=False)
    proven: bytes = field(default=b"", repr=False, compare=False)


class AckBlock(NamedTuple):
    """Which frames arrived: bit i of `received` is set when frame `next_number` - 1 - i did.

    `next_number` (8 bits) is the one after the last that could have come. Nothing is said about frames
    further back than `bits_known`, unless that is HISTORY_BITS: then those count as lost.
    """

    next_number: int
    received: int
    bits_known: int


class Ack(NamedTuple):
    """A frame of its own for an AckBlock. `echo`: the token of the PING it answers, 0 when it answers none.

    An answer to a PING tells the whole history: bytes of it that are not sent are FF. Any other ACK tells as
    many bits as it sends.
    """

    block: AckBlock
    echo: int = 0


class Ping(NamedTuple):
    """Asks for an ACK at once. `token` is 1 to 255; `number` is the next DATA frame's."""

    token: int
    number: int


@dataclass(frozen=True, slots=True)
class Close:
    """The sender has ended the session."""

    reason: int


class RateStep(Enum):
    """What a RATE frame says."""

    PROPOSE = 1
    AGREE = 2
    REFUSE = 3  # the rate is the fastest that its sender takes
    TEST = 4
    HERE = 5


@dataclass(frozen=True, slots=True)
class Rate:
    """A step of the change to another rate of the line."""

    step: RateStep
    bits_per_s: int


@dataclass(frozen=True, slots=True)
class Turn:
    """On a half-duplex line: the sender has said what it had to say."""

    from_gateway: bool


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes of one channel's stream, from `offset`. `prompt`: acknowledge at once.

    `number` and `offset` are the low bits, as many as the frame's form has.
    """

    channel: int
    number: int
    offset: int
    payload: bytes
    prompt: bool = False
    ack: AckBlock | None = None
    short: bool = False

    @property
    def number_bits(self) -> int:
        """How many bits of the number the frame tells."""
        return SHORT_NUMBER_BITS if self.short else LONG_NUMBER_BITS

    @property
    def offset_bits(self) -> int:
        """How many bits of the offset the frame tells."""
        return SHORT_OFFSET_BITS if self.short else LONG_OFFSET_BITS

    def __repr__(self) -> str:
        return f"Data({self.channel}, #{self.number}, @{self.offset}, <{len(self.payload)} bytes>)"


Body = Hello | Ack | Ping | Close | Rate | Turn | Data


def encode_body(body: Body) -> bytes:
    """The bytes of a frame's body."""
    match body:
        case Ping(token, number):
            return bytes((PING, token, number))
        case Ack(block, echo):
            return bytes((ACK, block.next_number, echo)) + _encode_received(block, whole=echo != 0)
        case Data():
            return _encode_data(body)
        case Close(reason):
            return bytes([CLOSE, reason])
        case Turn(from_gateway):
            return bytes([TURN]) + (b"G" if from_gateway else b"T")
        case Rate(step, bits_per_s):
            return bytes([RATE, step.value]) + bits_per_s.to_bytes(4, "big")
        case Hello():
            return _encode_hello(body)


def decode_body(body: bytes) -> Body | None:
    """Read an intact frame's body; None for a kind that this version does not know.

    Raises ProtocolViolation when the body is shorter than its kind needs.
    """
    kind = body[0]
    try:
        if kind & SHORT_FLAG:
            return _decode_short(body)
        if kind & LONG_FLAG:
            return _decode_long(body)
        match kind:
            case 0x01:
                return Ack(_decode_block(body[1], body[3:], whole=body[2] != 0), echo=body[2])
            case 0x02:
                return Ping(body[1], body[2])
            case 0x03:
                return _decode_hello(body)
            case 0x04:
                return Close(body[1])
            case 0x05:
                return _decode_rate(body)
            case 0x06:
                return Turn(body[1:2] == b"G") if body[1] in b"GT" else None
            case _:
                return None
    except IndexError:
        raise ProtocolViolation(f"a frame of kind {kind:#04x} ends too early") from None


def _decode_rate(body: bytes) -> Rate | None:
    if len(body) < RATE_BYTES:
        raise IndexError
    step = next((known for known in RateStep if known.value == body[1]), None)
    return None if step is None else Rate(step, int.from_bytes(body[2:RATE_BYTES], "big"))


def _encode_data(data: Data) -> bytes:
    flags = (2 if data.ack else 0) | (1 if data.prompt else 0)
    if data.short:
        low = (data.number & 0x3F) << SHORT_OFFSET_BITS | data.offset & 0xFFF
        start = ((4 | flags) << 21 | data.channel << 18 | low).to_bytes(SHORT_HEADER_BYTES, "big")
    else:
        start = bytes([LONG_FLAG | flags << 4 | data.channel, data.number]) + data.offset.to_bytes(2, "big")
    if data.ack:
        start += bytes([data.ack.next_number, data.ack.received & 0xFF])
    return start + data.payload


def _decode_short(body: bytes) -> Data:
    first, second, offset_low = body[0], body[1], body[2]
    ack, payload = _decode_payload(body, SHORT_HEADER_BYTES, acked=bool(first & 0x40))
    return Data(
        channel=first >> 2 & 7,
        number=(first & 3) << 4 | second >> 4,
        offset=(second & 0xF) << 8 | offset_low,
        payload=payload,
        prompt=bool(first & 0x20),
        ack=ack,
        short=True,
    )


def _decode_long(body: bytes) -> Data:
    first, number, offset = body[0], body[1], body[2] << 8 | body[3]
    ack, payload = _decode_payload(body, LONG_HEADER_BYTES, acked=bool(first & 0x20))
    return Data(first & 0xF, number, offset, payload, bool(first & 0x10), ack)


def _decode_payload(body: bytes, begin: int, *, acked: bool) -> tuple[AckBlock | None, bytes]:
    if not acked:
        return None, body[begin:]
    ack = AckBlock(body[begin], body[begin + 1], PIGGYBACK_BITS)
    return ack, body[begin + PIGGYBACK_BYTES :]


def _encode_received(block: AckBlock, *, whole: bool) -> bytes:
    received = block.received.to_bytes(HISTORY_BITS // 8, "little")
    if not whole:
        received = received[: min(RECENT_BYTES, block.bits_known // 8)]
    return received[:1] + received[1:].rstrip(b"\xff")


def _decode_block(next_number: int, received: bytes, *, whole: bool) -> AckBlock:
    received = received[: HISTORY_BITS // 8]
    if whole:
        received = received.ljust(HISTORY_BITS // 8, b"\xff")
    return AckBlock(next_number, int.from_bytes(received, "little"), 8 * len(received))


def _encode_hello(hello: Hello) -> bytes:
    flags = (ANSWER_WANTED if hello.answer_wanted else 0) | (FROM_GATEWAY if hello.from_gateway else 0)
    parts = ((hello.nonce, 4), (hello.peer_nonce, 4), (hello.body_bytes_max, 2), (hello.window_bytes, 2))
    numbers = b"".join(value.to_bytes(size, "big") for value, size in (*parts, (hello.capabilities, 2)))
    if hello.salts:
        flags |= PAIRED
        numbers += b"".join(hello.salts) + hello.proof
    return bytes([HELLO, hello.version_max, hello.version_min, flags]) + numbers


def _decode_hello(body: bytes) -> Hello:
    flags = body[3]
    proof_at = HELLO_BYTES + 2 * SALT_BYTES if flags & PAIRED else HELLO_BYTES
    if len(body) < (proof_at + PROOF_BYTES if flags & PAIRED else HELLO_BYTES):
        raise IndexError
    heard_at = proof_at - SALT_BYTES
    return Hello(
        nonce=int.from_bytes(body[4:8], "big"),
        peer_nonce=int.from_bytes(body[8:12], "big"),
        from_gateway=bool(flags & FROM_GATEWAY),
        answer_wanted=bool(flags & ANSWER_WANTED),
        version_max=body[1],
        version_min=body[2],
        body_bytes_max=int.from_bytes(body[12:14], "big"),
        window_bytes=int.from_bytes(body[14:16], "big"),
        capabilities=int.from_bytes(body[16:18], "big"),
        salts=(body[HELLO_BYTES:heard_at], body[heard_at:proof_at]) if flags & PAIRED else None,
        proof=body[proof_at : proof_at + PROOF_BYTES] if flags & PAIRED else b"",
        proven=body[:proof_at],
    )
