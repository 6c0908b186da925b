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
    LinkCounters,
    LinkDown,
    LinkEvent,
    LinkUp,
    MessageDelivered,
    MessageReceived,
    MessageUnconfirmed,
    PeerRestarted,
)
from host_link.frames import Ack, Body, Close, Data, Hello, Ping, decode_body, encode_body
from host_link.framing import DELIMITER, NO_SESSION_TAG, FrameDecoder, NoiseReason, NoiseSkipped, encode_frame
from host_link.handshake import Handshake, HelloOutcome, Role
from host_link.hello_timer import HelloTimer
from host_link.inbox import Inbox
from host_link.pairing import Pairing
from host_link.streams import MESSAGE_BYTES_MAX
from host_link.transport import Pace, Transport, earliest

__all__ = [
    "Channel",
    "DownReason",
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
KEEP_ALIVE_US = 1_000_000
SILENCE_US = 2_500_000
"""So long may the peer be silent before the link counts as down, and between two HELLOs from then on."""
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
    is talked to; it needs a `pairing_salt`, 12 random bytes, other ones at every start.
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
    ) -> None:
        self.is_up = False
        self._counters = LinkCounters()
        self._open = False
        pairing = None if pairing_key is None else Pairing(pairing_key, pairing_salt)
        self._is_paired = pairing is not None
        self._handshake = Handshake(role, nonce, pairing)
        self._decoder = FrameDecoder()
        self._pace = Pace(bits_per_s)
        self._transport = Transport(Channel, self._pace)
        hello_bytes = _PAIRED_HELLO_FRAME_BYTES if pairing else _HELLO_FRAME_BYTES
        self._hello = HelloTimer(max(HELLO_INTERVAL_US, self._pace.duration_us(4 * hello_bytes)))
        self._ask_interval_us = max(SILENCE_US, self._pace.duration_us(_ASK_SHARE * hello_bytes))
        self._asked_us = 0  # when a silent peer was asked last who it is
        self._asks = False
        self._in_session = False
        self._farewell = b""  # the CLOSE of the session that was ended last
        self._farewell_due_us: int | None = None
        self._heard_us = 0
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
            self._decoder.tag = self._handshake.tag(self._handshake.role.peer)
            self._hello.begin(now_ms * 1000)

    def line_returned(self, *, now_ms: int) -> None:
        """The port is there again: look for the peer at once, whether it was known or not."""
        self._at_rest = False
        if self._hello.due_us is not None:
            self._hello.begin(now_ms * 1000)
        self._transport.ping_wanted = self._in_session

    def close(self, reason: DownReason = DownReason.CLOSED, *, now_ms: int) -> None:
        """End the session and tell the peer. Whatever was not delivered is reported as unconfirmed."""
        self._at_rest = False
        if self._open:
            tag = self._decoder.tag
            self._end(reason, now_us=now_ms * 1000)
            self._open = False
            self._hello.stop()
            self._decoder.tag = tag  # a peer that missed the CLOSE will be told again

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
    def counters(self) -> LinkCounters:
        """The counters as they stand."""
        self._counters.round_trip_us = self._transport.flight.round_trip.smoothed_us
        self._counters.payload_bytes = self._transport.flight.sizer.payload_bytes
        current = self._transport.ranges_resent
        return replace(self._counters, ranges_resent=self._counters.ranges_resent + current)

    # --- bytes in ---

    def receive(self, data: bytes, *, now_ms: int) -> None:
        """Take bytes from the line, in pieces of any size."""
        self._at_rest = self._at_rest and not data
        self._counters.bytes_received += len(data)
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
                self._farewell_due_us = now_ms * 1000

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
        match body:
            case Data():
                if body.ack:
                    self._on_ack(Ack(body.ack), now_us)
                messages = self._transport.on_data(body, now_us=now_us)
                self._counters.messages_received += len(messages)
                self._inbox.extend(MessageReceived(Channel(body.channel), message) for message in messages)
            case Ack():
                self._on_ack(body, now_us)
            case Ping():
                self._transport.on_ping(body, now_us=now_us)
            case Close():
                self._end(DownReason.PEER_CLOSED, now_us=now_us)
                self._farewell_due_us = None

    def _on_ack(self, ack: Ack, now_us: int) -> None:
        delivered = self._transport.on_ack(ack, now_us=now_us)
        self._counters.messages_delivered += len(delivered)
        self._inbox.extend(MessageDelivered(message_id) for message_id in delivered)

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
        self._decoder.tag = self._handshake.tag(self._handshake.role.peer)
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
        self._heard_us = now_us
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

    # --- endings ---

    def _end(self, reason: DownReason, *, now_us: int) -> None:
        """Leave the session for good and look for a new one."""
        if self._handshake.peer_nonce:
            body, protection = encode_body(Close(reason.value)), self._handshake.protection
            body = protection.sealer.seal(body) if protection else body
            self._farewell = DELIMITER + encode_frame(body, self._tag)
            self._farewell_due_us = now_us
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

    # --- time ---

    def deadline_ms(self) -> int | None:
        """When to call `on_deadline` and then `bytes_to_send`; what has passed means at once.

        After those two calls it lies in the future.
        """
        return self._rest_ends_ms if self._at_rest else self._soonest_ms()

    def _soonest_ms(self) -> int | None:
        first_us = earliest(self._hello.due_us, self._farewell_due_us)
        if self._in_session:
            first_us = earliest(first_us, earliest(self._transport.deadline_us(), self._keep_alive_us()))
            first_us = earliest(first_us, self._heard_us + SILENCE_US if self.is_up else self._ask_due_us)
        return None if first_us is None else -(-first_us // 1000)

    def on_deadline(self, *, now_ms: int) -> None:
        """Do what has become due by now. Calling it early does nothing."""
        now_us = now_ms * 1000
        self._at_rest = False
        if not self._in_session:
            return
        self._transport.on_deadline(now_us=now_us)
        keep_alive_us = self._keep_alive_us()
        if keep_alive_us is not None and keep_alive_us <= now_us:
            self._transport.ping_wanted = True
        if self.is_up and self._heard_us + SILENCE_US <= now_us:
            self._counters.outages += 1
            self._go_down(DownReason.SILENCE)
        if not self.is_up and self._ask_due_us <= now_us:
            self._ask(now_us)

    @property
    def _ask_due_us(self) -> int:
        return max(self._heard_us + SILENCE_US, self._asked_us + self._ask_interval_us)

    def _ask(self, now_us: int) -> None:
        """Ask a silent peer who it is: it may be in another session, and take all that is sent for noise."""
        self._asked_us = now_us
        self._asks = True
        self._hello.answer(now_us)

    def _keep_alive_us(self) -> int | None:
        """When to ask whether the peer is still there; None while an answer is awaited anyway."""
        return None if self._transport.awaits_answer else self._heard_us + KEEP_ALIVE_US

    # --- bytes out ---

    def bytes_to_send(self, *, now_ms: int) -> bytes:
        """The bytes for the line now. They count as handed over: write them all, or let them be lost."""
        if self._at_rest and (self._rest_ends_ms is None or now_ms < self._rest_ends_ms):
            return b""  # asked at every turn of whoever drives it: most of the time there is nothing to do
        now_us = now_ms * 1000
        out = bytearray()
        if self._farewell_due_us is not None:
            self._farewell_due_us = None
            out += self._farewell
            self._counters.frames_sent += 1
        if self._hello.due_us is not None and self._hello.due_us <= now_us:
            hello = self._pace.boundary(now_us) + encode_frame(
                encode_body(self._handshake.hello(asks=self._asks))
            )
            self._asks = False
            out += hello
            self._counters.frames_sent += 1
            sent_us = self._pace.occupy(len(hello), now_us)
            self._hello.said(sent_us, again=not self._handshake.established)
        if self._in_session:
            self._transport.regulate(self._inbox.waiting_bytes)
            while frame := self._transport.next_frame(self._tag, now_us=now_us):
                out += frame
                self._counters.frames_sent += 1
        self._counters.bytes_sent += len(out)
        self._at_rest, self._rest_ends_ms = True, self._soonest_ms()
        return bytes(out)

    @property
    def _tag(self) -> int:
        return self._handshake.tag(self._handshake.role)
