"""What every backend of the smart-card slot does alike: who is in it, what is going on, what to tell."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto

from hal.api import DeviceEvent, DeviceFault
from hal.device import QuietDevice
from hal.smart_card import (
    Atr,
    ChipEvent,
    ChipFailed,
    ChipFailure,
    ChipInserted,
    ChipRemoved,
    ChipReset,
    ChipResponded,
    CommandApdu,
    Reset,
    ResponseApdu,
)


class Operation(Enum):
    """What is going on in a slot."""

    NONE = auto()
    RESET = auto()
    COMMAND = auto()


class SlotKeeper(QuietDevice):
    """The bookkeeping of a slot.

    A backend says what it sees (`_card_came`, `_atr_came` ...) and is told what to do (`_start_reset`,
    `_start_command`, `_stop`). So the promises of hal.smart_card.SmartCardSlot are kept in one place: one
    result for each call, a failure at once where there is no card, and none of what belongs to an operation
    that was given up.
    """

    def __init__(self) -> None:
        super().__init__()
        self._card_present = False
        self._powered = False
        self._operation = Operation.NONE
        self._events: list[ChipEvent] = []

    # --- the terminal's side ---

    @property
    def card_present(self) -> bool:
        """True while a card is in the slot, as far as the last poll knows."""
        return self._card_present

    @property
    def powered(self) -> bool:
        """True from ChipReset on until the power is off."""
        return self._powered

    def power_on(self, reset: Reset = Reset.COLD) -> None:
        """Reset the card: ChipReset or ChipFailed follows. Raises DeviceFault: something is going on."""
        self._begin(Operation.RESET)
        warm = reset is Reset.WARM and self._powered
        self._powered = False
        if not self._card_present:
            self._fail(ChipFailure.NO_CARD)
        else:
            self._start_reset(warm=warm)

    def transmit(self, command: CommandApdu) -> None:
        """Send one command: ChipResponded or ChipFailed follows. Raises DeviceFault while another runs."""
        self._begin(Operation.COMMAND)
        if not self._card_present:
            self._fail(ChipFailure.NO_CARD)
        elif not self._powered:
            self._fail(ChipFailure.NO_POWER)
        else:
            self._start_command(command)

    def power_off(self) -> None:
        """Take the power away and give up what is going on."""
        self._operation = Operation.NONE
        self._powered = False
        self._events = [event for event in self._events if isinstance(event, ChipInserted | ChipRemoved)]
        if self._is_open:
            self._stop()

    def poll(self) -> Sequence[DeviceEvent]:
        """Return what happened since the last call."""
        events, self._events = self._events, []
        return events

    def close(self) -> None:
        """Take the power away and forget everything."""
        self.power_off()
        self._card_present = False
        self._events.clear()
        super().close()

    def _begin(self, operation: Operation) -> None:
        if self._operation is not Operation.NONE:
            raise DeviceFault("smart-card slot: wait for the result of the reset or command before")
        if not self._is_open:
            raise DeviceFault("smart-card slot: open it first")
        self._operation = operation

    # --- what a backend says ---

    def _card_came(self) -> None:
        if not self._card_present:
            self._card_present = True
            self._events.append(ChipInserted())

    def _card_left(self) -> None:
        if not self._card_present:
            return
        self._card_present = False
        self._powered = False
        self._fail(ChipFailure.REMOVED)
        self._events.append(ChipRemoved())

    def _atr_came(self, atr: Atr) -> None:
        if self._end(Operation.RESET):
            self._powered = True
            self._events.append(ChipReset(atr))

    def _response_came(self, response: ResponseApdu) -> None:
        if self._end(Operation.COMMAND):
            self._events.append(ChipResponded(response))

    def _fail(self, failure: ChipFailure, detail: str = "", *, powered: bool = False) -> None:
        """Whatever is going on has failed; nothing happens when nothing is."""
        if self._operation is Operation.NONE:
            return
        self._operation = Operation.NONE
        self._powered = self._powered and powered
        self._events.append(ChipFailed(failure, detail))

    def _end(self, operation: Operation) -> bool:
        """End an operation; False when it is not the one that is going on, but one given up before."""
        if self._operation is not operation:
            return False
        self._operation = Operation.NONE
        return True

    # --- what a backend does ---

    def _start_reset(self, *, warm: bool) -> None:
        """Reset the card in the slot."""
        raise NotImplementedError

    def _start_command(self, command: CommandApdu) -> None:
        """Send a command to the card, which has power."""
        raise NotImplementedError

    def _stop(self) -> None:
        """Take the power away; what is going on is not wanted any more."""
        raise NotImplementedError
