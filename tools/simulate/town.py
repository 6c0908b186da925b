"""The bank's data for a simulation: one merchant with as many terminals as wanted, and people with cards."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from bank.authoriser import Bank
from bank.entropy import SeededEntropy
from bank.faults import BankFaults
from bank.provision import DEMO_MASTER_KEY, CardSpec, Provision, load_provision
from tools.virtual_bank import BankMachine

PIN = "90735182"  # too long to be met by chance: it can be searched for
WRONG_PIN = "41826607"
RICH_CARDS = 12
BALANCE_MINOR = 5_000_000
TID_FIRST = 20_000_001


def bank_machine(seed: int) -> BankMachine:
    """An empty bank on a machine of its own. Chance and armed faults are the world's: they outlive it."""
    entropy, faults = SeededEntropy(seed), BankFaults()
    return BankMachine.on_disk(lambda store: Bank(store, DEMO_MASTER_KEY, entropy=entropy, faults=faults))


@cache
def _demo() -> Provision:
    return load_provision()


def provision_for(seed: int, terminals: int) -> Provision:
    """The demo's merchant and odd cards, many terminals, and cards with money. Test numbers only."""
    demo, rng = _demo(), random.Random(f"town {seed}")
    merchant = demo.merchants[0]
    tills = tuple(
        replace(merchant.terminals[0], tid=f"{TID_FIRST + number}", tmk=rng.randbytes(16))
        for number in range(terminals)
    )
    good = next(card for card in demo.cards if card.name == "good")
    rich = tuple(_rich(good, number) for number in range(RICH_CARDS))
    odd = tuple(replace(card, pin=PIN) for card in demo.cards if card.name != "good")
    return Provision((*rich, *odd), (replace(merchant, terminals=tills),))


def _rich(good: CardSpec, number: int) -> CardSpec:
    body = f"62258800010{number:04d}"
    pan = next(pan for digit in "0123456789" if (pan := type(good.plastic.pan)(body + digit)).luhn_valid)
    return replace(
        good,
        name=f"rich{number}",
        plastic=replace(good.plastic, pan=pan),
        pin=PIN,
        balance_minor=BALANCE_MINOR,
    )


def names_by_mask(provision: Provision) -> Mapping[str, str]:
    """Which card a masked number is."""
    return {card.plastic.pan.masked: card.name for card in provision.cards}
