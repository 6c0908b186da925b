"""One session with a card over T=0 or T=1, in the units that a reader carries: turns or blocks.

A reader that knows the protocols' characters but not their rules (the TPDU level of CCID) is driven with this
alone: send what a `Step` says, give back what the card answered.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Protocol

from wire.errors import ApduError
from wire.iso7816.apdu import CommandApdu, ResponseApdu


class Fate(Enum):
    """How an exchange stands."""

    GOING_ON = auto()
    DONE = auto()
    FAILED = auto()  # this command came to nothing; the next one may be sent
    LOST = auto()  # only a reset helps


@dataclass(frozen=True, slots=True)
class Step:
    """What to do next. `waiting_factor`: how much longer than usual the card may take for its answer."""

    fate: Fate
    send: bytes = field(default=b"", repr=False)
    waiting_factor: int = 1
    response: ResponseApdu | None = None


class CardLink(Protocol):
    """A session after a reset. In each exchange: `start`, then `take` or `silence` until it ends."""

    def start(self, command: CommandApdu) -> Step:
        """Begin with a command."""

    def take(self, data: bytes) -> Step:
        """Take what the card answered: data and SW, or a block, damaged or not."""

    def silence(self) -> Step:
        """The card has not answered within its time."""


class WholeLink:
    """CardLink where something else keeps the protocol's rules: whole commands out, whole responses in."""

    def start(self, command: CommandApdu) -> Step:
        """The command's bytes."""
        return Step(Fate.GOING_ON, command.encode())

    def take(self, data: bytes) -> Step:
        """The response's bytes."""
        try:
            return Step(Fate.DONE, response=ResponseApdu.decode(data))
        except ApduError:
            return Step(Fate.LOST)

    def silence(self) -> Step:
        """Whatever keeps the rules has given up."""
        return Step(Fate.LOST)
