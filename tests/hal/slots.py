"""Smart-card slots of every backend, with a hand that inserts and removes cards, and time that jumps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from hal.api import DeviceEvent
from hal.cards.card import ATR_T0, ATR_T1, ChipCard
from hal.peripherals.card_faults import CardFaults
from hal.peripherals.ccid_reader import SerialCcidReader
from hal.peripherals.phoenix_reader import PhoenixReader
from hal.serial.ccid_slot import CcidSlot
from hal.serial.phoenix_slot import PhoenixSlot
from hal.smart_card import (
    Atr,
    ChipFailed,
    ChipFailure,
    ChipInserted,
    ChipReset,
    ChipResponded,
    CommandApdu,
    Reset,
    SmartCardSlot,
)
from hal.virtual.clock import VirtualClock
from hal.virtual.smart_card import VirtualSmartCardSlot
from tests.hal.wired_port import WiredPort


class Hand(Protocol):
    """Whatever takes a card."""

    def insert(self, card: ChipCard) -> None: ...

    def remove(self) -> None: ...


@dataclass
class SlotRig:
    """A slot, whoever inserts cards, and the ATR that its cards have."""

    slot: SmartCardSlot
    clock: VirtualClock
    hand: Hand
    atr: Atr
    extended: bool = True
    """Long answers come whole; over T=0 the card would have to offer them."""

    def settle(self, wanted: type[object] | None = None, *, within_ms: int = 20_000) -> list[DeviceEvent]:
        """Let time pass until an event of the kind comes, or nothing is due soon; return what came."""
        end_ms = self.clock.monotonic_ms() + within_ms
        found: list[DeviceEvent] = []
        while True:
            found += self.slot.poll()
            if wanted is not None and any(isinstance(event, wanted) for event in found):
                return found
            due_ms = self.slot.deadline_ms()
            if due_ms is None or due_ms > end_ms:
                return found
            self.clock.advance(max(0, due_ms - self.clock.monotonic_ms()))

    def result(self) -> ChipReset | ChipResponded | ChipFailed:
        """What the reset or command came to."""
        events = [
            event
            for event in self.settle(ChipReset | ChipResponded | ChipFailed)  # type: ignore[arg-type]
            if isinstance(event, ChipReset | ChipResponded | ChipFailed)
        ]
        assert len(events) == 1, events
        return events[0]

    def insert(self, card: ChipCard) -> None:
        self.hand.insert(card)
        assert ChipInserted() in self.settle(ChipInserted)

    def power_on(self, reset: Reset = Reset.COLD) -> ChipReset:
        self.slot.power_on(reset)
        result = self.result()
        assert isinstance(result, ChipReset), result
        return result

    def send(self, command: CommandApdu | str) -> tuple[bytes, int]:
        """Data and status word of the answer."""
        if isinstance(command, str):
            command = CommandApdu.decode(bytes.fromhex(command))
        self.slot.transmit(command)
        result = self.result()
        assert isinstance(result, ChipResponded), result
        return result.response.data, result.response.sw

    def failure(self) -> ChipFailure:
        result = self.result()
        assert isinstance(result, ChipFailed), result
        return result.failure


def virtual_rig() -> SlotRig:
    clock = VirtualClock()
    slot = VirtualSmartCardSlot(clock)
    return SlotRig(slot, clock, slot, ATR_T0)


def ccid_rig(atr: Atr = ATR_T0, reader: SerialCcidReader | None = None) -> SlotRig:
    clock = VirtualClock()
    reader = reader if reader is not None else SerialCcidReader()
    return SlotRig(
        CcidSlot(WiredPort(reader, clock), clock), clock, reader, atr, extended=atr.protocols[0] == 1
    )


def phoenix_rig(
    atr: Atr = ATR_T0, reader: PhoenixReader | None = None, *, negotiate: bool = False
) -> SlotRig:
    clock = VirtualClock()
    reader = reader if reader is not None else PhoenixReader()
    slot = PhoenixSlot(WiredPort(reader, clock), clock, negotiate=negotiate)
    return SlotRig(slot, clock, reader, atr, extended=atr.protocols[0] == 1)


INVERSE_T0 = Atr(ATR_T0.groups, historical=b"inverse", inverse=True)

RIGS: dict[str, Callable[[], SlotRig]] = {
    "virtual": virtual_rig,
    "ccid-t0": ccid_rig,
    "ccid-t1": lambda: ccid_rig(ATR_T1),
    "phoenix-t0": phoenix_rig,
    "phoenix-t1": lambda: phoenix_rig(ATR_T1),
    "phoenix-inverse": lambda: phoenix_rig(INVERSE_T0),
}

__all__ = ["RIGS", "CardFaults", "SlotRig", "ccid_rig", "phoenix_rig", "virtual_rig"]
