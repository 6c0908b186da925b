"""Messages of a CCID smart-card reader, and the frames in which serial readers of Gemalto's make carry them.

    message: type, length (4 bytes, little endian), slot, sequence number, 3 bytes by type, data
    frame:   03 06 message LRC   (LRC: the XOR of all bytes before it); 03 15 16 asks for the last frame again
    besides: 50 03 and 50 02, without a frame: a card came, a card went

Sources: USB-IF, Specification for Integrated Circuit(s) Cards Interface Devices, revision 1.1, section 6; the
frames are those of the GemPC Twin (also GemCore POS Pro), which pcscd's serial driver speaks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from functools import reduce
from operator import xor

from wire.errors import CcidError

__all__ = ["CcidError", "CcidMessage", "CcidType", "SerialFrameReader", "encode_frame"]

HEADER_BYTES = 10
DATA_BYTES_MAX = 65_544  # an extended APDU with everything around it
_SYNC, _ACK, _NAK = 0x03, 0x06, 0x15
NAK_FRAME = bytes([_SYNC, _NAK, _SYNC ^ _NAK])


class CcidType(IntEnum):
    """The messages that serial readers know; the first nine go to the reader, the others come from it."""

    SET_PARAMETERS = 0x61
    POWER_ON = 0x62
    POWER_OFF = 0x63
    SLOT_STATUS = 0x65
    ESCAPE = 0x6B
    GET_PARAMETERS = 0x6C
    RESET_PARAMETERS = 0x6D
    TRANSFER = 0x6F
    ABORT = 0x72
    DATA_BLOCK = 0x80
    STATUS = 0x81
    PARAMETERS = 0x82
    ESCAPE_ANSWER = 0x83


class CardState(IntEnum):
    """The lower two bits of a reader's status byte."""

    ACTIVE = 0
    INACTIVE = 1
    ABSENT = 2


class CommandState(IntEnum):
    """The upper two bits of a reader's status byte."""

    DONE = 0
    FAILED = 1
    TIME_EXTENSION = 2


class CardMove(IntEnum):
    """What follows the byte 50 outside of frames."""

    REMOVED = 2
    INSERTED = 3


NOTIFICATION = 0x50


@dataclass(frozen=True, slots=True)
class CcidMessage:
    """One message. `specific`: three bytes, of answers status, error and one more; of requests by their type.

    `type` is a number, as a reader may send types that this file does not name.
    """

    type: int
    slot: int = 0
    sequence: int = 0
    specific: bytes = bytes(3)
    data: bytes = field(default=b"", repr=False)

    def encode(self) -> bytes:
        """The message's bytes. Raises CcidError: bad_length."""
        if len(self.data) > DATA_BYTES_MAX or len(self.specific) != 3:
            raise CcidError("bad_length", "a message has 3 bytes by its type, and at most 65544 of data")
        length = len(self.data).to_bytes(4, "little")
        return bytes([self.type]) + length + bytes([self.slot, self.sequence]) + self.specific + self.data

    @classmethod
    def decode(cls, data: bytes) -> CcidMessage:
        """Take a message apart. Raises CcidError: truncated, trailing_data."""
        length = int.from_bytes(data[1:5], "little")
        if len(data) < HEADER_BYTES + length:
            raise CcidError("truncated", "the message is shorter than it says")
        if len(data) > HEADER_BYTES + length:
            raise CcidError("trailing_data", "the message is longer than it says")
        return cls(data[0], data[5], data[6], data[7:HEADER_BYTES], data[HEADER_BYTES:])

    # --- answers of a reader ---

    @property
    def card(self) -> CardState | None:
        """Whether there is a card, and whether it has power; None for the reserved value."""
        state = self.specific[0] & 3
        return CardState(state) if state in CardState._value2member_map_ else None

    @property
    def command(self) -> CommandState | None:
        """What became of the command; None for the reserved value."""
        state = self.specific[0] >> 6
        return CommandState(state) if state in CommandState._value2member_map_ else None

    @property
    def error(self) -> int:
        """Why the command failed, as the specification numbers it; with a time extension the multiplier."""
        return self.specific[1]


def encode_frame(message: CcidMessage) -> bytes:
    """The frame that carries `message`."""
    body = bytes([_SYNC, _ACK]) + message.encode()
    return body + bytes([reduce(xor, body)])


@dataclass(frozen=True, slots=True)
class FrameDamaged:
    """A frame whose LRC does not fit, or that no reader would send."""


@dataclass(frozen=True, slots=True)
class RepeatWanted:
    """The other side asks for the last frame again."""


FrameEvent = CcidMessage | CardMove | FrameDamaged | RepeatWanted


class SerialFrameReader:
    """Bytes of a serial line in any pieces to messages, card moves and damage, in their order.

    Holds at most one frame. Bytes that begin nothing are passed over and counted in `skipped_bytes`.
    """

    def __init__(self, *, data_bytes_max: int = DATA_BYTES_MAX) -> None:
        self.skipped_bytes = 0
        self._data_bytes_max = data_bytes_max
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[FrameEvent]:
        """Take more bytes; return what is whole now."""
        self._buffer += data
        events: list[FrameEvent] = []
        while (found := self._take()) is not None:
            events += found
        return events

    def forget(self) -> None:
        """Drop the beginning of a frame: the rest of it will not come."""
        self.skipped_bytes += len(self._buffer)
        self._buffer.clear()

    def _take(self) -> list[FrameEvent] | None:
        """What the buffer begins with, taken off it; None when more bytes are needed."""
        head = self._buffer
        if not head:
            return None
        if head[0] == NOTIFICATION:
            return self._take_move()
        if head[0] != _SYNC:
            return self._skip()
        if len(head) < 3:
            return None if len(head) < 2 or head[1] in {_ACK, _NAK} else self._skip()
        if head[1] == _NAK:
            return self._cut(3, RepeatWanted() if head[2] == NAK_FRAME[2] else FrameDamaged())
        return self._take_frame() if head[1] == _ACK else self._skip()

    def _take_move(self) -> list[FrameEvent] | None:
        if len(self._buffer) < 2:
            return None
        if self._buffer[1] not in CardMove._value2member_map_:
            return self._skip()
        return self._cut(2, CardMove(self._buffer[1]))

    def _take_frame(self) -> list[FrameEvent] | None:
        if len(self._buffer) < 2 + 5:
            return None
        length = int.from_bytes(self._buffer[3:7], "little")
        if length > self._data_bytes_max:
            return self._cut(2, FrameDamaged())
        end = 2 + HEADER_BYTES + length + 1
        if len(self._buffer) < end:
            return None
        frame = bytes(self._buffer[:end])
        if reduce(xor, frame):
            return self._cut(end, FrameDamaged())
        return self._cut(end, CcidMessage.decode(frame[2:-1]))

    def _cut(self, count: int, event: FrameEvent) -> list[FrameEvent]:
        del self._buffer[:count]
        return [event]

    def _skip(self) -> list[FrameEvent]:
        self.skipped_bytes += 1
        del self._buffer[:1]
        return []
