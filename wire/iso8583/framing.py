"""Messages on a byte stream: a length in front of each, as on TCP."""

from __future__ import annotations

from typing import Literal

from wire.errors import CodecError

LengthPrefix = Literal["binary2", "bcd2", "ascii4"]

MESSAGE_BYTES_MAX = 8192
"""Far above any message of the dialects here, far below what a broken peer could make us hold."""

_PREFIX_BYTES = {"binary2": 2, "bcd2": 2, "ascii4": 4}


def frame(message: bytes) -> bytes:
    """Return `message` behind its length in two bytes, big-endian, which does not count itself."""
    if len(message) > 0xFFFF:
        raise CodecError("bad_length", None, "a message of more than 65535 bytes has no frame")
    return len(message).to_bytes(2, "big") + message


class FrameSplitter:
    """Cuts a stream into messages, however it arrives: in pieces, or several messages in one piece.

    Holds at most one message and what came behind it in the same piece. Frames of length 0, which some
    hosts send to keep a connection open, are dropped.
    """

    def __init__(
        self, *, prefix: LengthPrefix = "binary2", message_bytes_max: int = MESSAGE_BYTES_MAX
    ) -> None:
        self._prefix: LengthPrefix = prefix
        self._message_bytes_max = message_bytes_max
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next piece and return the messages that are complete, without their lengths.

        Raises CodecError (bad_length) where a length is no number or too large: the stream is lost, close
        it. Messages before that length are returned first, and the error comes with the next call.
        """
        self._buffer += data
        messages: list[bytes] = []
        while (length := self._next_length(have_messages=bool(messages))) is not None:
            end = _PREFIX_BYTES[self._prefix] + length
            if len(self._buffer) < end:
                break
            if length:
                messages.append(bytes(self._buffer[end - length : end]))
            del self._buffer[:end]
        return messages

    @property
    def rest(self) -> bytes:
        """What came in and is no whole message yet. It may hold card data."""
        return bytes(self._buffer)

    def _next_length(self, *, have_messages: bool) -> int | None:
        prefix = bytes(self._buffer[: _PREFIX_BYTES[self._prefix]])
        if len(prefix) < _PREFIX_BYTES[self._prefix]:
            return None
        length = _number(self._prefix, prefix)
        if length is not None and length <= self._message_bytes_max:
            return length
        if have_messages:
            return None
        raise CodecError("bad_length", None, "the length in front of a message is no length, or too large")


def _number(kind: LengthPrefix, prefix: bytes) -> int | None:
    if kind == "binary2":
        return int.from_bytes(prefix, "big")
    digits = prefix.hex() if kind == "bcd2" else prefix.decode("latin-1")
    return int(digits) if digits.isascii() and digits.isdigit() else None
