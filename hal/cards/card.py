"""What every chip card in software can do: answer a reset, answer commands."""

from __future__ import annotations

from typing import Protocol

from wire.iso7816.apdu import CommandApdu, ResponseApdu
from wire.iso7816.atr import Atr, InterfaceBytes

ATR_T0 = Atr((InterfaceBytes(tb=0x00, tc=0x00),))
"""EMV's basic answer to reset for T=0: 3B 60 00 00."""

ATR_T1 = Atr(
    (
        InterfaceBytes(tb=0x00, tc=0x00, protocol=1),
        InterfaceBytes(protocol=1),
        InterfaceBytes(ta=0x20, tb=0x45),
    )
)
"""EMV's basic answer to reset for T=1, with IFSC, BWI and CWI: 3B E0 00 00 81 31 20 45 35."""


class ChipCard(Protocol):
    """A chip card. It has power between `reset` and `power_off`; commands come then only.

    What is in its non-volatile memory outlives the power; what was selected or verified does not.
    """

    def reset(self, *, warm: bool) -> Atr:
        """Start afresh and say what the card is. A card may say something else after a warm reset."""

    def power_off(self) -> None:
        """The power is gone."""

    def takes_data(self, ins: int) -> bool:
        """True when commands of this INS bring data. In T=0 nobody but the card can tell."""

    def execute(self, command: CommandApdu) -> ResponseApdu:
        """Carry out a command. Never raises for what a command says: that is a status word."""

    def time_ms(self, command: CommandApdu) -> int:
        """How long the card computes at this command."""
