"""What a session tells its owner, and what it counts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum


class Channel(IntEnum):
    """What a message is for; the smaller is the more urgent."""

    CONTROL = 0
    HOST = 1
    FILE = 2
    DIAGNOSTICS = 3
    LOG = 4


class DownReason(Enum):
    """Why the link is down. The value's number travels in CLOSE."""

    SILENCE = 0  # nothing heard; the session stays and resumes
    CLOSED = 1  # this end closed it
    PEER_CLOSED = 2
    PEER_RESTARTED = 3
    PROTOCOL = 4  # an intact frame that cannot be
    INCOMPATIBLE = 5  # no version in common
    AUTHENTICATION = 6  # only one end is paired, or with another key


@dataclass(frozen=True, slots=True)
class LinkUp:
    """The peer is there: a session was made, or the line came back."""


@dataclass(frozen=True, slots=True)
class LinkDown:
    """The peer is not there now."""

    reason: DownReason


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """A message from the peer."""

    channel: Channel
    payload: bytes

    def __repr__(self) -> str:
        return f"MessageReceived({self.channel.name}, <{len(self.payload)} bytes>)"


@dataclass(frozen=True, slots=True)
class MessageDelivered:
    """The peer's link has the whole message."""

    message_id: int


@dataclass(frozen=True, slots=True)
class MessageUnconfirmed:
    """The session ended first: the message may or may not have arrived, and will not be sent again."""

    message_id: int


@dataclass(frozen=True, slots=True)
class PeerRestarted:
    """The peer has started anew and remembers nothing."""


@dataclass(frozen=True, slots=True)
class LineRate:
    """The line has another rate from now on: set the port to it before anything more is written.

    What the port still holds is of no use any more. If it cannot do the rate: `Session.rate_refused`.
    """

    bits_per_s: int


LinkEvent = (
    LinkUp | LinkDown | MessageReceived | MessageDelivered | MessageUnconfirmed | PeerRestarted | LineRate
)


@dataclass(slots=True)
class LinkCounters:
    """What has happened since the session object was made."""

    bytes_sent: int = 0
    bytes_received: int = 0
    frames_received: int = 0
    noise_pieces: int = 0
    noise_bytes: int = 0
    reflections: int = 0
    ranges_resent: int = 0
    messages_sent: int = 0
    messages_received: int = 0
    messages_delivered: int = 0
    messages_unconfirmed: int = 0
    outages: int = 0
    peer_restarts: int = 0
    round_trip_us: int = 0
    payload_bytes: int = 0
    frames_refused: int = 0
    frames_sent: int = 0
    bits_per_s: int = 0  # the line's rate now
    rate_raises: int = 0
    rate_fall_backs: int = 0
    check_errors: int = 0  # of the pieces of noise: whole by their stuffing, with a wrong check

    @property
    def spoilt_frames(self) -> int:
        """How many frames were spoilt or sent again, as far as this end knows."""
        return self.noise_pieces + self.ranges_resent

    @property
    def good_frames(self) -> int:
        """How many frames went well."""
        return self.frames_received + self.frames_sent
