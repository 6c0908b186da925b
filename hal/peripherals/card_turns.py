"""The card's side of T=0: which way data go, what is kept for GET RESPONSE, what is said to a wrong length.

Source: ISO/IEC 7816-3:2006, sections 10 and 12.2. A card cannot see from a header whether data follow: it
knows its own commands.
"""

from __future__ import annotations

from hal.cards.card import ChipCard
from wire.errors import ApduError
from wire.iso7816.apdu import SW_OK, CommandApdu, ResponseApdu

HEADER_BYTES = 5
_GET_RESPONSE, _ENVELOPE = 0xC0, 0xC2
_TURN_BYTES_MAX = 256
_ENVELOPE_BYTES_MAX = 65_535 + 9
_NOTHING_KEPT, _WRONG_LENGTH = 0x6985, 0x6700


class CardTurns:
    """One card's turns between two resets."""

    def __init__(self, card: ChipCard) -> None:
        self._card = card
        self._kept = ResponseApdu(b"", SW_OK)  # what GET RESPONSE will fetch, and the status at its end
        self._for_header: bytes | None = None  # whose answer is kept because P3 was wrong
        self._envelope = bytearray()

    def takes_data(self, header: bytes) -> bool:
        """True when the terminal sends data after this header."""
        return header[1] == _ENVELOPE or (header[1] != _GET_RESPONSE and self._card.takes_data(header[1]))

    def time_ms(self, header: bytes, data: bytes) -> int:
        """How long the card computes before it answers."""
        if header[1] in {_GET_RESPONSE, _ENVELOPE} or header[:4] == self._for_header:
            return 0
        return self._card.time_ms(self._command(header, data))

    def answer(self, header: bytes, data: bytes) -> bytes:
        """Carry out a turn: data, if any, and the status word."""
        if header[1] == _GET_RESPONSE:
            return self._fetch(header[4] or _TURN_BYTES_MAX)
        if header[1] == _ENVELOPE:
            return self._unwrap(data)
        if self.takes_data(header):
            if len(data) != header[4]:
                return _sw(_WRONG_LENGTH)
            return self._keep(self._card.execute(self._command(header, data)))
        return self._send(header)

    def _command(self, header: bytes, data: bytes) -> CommandApdu:
        cla, ins, p1, p2, p3 = header
        le = _TURN_BYTES_MAX if data else p3 or _TURN_BYTES_MAX
        return CommandApdu(cla, ins, p1, p2, data, le)

    def _send(self, header: bytes) -> bytes:
        """Answer a command of case 1 or 2: all that P3 wants, or the right P3."""
        if header[:4] != self._for_header:
            self._kept = self._card.execute(self._command(header, b""))
        response, wanted = self._kept, header[4] or _TURN_BYTES_MAX
        if response.data and len(response.data) != wanted:
            self._for_header = header[:4]
            return _sw(0x6C00 | len(response.data) & 0xFF)
        self._for_header = None
        return response.encode()

    def _keep(self, response: ResponseApdu) -> bytes:
        """Answer a command that brought data: what there is to say has to be fetched."""
        self._for_header = None
        self._kept = response
        if not response.data:
            return _sw(response.sw)
        return _sw(0x6100 | self._waiting())

    def _fetch(self, wanted: int) -> bytes:
        kept = self._kept
        if not kept.data:
            return _sw(_NOTHING_KEPT)
        if wanted > len(kept.data):
            return _sw(0x6C00 | len(kept.data) & 0xFF)
        self._kept = ResponseApdu(kept.data[wanted:], kept.sw)
        return kept.data[:wanted] + _sw(0x6100 | self._waiting() if self._kept.data else kept.sw)

    def _waiting(self) -> int:
        """XX of 61XX: 0 for 256 and more."""
        return len(self._kept.data) if len(self._kept.data) < _TURN_BYTES_MAX else 0

    def _unwrap(self, data: bytes) -> bytes:
        self._envelope += data
        try:
            command = CommandApdu.decode(bytes(self._envelope))
        except ApduError:
            if data and len(self._envelope) <= _ENVELOPE_BYTES_MAX:
                return _sw(SW_OK)  # there is more to come
            self._envelope.clear()
            return _sw(_WRONG_LENGTH)
        self._envelope.clear()
        return self._keep(self._card.execute(command))


def _sw(value: int) -> bytes:
    return value.to_bytes(2, "big")
