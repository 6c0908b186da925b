"""The bank's data for a simulation: merchants with as many terminals as wanted, and people with cards."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from bank.answers import BankPolicy
from bank.authoriser import Bank
from bank.cards import CardTerms
from bank.entropy import SeededEntropy
from bank.faults import BankFaults
from bank.hsm import USUAL_MACS
from bank.provision import DEMO_MASTER_KEY, CardSpec, Provision, TerminalSpec, load_provision
from tools.virtual_bank import BankMachine

PIN = "90735182"  # too long to be met by chance: it can be searched for
WRONG_PIN = "41826607"
EXPIRY = "3012"  # of the cards with money
RICH_CARDS = 12
VISITOR = "visitor"  # a card of a foreign organisation: the other half of a settlement's totals
BALANCE_MINOR = 5_000_000
PART_MINOR = 150_000  # soon only a part of an amount is there
FLAWED = ("11", "A2", "A4", "A5", "A6")  # successes that are not plain: what the issuers of such cards answer
TID_FIRST = 20_000_001
SCHEME_WEIGHTS: Mapping[str, int] = {"master-session": 14, "dukpt-tdes": 2, "dukpt-aes": 2, "sm4": 2}
NEIGHBOUR_MID = "898320154110002"
GOOD = "good"  # the demo's card after which those with money are made


def bank_machine(seed: int, policy: BankPolicy) -> BankMachine:
    """An empty bank on a machine of its own. Chance and armed faults are the world's: they outlive it."""
    entropy, faults = SeededEntropy(seed), BankFaults()
    return BankMachine.on_disk(
        lambda store: Bank(store, DEMO_MASTER_KEY, entropy=entropy, policy=policy, faults=faults)
    )


@cache
def _demo() -> Provision:
    return load_provision()


def odd_card_names() -> frozenset[str]:
    """The cards that not everybody has: what is not a card with money of this bank."""
    demo = {card.name for card in _demo().cards if card.name != GOOD}
    return frozenset({VISITOR, "part", *(f"flawed_{code}" for code in FLAWED), *demo})


def provision_for(seed: int, terminals: int) -> Provision:
    """The demo's merchant and odd cards, many terminals, and cards with money. Test numbers only."""
    demo, rng = _demo(), random.Random(f"town {seed}")
    merchant = demo.merchants[0]
    tills = tuple(
        replace(merchant.terminals[0], tid=f"{TID_FIRST + number}", tmk=rng.randbytes(16))
        for number in range(terminals)
    )
    good = next(card for card in demo.cards if card.name == GOOD)
    rich = tuple(_rich(good, f"rich{number}", f"62258800010{number:04d}") for number in range(RICH_CARDS))
    visitor = _rich(good, VISITOR, "411111111111111")
    part = replace(_rich(good, "part", "622588000200001"), terms=CardTerms(partial_approval=True))
    part = replace(part, balance_minor=PART_MINOR)
    flawed = tuple(
        replace(
            _rich(good, f"flawed_{code}", f"62258800030{number:04d}"), terms=CardTerms(approval_code=code)
        )
        for number, code in enumerate(FLAWED)
    )
    odd = tuple(replace(card, pin=PIN) for card in demo.cards if card.name != GOOD)
    return Provision((*rich, visitor, part, *flawed, *odd), (replace(merchant, terminals=tills),))


def as_town(provision: Provision, seed: int) -> Provision:
    """The same with each terminal under a key scheme by chance, and every other one in the shop next door."""
    (merchant,) = provision.merchants
    tills = [
        _protected(spec, number, random.Random(f"scheme {seed} {number}"))
        for number, spec in enumerate(merchant.terminals)
    ]
    neighbour = replace(merchant, mid=NEIGHBOUR_MID, name="CORNER SHOP", name_local="街角小店")
    shops = ((merchant, tills[::2]), (neighbour, tills[1::2]))
    return replace(
        provision, merchants=tuple(replace(shop, terminals=tuple(own)) for shop, own in shops if own)
    )


def _protected(spec: TerminalSpec, number: int, rng: random.Random) -> TerminalSpec:
    (scheme,) = rng.choices(list(SCHEME_WEIGHTS), list(SCHEME_WEIGHTS.values()))
    first_number = {  # nothing is counted yet: in the last 21 bits (X9.24-1), in the last 4 bytes (X9.24-3)
        "dukpt-tdes": bytes.fromhex(f"FFFF9876{2 * number:04X}00000000"),
        "dukpt-aes": bytes.fromhex(f"12345678{number:08X}00000000"),
    }.get(scheme, b"")
    return replace(
        spec,
        key_scheme=scheme,
        mac_algorithm=USUAL_MACS[scheme],
        bdk=rng.randbytes(16) if first_number else None,
        ksn=first_number,
    )


def _rich(good: CardSpec, name: str, body: str) -> CardSpec:
    pan = next(pan for digit in "0123456789" if (pan := type(good.plastic.pan)(body + digit)).luhn_valid)
    return replace(
        good, name=name, plastic=replace(good.plastic, pan=pan), pin=PIN, balance_minor=BALANCE_MINOR
    )


def names_by_mask(provision: Provision) -> Mapping[str, str]:
    """Which card a masked number is."""
    return {card.plastic.pan.masked: card.name for card in provision.cards}
