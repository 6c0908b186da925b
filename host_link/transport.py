"""One session's traffic: channels' streams in frames, acknowledgements, and the line's own time.

A Transport lives as long as a session. It decides which frame goes out next:

1. an acknowledgement that is due and cannot ride on data, or that answers a PING;
2. a PING;
3. DATA of the lowest channel that has some, once the line is nearly free. Frames are handed over only a few
   milliseconds ahead of the line, so that an urgent message never waits behind more than one frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from host_link.arq import PINGS_REMEMBERED, Fates, Flight, FrameSizer, Receipts, SentFrame
from host_link.credit import HOLD_BYTES, LINK_CHANNEL, Go, Hold, decode_credit, encode_credit
from host_link.errors import ProtocolViolation
from host_link.frames import (
    LONG_HEADER_BYTES,
    PIGGYBACK_BYTES,
    SHORT_HEADER_BYTES,
    SHORT_OFFSET_BITS,
    Ack,
    Body,
    Data,
    Ping,
    encode_body,
)
from host_link.framing import DELIMITER, encode_frame, frame_bytes
from host_link.handshake import Agreement
from host_link.pairing import SEAL_BYTES_MAX, SEAL_BYTES_USUAL, Sealer
from host_link.streams import ReceiveStream, SendStream

BITS_PER_BYTE = 10
"""8N1: start bit, eight data bits, stop bit."""
AHEAD_US = 5_000
FRAME_TIME_MAX_US = 100_000
PAYLOAD_BYTES_LEAST = 58
INITIAL_ROUND_TRIP_US = 50_000
_SHORT_FRAME_BYTES = 16
_OWN_MESSAGE_ID = 0  # of the link's own messages: nobody asks what became of them


def earliest(*moments: int | None) -> int | None:
    """The earliest of some moments, each of which may be missing."""
    first = None
    for moment in moments:
        if moment is not None and (first is None or moment < first):
            first = moment
    return first


class Pace:
    """The sending line: when it will have sent all that was handed to it."""

    def __init__(self, bits_per_s: int) -> None:
        self.bits_per_s = bits_per_s
        self.free_us = 0

    def change_to(self, bits_per_s: int, now_us: int) -> None:
        """The line has another rate from now on; what it had not sent yet is lost."""
        self.bits_per_s, self.free_us = bits_per_s, now_us

    def duration_us(self, byte_count: int) -> int:
        """How long the line takes for that many bytes."""
        return byte_count * BITS_PER_BYTE * 1_000_000 // self.bits_per_s

    def hand_over(self, frame: bytes, now_us: int) -> bytes:
        """The frame for the line: after a pause it needs a boundary before it, behind another frame none."""
        if self.free_us <= now_us:
            frame, self.free_us = DELIMITER + frame, now_us
        self.free_us += self.duration_us(len(frame))
        return frame

    def occupy(self, byte_count: int, now_us: int) -> int:
        """Hand bytes to the line; returns when the last of them will have left."""
        self.free_us = max(self.free_us, now_us) + self.duration_us(byte_count)
        return self.free_us


class Transport:
    """The traffic of one session, both directions."""

    def __init__(self, channels: Iterable[int], pace: Pace) -> None:
        self.ping_wanted = False
        self.ranges_resent = 0
        self._pace = pace
        self._outgoing = {channel: SendStream() for channel in (LINK_CHANNEL, *sorted(channels))}
        self._incoming = {channel: ReceiveStream() for channel in self._outgoing}
        self._receipts = Receipts()
        self._echo = 0
        self._holds = False  # some sender was stopped
        self._has_nothing = False  # no stream has anything that may go out; to be looked at again when False
        self._ping_seals: dict[int, int] = {}  # token -> number of the seal
        self.limit(Agreement())

    def limit(self, agreement: Agreement, sealer: Sealer | None = None) -> None:
        """Keep to what both ends can do, and seal the frames. Called before anything has gone out."""
        self._sealer = sealer
        self._seal_bytes = SEAL_BYTES_USUAL if sealer else 0
        seal_bytes_max = SEAL_BYTES_MAX if sealer else 0
        self._payload_bytes_most = (
            agreement.body_bytes_max - seal_bytes_max - LONG_HEADER_BYTES - PIGGYBACK_BYTES
        )
        short_us = self._pace.duration_us(4 * _SHORT_FRAME_BYTES)
        self.flight = Flight(
            round_trip_us=INITIAL_ROUND_TRIP_US + short_us,
            probe_us_least=short_us,
            sizer=FrameSizer(self._payload_bytes_max, frame_bytes(self._seal_bytes + SHORT_HEADER_BYTES)),
        )
        for stream in self._outgoing.values():
            stream.window_bytes = agreement.window_bytes
        self._has_nothing = False

    @property
    def _payload_bytes_max(self) -> int:
        """What a frame may hold so that it does not take the line for too long."""
        in_time = FRAME_TIME_MAX_US * self._pace.bits_per_s // (BITS_PER_BYTE * 1_000_000)
        return min(self._payload_bytes_most, max(in_time, PAYLOAD_BYTES_LEAST))

    def go_on(self, *, now_us: int) -> None:
        """Traffic begins again after a while: ask at once."""
        self.flight.go_on(now_us=now_us)
        self.ping_wanted = True

    def rate_changed(self, bits_per_s_before: int) -> None:
        """The line has another rate. On a faster one, what is known of the round trip is careful enough."""
        self.flight.sizer.limit(self._payload_bytes_max)
        if self._pace.bits_per_s < bits_per_s_before:
            short_us = self._pace.duration_us(4 * _SHORT_FRAME_BYTES)
            self.flight.slow_down(INITIAL_ROUND_TRIP_US + short_us, probe_us_least=short_us)

    @property
    def unconfirmed(self) -> list[int]:
        """The ids of all messages queued and not confirmed, oldest first."""
        ids = (message_id for stream in self._outgoing.values() for message_id in stream.unconfirmed)
        return sorted(message_id for message_id in ids if message_id != _OWN_MESSAGE_ID)

    @property
    def timeout_us(self) -> int:
        """How long an answer may take."""
        return self.flight.round_trip.timeout_us

    @property
    def awaits_answer(self) -> bool:
        """Whether something has been sent, or is about to be, that the peer must answer."""
        return self.ping_wanted or self.flight.deadline_us() is not None

    def queue(self, channel: int, message_id: int, payload: bytes) -> None:
        """Take a message to be sent."""
        self._outgoing[channel].append(message_id, payload)
        self._has_nothing = False

    def backlog_bytes(self, channel: int) -> int:
        """How many bytes of the channel's stream are not confirmed."""
        return self._outgoing[channel].backlog_bytes

    def _regulate(self, waiting_bytes: Mapping[int, int]) -> None:
        """Stop the senders of channels on which too much waits for the user, let others go on."""
        for channel, stream in self._incoming.items():
            waiting = waiting_bytes.get(channel, 0)
            if stream.limit is None:
                if waiting >= HOLD_BYTES:
                    self._tell(Hold(channel, stream.hold() & 0xFFFF))
            elif not waiting:
                stream.limit = None
                self._tell(Go(channel))
        self._holds = any(stream.limit is not None for stream in self._incoming.values())

    def _tell(self, credit: Hold | Go) -> None:
        self.queue(LINK_CHANNEL, _OWN_MESSAGE_ID, encode_credit(credit))

    # --- what came ---

    def on_data(self, data: Data, *, now_us: int) -> list[bytes]:
        """Work a DATA frame in and return the messages it completes. Raises ProtocolViolation."""
        stream = self._incoming.get(data.channel)
        if stream is None:
            raise ProtocolViolation(f"the peer sent on channel {data.channel}, which does not exist")
        if not stream.takes(data.offset, len(data.payload), offset_bits=data.offset_bits):
            return []  # as if it had been lost: the peer does not know yet that it shall stop
        self._receipts.accept(data.number, number_bits=data.number_bits, prompt=data.prompt, now_us=now_us)
        messages = stream.accept(data.offset, data.payload, offset_bits=data.offset_bits)
        if data.channel != LINK_CHANNEL:
            return messages
        for message in messages:
            self._on_credit(decode_credit(message))
        return []

    def _on_credit(self, credit: Hold | Go | None) -> None:
        if credit is None:
            return
        stream = self._outgoing.get(credit.channel)
        if stream is None or credit.channel == LINK_CHANNEL:
            raise ProtocolViolation(f"the peer holds channel {credit.channel}, which does not exist")
        self._has_nothing = False
        if isinstance(credit, Hold):
            stream.hold(credit.limit)
        else:
            stream.go()

    def on_ack(self, ack: Ack, *, now_us: int) -> list[int]:
        """Work an acknowledgement in and return the ids of the messages that it confirms."""
        fates = self.flight.acknowledged(ack.block, echo=ack.echo, now_us=now_us)
        if self._sealer:
            seen = [frame.seal_number for frame in fates.arrived]
            self._sealer.arrived(max([*seen, self._ping_seals.pop(ack.echo, -1)]))
        return self._settle(fates)

    def on_ping(self, ping: Ping, *, now_us: int) -> None:
        """Remember to answer at once."""
        self._receipts.skip_to(ping.number)
        self._receipts.ack_due_us = now_us
        self._echo = ping.token

    def _settle(self, fates: Fates) -> list[int]:
        if not fates.arrived and not fates.lost:
            return []
        self._has_nothing = False
        delivered = []
        for frame in fates.arrived:
            delivered += self._outgoing[frame.channel].confirm(frame.start, frame.end)
        for frame in fates.lost:
            if not frame.resent:
                self._give_back(frame)
        return [message_id for message_id in delivered if message_id != _OWN_MESSAGE_ID]

    def _give_back(self, frame: SentFrame) -> None:
        self.ranges_resent += 1
        self._has_nothing = False
        self._outgoing[frame.channel].give_back(frame.start, frame.end)

    # --- timers ---

    def deadline_us(self, keep_alive_us: int) -> int:
        """When to call `on_deadline` and `frames` again; a moment that has passed means at once.

        `keep_alive_us`: when to ask whether the peer is there, unless an answer is awaited anyway.
        """
        if self.ping_wanted:
            return 0
        due_us = self.flight.deadline_us()
        if due_us is None:
            due_us = keep_alive_us
        ack_due_us = self._receipts.ack_due_us
        if ack_due_us is not None and ack_due_us < due_us:
            due_us = ack_due_us
        if self._has_nothing or self._next_stream() is None:
            return due_us
        return min(due_us, self._pace.free_us - AHEAD_US)

    def on_deadline(self, *, now_us: int) -> None:
        """Send again, or ask, what has been waiting too long for an answer."""
        deadline_us = self.flight.deadline_us()
        if deadline_us is None or deadline_us > now_us:
            return
        overdue = self.flight.overdue(now_us=now_us, more_follows=self._next_stream() is not None)
        if overdue:
            self._give_back(overdue)
        self.ping_wanted = overdue is None or not self.flight.may_send

    # --- what goes out ---

    def frames(self, waiting_bytes: Mapping[int, int], tag: int, *, now_us: int) -> list[bytes]:
        """All frames for the line that may go out now.

        `waiting_bytes` tells how much waits for the user on each channel on which anything does.
        """
        if waiting_bytes or self._holds:
            self._regulate(waiting_bytes)
        frames, receipts = [], self._receipts
        while self.ping_wanted or receipts.ack_due_us is not None or not self._has_nothing:
            if (frame := self._next_frame(tag, now_us)) is None:
                break
            frames.append(frame)
        return frames

    def _next_frame(self, tag: int, now_us: int) -> bytes | None:
        stream = self._next_stream() if self._pace.free_us - AHEAD_US <= now_us else None
        due_us = self._receipts.ack_due_us
        ack_is_due = due_us is not None and due_us <= now_us
        if self._echo or (ack_is_due and not (stream and self._receipts.fits_piggyback)):
            return self.hand_over(self._ack(), tag, now_us=now_us)
        if self.ping_wanted:
            self.ping_wanted = False
            sent_us = max(now_us, self._pace.free_us)
            return self.hand_over(self._ping(sent_us), tag, now_us=now_us)
        return self._data_frame(*stream, tag, now_us) if stream else None

    def _next_stream(self) -> tuple[int, SendStream] | None:
        if self._has_nothing or not self.flight.may_send:
            return None
        for number, stream in self._outgoing.items():
            if stream.has_sendable:
                return number, stream
        self._has_nothing = True
        return None

    def _ack(self) -> Ack:
        echo, self._echo = self._echo, 0
        return Ack(self._receipts.block(), echo)

    def _ping(self, sent_us: int) -> Ping:
        ping = self.flight.next_ping(sent_us)
        if self._sealer:
            self._ping_seals[ping.token] = self._sealer.count
            while len(self._ping_seals) > PINGS_REMEMBERED:
                del self._ping_seals[next(iter(self._ping_seals))]
        return ping

    def _data_frame(self, channel: int, stream: SendStream, tag: int, now_us: int) -> bytes:
        ack = None
        if self._receipts.ack_due_us is not None and self._receipts.fits_piggyback:
            ack = self._receipts.block()
        sizer, number = self.flight.sizer, self.flight.next_number
        short = self.flight.number_is_near
        start, payload = stream.take(self.flight.payload_bytes, sizer.payload_bytes_max)
        short = short and stream.is_near(start, 1 << (SHORT_OFFSET_BITS - 1))
        wire_bytes = frame_bytes(self._seal_bytes + LONG_HEADER_BYTES - short + len(payload))
        sent = SentFrame(channel, start, start + len(payload), wire_bytes)
        self.flight.sent(sent)
        sent.seal_number = self._sealer.count if self._sealer else 0
        sent.prompt = self._next_stream() is None
        data = Data(channel, number, start & 0xFFFF, payload, sent.prompt, ack, short)
        frame = self.hand_over(data, tag, now_us=now_us)
        sent.sent_us = self._pace.free_us
        return frame

    def hand_over(self, body: Body, tag: int, *, now_us: int) -> bytes:
        """Any frame of the session, for the line."""
        encoded = encode_body(body)
        if self._sealer:
            encoded = self._sealer.seal(encoded)
        return self._pace.hand_over(encode_frame(encoded, tag), now_us)
