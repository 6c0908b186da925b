"""Smart-card slots of every backend, with a hand that inserts and removes cards, and time that jumps."""

from __future__ import annotations

import contextlib
import select
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest

from hal.api import Clock, DeviceEvent
from hal.cards.card import ATR_T0, ATR_T1, ChipCard
from hal.host.clock import SystemClock
from hal.peripherals.ccid_reader import SerialCcidReader
from hal.peripherals.phoenix_reader import PhoenixReader
from hal.pi.pcsc import PcscSlot
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
from tests.hal.pcscd import VPCD, VpcdHand, pcscd, vpcd_entry, wait_for_readers, why_not
from tests.hal.wired_port import WiredPort


class Hand(Protocol):
    """Whatever takes a card."""

    def insert(self, card: ChipCard) -> None: ...

    def remove(self) -> None: ...


@dataclass
class SlotRig:
    """A slot in virtual time, whoever inserts cards, and the ATR that its cards have."""

    slot: SmartCardSlot
    clock: Clock
    hand: Hand
    atr: Atr
    extended: bool = True
    """Long answers come whole; over T=0 the card would have to offer them."""
    slow_ms: int = 6_000
    """How long a slow card computes."""

    def start(self) -> None:
        """Open the slot, and let it find its reader."""
        self.slot.open()
        self.settle(within_ms=2_000)

    def close(self) -> None:
        self.slot.close()

    def settle(self, wanted: type[object] | None = None, *, within_ms: int = 20_000) -> list[DeviceEvent]:
        """Let time pass until an event of the kind comes, or nothing is due soon; return what came."""
        end_ms = self.clock.monotonic_ms() + within_ms
        found: list[DeviceEvent] = []
        while True:
            found += self.slot.poll()
            if wanted is not None and any(isinstance(event, wanted) for event in found):
                return found
            if not self._wait(end_ms):
                return found

    def _wait(self, end_ms: int) -> bool:
        """Jump to what is due next; False when that is after `end_ms`."""
        due_ms = self.slot.deadline_ms()
        if due_ms is None or due_ms > end_ms:
            return False
        assert isinstance(self.clock, VirtualClock)
        self.clock.advance(max(0, due_ms - self.clock.monotonic_ms()))
        return True

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


@dataclass
class RealTimeRig(SlotRig):
    """The same with the system's clock: waiting is waiting. `closing` is closed behind the slot."""

    slow_ms: int = 300
    closing: ExitStack = field(default_factory=ExitStack)

    def start(self) -> None:
        self.slot.open()

    def settle(self, wanted: type[object] | None = None, *, within_ms: int = 5_000) -> list[DeviceEvent]:
        return super().settle(wanted, within_ms=within_ms if wanted is not None else _QUIET_MS)

    def _wait(self, end_ms: int) -> bool:
        now_ms, due_ms = self.clock.monotonic_ms(), self.slot.deadline_ms()
        until_ms = end_ms if due_ms is None else min(due_ms, end_ms)
        select.select(self.slot.filenos(), [], [], max(0, until_ms - now_ms) / 1000)
        return now_ms < end_ms

    def close(self) -> None:
        super().close()
        self.closing.close()


_QUIET_MS = 700
"""pcscd looks for cards every 400 ms, and the slot asks pcscd every 100 ms."""


def pcsc_rig(atr: Atr = ATR_T0) -> SlotRig:
    """The backend for PC/SC with a real pcscd; skips the test where there is none."""
    if reason := why_not(VPCD):
        pytest.skip(reason)
    closing = ExitStack()
    folder = Path(closing.enter_context(tempfile.TemporaryDirectory()))
    pid = closing.enter_context(pcscd(folder, vpcd_entry()))
    hand = closing.enter_context(contextlib.closing(VpcdHand(pid)))
    wait_for_readers()
    clock = SystemClock()
    slot = PcscSlot(clock, reader="Chip Reader 00 00")
    return RealTimeRig(slot, clock, hand, atr, extended=atr.protocols[0] == 1, closing=closing)


def wired_port(rig: SlotRig) -> WiredPort:
    """The port between the slot and its reader."""
    assert isinstance(rig.slot, CcidSlot | PhoenixSlot)
    assert isinstance(rig.slot._port, WiredPort)
    return rig.slot._port


INVERSE_T0 = Atr(ATR_T0.groups, historical=b"inverse", inverse=True)

RIGS: dict[str, Callable[[], SlotRig]] = {
    "virtual": virtual_rig,
    "ccid-t0": ccid_rig,
    "ccid-t1": lambda: ccid_rig(ATR_T1),
    "phoenix-t0": phoenix_rig,
    "phoenix-t1": lambda: phoenix_rig(ATR_T1),
    "phoenix-inverse": lambda: phoenix_rig(INVERSE_T0),
    "pcsc": pcsc_rig,
}
