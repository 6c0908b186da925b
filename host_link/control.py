"""What gateway and terminal say to each other on the control channel.

A message is a type byte and its content. Types that are not known are ignored, so that a newer peer may say
more.

    BANK STATUS   01 | status | request check 4, with UNREACHABLE only
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from zlib import crc32

_BANK_STATUS = 0x01
_CHECK_BYTES = 4


class BankStatus(Enum):
    """What the gateway knows of the way to the bank. Sent when it changes what the terminal must do."""

    REACHABLE = 1
    """The bank can be reached again, after UNREACHABLE."""
    UNREACHABLE = 2
    """No connection: the request that the report names was surely not sent."""
    LOST = 3
    """The connection broke after a request was sent and before its answer: the outcome is not known."""


def request_check(payload: bytes) -> int:
    """The CRC-32 of a HOST message as the terminal gave it to the link: which request a report is about.

    Never show it: it is enough to try out the digits that a masked card number leaves open.
    """
    return crc32(payload)


@dataclass(frozen=True, slots=True)
class BankReport:
    """A status, and with UNREACHABLE the request (`request_check`) that it is about.

    A report may cross the terminal's next request on the line: without the check, "surely not sent" would be
    believed of a request that was sent. So UNREACHABLE without a check says nothing about any request.
    """

    status: BankStatus
    request_check: int | None = None

    def __repr__(self) -> str:
        return f"BankReport({self.status.name}{'' if self.request_check is None else ', <check>'})"

    def encode(self) -> bytes:
        """The control message."""
        start = bytes([_BANK_STATUS, self.status.value])
        return (
            start if self.request_check is None else start + self.request_check.to_bytes(_CHECK_BYTES, "big")
        )

    @classmethod
    def decode(cls, message: bytes) -> BankReport | None:
        """Read a control message; None when it is none of these."""
        if len(message) < 2 or message[0] != _BANK_STATUS:
            return None
        status = next((known for known in BankStatus if known.value == message[1]), None)
        if status is None:
            return None
        check = message[2 : 2 + _CHECK_BYTES]
        if status is not BankStatus.UNREACHABLE or len(check) < _CHECK_BYTES:
            return cls(status)
        return cls(status, int.from_bytes(check, "big"))
