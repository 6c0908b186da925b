"""What an end says outside a session's traffic: HELLO, and CLOSE when a session is over."""

from __future__ import annotations

from collections.abc import Iterator

from host_link.events import DownReason
from host_link.frames import Close, encode_body
from host_link.framing import DELIMITER, encode_frame
from host_link.handshake import Handshake
from host_link.hello_timer import HelloTimer
from host_link.rate import RateControl
from host_link.transport import Pace, earliest


class Greetings:
    """HELLO and CLOSE of one end, when they are due. HELLO waits until CLOSE has left at a faster rate."""

    def __init__(self, handshake: Handshake, pace: Pace, rates: RateControl, timer: HelloTimer) -> None:
        self._handshake = handshake
        self._pace = pace
        self._rates = rates
        self._timer = timer
        self._asks = False
        self._farewell = b""  # the CLOSE of the session that was ended last
        self._farewell_due_us: int | None = None

    @property
    def due_us(self) -> int | None:
        """When something is to be said."""
        hello_us = self._timer.due_us
        if hello_us is not None and self._rates.holds_hello:
            hello_us = None
        return hello_us if self._farewell_due_us is None else earliest(self._farewell_due_us, hello_us)

    def ask(self, now_us: int) -> None:
        """Say HELLO and want an answer, though the session stands."""
        self._asks = True
        self._timer.answer(now_us)

    def prepare_farewell(self, reason: DownReason) -> None:
        """The session with the peer that is bound is over: make its CLOSE while its seals are there."""
        body, protection = encode_body(Close(reason.value)), self._handshake.protection
        body = protection.sealer.seal(body) if protection else body
        self._farewell = DELIMITER + encode_frame(body, self._handshake.own_tag)

    def say_farewell(self, now_us: int) -> None:
        """Say CLOSE of the session that was ended last, perhaps once more."""
        self._farewell_due_us = now_us

    def frames(self, now_us: int) -> Iterator[bytes]:
        """What is due now."""
        if self._farewell_due_us is not None:
            self._farewell_due_us = None
            self._rates.farewell_leaves(self._pace.occupy(len(self._farewell), now_us))
            yield self._farewell
        hello_us = self._timer.due_us
        if hello_us is not None and hello_us <= now_us and not self._rates.holds_hello:
            body = encode_body(self._handshake.hello(asks=self._asks))
            self._asks = False
            hello = self._pace.hand_over(encode_frame(body), now_us)
            self._timer.said(self._pace.free_us, again=not self._handshake.established)
            yield hello
