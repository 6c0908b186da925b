"""The link as its two users see it: messages on channels, and the truth about what became of them.

A session takes bytes and the time, and gives bytes, events and the time at which it wants to be called. It
does no I/O. Its owner turns one crank:

    session.receive(bytes from the port, now_ms=now)          whenever there are some
    session.on_deadline(now_ms=now)                           whenever deadline_ms() has come
    while event := session.next_event(): ...                  after either
    port.write(session.bytes_to_send(now_ms=now))             last, after anything else that was called

Promises. On each channel messages arrive whole, in order and exactly once while both ends keep running,
whatever the line does and however long it is out. Every message sent is reported exactly once: as
MessageDelivered when the peer's link has it, or as MessageUnconfirmed when the session ended first; then it
may or may not have arrived. Nothing unconfirmed is ever sent again in another session: that is for the user
to decide.
"""

from __future__ import annotations

from dataclasses import replace

from host_link.errors import MessageTooLong, ProtocolViolation, SessionClosed
from host_link.events import (
    Channel,
    DownReason,
    LineRate,
    LinkCounters,
    LinkDown,
    LinkEvent,
    LinkUp,
    MessageDelivered,
    MessageReceived,
    MessageUnconfirmed,
    PeerRestarted,
)
from host_link.frames import (
    CAN_CHANGE_RATE,
    Ack,
    Body,
    Close,
    Data,
    Hello,
    Ping,
    Rate,
    decode_body,
)
from host_link.framing import NO_SESSION_TAG, FrameDecoder, NoiseReason, NoiseSkipped
from host_link.greetings import Greetings
from host_link.handshake import Handshake, HelloOutcome, Role
from host_link.hello_timer import HelloTimer
from host_link.inbox import Inbox
from host_link.liveness import Liveness
from host_link.pairing import Pairing
from host_link.rate import RateControl
from host_link.streams import MESSAGE_BYTES_MAX
from host_link.transport import Pace, Transport, earliest

__all__ = [
    "Channel",
    "DownReason",
    "LineRate",
    "LinkCounters",
    "LinkDown",
    "LinkEvent",
    "LinkUp",
    "MessageDelivered",
    "MessageReceived",
    "MessageUnconfirmed",
    "PeerRestarted",
    "Role",
    "Session",
]

HELLO_INTERVAL_US = 50_000
_ASK_SHARE = 16  # a HELLO to a silent peer takes at most this part of the line
_HELLO_FRAME_BYTES = 27
_PAIRED_HELLO_FRAME_BYTES = 67


_REJECTIONS = {
    HelloOutcome.INCOMPATIBLE: DownReason.INCOMPATIBLE,
    HelloOutcome.REFUSED: DownReason.AUTHENTICATION,
}


class Session:
    """One end of the link.

    `nonce`: 32 random bits, other ones at every start. `bits_per_s`: the line's rate, 8N1. With a
    `pairing_key` (32 bytes) the session is authenticated and enciphered, and only a peer with the same key
    is talked to; it needs a `pairing_salt`, 12 random bytes, other ones at every start. With a
    `max_bits_per_s` over the rate, a faster one is agreed with the peer (LineRate) if it can do that too.
    Raises ValueError when one of the two has the wrong length.
    """

    def __init__(
        self,
        role: Role,
        *,
        nonce: int,
        bits_per_s: int = 115_200,
        pairing_key: bytes | None = None,
        pairing_salt: bytes = b"",
        max_bits_per_s: int | None = None,
    ) -> None:
        self.is_up = False
        self._counters = LinkCounters()
        self._open = False
        pairing = None if pairing_key is None else Pairing(pairing_key, pairing_salt)
        self._is_paired = pairing is not None
        self._rates = RateControl(bits_per_s, max_bits_per_s, leads=role is Role.GATEWAY)
        self._was_quiet = False
        capabilities = CAN_CHANGE_RATE if self._rates.can_change else 0
        self._handshake = Handshake(role, nonce, pairing, capabilities=capabilities)
        self._decoder = FrameDecoder()
        self._pace = Pace(bits_per_s)
        self._transport = Transport(Channel, self._pace)
        hello_bytes = _PAIRED_HELLO_FRAME_BYTES if pairing else _HELLO_FRAME_BYTES
        self._hello = HelloTimer(max(HELLO_INTERVAL_US, self._pace.duration_us(4 * hello_bytes)))
        self._liveness = Liveness(self._pace.duration_us(_ASK_SHARE * hello_bytes))
        self._in_session = False
        self._greetings = Greetings(self._handshake, self._pace, self._rates, self._hello)
        self._rejected_nonce = 0
        self._last_message_id = 0
        self._inbox = Inbox()
        self._at_rest = False  # nothing has been called since `bytes_to_send` that could change what is due
        self._rest_ends_ms: int | None = None

    # --- what the user does ---

    def open(self, *, now_ms: int) -> None:
        """Start to look for the peer. An open session stays as it is."""
        self._at_rest = False
        if not self._open:
            self._open = True
            self._decoder.tag = self._handshake.peer_tag
            self._hello.begin(now_ms * 1000)

    def line_returned(self, *, now_ms: int) -> None:
        """The port is there again, at its first rate: look for the peer at once, known or not."""
        self._at_rest = False
        self._rates.line_is_out()
        if self.is_up:
            self._rates.link_is_up(now_ms * 1000, agreed=self._handshake.agreement.can_change_rate)
        self._follow_rate(now_ms * 1000)
        if self._hello.due_us is not None:
            self._hello.begin(now_ms * 1000)
        self._transport.ping_wanted = self._in_session

    def rate_refused(self, *, now_ms: int) -> None:
        """The port could not be set to the rate of the newest LineRate; it has kept the one before."""
        self._at_rest = False
        self._rates.give_up(now_ms * 1000)
        self._follow_rate(now_ms * 1000)

    def close(self, reason: DownReason = DownReason.CLOSED, *, now_ms: int) -> None:
        """End the session and tell the peer. Whatever was not delivered is reported as unconfirmed."""
        self._at_rest = False
        if self._open:
            tag = self._decoder.tag
            self._end(reason, now_us=now_ms * 1000)
            self._open = False
            self._hello.stop()
            self._decoder.tag = tag  # a peer that missed the CLOSE will be told again
            self._follow_rate(now_ms * 1000)

    def send(self, channel: Channel, payload: bytes, *, now_ms: int) -> int:  # noqa: ARG002 - time is part of every call
        """Queue a message, up or not, and return its id; MessageDelivered or MessageUnconfirmed will tell.

        Raises MessageTooLong over 1 MiB, SessionClosed before `open` and after `close`.
        """
        if not self._open:
            raise SessionClosed("the link is closed: open it before sending")
        if len(payload) > MESSAGE_BYTES_MAX:
            raise MessageTooLong(f"a message of {len(payload)} bytes: the link takes {MESSAGE_BYTES_MAX}")
        self._at_rest = False
        self._last_message_id += 1
        self._transport.queue(channel, self._last_message_id, payload)
        self._counters.messages_sent += 1
        return self._last_message_id

    def next_event(self) -> LinkEvent | None:
        """The oldest event not yet asked for."""
        event = self._inbox.take()
        if event is not None:
            self._at_rest = False  # there is room for more
        return event

    def pause(self, channel: Channel) -> None:
        """Keep the channel's messages back; when enough of them wait, the peer's sender stops.

        Other channels go on. To be followed by `bytes_to_send`, as is `resume`.
        """
        self._at_rest = False
        self._inbox.pause(channel)

    def resume(self, channel: Channel) -> None:
        """Give the channel's messages again, those that were kept back first."""
        self._at_rest = False
        self._inbox.resume(channel)

    def backlog_bytes(self, channel: Channel) -> int:
        """How much of what was sent on the channel the peer does not have yet, as far as is known."""
        return self._transport.backlog_bytes(channel)

    @property
    def bits_per_s(self) -> int:
        """The line's rate now."""
        return self._rates.bits_per_s

    @property
    def spoilt_and_good_frames(self) -> tuple[int, int]:
        """These two of the counters, for a display that is drawn at every key."""
        counters = self._counters
        return counters.spoilt_frames + self._transport.ranges_resent, counters.good_frames

    @property
    def counters(self) -> LinkCounters:
        """The counters as they stand."""
        self._counters.bits_per_s = self._rates.bits_per_s
        self._counters.rate_raises = self._rates.raise_count
        self._counters.rate_fall_backs = self._rates.fall_back_count
        self._counters.round_trip_us = self._transport.flight.round_trip.smoothed_us
        self._counters.payload_bytes = self._transport.flight.sizer.payload_bytes
        current = self._transport.ranges_resent
        return replace(self._counters, ranges_resent=self._counters.ranges_resent + current)

    # --- bytes in ---

    def receive(self, data: bytes, *, now_ms: int) -> None:
        """Take bytes from the line, in pieces of any size."""
        if not data:
            return
        self._at_rest = False
        self._counters.bytes_received += len(data)
        self._rates.disturbed(now_ms * 1000)  # unless a frame follows
        for event in self._decoder.frames(data):  # one by one: a HELLO changes the tag of the next frame
            if isinstance(event, NoiseSkipped):
                self._counters.noise_pieces += 1
                self._counters.noise_bytes += event.byte_count
                self._counters.check_errors += event.reason is NoiseReason.BAD_CHECK
                self._hello.hurry(now_ms * 1000)
            elif self._open:
                self._counters.frames_received += 1
                self._on_frame(event.body, now_ms * 1000, in_session=event.in_session)
            elif event.in_session:
                self._greetings.say_farewell(now_ms * 1000)
        self._follow_rate(now_ms * 1000)

    def _on_frame(self, encoded: bytes, now_us: int, *, in_session: bool) -> None:
        if self._is_paired and in_session:
            protection = self._handshake.protection
            opened = protection.opener.open(encoded) if protection else None
            if opened is None:
                self._counters.frames_refused += 1
                return
            encoded = opened
        try:
            body = decode_body(encoded)
            if isinstance(body, Hello):
                self._on_hello(body, now_us)
            elif in_session:
                self._hear(now_us)
                self._on_body(body, now_us)
        except ProtocolViolation:
            if in_session or not self._is_paired:  # else anybody could have made it
                self._end(DownReason.PROTOCOL, now_us=now_us)

    def _on_body(self, body: Body | None, now_us: int) -> None:
        if isinstance(body, Rate):
            self._rates.on_rate(body, now_us)
            return
        self._rates.heard()
        match body:
            case Data():
                if body.ack:
                    self._on_ack(Ack(body.ack), now_us)
                for message in self._transport.on_data(body, now_us=now_us):
                    self._counters.messages_received += 1
                    self._inbox.put(MessageReceived(Channel(body.channel), message))
            case Ack():
                self._on_ack(body, now_us)
            case Ping():
                self._transport.on_ping(body, now_us=now_us)
            case Close():
                self._end(DownReason.PEER_CLOSED, now_us=now_us)

    def _on_ack(self, ack: Ack, now_us: int) -> None:
        for message_id in self._transport.on_ack(ack, now_us=now_us):
            self._counters.messages_delivered += 1
            self._inbox.put(MessageDelivered(message_id))

    def _on_hello(self, hello: Hello, now_us: int) -> None:
        outcome = self._handshake.accept(hello)
        if outcome is HelloOutcome.REFLECTED:
            self._counters.reflections += 1
            return
        self._hello.hurry(now_us)
        if outcome is HelloOutcome.PEER_RESTARTED:
            self._counters.peer_restarts += 1
            self._go_down(DownReason.PEER_RESTARTED)
            self._inbox.put(PeerRestarted())
            self._forget()
        elif outcome in _REJECTIONS:
            self._reject(hello.nonce, _REJECTIONS[outcome])
        self._decoder.tag = self._handshake.peer_tag
        # A paired end is not kept up by HELLOs: any that names its nonce might be a recording.
        is_news = outcome is HelloOutcome.ESTABLISHED or not self._is_paired
        if outcome not in _REJECTIONS and self._handshake.established and is_news:
            self._hear(now_us)
        if hello.answer_wanted or not self._handshake.established:
            self._hello.answer(now_us)

    def _reject(self, nonce: int, reason: DownReason) -> None:
        """Tell once of each peer that cannot be talked to. While paired ends talk, no stranger is told of."""
        if nonce == self._rejected_nonce or (self._is_paired and self._in_session):
            return
        self._rejected_nonce = nonce
        self._inbox.put(LinkDown(reason))

    def _hear(self, now_us: int) -> None:
        """The peer is there, and in this session."""
        self._liveness.hear(now_us)
        self._handshake.established = True
        if not self._in_session:
            self._in_session = True
            self._hello.stop()
            protection = self._handshake.protection
            self._transport.limit(self._handshake.agreement, protection.sealer if protection else None)
            self._transport.ping_wanted = True  # its answer is the first measure of the round trip
        if not self.is_up:
            self.is_up = True
            self._inbox.put(LinkUp())
            self._rates.link_is_up(now_us, agreed=self._handshake.agreement.can_change_rate)

    # --- endings ---

    def _end(self, reason: DownReason, *, now_us: int) -> None:
        """Leave the session for good and look for a new one."""
        if self._handshake.peer_nonce:
            self._greetings.prepare_farewell(reason)
            if reason is not DownReason.PEER_CLOSED:
                self._greetings.say_farewell(now_us)
                self._rates.say_farewell()
        self._go_down(reason)
        self._forget()
        self._handshake.renew()
        self._decoder.tag = NO_SESSION_TAG
        self._hello.begin(now_us)

    def _go_down(self, reason: DownReason) -> None:
        if self.is_up:
            self.is_up = False
            self._inbox.put(LinkDown(reason))

    def _forget(self) -> None:
        """Drop the session's traffic and report what was not confirmed."""
        unconfirmed = self._transport.unconfirmed
        self._counters.messages_unconfirmed += len(unconfirmed)
        self._counters.ranges_resent += self._transport.ranges_resent
        self._inbox.extend(MessageUnconfirmed(message_id) for message_id in unconfirmed)
        self._transport = Transport(Channel, self._pace)
        self._in_session = False
        self._rates.session_ended()

    # --- the line's rate ---

    def _follow_rate(self, now_us: int) -> None:
        """Have the line, and what depends on its rate, follow what has been agreed."""
        rates, before = self._rates, self._pace.bits_per_s
        if not rates.can_change:
            return
        if rates.is_raised:
            rates.judge(self._transport.flight.sizer.carried_share, now_us)
        if rates.bits_per_s != before:
            self._pace.change_to(rates.bits_per_s, now_us)
            self._transport.rate_changed(before)
            self._inbox.put(LineRate(rates.bits_per_s))
        if rates.bits_per_s != before or (self._was_quiet and not rates.is_quiet):
            self._transport.go_on(now_us=now_us)
        self._was_quiet = rates.is_quiet

    # --- time ---

    def deadline_ms(self) -> int | None:
        """When to call `on_deadline` and then `bytes_to_send`; what has passed means at once.

        After those two calls it lies in the future.
        """
        return self._rest_ends_ms if self._at_rest else self._soonest_ms()

    def _soonest_ms(self) -> int | None:
        first_us, rates, liveness = self._greetings.due_us, self._rates, self._liveness
        if rates.can_change:
            first_us = earliest(first_us, rates.deadline_us(self._transport.timeout_us))
        if self._in_session:
            session_us = liveness.silent_us if self.is_up else liveness.ask_us
            if not rates.is_quiet:
                session_us = min(session_us, self._transport.deadline_us(liveness.keep_alive_us))
            first_us = session_us if first_us is None else min(first_us, session_us)
        return None if first_us is None else -(-first_us // 1000)

    def on_deadline(self, *, now_ms: int) -> None:
        """Do what has become due by now. Calling it early does nothing."""
        now_us = now_ms * 1000
        self._at_rest = False
        if self._rates.can_change and self._rates.on_deadline(now_us, self._transport.timeout_us):
            self._transport.ping_wanted = True
        if self._in_session:
            self._on_session_deadline(now_us)
        self._follow_rate(now_us)

    def _on_session_deadline(self, now_us: int) -> None:
        if not self._rates.is_quiet:
            self._transport.on_deadline(now_us=now_us)
            if self._liveness.keep_alive_us <= now_us and not self._transport.awaits_answer:
                self._transport.ping_wanted = True  # whether the peer is still there
        if self.is_up and self._liveness.silent_us <= now_us:
            self._counters.outages += 1
            self._go_down(DownReason.SILENCE)
            self._rates.line_is_out()
        if not self.is_up and self._liveness.ask_us <= now_us:
            self._liveness.asked(now_us)
            self._greetings.ask(now_us)

    # --- bytes out ---

    def bytes_to_send(self, *, now_ms: int) -> bytes:
        """The bytes for the line now. They count as handed over: write them all, or let them be lost."""
        if self._at_rest and (self._rest_ends_ms is None or now_ms < self._rest_ends_ms):
            return b""  # asked at every turn of whoever drives it: most of the time there is nothing to do
        now_us = now_ms * 1000
        frames = [] if self._greetings.due_us is None else list(self._greetings.frames(now_us))
        if self._in_session:
            frames += self._session_frames(now_us)
        out = b"".join(frames)
        self._counters.frames_sent += len(frames)
        self._counters.bytes_sent += len(out)
        self._at_rest, self._rest_ends_ms = True, self._soonest_ms()
        return out

    def _session_frames(self, now_us: int) -> list[bytes]:
        rates, transport, tag = self._rates, self._transport, self._handshake.own_tag
        frames = []
        while rate := rates.next_frame():
            frames.append(transport.hand_over(rate, tag, now_us=now_us))
            rates.sent(rate, self._pace.free_us, transport.timeout_us)
        if not rates.is_quiet:
            frames += transport.frames(self._inbox.waiting_bytes, tag, now_us=now_us)
        return frames
