"""What gateway and terminal say to each other on the control channel.

A message is a type byte and its content. Types that are not known are ignored, so that a newer peer may say
more.

    BANK STATUS   01 | status
"""

from __future__ import annotations

from enum import Enum

_BANK_STATUS = 0x01


class BankStatus(Enum):
    """What the gateway knows of the way to the bank. Sent when it changes what the terminal must do."""

    REACHABLE = 1
    """The bank can be reached again, after UNREACHABLE."""
    UNREACHABLE = 2
    """No connection: the requests given to the gateway and not yet answered were surely not sent."""
    LOST = 3
    """The connection broke after a request was sent and before its answer: the outcome is not known."""

    def encode(self) -> bytes:
        """The control message."""
        return bytes([_BANK_STATUS, self.value])

    @classmethod
    def decode(cls, message: bytes) -> BankStatus | None:
        """Read a control message; None when it is none of these."""
        if len(message) < 2 or message[0] != _BANK_STATUS:
            return None
        return next((status for status in cls if status.value == message[1]), None)
