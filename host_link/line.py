"""A serial line in software, in virtual time: the bytes take as long as on a wire, and the wire misbehaves.

Modelled: the line's rate (8N1), ends at different rates, bit errors one by one and in bursts, bytes lost and
inserted, missed start bits and damaged stop bits, latency, jitter, a USB adapter that hands over what came
only every 1 to 16 ms, outages, and half duplex. All chance comes from the source that is handed in, so the
same seed gives the same run.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

_BITS_PER_BYTE = 10
_NS_PER_MS = 1_000_000


class RandomSource(Protocol):
    """What the line needs of `random.Random`."""

    def random(self) -> float:
        """A number from 0 up to, not including, 1."""

    def randrange(self, stop: int, /) -> int:
        """A whole number from 0 up to, not including, `stop`."""


class _Faults:
    """Tells at which of a row of trials, each with the same small probability, something happens."""

    def __init__(self, probability: float, rng: RandomSource) -> None:
        self._probability = probability
        self._rng = rng
        self.left = self._gap()
        """So many trials pass before the next that hits."""

    def positions(self, trials: int) -> list[int]:
        """Which of the next `trials` trials hit."""
        hits = []
        while self.left < trials:
            hits.append(self.left)
            self.left += 1 + self._gap()
        self.left -= trials
        return hits

    def _gap(self) -> int:
        if self._probability <= 0:
            return 1 << 62
        if self._probability >= 1:
            return 0
        return int(math.log(1 - self._rng.random()) / math.log(1 - self._probability))


class Line:
    """One direction. Times are milliseconds of any clock that does not run backwards.

    `bit_error_rate` counts data bits; `drop_rate` and `insert_rate` count bytes. `burst_rate` counts the data
    bits at which a burst begins; within its `burst_bits` each bit is flipped or not, like a coin. `slip_rate`
    counts the start bits that are missed: the receiver takes a later zero for the start and goes wrong until
    it happens upon a true one. `framing_error_rate` counts damaged stop bits: such a byte is read as 00, as
    Linux does.

    `bits_per_s_max`: what is sent faster has bit errors at `beyond_bit_error_rate`.

    `latency_ms` is the same for all bytes, `jitter_ms` the most that comes on top for each write.
    `block_ms`: what came is seen only at multiples of it. `outages` are (from, to) in milliseconds: a byte
    whose last bit falls inside is lost.
    """

    def __init__(
        self,
        rng: RandomSource,
        *,
        bits_per_s: int = 115_200,
        bit_error_rate: float = 0.0,
        drop_rate: float = 0.0,
        insert_rate: float = 0.0,
        burst_rate: float = 0.0,
        burst_bits: int = 40,
        slip_rate: float = 0.0,
        framing_error_rate: float = 0.0,
        latency_ms: int = 0,
        jitter_ms: int = 0,
        block_ms: int = 1,
        outages: Iterable[tuple[int, int]] = (),
        bits_per_s_max: int | None = None,
        beyond_bit_error_rate: float = 0.2,
    ) -> None:
        self.byte_count = 0
        self._rng = rng
        self._read_bits_per_s = bits_per_s
        self._bits_per_s_max = bits_per_s_max
        self._beyond = _Faults(beyond_bit_error_rate if bits_per_s_max else 0.0, rng)
        self._flips = _Faults(bit_error_rate, rng)
        self._drops = _Faults(drop_rate, rng)
        self._inserts = _Faults(insert_rate, rng)
        self._bursts = _Faults(burst_rate, rng)
        self._burst_bits = burst_bits
        self._burst_left_bits = 0
        self._slips = _Faults(slip_rate, rng)
        self._framing_errors = _Faults(framing_error_rate, rng)
        self._faults: list[tuple[_Faults, int]] = []  # with their trials in a byte
        self._sound_bytes = 0  # so many will surely pass unhurt
        self._passed_bytes = 0  # so many have, and are not counted in the faults yet
        self.send_at(bits_per_s)
        self._latency_ns = latency_ms * _NS_PER_MS
        self._jitter_ms = jitter_ms
        self._block_ms = block_ms
        self._seen_ms: int | None = None  # when the first byte under way will be seen
        self._outages = [(begin * _NS_PER_MS, end * _NS_PER_MS) for begin, end in outages]
        self._cut_ns: int | None = None
        self._busy_from_ns = self._free_ns = 0
        self._last_ns = 0  # when the last byte of the newest piece is complete
        self._collisions: list[tuple[int, int]] = []
        self._opposite: Line | None = None  # the other direction, where both share the wire
        self._pieces: deque[_Piece] = deque()

    def send_at(self, bits_per_s: int) -> None:
        """The sending end has this rate from now on."""
        self._sent_bits_per_s = bits_per_s
        self._byte_ns = _BITS_PER_BYTE * 1_000_000_000 // bits_per_s
        self._is_too_fast = self._bits_per_s_max is not None and bits_per_s > self._bits_per_s_max
        self._catch_up()
        of_bits = (
            (self._flips, self._bursts, self._beyond) if self._is_too_fast else (self._flips, self._bursts)
        )
        of_bytes = (self._drops, self._inserts, self._slips, self._framing_errors)
        self._faults = [*((faults, 8) for faults in of_bits), *((faults, 1) for faults in of_bytes)]
        self._look_ahead()

    def read_at(self, bits_per_s: int) -> None:
        """The reading end has this rate from now on; what is sent at another one it reads wrongly."""
        self._read_bits_per_s = bits_per_s

    def write(self, data: bytes, now_ms: int) -> None:
        """Put bytes on the line; they queue behind what is still being sent."""
        start_ns = now_ms * _NS_PER_MS
        if start_ns >= self._free_ns:
            self._busy_from_ns = start_ns
        else:
            start_ns = self._free_ns
        count, byte_ns = len(data), self._byte_ns
        self._free_ns = start_ns + count * byte_ns
        self.byte_count += count
        self._collide()
        if count <= self._sound_bytes:
            self._sound_bytes -= count
            self._passed_bytes += count
        else:
            data = self._damage(data)
        if data:
            late_ns = self._rng.randrange(self._jitter_ms + 1) * _NS_PER_MS if self._jitter_ms else 0
            first_ns = max(start_ns + late_ns, self._last_ns) + byte_ns
            self._last_ns = first_ns + (len(data) - 1) * byte_ns
            self._pieces.append(_Piece(first_ns, self._last_ns, byte_ns, data, self._sent_bits_per_s))
            if self._seen_ms is None:
                self._seen_ms = self._seen_at_ms(first_ns)

    def read(self, now_ms: int) -> bytes:
        """The bytes that have arrived by now."""
        if self._seen_ms is None or now_ms < self._seen_ms:
            return b""
        horizon_ns = now_ms // self._block_ms * self._block_ms * _NS_PER_MS - self._latency_ns
        out, pieces = b"", self._pieces
        while pieces and (piece := pieces[0]).first_ns <= horizon_ns:
            if piece.last_ns > horizon_ns:
                piece = piece.part(horizon_ns)
            else:
                pieces.popleft()
            survivors = self._survivors(piece)
            if piece.bits_per_s != self._read_bits_per_s:
                survivors = _read_at_another_rate(survivors, piece.bits_per_s, self._read_bits_per_s)
            out += survivors
        self._seen_ms = self._seen_at_ms(pieces[0].first_ns) if pieces else None
        return out

    def deadline_ms(self) -> int | None:
        """When the oldest written piece will have arrived as a whole; None when nothing is under way.

        Its bytes can be read one by one before that, as they come. Of a line that is cut nothing will arrive
        until it is mended: then ask again.
        """
        if self._seen_ms is None:
            return None
        piece = self._pieces[0]
        if self._cut_ns is not None and self._cut_ns <= piece.first_ns:
            return None
        return self._seen_at_ms(piece.last_ns)

    def _seen_at_ms(self, complete_ns: int) -> int:
        """When a byte that is complete then is seen at the other end."""
        return -(-(complete_ns + self._latency_ns) // (_NS_PER_MS * self._block_ms)) * self._block_ms

    def share_wire_with(self, opposite: Line) -> None:
        """Half duplex: what both send at the same time is garbled, in both directions."""
        self._opposite = opposite

    def cut(self, now_ms: int) -> None:
        """The line is out from now on."""
        if self._cut_ns is None:
            self._cut_ns = now_ms * _NS_PER_MS

    def mend(self, now_ms: int) -> None:
        """The line is good again."""
        if self._cut_ns is not None:
            self._outages.append((self._cut_ns, now_ms * _NS_PER_MS))
            self._cut_ns = None

    def _collide(self) -> None:
        """Note the time in which what was just written and what the other end is sending overlap."""
        if self._opposite is None:
            return
        if not self._pieces:
            self._collisions.clear()  # they were of bytes that have been read
        begin_ns = max(self._busy_from_ns, self._opposite._busy_from_ns)  # noqa: SLF001 - of the same class
        end_ns = min(self._free_ns, self._opposite._free_ns)  # noqa: SLF001
        if begin_ns < end_ns:
            for line in (self, self._opposite):
                line._collisions.append((begin_ns, end_ns))  # noqa: SLF001

    def _damage(self, data: bytes) -> bytes:
        self._catch_up()
        damaged = bytearray(data)
        bits = 8 * len(data)
        beyond = self._beyond.positions(bits) if self._is_too_fast else []
        for bit in self._flips.positions(bits) + self._burst_flips(bits) + beyond:
            damaged[bit >> 3] ^= 1 << (bit & 7)
        for index in self._framing_errors.positions(len(data)):
            damaged[index] = 0
        slips = self._slips.positions(len(data))
        drops, inserts = self._drops.positions(len(data)), self._inserts.positions(len(data))
        for index in sorted({*drops, *inserts}, reverse=True):
            inserted = bytes([self._rng.randrange(256)]) if index in inserts else b""
            damaged[index : index + (index in drops)] = inserted
        for index in reversed(slips):
            damaged[index:] = _read_without_start_bit(damaged[index:])
        self._look_ahead()
        return bytes(damaged)

    def _catch_up(self) -> None:
        """Tell the faults of what has passed unhurt."""
        for faults, trials in self._faults:
            faults.left -= trials * self._passed_bytes
        self._passed_bytes = 0

    def _look_ahead(self) -> None:
        """Find out how much will pass unhurt: most of what is written then needs no look at any fault."""
        sound_bytes = min(faults.left // trials for faults, trials in self._faults)
        self._sound_bytes = 0 if self._burst_left_bits else sound_bytes

    def _burst_flips(self, bits: int) -> list[int]:
        """The bits that bursts flip; one that reaches beyond this write goes on in the next."""
        begins = self._bursts.positions(bits)
        if not begins and not self._burst_left_bits:
            return []
        spans = [(0, self._burst_left_bits), *((begin, begin + self._burst_bits) for begin in begins)]
        self._burst_left_bits = max(0, max(end for _, end in spans) - bits)
        hit = {bit for begin, end in spans for bit in range(begin, min(end, bits))}
        return [bit for bit in sorted(hit) if self._rng.random() < 0.5]

    def _survivors(self, piece: _Piece) -> bytes:
        if self._cut_ns is not None and self._cut_ns <= piece.first_ns:
            return b""
        if not self._outages and self._cut_ns is None and not self._collisions:
            return piece.data
        # Those that are over now are over for all that comes later.
        self._outages = [outage for outage in self._outages if outage[1] > piece.first_ns]
        outages = [outage for outage in self._outages if outage[0] <= piece.last_ns]
        if self._cut_ns is not None:
            outages.append((self._cut_ns, piece.last_ns + 1))
        if not outages and not self._collisions:
            return piece.data
        times = range(piece.first_ns, piece.last_ns + 1, piece.byte_ns)
        return bytes(
            self._rng.randrange(256) if _is_within(at_ns, self._collisions) else byte
            for byte, at_ns in zip(piece.data, times, strict=True)
            if not _is_within(at_ns, outages)
        )


@dataclass(slots=True)
class _Piece:
    """Bytes on their way. `first_ns`, `last_ns`: when the first and the last of them are complete."""

    first_ns: int
    last_ns: int
    byte_ns: int
    data: bytes
    bits_per_s: int

    def part(self, horizon_ns: int) -> _Piece:
        """Take off what is complete by then: some of the bytes, not all."""
        count = (horizon_ns - self.first_ns) // self.byte_ns + 1
        rest_ns = self.first_ns + count * self.byte_ns
        complete = replace(self, last_ns=rest_ns - self.byte_ns, data=self.data[:count])
        self.first_ns, self.data = rest_ns, self.data[count:]
        return complete


def _is_within(at_ns: int, spans: Iterable[tuple[int, int]]) -> bool:
    return any(begin <= at_ns < end for begin, end in spans)


def _read_without_start_bit(data: bytes | bytearray) -> bytes:
    """What a receiver reads of these bytes when it misses the first one's start bit.

    It waits for the next zero bit, takes it for a start bit, reads eight bits and a stop bit, and so on until
    the line is quiet. A stop bit that is zero is a framing error: 00 is read, and the next start is sought
    behind it.
    """
    line = _levels(data)
    read = bytearray()
    at = 1
    while (start := _next_zero(line, at)) is not None and start + _BITS_PER_BYTE <= len(line):
        bits = line[start + 1 : start + 9]
        stop = line[start + 9]
        read.append(sum(bit << i for i, bit in enumerate(bits)) if stop else 0)
        at = start + _BITS_PER_BYTE
    return bytes(read)


def _levels(data: bytes | bytearray) -> list[int]:
    """The line's level bit by bit, and then quiet."""
    return [bit for byte in data for bit in (0, *(byte >> i & 1 for i in range(8)), 1)] + [1] * _BITS_PER_BYTE


def _read_at_another_rate(data: bytes, sent_bits_per_s: int, read_bits_per_s: int) -> bytes:
    """What a receiver at another rate reads of these bytes.

    It looks at the line in the middle of what it takes for bits, counted from the edge of the start bit.
    Where the stop bit is zero, 00 is read, and the next start is sought when the line has been quiet again.
    Time is counted so that a sent bit takes `2 * read_bits_per_s` and a read one `2 * sent_bits_per_s`.
    """
    line = _levels(data)
    read = bytearray()
    at = 0
    while (start := _next_zero(line, at)) is not None:
        edge = start * 2 * read_bits_per_s
        middles = [edge + (2 * bit + 1) * sent_bits_per_s for bit in range(1, _BITS_PER_BYTE)]
        levels = [line[min(middle // (2 * read_bits_per_s), len(line) - 1)] for middle in middles]
        *bits, stop = levels
        read.append(sum(bit << i for i, bit in enumerate(bits)) if stop else 0)
        at = middles[-1] // (2 * read_bits_per_s)
        if not stop:
            at = line.index(1, min(at, len(line) - 1))
    return bytes(read)


def _next_zero(line: list[int], at: int) -> int | None:
    try:
        return line.index(0, at)
    except ValueError:
        return None


class DuplexLine:
    """A line in both directions between end "a" and end "b"; with `half_duplex` they share one wire."""

    def __init__(self, a_to_b: Line, b_to_a: Line, *, half_duplex: bool = False) -> None:
        self.a_to_b = a_to_b
        self.b_to_a = b_to_a
        if half_duplex:
            a_to_b.share_wire_with(b_to_a)
            b_to_a.share_wire_with(a_to_b)

    def set_rate(self, end: str, bits_per_s: int) -> None:
        """End "a" or "b" sends and reads at this rate from now on."""
        there, back = (self.a_to_b, self.b_to_a) if end == "a" else (self.b_to_a, self.a_to_b)
        there.send_at(bits_per_s)
        back.read_at(bits_per_s)

    def cut(self, now_ms: int) -> None:
        """Both directions are out from now on."""
        self.a_to_b.cut(now_ms)
        self.b_to_a.cut(now_ms)

    def mend(self, now_ms: int) -> None:
        """Both directions are good again."""
        self.a_to_b.mend(now_ms)
        self.b_to_a.mend(now_ms)

    def deadline_ms(self) -> int | None:
        """When the next piece in either direction will have arrived."""
        there, back = self.a_to_b.deadline_ms(), self.b_to_a.deadline_ms()
        if there is None or back is None:
            return back if there is None else there
        return min(there, back)
