"""A Phoenix or Smartmouse reader in software: a card's contacts on a serial line, its reset a control line.

What the host sends comes back (both data lines are joined to the card's one), and goes to the card. The card
contact drives CTS, DSR and DCD together: readers differ in the line that they use.

Needs a line with control lines (RFC 2217, or wired to a driver): a pseudo-terminal has none.
"""

from __future__ import annotations

from typing import Literal

from hal.cards.card import ChipCard
from hal.peripherals.api import DeviceLines, HostLines
from hal.peripherals.card_contacts import CardContacts
from hal.peripherals.card_faults import CardFaults


class PhoenixReader:
    """hal.peripherals.api.LinePeripheral. `reset_when`: the level that holds the card in reset.

    `marks_damage`: what the host reads is as its system marks characters of wrong parity (termios, PARMRK):
    FF 00 and the character, and FF FF for FF. Otherwise they look like good ones.
    """

    def __init__(
        self,
        *,
        reset_line: Literal["rts", "dtr"] = "rts",
        reset_when: bool = True,
        marks_damage: bool = False,
    ) -> None:
        self.marks_damage = marks_damage
        self._reset_line = reset_line
        self._reset_when = reset_when
        self._in_reset = True
        self._contacts: CardContacts | None = None
        self._output = bytearray()

    # --- the cardholder's hand ---

    def insert(self, card: ChipCard, faults: CardFaults | None = None) -> None:
        """Put a card in; it is held in reset until the host lets it go. Raises ValueError: there is one."""
        if self._contacts is not None:
            raise ValueError("a card is in the reader: remove() it first")
        self._contacts = CardContacts(card, faults)

    def remove(self) -> None:
        """Take the card out, in the middle of whatever it does. Raises ValueError: there is none."""
        if self._contacts is None:
            raise ValueError("no card is in the reader: insert() one first")
        self._contacts.hold()
        self._contacts = None

    # --- hal.peripherals.api.LinePeripheral ---

    @property
    def lines(self) -> DeviceLines:
        """On while there is a card."""
        present = self._contacts is not None
        return DeviceLines(cts=present, dsr=present, dcd=present)

    def set_host_lines(self, lines: HostLines, now_ms: int) -> None:
        """The card starts when its reset is let go."""
        level = lines.rts if self._reset_line == "rts" else lines.dtr
        in_reset = level == self._reset_when
        if in_reset == self._in_reset:
            return
        self._in_reset = in_reset
        if self._contacts is None:
            return
        if in_reset:
            self._contacts.hold()
        else:
            self._contacts.reset(now_ms, warm=False)

    def receive(self, data: bytes, now_ms: int) -> None:
        """What the host sends comes back, and goes to the card."""
        self._output += b"".join(self._arriving(byte) for byte in data)
        if self._contacts is not None:
            self._contacts.receive(data, now_ms)
            faults = self._contacts.faults
            for byte in self._contacts.take_output():
                self._output += self._arriving(byte, damaged=faults.damaged_characters > 0)
                faults.damaged_characters = max(0, faults.damaged_characters - 1)

    def _arriving(self, byte: int, *, damaged: bool = False) -> bytes:
        """A character as the host's system hands it over."""
        if damaged:
            return bytes([0xFF, 0x00, byte ^ 0x04] if self.marks_damage else [byte ^ 0x04])
        return bytes([byte, byte] if self.marks_damage and byte == 0xFF else [byte])

    def take_output(self) -> bytes:
        """Echo and the card's characters, in their order."""
        output = bytes(self._output)
        self._output.clear()
        return output

    def deadline_ms(self) -> int | None:
        """When the card sends something."""
        return self._contacts.deadline_ms() if self._contacts is not None else None
