"""Protocol and parameters selection (PPS): how a terminal asks a card for another protocol or speed.

    FF PPS0 [PPS1] [PPS2] [PPS3] PCK

Source: ISO/IEC 7816-3:2006, section 9. Sent right after the ATR, in the card's negotiable mode only.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import xor

from wire.errors import AtrError

_PPSS = 0xFF
_PPS1 = 0x10
PPS_BYTES_MIN, PPS_BYTES_MAX = 3, 6


@dataclass(frozen=True, slots=True)
class Pps:
    """One request, or the answer to it. `fidi` None: no PPS1, the default speed."""

    protocol: int
    fidi: int | None = None

    def encode(self) -> bytes:
        """The bytes, PCK included."""
        speed = b"" if self.fidi is None else bytes([self.fidi])
        body = bytes([_PPSS, self.protocol | (_PPS1 if speed else 0)]) + speed
        return body + bytes([reduce(xor, body)])

    @classmethod
    def decode(cls, data: bytes) -> Pps:
        """Take a PPS apart; PPS2 and PPS3 are passed over.

        Raises AtrError: bad_format (no PPSS), truncated, trailing_data, bad_lrc.
        """
        if data[:1] and data[0] != _PPSS:
            raise AtrError("bad_format", "a PPS begins with FF")
        missing = pps_bytes_missing(data)
        if missing:
            reason = "truncated" if missing > 0 else "trailing_data"
            raise AtrError(reason, "the PPS is shorter or longer than its second byte says")
        if reduce(xor, data):
            raise AtrError("bad_lrc", "the check byte PCK does not fit the PPS")
        return cls(data[1] & 0x0F, data[2] if data[1] & _PPS1 else None)

    def is_granted_by(self, answer: Pps) -> bool:
        """True when the card took what was asked: the same, or the same protocol at the default speed."""
        return answer.protocol == self.protocol and answer.fidi in {self.fidi, None}


def pps_bytes_missing(data: bytes) -> int:
    """How many more bytes a PPS that begins like this has; negative: how many are too many."""
    if len(data) < 2:
        return PPS_BYTES_MIN - len(data)
    return PPS_BYTES_MIN + (data[1] & 0x70).bit_count() - len(data)
