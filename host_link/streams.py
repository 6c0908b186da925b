"""A channel's bytes on their way: cut into frames at one end, put together at the other.

Each direction of each channel is one stream of bytes. A message stands in it as its length (1, 2 or 4 bytes,
`encode_length`) followed by its content. Frames carry ranges of the stream, cut wherever it suits the line:
several messages in one frame, or one in many; what was lost may be cut anew. Nothing here knows of time,
frames' numbers or acknowledgements.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from host_link.errors import ProtocolViolation

MESSAGE_BYTES_MAX = 1024 * 1024
WINDOW_BYTES_MAX = 16 * 1024
"""Bytes of a stream that may be unconfirmed: under half of what 16 bits of offset can tell apart."""
_TWO_BYTES, _FOUR_BYTES = 0xE0, 0xFF  # the first byte of a length of so many


class Ranges:
    """Half-open ranges of integers, disjoint, in order."""

    def __init__(self) -> None:
        self._ranges: list[tuple[int, int]] = []

    def __bool__(self) -> bool:
        return bool(self._ranges)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(self._ranges)

    @property
    def first(self) -> tuple[int, int]:
        """The lowest range. There must be one."""
        return self._ranges[0]

    def add(self, start: int, end: int) -> None:
        """Include [start, end), which may overlap what is there."""
        apart = []
        for low, high in self._ranges:
            if high < start or low > end:
                apart.append((low, high))
            else:
                start, end = min(start, low), max(end, high)
        self._ranges = sorted([*apart, (start, end)])

    def remove(self, start: int, end: int) -> None:
        """Exclude [start, end)."""
        kept = []
        for low, high in self._ranges:
            if low < start:
                kept.append((low, min(high, start)))
            if high > end:
                kept.append((max(low, end), high))
        self._ranges = kept


def encode_length(length: int) -> bytes:
    """A message's length: 1 byte to 223, 2 bytes to 7935, 4 bytes to 16777215.

    00..DF is the length; E0..FE its high part over DF, its low byte follows; after FF all 24 bits follow.
    Most messages of a payment have 128 to 223 bytes: more than LEB128 has one byte for.
    """
    if length < _TWO_BYTES:
        return bytes([length])
    if length < (_FOUR_BYTES - _TWO_BYTES) << 8:
        return ((_TWO_BYTES << 8) + length).to_bytes(2, "big")
    return bytes([_FOUR_BYTES]) + length.to_bytes(3, "big")


def decode_length(data: bytes | bytearray) -> tuple[int, int] | None:
    """Read a length at the start of `data`: (length, bytes it took); None when it is not complete yet."""
    if not data:
        return None
    first = data[0]
    if first < _TWO_BYTES:
        return first, 1
    size = 2 if first < _FOUR_BYTES else 4
    if len(data) < size:
        return None
    base = _TWO_BYTES if size == 2 else _FOUR_BYTES
    return int.from_bytes(data[:size], "big") - (base << 8 * (size - 1)), size


def _signed(value: int, bits: int) -> int:
    """The low bits of a difference, taken as a signed number."""
    half = 1 << (bits - 1)
    return ((value + half) & (2 * half - 1)) - half


class SendStream:
    """The sending end: holds every byte until it is confirmed."""

    def __init__(self, window_bytes: int = WINDOW_BYTES_MAX) -> None:
        self.window_bytes = window_bytes
        self._bytes = bytearray()
        self._base = 0  # offset of _bytes[0]: everything before it is confirmed
        self._hold_limit: int | None = None  # the receiver takes nothing at or beyond it
        self._sent_end = 0  # nothing at or beyond it has been sent yet
        self._to_send = Ranges()
        self._confirmed = Ranges()  # beyond _base only
        self._messages: deque[tuple[int, int]] = deque()  # (end offset, message id), in order

    @property
    def unconfirmed(self) -> list[int]:
        """The ids of the messages that are not wholly confirmed, in the order in which they were queued."""
        return [message_id for _, message_id in self._messages]

    @property
    def has_sendable(self) -> bool:
        """Whether `take` would give something."""
        return bool(self._to_send) and self._to_send.first[0] < self._limit

    @property
    def backlog_bytes(self) -> int:
        """How many bytes are held here."""
        return len(self._bytes)

    def hold(self, limit: int) -> None:
        """The receiver takes nothing at or beyond this position (its low 16 bits) until `go`."""
        self._hold_limit = self._base + _signed(limit - self._base, 16)

    def go(self) -> None:
        """The usual window is in force again."""
        self._hold_limit = None

    @property
    def _limit(self) -> int:
        limit = self._base + self.window_bytes
        return limit if self._hold_limit is None else min(limit, self._hold_limit)

    def append(self, message_id: int, payload: bytes) -> None:
        """Queue a message."""
        start = self._base + len(self._bytes)
        self._bytes += encode_length(len(payload)) + payload
        end = self._base + len(self._bytes)
        self._to_send.add(start, end)
        self._messages.append((end, message_id))

    def take(self, bytes_best: int, bytes_max: int) -> tuple[int, bytes]:
        """The next bytes to send, what was lost first: (offset, 1 to `bytes_max` bytes).

        What is left is cut evenly into pieces of about `bytes_best`, so that no short one is left over.
        """
        start, end = self._to_send.first
        end = min(end, self._limit)
        pieces = max((4 * (end - start) + 3 * bytes_best) // (4 * bytes_best), -(-(end - start) // bytes_max))
        end = start - (start - end) // pieces
        self._to_send.remove(start, end)
        self._sent_end = max(self._sent_end, end)
        return start, bytes(self._bytes[start - self._base : end - self._base])

    def is_near(self, start: int, distance: int) -> bool:
        """Whether the receiver surely expects an offset less than `distance` from `start`.

        It expects one between what is confirmed and what was sent last.
        """
        return start - self._base < distance and self._sent_end - start <= distance

    def give_back(self, start: int, end: int) -> None:
        """[start, end) was lost: what of it is not confirmed by another frame will be taken again."""
        lost = Ranges()
        lost.add(start, end)
        lost.remove(0, self._base)
        for low, high in self._confirmed:
            lost.remove(low, high)
        for low, high in lost:
            self._to_send.add(low, high)

    def confirm(self, start: int, end: int) -> list[int]:
        """[start, end) has arrived. Returns the ids of the messages that are now confirmed as a whole."""
        start = max(start, self._base)
        if end <= start:
            return []
        self._confirmed.add(start, end)
        self._to_send.remove(start, end)
        low, high = self._confirmed.first
        if low == self._base:
            del self._bytes[: high - low]
            self._base = high
            self._confirmed.remove(low, high)
        delivered = []
        while self._messages and self._messages[0][0] <= self._base:
            delivered.append(self._messages.popleft()[1])
        return delivered


class ReceiveStream:
    """The receiving end: puts ranges in order and cuts the messages out. Holds a window and a message.

    `limit`: nothing at or beyond it is taken; None: the window alone limits.
    """

    def __init__(
        self, *, window_bytes: int = WINDOW_BYTES_MAX, message_bytes_max: int = MESSAGE_BYTES_MAX
    ) -> None:
        self._window_bytes = window_bytes
        self._message_bytes_max = message_bytes_max
        self.limit: int | None = None
        self._expected = 0  # offset of the first byte that is still missing
        self._ahead = bytearray()  # bytes from _expected on; only what _held names is real
        self._held = Ranges()
        self._joined = bytearray()  # in order, not yet a whole message

    def hold(self) -> int:
        """Take one more window of bytes and no more; returns the limit."""
        self.limit = self._expected + self._window_bytes
        return self.limit

    def takes(self, offset: int, byte_count: int, *, offset_bits: int = 16) -> bool:
        """Whether bytes from `offset` (its low bits) stay below the limit."""
        return self.limit is None or self._position(offset, offset_bits) + byte_count <= self.limit

    def accept(self, offset: int, data: bytes, *, offset_bits: int = 16) -> list[bytes]:
        """Take bytes from `offset` (its low `offset_bits` bits) and return the messages they complete.

        Bytes that were there already change nothing. Raises ProtocolViolation for bytes beyond the window
        and for a message longer than allowed.
        """
        start = self._position(offset, offset_bits)
        end = start + len(data)
        if end > self._expected + self._window_bytes:
            raise ProtocolViolation("the peer sent past the channel's window")
        if end <= self._expected:
            return []
        data = data[max(0, self._expected - start) :]
        start = end - len(data)
        self._store(start, end, data)
        low, high = self._held.first
        if low > self._expected:
            return []
        self._joined += self._ahead[: high - low]
        del self._ahead[: high - low]
        self._held.remove(low, high)
        self._expected = high
        return self._cut_messages()

    def _position(self, offset: int, offset_bits: int) -> int:
        """The whole position of which `offset` is the low bits: the one nearest to what is missing."""
        return self._expected + _signed(offset - self._expected, offset_bits)

    def _store(self, start: int, end: int, data: bytes) -> None:
        begin, stop = start - self._expected, end - self._expected
        self._ahead.extend(bytes(max(0, stop - len(self._ahead))))
        self._ahead[begin:stop] = data
        self._held.add(start, end)

    def _cut_messages(self) -> list[bytes]:
        messages = []
        while header := decode_length(self._joined):
            length, header_bytes = header
            if length > self._message_bytes_max:
                raise ProtocolViolation(f"the peer announced a message of {length} bytes")
            if len(self._joined) < header_bytes + length:
                break
            messages.append(bytes(self._joined[header_bytes : header_bytes + length]))
            del self._joined[: header_bytes + length]
        return messages
