"""How a receiver stops the sender of one channel, and lets it go on.

    HOLD  01 | channel 1 | limit 2     send nothing at or beyond this position of the channel's stream
    GO    02 | channel 1               the usual window is in force again

They are messages of the link itself, on channel 7, and travel as reliably and in order as all others. While
nothing is held back no byte is spent: a sender may always send a window beyond what is confirmed.
"""

from __future__ import annotations

from dataclasses import dataclass

from host_link.errors import ProtocolViolation

LINK_CHANNEL = 7
"""The link's own; it goes before all others."""
HOLD_BYTES = 8 * 1024
"""So much may wait for a channel's user before its sender is told to stop."""

_HOLD, _GO = 0x01, 0x02


@dataclass(frozen=True, slots=True)
class Hold:
    """Send nothing at or beyond `limit` (its low 16 bits) on this channel."""

    channel: int
    limit: int


@dataclass(frozen=True, slots=True)
class Go:
    """Send on this channel as usual."""

    channel: int


def encode_credit(credit: Hold | Go) -> bytes:
    """The message's bytes."""
    match credit:
        case Hold(channel, limit):
            return bytes([_HOLD, channel]) + limit.to_bytes(2, "big")
        case Go(channel):
            return bytes([_GO, channel])


def decode_credit(message: bytes) -> Hold | Go | None:
    """Read a message of the link's own channel; None for a type that is not known.

    Raises ProtocolViolation when it is shorter than its type needs.
    """
    kind = message[:1]
    try:
        if kind == bytes([_HOLD]):
            return Hold(message[1], message[2] << 8 | message[3])
        return Go(message[1]) if kind == bytes([_GO]) else None
    except IndexError:
        raise ProtocolViolation("a message of the link's own channel ends too early") from None
