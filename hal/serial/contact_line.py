"""The single data line of a chip card behind a serial port: characters in both conventions, echo, pacing.

A Phoenix or Smartmouse reader joins the port's two data lines to the card's one: what is sent comes back.
With the inverse convention a card's bits come upside down and in the other order, parity too: the port is set
to odd parity then. Source: ISO/IEC 7816-3:2006, sections 7 and 8.1.

What a serial port cannot do: tell the card within a character that it came damaged, so that the card
repeats it (7.3). A device of the machine marks characters with wrong parity, TCP does not; there the blocks
of T=1 have their check, and the data of T=0 have none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol

from hal.api import SerialPort
from hal.serial.opening import ModemLines

_FI_DEFAULT = 372
_CHARACTER_ETU = 12  # start, 8 bits, parity, two bits of guard time
_SHORTEST = 0xFF  # TC1: as few as can be
_MARK, _MARKED_BYTES = 0xFF, 3
_INVERTED = bytes(int(f"{byte:08b}"[::-1], 2) ^ 0xFF for byte in range(256))
"""The inverse convention is its own reverse."""


class ControlledPort(SerialPort, Protocol):
    """A serial port whose rate, parity and control lines can be changed while it is open."""

    def set_speed(self, bits_per_s: int, parity: Literal["even", "odd"]) -> bool:
        """Change rate and parity; False where that cannot be done."""

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> bool:
        """Drive our control lines; False where there are none."""

    def modem_lines(self) -> ModemLines | None:
        """The other side's control lines; None where there are none."""

    @property
    def marks_damage(self) -> bool:
        """True where a damaged character X comes as FF 00 X, and FF as FF FF."""


@dataclass(frozen=True, slots=True)
class Character:
    """One character of the card, as it is on the line. `damaged`: its parity is wrong."""

    on_line: int
    damaged: bool = False


class _Marks:
    """Undoes the marking of damaged characters, over the ends of what was read at once."""

    def __init__(self) -> None:
        self._begun = b""

    def take(self, data: bytes) -> list[Character]:
        data = self._begun + data
        characters, position = [], 0
        while position < len(data):
            length = self._length(data[position : position + 2])
            if position + length > len(data):
                break
            marked = data[position : position + length]
            characters.append(Character(marked[-1], damaged=length == _MARKED_BYTES))
            position += length
        self._begun = data[position:]
        return characters

    @staticmethod
    def _length(begin: bytes) -> int:
        if begin[0] != _MARK:
            return 1
        return _MARKED_BYTES if begin[1:] == b"\0" else 2


class ContactLine:
    """Characters to and from the card. `bits_per_s`: the rate at the reader's clock divided by 372."""

    def __init__(self, port: ControlledPort, bits_per_s: int, *, echo: bool) -> None:
        self._port = port
        self._base = bits_per_s
        self._has_echo = echo
        self._rate = bits_per_s
        self._inverse = False
        self._extra_etu = 0
        self._unsent = b""
        self._send_at_ms = 0
        self._echo_due = bytearray()
        self._marks = _Marks()

    # --- how it stands ---

    @property
    def is_inverse(self) -> bool:
        """True once the card's first character said so."""
        return self._inverse

    @property
    def clock_hz(self) -> int:
        """The clock that the reader gives the card."""
        return self._base * _FI_DEFAULT

    def etu_ms(self, count: float) -> int:
        """How long `count` bits take, rounded up."""
        return math.ceil(count * 1_000 / self._rate)

    def begin(self) -> None:
        """Back to what holds before an answer to reset. What was not sent yet is dropped."""
        self._inverse, self._extra_etu, self._unsent = False, 0, b""
        self._echo_due.clear()
        self._marks = _Marks()
        self._set(self._base, inverse=False)

    def use_inverse(self) -> bool:
        """The card's first character said so; False when the port cannot do it."""
        self._inverse = True
        return self._set(self._rate, inverse=True)

    def use_speed(self, fi: int, di: int) -> bool:
        """Change the rate; False when the port cannot do it."""
        return self._set(round(self._base * _FI_DEFAULT * di / fi), inverse=self._inverse)

    def use_guard_time(self, extra: int) -> None:
        """TC1 of the ATR: bit times between our characters beyond twelve."""
        self._extra_etu = 0 if extra == _SHORTEST else extra

    def _set(self, rate: int, *, inverse: bool) -> bool:
        self._rate = rate
        return self._port.set_speed(rate, "odd" if inverse else "even")

    # --- characters ---

    def send(self, data: bytes, *, now_ms: int) -> int:
        """Send, at the card's pace; return when the last character will have left."""
        on_line = data.translate(_INVERTED) if self._inverse else data
        self._unsent += on_line
        self.work(now_ms=now_ms)
        return now_ms + self.etu_ms(len(data) * (_CHARACTER_ETU + self._extra_etu))

    def work(self, *, now_ms: int) -> None:
        """Send what is due."""
        if not self._unsent or now_ms < self._send_at_ms:
            return
        count = 1 if self._extra_etu else len(self._unsent)
        piece, self._unsent = self._unsent[:count], self._unsent[count:]
        self._send_at_ms = now_ms + self.etu_ms(_CHARACTER_ETU + self._extra_etu) if self._extra_etu else 0
        if self._has_echo:
            self._echo_due += piece
        self._port.write(piece)

    def deadline_ms(self) -> int | None:
        """When the next character of ours is due."""
        return self._send_at_ms if self._unsent else None

    def without_echo(self, data: bytes) -> list[Character] | None:
        """What the card sent among `data`; None when the echo is not what was sent."""
        found = self._marks.take(data) if self._port.marks_damage else [Character(byte) for byte in data]
        count = min(len(self._echo_due), len(found))
        if bytes(character.on_line for character in found[:count]) != self._echo_due[:count]:
            return None
        del self._echo_due[:count]
        return found[count:]

    def meaning(self, character: Character) -> int:
        """What a character means in the convention that holds now."""
        return _INVERTED[character.on_line] if self._inverse else character.on_line
