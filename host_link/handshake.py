"""Who talks to whom: session ids, versions, and how a restart is noticed.

Each end has a nonce, 32 bits, and sends HELLO(own nonce, the peer's nonce as heard) until it is answered. The
two nonces together are the session. Three rules keep ghosts out:

1. An end is established when it hears its own nonce back, or a frame that bears the session's tag: both prove
   that the peer knows both nonces. Only then do DATA frames go out.
2. A HELLO with another nonce than the established peer's means that the peer has restarted.
3. A nonce that was established is never used with another peer nonce: the end that notices a restart takes a
   new nonce too. So no two sessions share a tag, and no frame of one is good in another.

    own state      HELLO(peer's current nonce, ...)     HELLO(new nonce, ...)
    not established  own nonce in it: established         bind to it; own nonce in it: established
    established      nothing changes                      PEER RESTARTED: new own nonce, bind to it

In every state a HELLO that wants an answer gets one. An established end that hears nothing for long asks with
one: a HELLO that the line gave again late may have put the two ends into different sessions.

Paired ends (host_link.pairing) ask for more. A HELLO must bear a good proof; else it is refused, and so is
that of an end that is not paired. A recorded HELLO has a good proof too: so an established end believes in a
restart only when the HELLO names its own present nonce and salt, which nobody could know before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from host_link.frames import CAN_CHANGE_RATE, Hello, encode_body
from host_link.framing import FRAME_BODY_BYTES_MAX, NO_SESSION_TAG, session_tag
from host_link.pairing import SALT_BYTES, Pairing, Protection, SessionIds
from host_link.streams import WINDOW_BYTES_MAX

VERSION_MAX = 1
VERSION_MIN = 1
BODY_BYTES_LEAST = 64
WINDOW_BYTES_LEAST = 256
_NONCE_STEP = 0x9E3779B1  # odd: 2^32 steps before a nonce comes again


class Role(Enum):
    """The two ends of the link."""

    TERMINAL = "terminal"
    GATEWAY = "gateway"

    @property
    def peer(self) -> Role:
        """The other end."""
        return Role.GATEWAY if self is Role.TERMINAL else Role.TERMINAL


class HelloOutcome(Enum):
    """What a HELLO has changed."""

    NOTHING = "nothing"
    REFLECTED = "reflected"  # our own, or another end of the same role: ignored
    INCOMPATIBLE = "incompatible"
    REFUSED = "refused"  # one end is not paired, or with another key
    RECORDED = "recorded"  # by a paired peer, but perhaps long ago
    ESTABLISHED = "established"
    PEER_RESTARTED = "peer_restarted"


@dataclass(frozen=True, slots=True)
class Agreement:
    """What both ends can do."""

    version: int = VERSION_MAX
    body_bytes_max: int = FRAME_BODY_BYTES_MAX
    window_bytes: int = WINDOW_BYTES_MAX
    capabilities: int = 0

    @property
    def can_change_rate(self) -> bool:
        """Whether both ends can set their ports to another rate."""
        return bool(self.capabilities & CAN_CHANGE_RATE)


class Handshake:
    """One end's knowledge of the session. `protection`: of its frames; None while unbound or not paired."""

    def __init__(
        self, role: Role, nonce: int, pairing: Pairing | None = None, *, capabilities: int = 0
    ) -> None:
        self.role = role
        self.nonce = nonce & 0xFFFFFFFF or 1
        self.peer_nonce = 0
        self.own_tag = self.peer_tag = NO_SESSION_TAG
        """The tags of what this end and the peer send in this session; asked for with every frame."""
        self.established = False
        self.agreement = Agreement()
        self.protection: Protection | None = None
        self._pairing = pairing
        self._capabilities = capabilities
        self._peer_salt = bytes(SALT_BYTES)

    def hello(self, *, asks: bool = False) -> Hello:
        """The HELLO to send now. `asks`: an answer is wanted though the session stands."""
        hello = Hello(
            nonce=self.nonce,
            peer_nonce=self.peer_nonce,
            from_gateway=self.role is Role.GATEWAY,
            answer_wanted=asks or not self.established,
            version_max=VERSION_MAX,
            version_min=VERSION_MIN,
            body_bytes_max=FRAME_BODY_BYTES_MAX,
            window_bytes=WINDOW_BYTES_MAX,
            capabilities=self._capabilities,
        )
        if self._pairing is None:
            return hello
        hello = replace(hello, salts=(self._pairing.salt, self._peer_salt))
        return replace(hello, proof=self._pairing.proof(encode_body(hello)))

    def accept(self, hello: Hello) -> HelloOutcome:
        """Work the peer's HELLO in. After PEER_RESTARTED the nonces are new, and nothing is established."""
        if hello.from_gateway is (self.role is Role.GATEWAY):
            return HelloOutcome.REFLECTED
        agreement = agree(hello, self._capabilities)
        if agreement is None:
            return HelloOutcome.INCOMPATIBLE
        if not self._is_proven(hello):
            return HelloOutcome.REFUSED
        is_answer = self._is_answer(hello)
        if self.established and self._pairing and not is_answer:
            return HelloOutcome.RECORDED
        salt = hello.salts[0] if hello.salts else self._peer_salt
        is_new = (hello.nonce, salt) != (self.peer_nonce, self._peer_salt)
        restarted = self.established and is_new
        if restarted:
            self.renew()
        if is_new:
            self._bind(hello.nonce, salt, agreement)
        if restarted:
            return HelloOutcome.PEER_RESTARTED
        if is_answer and not self.established:
            self.established = True
            return HelloOutcome.ESTABLISHED
        return HelloOutcome.NOTHING

    def _is_proven(self, hello: Hello) -> bool:
        if self._pairing is None:
            return hello.salts is None
        return hello.salts is not None and self._pairing.proves(hello.proven, hello.proof)

    def _is_answer(self, hello: Hello) -> bool:
        """Whether it was made by somebody who has heard this end as it is now."""
        heard_us = self._pairing is None or (hello.salts is not None and hello.salts[1] == self._pairing.salt)
        return hello.peer_nonce == self.nonce and heard_us

    def _bind(self, peer_nonce: int, peer_salt: bytes, agreement: Agreement) -> None:
        self.peer_nonce, self._peer_salt, self.agreement = peer_nonce, peer_salt, agreement
        self.own_tag, self.peer_tag = self.tag(self.role), self.tag(self.role.peer)
        if self._pairing is None:
            return
        own, peer = (self.nonce, self._pairing.salt), (peer_nonce, peer_salt)
        is_terminal = self.role is Role.TERMINAL
        ids = SessionIds(*own, *peer) if is_terminal else SessionIds(*peer, *own)
        self.protection = Protection.of(self._pairing.key, ids, is_terminal=is_terminal)

    def renew(self) -> None:
        """Leave the session: a new own nonce, no peer."""
        self.nonce = (self.nonce + _NONCE_STEP) & 0xFFFFFFFF or _NONCE_STEP
        self.peer_nonce, self._peer_salt = 0, bytes(SALT_BYTES)
        self.own_tag = self.peer_tag = NO_SESSION_TAG
        self.established = False
        self.protection = None

    def tag(self, sender: Role) -> int:
        """The tag of the frames that `sender` sends in this session."""
        if not self.peer_nonce:
            return NO_SESSION_TAG
        if self.role is Role.TERMINAL:
            return session_tag(sender.value, self.nonce, self.peer_nonce)
        return session_tag(sender.value, self.peer_nonce, self.nonce)


def agree(hello: Hello, capabilities: int = 0) -> Agreement | None:
    """What this end and the sender of `hello` have in common; None when it is not enough to talk."""
    version = min(VERSION_MAX, hello.version_max)
    if version < max(VERSION_MIN, hello.version_min) or hello.nonce == 0:
        return None
    if hello.body_bytes_max < BODY_BYTES_LEAST or hello.window_bytes < WINDOW_BYTES_LEAST:
        return None
    return Agreement(
        version,
        min(FRAME_BODY_BYTES_MAX, hello.body_bytes_max),
        min(WINDOW_BYTES_MAX, hello.window_bytes),
        hello.capabilities & capabilities,
    )
