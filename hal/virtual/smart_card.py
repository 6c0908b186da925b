"""A smart-card slot that takes cards in software, by their commands: nothing of it is bytes on a line.

How a card's bytes go over its contacts, and what goes wrong there, is proven with the serial backends against
the readers in `hal/peripherals/`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum

from hal.api import Clock, DeviceEvent
from hal.cards.card import ChipCard
from hal.chip.slot import SlotKeeper
from hal.smart_card import ChipFailure, CommandApdu

__all__ = ["ChipFault", "VirtualSmartCardSlot"]

_RESET_MS = 50  # 40,000 clock cycles with RST low, and the ATR's characters
_PATIENCE_MS = 1_000  # how long the terminal waits for a card that says nothing
_COMMAND_MS = 2


class ChipFault(Enum):
    """How the card in the slot fails, until another one is inserted."""

    NONE = "none"
    MUTE = "mute"  # dirty contacts: no answer to a reset
    MUTE_AT_COMMAND = "mute_at_command"  # it answers the reset, and no command
    BAD_ATR = "bad_atr"
    PROTOCOL = "protocol"  # answers to commands are damaged beyond repair


class VirtualSmartCardSlot(SlotKeeper):
    """hal.smart_card.SmartCardSlot. Resets and commands take the clock's time, the card's own computing too.

    Not modelled: characters, protocols, the length that T=0 and T=1 allow, two cards at once.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._card: ChipCard | None = None
        self._fault = ChipFault.NONE
        self._due: tuple[int, Callable[[], None]] | None = None

    # --- the terminal's side ---

    def open(self) -> None:
        """Begin; a card that is in the slot is noticed."""
        super().open()
        if self._card is not None:
            self._card_came()

    def poll(self) -> Sequence[DeviceEvent]:
        """Do what is due, then return what happened."""
        if self._due is not None and self._due[0] <= self._clock.monotonic_ms():
            _, finish = self._due
            self._due = None
            finish()
        return super().poll()

    def deadline_ms(self) -> int | None:
        """When the card's answer is there."""
        return self._due[0] if self._due is not None else None

    # --- the cardholder's hand ---

    def insert(self, card: ChipCard, *, fault: ChipFault = ChipFault.NONE) -> None:
        """Put a card in. Raises ValueError while another is in the slot."""
        if self._card is not None:
            raise ValueError("a card is in the slot: remove() it first")
        self._card, self._fault = card, fault
        if self._is_open:
            self._card_came()

    def remove(self) -> None:
        """Take the card out. Raises ValueError when there is none."""
        if self._card is None:
            raise ValueError("no card is in the slot: insert() one first")
        self._card.power_off()
        self._card, self._due = None, None
        self._card_left()

    # --- hal.chip.slot.SlotKeeper ---

    def _start_reset(self, *, warm: bool) -> None:
        card = self._card
        assert card is not None
        if self._fault is ChipFault.MUTE:
            self._later(_PATIENCE_MS, lambda: self._fail(ChipFailure.MUTE, "no answer to reset"))
        elif self._fault is ChipFault.BAD_ATR:
            self._later(_RESET_MS, lambda: self._fail(ChipFailure.BAD_ATR, "the check byte does not fit"))
        else:
            atr = card.reset(warm=warm)
            self._later(_RESET_MS, lambda: self._atr_came(atr))

    def _start_command(self, command: CommandApdu) -> None:
        card = self._card
        assert card is not None
        if self._fault is ChipFault.MUTE_AT_COMMAND:
            self._later(_PATIENCE_MS, lambda: self._fail(ChipFailure.MUTE, "no answer to a command"))
        elif self._fault is ChipFault.PROTOCOL:
            self._later(_COMMAND_MS, lambda: self._fail(ChipFailure.PROTOCOL, "its answer is damaged"))
        else:
            time_ms = _COMMAND_MS + card.time_ms(command)
            self._later(time_ms, lambda: self._response_came(card.execute(command)))

    def _stop(self) -> None:
        self._due = None
        if self._card is not None:
            self._card.power_off()

    def _later(self, after_ms: int, finish: Callable[[], None]) -> None:
        self._due = (self._clock.monotonic_ms() + after_ms, finish)
