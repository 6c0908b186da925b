"""The registers and the rules of one bank, as its transactions and its network management use them."""

from __future__ import annotations

from dataclasses import dataclass

from bank.answers import BankPolicy
from bank.batches import Batches
from bank.cards import Cards
from bank.entropy import Entropy
from bank.hsm import Hsm
from bank.ledger import Ledger
from bank.merchants import Merchants
from bank.payments import Payments


@dataclass(frozen=True, slots=True)
class Office:
    """All of them over one store."""

    ledger: Ledger
    cards: Cards
    merchants: Merchants
    payments: Payments
    batches: Batches
    hsm: Hsm
    entropy: Entropy
    policy: BankPolicy
