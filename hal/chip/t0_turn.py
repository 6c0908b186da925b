"""One turn of T=0, character by character: the procedure bytes with which a card asks for its data.

    60 (NULL)  wait on        INS   all that is left        INS xor FF  the next byte only
    61 .. 6F, 90 .. 9F  SW1, and SW2 follows

Source: ISO/IEC 7816-3:2006, section 10.3.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hal.chip.t0_link import Tpdu

_NULL = 0x60


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """The turn is over, with these data and this status word."""

    data: bytes = field(repr=False)
    sw: int


class ProcedureError(Exception):
    """The card sent a byte that means nothing here: the turn has failed."""


class T0Turn:
    """The terminal's side of one turn. Send what `start` returns, then give each character to `take`."""

    def __init__(self, turn: Tpdu) -> None:
        self._turn = turn
        self._unsent = turn.data
        self._received = bytearray()
        self._due = 0  # data bytes that come before the next procedure byte
        self._sw1: int | None = None

    def start(self) -> bytes:
        """The header."""
        return self._turn.header

    def take(self, byte: int) -> bytes | TurnEnded:
        """Take one character; return what to send (perhaps nothing). Raises ProcedureError."""
        if self._sw1 is not None:
            return TurnEnded(bytes(self._received), self._sw1 << 8 | byte)
        if self._due:
            self._due -= 1
            self._received.append(byte)
            return b""
        return self._on_procedure_byte(byte)

    def _on_procedure_byte(self, byte: int) -> bytes:
        ins = self._turn.header[1]
        if byte == _NULL:
            return b""
        if byte in {ins, ins ^ 0xFF} and self._left:
            return self._go_on(self._left if byte == ins else 1)
        if byte >> 4 in {6, 9}:
            self._sw1 = byte
            return b""
        raise ProcedureError

    @property
    def _left(self) -> int:
        return len(self._unsent) or max(0, self._turn.wanted - len(self._received))

    def _go_on(self, count: int) -> bytes:
        """Send, or expect, the next `count` data bytes."""
        if not self._turn.data:
            self._due = count
            return b""
        piece, self._unsent = self._unsent[:count], self._unsent[count:]
        return piece
