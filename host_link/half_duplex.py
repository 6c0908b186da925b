"""A link over a line that carries one direction at a time, such as two-wire RS-485: the ends take turns.

Only the end whose turn it is sends; its last frame passes the turn on:

    TURN  06 | sender      "T" or "G"; of no session (tag 0)

    state      event                                            what happens
    ours       nothing more to say, or TURN_MAX has passed      TURN; theirs
    ours       gateway: nothing was said by either for POLL     TURN; theirs
    theirs     TURN of the peer                                 ours
    theirs     gateway: the line was quiet for ANSWER           ours

Only the gateway takes the turn by itself: so a lost TURN, a terminal that is away and one that restarts are
all the same to it, and no two ever send at once. The link itself is as on any other line: what waits for its
turn is only later.
"""

from __future__ import annotations

from host_link.frames import Turn, encode_body
from host_link.framing import FrameDecoder, FrameReceived, encode_frame
from host_link.handshake import Role
from host_link.session import Session
from host_link.transport import earliest

TURN_MAX_MS = 50
POLL_MS = 20
ANSWER_MS = 60
_SILENCE_MS = 1_000


class HalfDuplexSession(Session):
    """A `Session` that speaks only when it is its turn. Both ends must be of this kind.

    The rate stays as it is: a change of it needs both directions at once. A closed end speaks when it has to.
    """

    def __init__(
        self,
        role: Role,
        *,
        nonce: int,
        bits_per_s: int = 115_200,
        pairing_key: bytes | None = None,
        pairing_salt: bytes = b"",
        max_bits_per_s: int | None = None,  # noqa: ARG002 - the rate stays as it is
    ) -> None:
        super().__init__(
            role, nonce=nonce, bits_per_s=bits_per_s, pairing_key=pairing_key, pairing_salt=pairing_salt
        )
        self._role = role
        self._turns = FrameDecoder()
        self._is_ours = False  # the gateway listens first: the terminal may be in the middle of its turn
        self._began_ms = 0  # when this turn of ours began
        self._quiet_ms = 0  # since then nothing was heard and nothing of ours was under way
        self._pass_at_once = True
        self._poll_ms: int | None = 0  # when to pass the turn though nothing was said

    def open(self, *, now_ms: int) -> None:
        """Start to look for the peer."""
        self._quiet_ms = now_ms
        super().open(now_ms=now_ms)

    def receive(self, data: bytes, *, now_ms: int) -> None:
        """Take bytes from the line, in pieces of any size."""
        super().receive(data, now_ms=now_ms)
        if data:
            self._quiet_ms = max(self._quiet_ms, now_ms)
        for event in self._turns.frames(data):
            if isinstance(event, FrameReceived) and event.body == encode_body(Turn(not self._leads)):
                self._take_turn(now_ms)
            else:
                self._pass_at_once = True  # the peer has something to say: it may have more

    def _take_turn(self, now_ms: int) -> None:
        self._is_ours, self._began_ms, self._poll_ms = True, now_ms, now_ms

    # --- time ---

    def deadline_ms(self) -> int | None:
        """When to call `on_deadline` and then `bytes_to_send`."""
        if not self._open:
            return super().deadline_ms()
        if not self._is_ours:
            return self._quiet_ms + (ANSWER_MS if self._leads else _SILENCE_MS)
        return earliest(super().deadline_ms(), self._poll_ms)

    def on_deadline(self, *, now_ms: int) -> None:
        """Do what has become due by now. While it is the peer's turn, no answer is late."""
        if not self._is_ours and self._leads and now_ms >= self._quiet_ms + ANSWER_MS:
            self._take_turn(now_ms)
        if self._is_ours or not self._open:
            super().on_deadline(now_ms=now_ms)
        elif not self._leads and now_ms >= self._quiet_ms + _SILENCE_MS:
            self._quiet_ms = now_ms
            super().on_deadline(now_ms=now_ms)

    @property
    def _leads(self) -> bool:
        return self._role is Role.GATEWAY

    # --- bytes out ---

    def bytes_to_send(self, *, now_ms: int) -> bytes:
        """The bytes for the line now; none while it is the peer's turn."""
        if not self._open:
            return super().bytes_to_send(now_ms=now_ms)
        if not self._is_ours:
            return b""
        data = super().bytes_to_send(now_ms=now_ms)
        self._pass_at_once = self._pass_at_once or bool(data) or not self._leads
        if self._has_more(now_ms):
            self._poll_ms = None
            return data
        self._poll_ms = self._began_ms + POLL_MS
        passes = self._pass_at_once or now_ms >= self._poll_ms
        return data + self._turn(now_ms) if passes else data

    def _has_more(self, now_ms: int) -> bool:
        """Whether something follows before the line is free, and there is time for it in this turn."""
        next_ms = super().deadline_ms()
        free_ms = -(-self._pace.free_us // 1000)
        return next_ms is not None and next_ms <= free_ms and now_ms < self._began_ms + TURN_MAX_MS

    def _turn(self, now_ms: int) -> bytes:
        frame = self._pace.hand_over(encode_frame(encode_body(Turn(self._leads))), now_ms * 1000)
        self._counters.frames_sent += 1
        self._counters.bytes_sent += len(frame)
        self._is_ours = self._pass_at_once = False
        self._quiet_ms = -(-self._pace.free_us // 1000)
        return frame
