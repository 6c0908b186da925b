"""A till as people use it and as checkers look at it: in virtual time (`till.py`) or as a real process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from firmware.app import Transition
from firmware.records import Payment, Settlement
from firmware.txn import floor, settlement
from hal.virtual.storage import Snapshot
from tools.station import Station


class Memory(Protocol):
    """A terminal's storage that shows everything in it."""

    def snapshot(self) -> Snapshot:
        """A copy of everything, as {(table, key): value}."""


@dataclass(frozen=True, slots=True)
class Settled:
    """A batch that was settled, and its transactions, as the journal has them before the batch is cleared."""

    settlement: Settlement
    payments: tuple[Payment, ...]


class AnyTill:
    """A terminal that is used and looked into. `transitions` counts the rules that it has taken."""

    def __init__(self, number: int, station: Station, storage: Memory) -> None:
        self.number = number
        self.name = f"till{number}"
        self.transitions = 0
        self.station = station
        self.storage = storage
        self.payments: dict[int, Payment] = {}  # as last seen, also those that the journal has dropped
        self.settled: dict[str, Settled] = {}  # by the batch's number
        station.observers.append(self._observe)

    @property
    def state(self) -> str:
        """The terminal's or the transaction's state; "off" without power."""
        return self.station.state

    @property
    def slips(self) -> list[str]:
        """The text of everything printed."""
        return self.station.slips

    @property
    def batch_payments(self) -> list[Payment]:
        """The transactions of the batch that is open, as the journal has them."""
        terminal = self.station.terminal
        return self._unsettled_of(terminal.journal.counters.batch) if terminal is not None else []

    def _unsettled_of(self, batch: str) -> list[Payment]:
        assert self.station.terminal is not None
        journal = self.station.terminal.journal
        settled_up_to = journal.counters.settled_up_to
        return [one for one in journal.payments() if one.batch == batch and one.number > settled_up_to]

    def take_card_out(self) -> None:
        """If one was left in the reader."""
        if self.station.devices.card_reader.card_present:
            self.station.remove()

    def remember_payments(self) -> None:
        """Look at the whole journal now."""
        if self.station.terminal is not None:
            self.payments |= {one.number: one for one in self.station.terminal.journal.payments()}

    def _observe(self, transition: Transition) -> None:
        self.transitions += 1
        if transition.rule.target is settlement.State.PRINTING:
            self._remember_batch()
        elif transition.rule.target is floor.State.CONFIRMING:
            self.remember_payments()  # they may be about to clear the log

    def _remember_batch(self) -> None:
        """What is settled, before the journal may forget it."""
        self.remember_payments()
        terminal = self.station.terminal
        settled = terminal.journal.settlement if terminal is not None else None
        if settled is not None:
            payments = self._unsettled_of(settled.batch)  # not of the open batch, when an older one was left
            self.settled[settled.batch] = Settled(settled, tuple(payments))
