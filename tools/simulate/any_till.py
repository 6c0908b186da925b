"""A till as people use it and as checkers look at it: in virtual time (`till.py`) or as a real process."""

from __future__ import annotations

from typing import Protocol

from firmware.app import Transition
from firmware.records import Payment
from hal.virtual.storage import Snapshot
from tools.station import Station


class Memory(Protocol):
    """A terminal's storage that shows everything in it."""

    def snapshot(self) -> Snapshot:
        """A copy of everything, as {(table, key): value}."""


class AnyTill:
    """A terminal that is used and looked into. `transitions` counts the rules that it has taken."""

    def __init__(self, number: int, station: Station, storage: Memory) -> None:
        self.number = number
        self.name = f"till{number}"
        self.transitions = 0
        self.station = station
        self.storage = storage
        self.payments: dict[int, Payment] = {}  # as last seen, also those that the journal has dropped
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
        if terminal is None:
            return []
        counters = terminal.journal.counters
        return [
            one
            for one in terminal.journal.payments()
            if one.batch == counters.batch and one.number > counters.settled_up_to
        ]

    def remember_payments(self) -> None:
        """Look at the whole journal now."""
        if self.station.terminal is not None:
            self.payments |= {one.number: one for one in self.station.terminal.journal.payments()}

    def _observe(self, _transition: Transition) -> None:
        self.transitions += 1
