"""Reliability: which frames arrived, which are lost, and when to ask.

The plan. A serial line may lose and damage bytes, but it never reorders them. So:

- Every DATA frame gets a number of its own, in the order of transmission, and a number is never used again:
  what was lost travels again under a new number, perhaps cut differently.
- An acknowledgement names the number after the last that came and tells which of those before it arrived.
  One of them that did not arrive never will: it is lost at once, without waiting for a timer.
- A timer is needed only where nothing follows to reveal the loss. It then sends the newest range again (had
  it arrived, its acknowledgement would have told of those before it), twice, and after that PINGs: tiny, so
  that they may go out often enough to find a line that returns. A PING names the next number, so its answer
  decides the fate of everything sent before it.

Numbers travel as 8 bits. The sender never runs more than NUMBERS_AHEAD_MAX ahead of what the receiver is
known to have seen, so it is always clear which number is meant. Times here are microseconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from host_link.frames import (
    HISTORY_BITS,
    PIGGYBACK_BITS,
    RECENT_BYTES,
    SHORT_NUMBER_BITS,
    AckBlock,
    Ping,
)

NUMBERS_AHEAD_MAX = 127
ACK_DELAY_US = 10_000
ACK_EVERY_FRAMES = 2
PROBE_INTERVAL_US = 75_000
"""Between two PINGs on a silent line, less one round trip: as long as still brings traffic back in time.

When the line returns, a PING may be that far off; then come its answer and the first message.
"""
RESENDS_BEFORE_PING = 2
RESEND_PAYLOAD_BYTES = 80
OUTAGE_OVERDUE_COUNT = 6
"""So many times nothing came in time: the line is out, not just bad."""
VARIANCE_FLOOR_US = 5_000
TIMEOUT_CAP_US = 80_000
PINGS_REMEMBERED = 128
"""Over six seconds of probing: where an echo takes longer than that, the round trip is never measured."""
_HISTORY_MASK = (1 << HISTORY_BITS) - 1


class RoundTrip:
    """The smoothed round trip, as RFC 6298 does it: gains 1/8 and 1/4, timeout = mean + 4 x deviation."""

    def __init__(self, initial_us: int) -> None:
        self.smoothed_us = initial_us
        self._deviation_us = initial_us // 2
        self.sample_count = 0
        self.timeout_us = self._timeout_us()
        """How long after the end of a frame its acknowledgement is overdue."""

    def sample(self, round_trip_us: int) -> None:
        """Take a measurement: from the end of a frame's transmission to its acknowledgement."""
        if not self.sample_count:
            self.smoothed_us, self._deviation_us = round_trip_us, round_trip_us // 2
        else:
            error_us = abs(round_trip_us - self.smoothed_us)
            self._deviation_us += (error_us - self._deviation_us) // 4
            self.smoothed_us += (round_trip_us - self.smoothed_us) // 8
        self.sample_count += 1
        self.timeout_us = self._timeout_us()

    def _timeout_us(self) -> int:
        timeout_us = self.smoothed_us + max(4 * self._deviation_us, VARIANCE_FLOOR_US)
        return min(timeout_us, max(TIMEOUT_CAP_US, 3 * self.smoothed_us))


class FrameSizer:
    """Finds the payload size that carries most, from the fates of frames.

    A frame of n bits gets through with probability (1 - p)^n; payload P with H bytes around it carries most
    where P (P + H) = H / 8p. p is errors / bits over the frames whose fate is known, the older counting less.
    A lost frame counts as the errors that it is likely to have had: more than one when it was long.
    """

    _PAYLOAD_BYTES_MIN = 16
    _FADE = 0.995
    _RECENT_FADE = 0.9
    _RUN_ERRORS_MAX = 4
    _RESTART_BYTES = 64
    _PRIOR_ERRORS, _PRIOR_BITS = 0.5, 40_000  # a cable that is neither perfect nor bad

    def __init__(self, payload_bytes_max: int, overhead_bytes: int) -> None:
        self.payload_bytes_max = payload_bytes_max
        self._overhead_bytes = overhead_bytes
        self._errors: float = self._PRIOR_ERRORS
        self._bits: float = self._PRIOR_BITS
        self._recent_errors = self._recent_bits = 0.0
        self._run_bits = 0  # since the last loss
        self._cautious_bytes = payload_bytes_max  # the largest payload for now

    @property
    def bit_error_rate(self) -> float:
        """The estimate."""
        return self._errors / self._bits

    def limit(self, payload_bytes_max: int) -> None:
        """The largest payload is another one from now on."""
        self.payload_bytes_max = self._cautious_bytes = payload_bytes_max

    def restart(self) -> None:
        """The line has come back: begin small, so that the first messages are through at once."""
        self._cautious_bytes = self._RESTART_BYTES

    def count(self, wire_bytes: int, *, lost: bool) -> None:
        """A frame's fate is known."""
        if not lost:
            self._cautious_bytes = min(2 * self._cautious_bytes, self.payload_bytes_max)
        bits = 8 * wire_bytes
        rate = self.bit_error_rate
        errors = _errors_in_lost(rate * bits) if lost else 0.0
        self._errors = self._errors * self._FADE + errors
        self._bits = self._bits * self._FADE + bits
        self._recent_errors = self._recent_errors * self._RECENT_FADE + errors
        self._recent_bits = self._recent_bits * self._RECENT_FADE + bits
        self._run_bits = 0 if lost else self._run_bits + bits
        if (
            self._recent_errors > 3 + 2 * rate * self._recent_bits
        ):  # it has become worse: forget the good past
            self._errors, self._bits = self._recent_errors, self._recent_bits
        # So long a run without a loss says that it has become better.
        self._errors = min(self._errors, self._RUN_ERRORS_MAX * self._bits / max(self._run_bits, 1))

    @property
    def carried_share(self) -> float:
        """Which part of the line's rate such frames carry, as far as is known."""
        total = self.payload_bytes + self._overhead_bytes
        return self.payload_bytes / total * math.exp(-8 * total * self.bit_error_rate)

    @property
    def payload_bytes(self) -> int:
        """The best payload now."""
        overhead = self._overhead_bytes
        best = (math.sqrt(overhead * overhead + overhead * self._bits / (2 * self._errors)) - overhead) / 2
        return min(max(round(best), self._PAYLOAD_BYTES_MIN), self._cautious_bytes, self.payload_bytes_max)


def _errors_in_lost(expected: float) -> float:
    """How many bit errors a lost frame has on average, when frames of its length have `expected` of them."""
    return expected / -math.expm1(-expected) if expected > 1e-9 else 1.0


class Receipts:
    """The receiving half: which frames came, and when to say so."""

    def __init__(self) -> None:
        self._next = 0
        self._history = _HISTORY_MASK  # bit i: frame _next - 1 - i; what was before the first counts as here
        self._unacknowledged = 0
        self._prompt = False  # the peer has nothing more to send, and its timer runs
        self.ack_due_us: int | None = None

    def accept(self, number: int, *, prompt: bool, now_us: int, number_bits: int = 8) -> None:
        """A DATA frame came; `number` is the low `number_bits` bits of its number."""
        ahead = self._ahead(number, number_bits)
        if ahead >= 0:
            self._history = (self._history << (ahead + 1) | 1) & _HISTORY_MASK
            self._next += ahead + 1
        else:
            self._history |= 1 << (-ahead - 1)
        self._unacknowledged += 1
        self._prompt = self._prompt or prompt
        if prompt or ahead != 0 or self._unacknowledged >= ACK_EVERY_FRAMES:
            self.ack_due_us = now_us
        elif self.ack_due_us is None:
            self.ack_due_us = now_us + ACK_DELAY_US

    def skip_to(self, number: int) -> None:
        """A PING came: frames before this 8-bit number that have not come are lost."""
        ahead = self._ahead(number, 8)
        if ahead > 0:
            self._history = self._history << ahead & _HISTORY_MASK
            self._next += ahead

    @property
    def fits_piggyback(self) -> bool:
        """Whether the short block on a DATA frame tells as much as an ACK would, and soon enough.

        A prompt frame is answered by an ACK: behind a long DATA frame the answer would come so late that the
        peer had to wait longer for all answers, and would notice losses later.
        """
        if self._prompt:
            return False
        recent = self._history & ((1 << 8 * RECENT_BYTES) - 1)
        return recent | ((1 << PIGGYBACK_BITS) - 1) == (1 << 8 * RECENT_BYTES) - 1

    def block(self) -> AckBlock:
        """What came so far, to be told in the frame that goes out now."""
        self._unacknowledged, self._prompt, self.ack_due_us = 0, False, None
        return AckBlock(self._next & 0xFF, self._history, HISTORY_BITS)

    def _ahead(self, number: int, bits: int) -> int:
        half = 1 << (bits - 1)
        return ((number - self._next + half) & (2 * half - 1)) - half


@dataclass(slots=True)
class SentFrame:
    """A DATA frame on its way: a range of a channel's stream."""

    channel: int
    start: int
    end: int
    wire_bytes: int
    prompt: bool = False  # it asks for an acknowledgement at once
    sent_us: int = 0  # when its last byte leaves
    seal_number: int = 0  # of a paired session
    resent: bool = False  # the timer has given its range back already
    in_outage: bool = False  # its loss says nothing about bit errors


class Fates(NamedTuple):
    """What an acknowledgement has decided."""

    arrived: list[SentFrame]
    lost: list[SentFrame]


class Flight:
    """The sending half: frames whose fate is not known, and the timer that asks for it."""

    def __init__(self, *, round_trip_us: int, probe_us_least: int, sizer: FrameSizer) -> None:
        self.round_trip = RoundTrip(round_trip_us)
        self.sizer = sizer
        self._probe_us_least = probe_us_least
        self._next_number = 0
        self._peer_next = 0  # the receiver's next number, as far as is known
        self._frames: dict[int, SentFrame] = {}  # by number, ascending
        self._pings: dict[int, int] = {}  # token -> when it left
        self._token = 0
        self._waiting_since_us = 0  # last sign of life, or last attempt to get one
        self._overdue_count = 0
        self.stalled = False
        """Frames were sent again and nothing came: only PINGs make sense."""
        self._patience_us = 0  # how long to wait for an answer while it is

    @property
    def may_send(self) -> bool:
        """Whether a DATA frame may go out: not while the line is silent, nor too far ahead of the peer."""
        return not self.stalled and self._next_number - self._peer_next < NUMBERS_AHEAD_MAX

    @property
    def payload_bytes(self) -> int:
        """The best payload now: what the timer sends again goes in smaller frames each time.

        Then one more hit costs less time, and is told of by the frame after it.
        """
        best = self.sizer.payload_bytes
        return min(best, RESEND_PAYLOAD_BYTES // self._overdue_count) if self._overdue_count else best

    @property
    def next_number(self) -> int:
        """The number of the next DATA frame, 8 bits."""
        return self._next_number & 0xFF

    @property
    def number_is_near(self) -> bool:
        """Whether the low bits that a short frame tells are enough."""
        return self._next_number - self._peer_next < 1 << (SHORT_NUMBER_BITS - 1)

    def sent(self, frame: SentFrame) -> None:
        """The frame with `next_number` goes out now."""
        self._frames[self._next_number] = frame
        self._next_number += 1

    def go_on(self, *, now_us: int) -> None:
        """Nothing went out for a while."""
        self._waiting_since_us = now_us

    def slow_down(self, round_trip_us: int, *, probe_us_least: int) -> None:
        """The line is slower from now on: what is known of the round trip is of no use any more."""
        self.round_trip = RoundTrip(round_trip_us)
        self._probe_us_least = probe_us_least
        self._be_patient()

    def next_ping(self, sent_us: int) -> Ping:
        """The PING that goes out now."""
        self._token = self._token % 0xFF + 1
        self._pings[self._token] = sent_us
        while len(self._pings) > PINGS_REMEMBERED:
            del self._pings[next(iter(self._pings))]
        self._waiting_since_us = sent_us
        return Ping(self._token, self.next_number)

    def acknowledged(self, block: AckBlock, *, now_us: int, echo: int = 0) -> Fates:
        """Work an acknowledgement in. One that is old or comes twice tells nothing wrong."""
        peer_next = self._next_number - ((self._next_number - block.next_number) & 0xFF)
        self._peer_next = max(self._peer_next, peer_next)
        fates = Fates([], [])
        for number in [number for number in self._frames if number < peer_next] if self._frames else ():
            back = peer_next - 1 - number
            if back < block.bits_known and block.received >> back & 1:
                fates.arrived.append(self._decide(number, lost=False))
            elif back < block.bits_known or block.bits_known == HISTORY_BITS:
                fates.lost.append(self._decide(number, lost=True))
        if echo:
            self._echoed(echo, now_us)
        elif fates.arrived:
            self._sample(fates.arrived, now_us)
        if fates.arrived:
            self._alive(now_us)
        return fates

    def deadline_us(self) -> int | None:
        """When an answer is overdue; None when none is awaited."""
        if not self._frames and not self._pings:
            return None
        if self.stalled:
            return self._waiting_since_us + self._patience_us
        since_us = self._waiting_since_us
        if self._frames:
            since_us = max(since_us, self._answerable_us())
        return since_us + self.round_trip.timeout_us

    def _be_patient(self) -> None:
        self.stalled = self._overdue_count > RESENDS_BEFORE_PING
        if self.stalled:
            patience_us = self.round_trip.timeout_us << min(self._overdue_count - RESENDS_BEFORE_PING - 1, 8)
            round_trip_us = self.round_trip.smoothed_us
            probe_us = max(round_trip_us, PROBE_INTERVAL_US - round_trip_us, self._probe_us_least)
            self._patience_us = min(patience_us, probe_us)

    def overdue(self, *, now_us: int, more_follows: bool) -> SentFrame | None:
        """The deadline has passed. Returns a frame to send again; None: send a PING.

        While more data follows a PING is enough: what follows fills the line anyway.
        """
        self._overdue_count += 1
        self._be_patient()
        self._waiting_since_us = now_us
        if self._overdue_count == OUTAGE_OVERDUE_COUNT:
            for frame in self._frames.values():
                frame.in_outage = True
        if self.stalled or more_follows:
            return None
        newest = next((frame for frame in reversed(self._frames.values()) if not frame.resent), None)
        if newest is not None:
            newest.resent = True
        return newest

    def _answerable_us(self) -> int:
        """When the first frame left whose arrival is acknowledged at once: the second, or a prompt one."""
        frames = (frame for frame in self._frames.values() if not frame.resent)
        first = next(frames, None)
        if first is None:
            return 0
        return first.sent_us if first.prompt else next(frames, first).sent_us

    def _sample(self, arrived: list[SentFrame], now_us: int) -> None:
        """Only the acknowledgement of a frame that is answered at once tells the round trip."""
        newest = arrived[-1]
        if not newest.resent and (newest.prompt or len(arrived) >= ACK_EVERY_FRAMES):
            self.round_trip.sample(max(0, now_us - newest.sent_us))

    def _echoed(self, token: int, now_us: int) -> None:
        sent_us = self._pings.get(token)
        if sent_us is None:
            return
        self.round_trip.sample(max(0, now_us - sent_us))
        self._pings = {later: when_us for later, when_us in self._pings.items() if when_us > sent_us}
        self._alive(now_us)

    def _alive(self, now_us: int) -> None:
        if self.stalled:
            self.sizer.restart()
        self._overdue_count, self.stalled = 0, False
        self._waiting_since_us = max(self._waiting_since_us, now_us)

    def _decide(self, number: int, *, lost: bool) -> SentFrame:
        frame = self._frames.pop(number)
        if not (lost and frame.in_outage):
            self.sizer.count(frame.wire_bytes, lost=lost)
        return frame
