"""A serial line in software, in virtual time: the bytes take as long as on a wire, and the wire misbehaves.

Modelled: the line's rate (8N1), bit errors, bytes lost and inserted, latency (a USB adapter's 1 to 16 ms),
outages. Not modelled: framing errors, half duplex, jitter. All chance comes from the source that is handed
in, so the same seed gives the same run.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
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
        self._left = self._gap()

    def positions(self, trials: int) -> list[int]:
        """Which of the next `trials` trials hit."""
        hits = []
        while self._left < trials:
            hits.append(self._left)
            self._left += 1 + self._gap()
        self._left -= trials
        return hits

    def _gap(self) -> int:
        if self._probability <= 0:
            return 1 << 62
        if self._probability >= 1:
            return 0
        return int(math.log(1 - self._rng.random()) / math.log(1 - self._probability))


class Line:
    """One direction. Times are milliseconds of any clock that does not run backwards.

    `bit_error_rate` counts data bits; `drop_rate` and `insert_rate` count bytes. `outages` are (from, to) in
    milliseconds: a byte whose last bit falls inside is lost.
    """

    def __init__(
        self,
        rng: RandomSource,
        *,
        bits_per_s: int = 115_200,
        bit_error_rate: float = 0.0,
        drop_rate: float = 0.0,
        insert_rate: float = 0.0,
        latency_ms: int = 0,
        outages: Iterable[tuple[int, int]] = (),
    ) -> None:
        self.byte_count = 0
        self._rng = rng
        self._byte_ns = _BITS_PER_BYTE * 1_000_000_000 // bits_per_s
        self._flips = _Faults(bit_error_rate, rng)
        self._drops = _Faults(drop_rate, rng)
        self._inserts = _Faults(insert_rate, rng)
        self._latency_ns = latency_ms * _NS_PER_MS
        self._outages = [(begin * _NS_PER_MS, end * _NS_PER_MS) for begin, end in outages]
        self._cut_ns: int | None = None
        self._free_ns = 0
        self._pieces: deque[tuple[int, bytes]] = deque()  # (when its first byte is complete, bytes)

    def write(self, data: bytes, now_ms: int) -> None:
        """Put bytes on the line; they queue behind what is still being sent."""
        start_ns = max(now_ms * _NS_PER_MS, self._free_ns)
        self._free_ns = start_ns + len(data) * self._byte_ns
        self.byte_count += len(data)
        damaged = self._damage(data)
        if damaged:
            self._pieces.append((start_ns + self._byte_ns, damaged))

    def read(self, now_ms: int) -> bytes:
        """The bytes that have arrived by now."""
        out = bytearray()
        horizon_ns = now_ms * _NS_PER_MS - self._latency_ns
        while self._pieces and self._pieces[0][0] <= horizon_ns:
            first_ns, data = self._pieces.popleft()
            complete = min(len(data), (horizon_ns - first_ns) // self._byte_ns + 1)
            out += self._survivors(first_ns, data[:complete])
            if complete < len(data):
                self._pieces.appendleft((first_ns + complete * self._byte_ns, data[complete:]))
        return bytes(out)

    def deadline_ms(self) -> int | None:
        """When the oldest written piece will have arrived as a whole; None when nothing is under way.

        Its bytes can be read one by one before that, as they come.
        """
        if not self._pieces:
            return None
        first_ns, data = self._pieces[0]
        return -(-(first_ns + (len(data) - 1) * self._byte_ns + self._latency_ns) // _NS_PER_MS)

    def cut(self, now_ms: int) -> None:
        """The line is out from now on."""
        if self._cut_ns is None:
            self._cut_ns = now_ms * _NS_PER_MS

    def mend(self, now_ms: int) -> None:
        """The line is good again."""
        if self._cut_ns is not None:
            self._outages.append((self._cut_ns, now_ms * _NS_PER_MS))
            self._cut_ns = None

    def _damage(self, data: bytes) -> bytes:
        damaged = bytearray(data)
        for bit in self._flips.positions(8 * len(data)):
            damaged[bit >> 3] ^= 1 << (bit & 7)
        drops, inserts = self._drops.positions(len(data)), self._inserts.positions(len(data))
        for index in sorted({*drops, *inserts}, reverse=True):
            inserted = bytes([self._rng.randrange(256)]) if index in inserts else b""
            damaged[index : index + (index in drops)] = inserted
        return bytes(damaged)

    def _survivors(self, first_ns: int, data: bytes) -> bytes:
        last_ns = first_ns + (len(data) - 1) * self._byte_ns
        outages = [outage for outage in self._outages if outage[0] <= last_ns and outage[1] > first_ns]
        if self._cut_ns is not None:
            outages.append((self._cut_ns, last_ns + 1))
        if not outages:
            return data
        times = (first_ns + index * self._byte_ns for index in range(len(data)))
        return bytes(
            byte
            for byte, at_ns in zip(data, times, strict=True)
            if not any(begin <= at_ns < end for begin, end in outages)
        )


class DuplexLine:
    """A line in both directions between end "a" and end "b"."""

    def __init__(self, a_to_b: Line, b_to_a: Line) -> None:
        self.a_to_b = a_to_b
        self.b_to_a = b_to_a

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
        moments = [line.deadline_ms() for line in (self.a_to_b, self.b_to_a)]
        return min((moment for moment in moments if moment is not None), default=None)
