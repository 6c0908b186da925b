"""Field 59 of protected messages: what has no room in fields 35, 52 and 53. posterm's own, as BER-TLV.

| tag  | content |
|------|---------|
| DF71 | key serial number of the message: 10 bytes with TDES DUKPT, 12 with AES |
| DF72 | a PIN block of 16 bytes (ISO 9564-1 format 4); field 52 holds zeros then |
| DF73 | track 2, enciphered as a whole; there is no field 35 then |
| DF74 | track 3, enciphered as a whole; there is no field 36 then |
| DF75 | the card number, enciphered like a track; there is no field 2 then |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from wire.tlv import Tlv, decode, encode, find

_TAGS = ("DF71", "DF72", "DF73", "DF74", "DF75")


@dataclass(frozen=True, slots=True)
class SecurityData:
    """The parts of field 59; an empty one is absent. Prints lengths only."""

    ksn: bytes = b""
    pin_block: bytes = b""
    track2: bytes = b""
    track3: bytes = b""
    card_number: bytes = b""

    def __repr__(self) -> str:
        sizes = ", ".join(str(len(value)) for value in self._values())
        return f"SecurityData({sizes} bytes)"

    def encode(self) -> bytes:
        """Return field 59; b"" when there is nothing in it."""
        values = zip(_TAGS, self._values(), strict=True)
        return encode(Tlv(tag, value) for tag, value in values if value)

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Take field 59 apart; other tags are passed over. Raises CodecError or another WireError."""
        objects = decode(data)
        return cls(*(find(objects, tag) or b"" for tag in _TAGS))

    def _values(self) -> tuple[bytes, bytes, bytes, bytes, bytes]:
        return (self.ksn, self.pin_block, self.track2, self.track3, self.card_number)
