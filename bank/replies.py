"""What the bank gives out besides answers: how a reply leaves, and what a payment left in the books."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bank.ledger import Posting
from wire.iso8583 import frame


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server does with a request: send `message` (if any) after `delay_ms`, then perhaps hang up.

    `lost_bytes`: how many more the frame announces than it has. `in_pieces`: byte by byte.
    """

    message: bytes
    delay_ms: int = 0
    close: bool = False
    lost_bytes: int = 0
    in_pieces: bool = False

    def frame(self) -> bytes:
        """The bytes that leave for a peer that reads frames; without the end where it is to be lost."""
        return frame(self.message + bytes(self.lost_bytes))[: 2 + len(self.message)]

    def __repr__(self) -> str:
        return f"Reply({len(self.message)} bytes, delay_ms={self.delay_ms}, close={self.close})"


@dataclass(frozen=True, slots=True)
class PaymentLedger:
    """What a payment left in the books: its postings in order, and how many of its holds are still open."""

    postings: Sequence[Posting]
    holds_left: int
