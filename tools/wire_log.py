"""What crossed the serial line, frame by frame, for people: decoded, and with every secret starred.

The plan. A `WireLog` is given to a drive as its tap and reads along. It looks into frames with the link's own
decoder, joins each channel's stream with the link's own joiner, and shows a message of the HOST channel the
way the `unionpay` dialect masks it. It only listens: nothing it does can disturb the link.

What may be shown is decided once, in `_Painter`: the header of a frame always; its payload where it is whole
messages that the dialect could mask, or control messages; stars for everything else. The check of a frame
with stars is starred too: four bytes of a checksum are enough to try out the digits that are missing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import product

from cobs import cobs

from host_link.control import BankReport
from host_link.credit import LINK_CHANNEL
from host_link.errors import ProtocolViolation
from host_link.frames import Ack, Body, Close, Data, Hello, Ping, Rate, Turn, decode_body
from host_link.framing import (
    CHECK_BYTES,
    NO_SESSION_TAG,
    FrameDecoder,
    FrameReceived,
    NoiseReason,
    NoiseSkipped,
    session_tag,
)
from host_link.pairing import TAG_BYTES, Opener, SessionIds, direction_key
from host_link.session import Channel, DownReason
from host_link.streams import ReceiveStream, encode_length
from wire.iso8583 import FieldView, dialect

TERMINAL, GATEWAY = "terminal", "gateway"

NONCES_REMEMBERED = 3
"""Of each end. After a restart, frames of the session before may still come out of a buffer."""

_SIGN_IN_LAYOUTS = frozenset({"001", "003", "004"})


class FrameKind(Enum):
    """What a piece of the line was."""

    HELLO = "hello"
    DATA = "data"
    ACK = "ack"
    PING = "ping"
    CLOSE = "close"
    RATE = "rate"
    TURN = "turn"
    PROTECTED = "protected"  # of a paired session, and the log has not its key
    UNKNOWN = "unknown"  # intact, of a kind that this version does not know
    DAMAGED = "damaged"  # or of a session that began before the log did


class MessageName(Enum):
    """What a message is about; its MTI says whether it asks or answers."""

    SIGN_IN = "sign_in"
    AUTHORISATION = "authorisation"
    PIN_VERIFICATION = "pin_verification"
    COMPLETION = "completion"
    PURCHASE = "purchase"
    REVERSAL = "reversal"
    BANK_STATUS = "bank_status"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class LoggedMessage:
    """A whole message. `hex_masked` has two characters a byte where it could be decoded.

    `mti` and `fields` are empty for what is no ISO 8583 message. Nothing here is secret.
    """

    channel: int
    name: MessageName
    mti: str
    fields: tuple[FieldView, ...]
    hex_masked: str
    byte_count: int

    def field(self, number: int) -> FieldView | None:
        """The listing of a data element; None when the message has none of that number."""
        return next((view for view in self.fields if view.number == number), None)


@dataclass(frozen=True, slots=True)
class LoggedFrame:
    """A frame on the line. `side` sent it; `byte_count` is its length there, its boundary included.

    `hex_masked` is the frame with its boundary but without byte stuffing, its parts apart by spaces:
    header, payload, check, boundary. `detail` of data: number, channel, offset in its stream.
    `messages` are those that this frame completes.
    """

    at_ms: int
    side: str
    kind: FrameKind
    detail: str
    byte_count: int
    hex_masked: str
    messages: tuple[LoggedMessage, ...] = ()


class WireLog:
    """Reads along on the line. Give `feed` to a drive as its tap. Of paired ends it needs the `pairing_key`.

    `frames` holds the newest `frames_max`; `count` says how many there were. `on_frame` is told each one.
    """

    def __init__(
        self,
        *,
        frames_max: int = 10_000,
        on_frame: Callable[[LoggedFrame], None] = lambda _frame: None,
        pairing_key: bytes | None = None,
    ) -> None:
        self._pairing_key = pairing_key
        self._salts: dict[tuple[str, int], bytes] = {}  # (side, nonce) -> salt, of paired ends
        self.frames: deque[LoggedFrame] = deque(maxlen=frames_max)
        self.count = 0
        self._on_frame = on_frame
        self._nonces = {side: deque([0], maxlen=NONCES_REMEMBERED) for side in (TERMINAL, GATEWAY)}
        self._sides = {side: _Side(side) for side in (TERMINAL, GATEWAY)}

    def feed(self, at_ms: int, side: str, data: bytes) -> None:
        """Take bytes that `side` ("terminal" or "gateway") has sent."""
        for piece in self._sides[side].decoder.split(data):
            frame = self._read(at_ms, self._sides[side], piece)
            self.frames.append(frame)
            self.count += 1
            self._on_frame(frame)

    def since(self, count: int) -> list[LoggedFrame]:
        """The frames after the first `count` ones, as far as they are still held."""
        wanted = min(self.count - count, len(self.frames))
        return list(self.frames)[len(self.frames) - wanted :]

    def _read(self, at_ms: int, side: _Side, piece: bytes | NoiseSkipped) -> LoggedFrame:
        event = side.judge(piece, self._tags(side.name))
        if isinstance(piece, NoiseSkipped) or isinstance(event, NoiseSkipped):
            noise = piece if isinstance(piece, NoiseSkipped) else event
            assert isinstance(noise, NoiseSkipped)
            hidden = f"<{noise.byte_count} bytes>"
            return LoggedFrame(
                at_ms, side.name, FrameKind.DAMAGED, noise.reason.value, noise.byte_count, hidden
            )
        seal, encoded, check = b"", event.body, cobs.decode(piece)[-CHECK_BYTES:]
        if event.in_session and (session := self._paired_session(side.name, side.decoder.tag)):
            opened = side.opened(event.body, session, self._pairing_key)
            if opened is None:
                hidden = "*" * 2 * (len(piece) + 1)
                return LoggedFrame(at_ms, side.name, FrameKind.PROTECTED, "", len(piece) + 1, hidden)
            begin = len(event.body) - len(opened) - TAG_BYTES
            seal, encoded, check = event.body[:begin], opened, event.body[-TAG_BYTES:] + check
        try:
            body = decode_body(encoded)
        except ProtocolViolation:
            body = None
        if isinstance(body, Hello):
            self._note_hello(side.name, body)
        messages = side.join(body)
        kind, detail = _describe(body)
        shown = _Painter(encoded, body, messages).paint(check)
        shown = f"{seal.hex().upper()} {shown}" if seal else shown
        logged = tuple(_logged(channel, message) for channel, message in messages)
        return LoggedFrame(at_ms, side.name, kind, detail, len(piece) + 1, shown, logged)

    def _note_hello(self, side: str, hello: Hello) -> None:
        nonces = self._nonces[side]
        if hello.nonce in nonces:
            nonces.remove(hello.nonce)
        elif len(nonces) == nonces.maxlen:
            self._salts.pop((side, nonces[0]), None)
        nonces.append(hello.nonce)
        if hello.salts:
            self._salts[side, hello.nonce] = hello.salts[0]

    def _pairs(self) -> Iterator[tuple[int, int]]:
        """Both ends' nonces, as they may belong together, the likeliest first."""
        return product(reversed(self._nonces[TERMINAL]), reversed(self._nonces[GATEWAY]))

    def _tags(self, side: str) -> Iterator[int]:
        """The tags that a frame of this side may bear."""
        return (session_tag(side, ours, theirs) for ours, theirs in self._pairs())

    def _paired_session(self, side: str, tag: int) -> SessionIds | None:
        """The session with this tag when it is one of paired ends."""
        for ours, theirs in self._pairs():
            if session_tag(side, ours, theirs) == tag:
                salts = [self._salts.get((TERMINAL, ours)), self._salts.get((GATEWAY, theirs))]
                return SessionIds(ours, salts[0], theirs, salts[1]) if salts[0] and salts[1] else None
        return None


class _Side:
    """One direction of the line: its frames, and its channels' streams."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.decoder = FrameDecoder()
        self._session = NO_SESSION_TAG
        self._opener: tuple[SessionIds, Opener] | None = None
        self._streams: dict[int, ReceiveStream] = {}

    def judge(self, piece: bytes | NoiseSkipped, tags: Iterator[int]) -> FrameReceived | NoiseSkipped:
        """Say what a piece is, in whichever session it was sent."""
        event = self.decoder.judge(piece)
        while isinstance(event, NoiseSkipped) and event.reason is NoiseReason.BAD_CHECK:
            tag = next(tags, None)
            if tag is None:
                break
            self.decoder.tag = tag
            event = self.decoder.judge(piece)
        if isinstance(event, FrameReceived) and event.in_session and self.decoder.tag != self._session:
            self._session = self.decoder.tag
            self._streams.clear()
        return event

    def opened(self, sealed: bytes, session: SessionIds, pairing_key: bytes | None) -> bytes | None:
        """The body of a sealed frame; None without the key, and for a frame that the key does not fit."""
        if pairing_key is None:
            return None
        if self._opener is None or self._opener[0] != session:
            direction = b"T" if self.name == TERMINAL else b"G"
            self._opener = session, Opener(direction_key(pairing_key, session, direction))
        return self._opener[1].open(sealed)

    def join(self, body: Body | None) -> list[tuple[int, bytes]]:
        """The messages that this frame completes, with their channel."""
        if not isinstance(body, Data):
            return []
        stream = self._streams.setdefault(body.channel, ReceiveStream())
        try:
            messages = stream.accept(body.offset, body.payload, offset_bits=body.offset_bits)
            return [(body.channel, message) for message in messages]
        except ProtocolViolation:
            del self._streams[body.channel]
            return []


class _Painter:
    """Writes one frame in hex: the only place where bytes of the line become text."""

    def __init__(self, encoded: bytes, body: Body | None, messages: Sequence[tuple[int, bytes]]) -> None:
        self._encoded = encoded
        self._body = body
        self._messages = messages

    def paint(self, check: bytes) -> str:
        """Header, payload, check, boundary."""
        header, payload = self._parts()
        shown = self._payload(payload)
        checked = "*" * 2 * len(check) if "*" in shown or "<" in shown else check.hex().upper()
        return " ".join(part for part in (header.hex().upper(), shown, checked, "00") if part)

    def _parts(self) -> tuple[bytes, bytes]:
        if isinstance(self._body, Data):
            length = len(self._encoded) - len(self._body.payload)
            return self._encoded[:length], self._body.payload
        if self._body is None:
            return self._encoded[:1], self._encoded[1:]
        return self._encoded, b""

    def _payload(self, payload: bytes) -> str:
        whole = b"".join(encode_length(len(message)) + message for _, message in self._messages)
        if not payload or whole != payload:  # a piece of a longer message: where its secrets lie is not known
            return "*" * 2 * len(payload)
        return " ".join(
            f"{encode_length(len(message)).hex().upper()} {_hex_masked(channel, message)}"
            for channel, message in self._messages
        )


def _hex_masked(channel: int, message: bytes) -> str:
    match channel:
        case Channel.HOST:
            return dialect("unionpay").masked_hex(message)
        case Channel.CONTROL if BankReport.decode(message) is not None:
            # Behind the status is the CRC-32 of a request: enough to try out the digits that are starred.
            return message[:2].hex().upper() + "*" * 2 * len(message[2:])
        case _:
            return "*" * 2 * len(message)


def _logged(channel: int, message: bytes) -> LoggedMessage:
    shown = _hex_masked(channel, message)
    if channel != Channel.HOST:
        report = BankReport.decode(message) if channel == Channel.CONTROL else None
        name = MessageName.BANK_STATUS if report else MessageName.OTHER
        text = report.status.name.lower() if report else f"<{len(message)} bytes>"
        return LoggedMessage(channel, name, "", (FieldView(None, name.value, text),), shown, len(message))
    fields = tuple(dialect("unionpay").describe(message))
    values = {view.number: view.value_masked for view in fields if view.number is not None}
    name = _name(values.get(0, ""), values.get(3, ""), values.get(60, ""))
    return LoggedMessage(channel, name, values.get(0, ""), fields, shown, len(message))


def _name(mti: str, processing_code: str, field_60: str) -> MessageName:
    """The name of a message. Source: iso8583-pos sections 2 to 7."""
    match mti[:2], mti[2:3]:
        case "08", _ if field_60[8:11] in _SIGN_IN_LAYOUTS:
            return MessageName.SIGN_IN
        case "01", _:
            verification = processing_code.startswith("33")
            return MessageName.PIN_VERIFICATION if verification else MessageName.AUTHORISATION
        case "02", "0" | "1":
            return MessageName.PURCHASE
        case "02", "2" | "3":
            return MessageName.COMPLETION
        case "04", _:
            return MessageName.REVERSAL
    return MessageName.OTHER


def _describe(body: Body | None) -> tuple[FrameKind, str]:
    match body:
        case Hello():
            return FrameKind.HELLO, f"session id {body.nonce:08X}, heard {body.peer_nonce:08X}"
        case Data():
            return FrameKind.DATA, f"#{body.number} {_channel_name(body.channel)} @{body.offset}"
        case Ack():
            return FrameKind.ACK, f"next #{body.block.next_number}"
        case Ping():
            return FrameKind.PING, f"next #{body.number}"
        case Close():
            return FrameKind.CLOSE, _close_reason(body.reason)
        case Rate(step, bits_per_s):
            return FrameKind.RATE, f"{step.name.lower()} {bits_per_s} bits/s"
        case Turn():
            return FrameKind.TURN, ""
        case None:
            return FrameKind.UNKNOWN, ""


def _channel_name(channel: int) -> str:
    if channel == LINK_CHANNEL:
        return "LINK"
    return Channel(channel).name if channel in set(Channel) else f"channel {channel}"


def _close_reason(reason: int) -> str:
    return next((known.name.lower() for known in DownReason if known.value == reason), f"reason {reason}")
