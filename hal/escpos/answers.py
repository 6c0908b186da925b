"""What a printer says, byte by byte: each kind of answer is known by its fixed bits.

| bits 7 4 1 0 | kind |
|---|---|
| 0 1 1 0 | an answer to DLE EOT |
| 0 1 0 0 | the first of the four bytes of an automatic status (GS a) |
| 0 0 x x | the other three, or an answer to GS r |
| 11h, 13h | XON, XOFF |
| 37h 25h 00h | "the buffer is empty now", after DLE DC4 8 |

Source: Epson, "ESC/POS Command Reference", DLE EOT, GS a, GS r: "identification of the transmission status".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from hal.api import PrinterStatus

XON, XOFF = 0x11, 0x13
_BLOCK, _END_OF_BLOCK = 0x37, 0x00
_BLOCK_BYTES_MAX = 8
_AUTOMATIC_BYTES = 4


class AnswerKind(Enum):
    """What a byte, or some bytes, turned out to be."""

    REAL_TIME = auto()
    AUTOMATIC = auto()
    IN_TURN = auto()
    XON = auto()
    XOFF = auto()
    CLEARED = auto()


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. `data`: its bytes."""

    kind: AnswerKind
    data: bytes


class AnswerReader:
    """Puts answers together. What fits no kind is noise and left out."""

    def __init__(self) -> None:
        self._automatic = b""
        self._block = b""

    def reset(self) -> None:
        """Forget half an answer: the line was interrupted."""
        self._automatic = self._block = b""

    def feed(self, data: bytes) -> Iterator[Answer]:
        """Every answer that is whole."""
        for byte in data:
            answer = self._byte(byte)
            if answer is not None:
                yield answer

    def _byte(self, byte: int) -> Answer | None:
        if self._block:
            return self._in_block(byte)
        if byte in {XON, XOFF}:
            return Answer(AnswerKind.XON if byte == XON else AnswerKind.XOFF, bytes([byte]))
        if self._automatic and not byte & 0x90:
            return self._in_automatic(byte)
        self._automatic = b""
        if byte & 0x93 == 0x12:
            return Answer(AnswerKind.REAL_TIME, bytes([byte]))
        if byte & 0x93 == 0x10:
            self._automatic = bytes([byte])
        elif byte == _BLOCK:
            self._block = bytes([byte])
        elif not byte & 0x90:
            return Answer(AnswerKind.IN_TURN, bytes([byte]))
        return None

    def _in_automatic(self, byte: int) -> Answer | None:
        self._automatic += bytes([byte])
        if len(self._automatic) < _AUTOMATIC_BYTES:
            return None
        data, self._automatic = self._automatic, b""
        return Answer(AnswerKind.AUTOMATIC, data)

    def _in_block(self, byte: int) -> Answer | None:
        self._block += bytes([byte])
        if byte != _END_OF_BLOCK and len(self._block) < _BLOCK_BYTES_MAX:
            return None
        data, self._block = self._block, b""
        return Answer(AnswerKind.CLEARED, data) if data == b"\x37\x25\x00" else None


@dataclass(frozen=True, slots=True)
class Health:
    """What the four answers to DLE EOT 1 to 4 say together."""

    offline: bool
    cover_open: bool
    paper_out: bool
    paper_low: bool
    cutter_error: bool
    other_error: bool
    """An error that needs a hand or a service visit: a jam, a voltage, a thermistor."""
    overheated: bool

    @classmethod
    def of(cls, printer: int, cause: int, error: int, paper: int) -> Health:
        """From the four bytes, in the order of their numbers."""
        overheated, cutter_error = bool(error & 0x40), bool(error & 0x08)
        known = bool(error & 0x6C)
        return cls(
            offline=bool(printer & 0x08),
            cover_open=bool(cause & 0x04),
            paper_out=bool(cause & 0x20 or paper & 0x60),
            paper_low=bool(paper & 0x0C),
            cutter_error=cutter_error,
            other_error=bool(error & 0x24) or bool(cause & 0x40 and not known),
            overheated=overheated,
        )

    @property
    def status(self) -> PrinterStatus:
        """Of several troubles the one that must be seen to first. Feeding by hand is none."""
        if self.cover_open:
            return PrinterStatus.COVER_OPEN
        if self.cutter_error or self.other_error:
            return PrinterStatus.JAM
        if self.paper_out:
            return PrinterStatus.PAPER_OUT
        return PrinterStatus.OVERHEATED if self.overheated else PrinterStatus.READY

    @property
    def detail(self) -> str:
        """In words, for the self-test; empty when all is well."""
        words = [
            text
            for text, is_so in (
                ("cover open", self.cover_open),
                ("paper out", self.paper_out),
                ("paper near its end", self.paper_low and not self.paper_out),
                ("jam: cutter", self.cutter_error),
                ("jam: mechanism", self.other_error),
                ("overheated", self.overheated),
            )
            if is_so
        ]
        return ", ".join(words)
