"""The contract of a smart-card slot: power, reset, one command at a time.

    slot.power_on()            -> ChipReset(atr)               or ChipFailed
    slot.transmit(command)     -> ChipResponded(response)      or ChipFailed
    slot.power_off()              at once, no event

Calls start something and return; the result is an event of `poll`, exactly one for each call. Nothing
blocks, however slowly a card computes. The slot does what the transport needs (T=0 with its 61xx, 6Cxx and
GET RESPONSE, T=1 with chaining and repeats, waiting times), so that every backend gives the same response to
the same command. What the response means is for whoever asked. Every backend passes the suite in
`tests/contract/test_smart_card.py`.

A magnetic-stripe reader is another device (`hal.api.CardReader`), also where one slot takes both.
"""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from hal.api import Device
from hal.smart_card_events import (
    ChipEvent,
    ChipFailed,
    ChipFailure,
    ChipInserted,
    ChipRemoved,
    ChipReset,
    ChipResponded,
)
from wire.iso7816.apdu import CommandApdu, ResponseApdu
from wire.iso7816.atr import Atr

__all__ = [
    "Atr",
    "ChipEvent",
    "ChipFailed",
    "ChipFailure",
    "ChipInserted",
    "ChipRemoved",
    "ChipReset",
    "ChipResponded",
    "CommandApdu",
    "Reset",
    "ResponseApdu",
    "SmartCardSlot",
]


class Reset(Enum):
    """How a card is reset."""

    COLD = "cold"  # from no power
    WARM = "warm"  # the power stays on; on a card without power the same as COLD


class SmartCardSlot(Device, Protocol):
    """A slot for a chip card.

    ChipInserted and ChipRemoved come whenever it happens, ChipInserted also for a card that was in the slot
    when it was opened. A card that leaves ends what is going on: ChipFailed(REMOVED), then ChipRemoved.
    """

    @property
    def card_present(self) -> bool:
        """True while a card is in the slot, as far as the last poll knows."""

    @property
    def powered(self) -> bool:
        """True from ChipReset on until the power is off; ChipFailed may leave it on: then go on."""

    def power_on(self, reset: Reset = Reset.COLD) -> None:
        """Reset the card: ChipReset or ChipFailed follows.

        Raises DeviceFault while a reset or a command is going on: a caller's mistake.
        """

    def transmit(self, command: CommandApdu) -> None:
        """Send one command: ChipResponded or ChipFailed follows.

        A card without power, or none at all, is ChipFailed too: it may have left a moment ago.
        Raises DeviceFault while a reset or a command is going on: a caller's mistake.
        """

    def power_off(self) -> None:
        """Take the power away. What was going on is given up, and no event follows for it."""
