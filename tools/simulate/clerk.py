"""What people at the bank do: they forgive wrong PINs, change contracts, and demand work of terminals."""

from __future__ import annotations

from bank.authoriser import Bank
from bank.demands import DEMANDS
from bank.merchants import Terminal
from tools.simulate.habits import Luck
from tools.virtual_bank import BankMachine

FORGIVES_EVERY_MS = 300_000
ACTS_EVERY_MS = (40_000, 160_000)
WITHDRAWN = ("balance", "refund", "offline", "tips", "manual", "foreign")
"""Qualifications of a merchant that come and go; without the others there would be nothing to sell."""


class Clerk:
    """The bank's back office. It acts at the first moment at which something is due."""

    def __init__(self, machine: BankMachine, seed: int) -> None:
        self._machine = machine
        self._luck = Luck(f"clerk {seed}")
        self._forgives_ms = FORGIVES_EVERY_MS
        self._acts_ms = self._luck.rng.randint(*ACTS_EVERY_MS)
        self.rests = False  # only forgives: nothing is changed or demanded

    def turn(self, now_ms: int) -> str:
        """Do what is due; what was done, in words, "" for nothing that is worth telling."""
        done = ""
        if now_ms >= self._forgives_ms:
            self._forgives_ms = now_ms + FORGIVES_EVERY_MS
            with self._machine.working(now_ms), self._bank.store.transaction():
                self._forgive()
        if now_ms >= self._acts_ms and not self.rests:
            self._acts_ms = now_ms + self._luck.rng.randint(*ACTS_EVERY_MS)
            terminal = self._luck.rng.choice(self._bank.merchants.terminals())
            act = self._luck.rng.choice([self._change_contract, self._renew_keys, self._ask_status])
            with self._machine.working(now_ms), self._bank.store.transaction():
                done = act(terminal)
        return done

    @property
    def _bank(self) -> Bank:
        return self._machine.bank

    def _forgive(self) -> None:
        """All cards would be blocked in the end."""
        for card in self._bank.cards.cards():
            if card.pin_tries_used:
                self._bank.cards.set_pin_tries_used(card, 0)

    def _change_contract(self, terminal: Terminal) -> str:
        """Take a qualification away, or give it back; all terminals are to fetch their parameters."""
        name, held = self._luck.rng.choice(WITHDRAWN), self._bank.merchants.qualifications(terminal.mid)
        changed = held ^ {name}
        self._bank.merchants.set_qualifications(terminal.mid, changed)
        for one in self._bank.merchants.terminals():
            if one.mid == terminal.mid:
                self._bank.merchants.demand(one, DEMANDS["parameters"])
        return f"the contract: {name} is {'on' if name in changed else 'off'}"

    def _renew_keys(self, terminal: Terminal) -> str:
        self._bank.merchants.demand(terminal, DEMANDS["sign-in"])
        return f"new keys are demanded of {terminal.tid}"

    def _ask_status(self, terminal: Terminal) -> str:
        self._bank.merchants.demand(terminal, DEMANDS["status"])
        return f"the status of {terminal.tid} is demanded"
