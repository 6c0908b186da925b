"""Every response code of the specification's table (iso8583-pos section 12) can be had from this bank.

Most come from what cards, merchants and messages are; the rest, codes of systems that this bank does not
have, from a fault that is armed for an amount.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from bank.answers import SUCCESSES
from bank.cards import CardStatus, CardTerms
from bank.faults import parse_fault
from bank.merchant_states import MerchantStatus
from bank.qualifications import QUALIFICATIONS
from tests.arch.house import ROOT
from tests.bank.clerk import Clerk
from tests.bank.till import without
from wire.iso8583 import IsoMessage

SPEC = (
    (ROOT / "docs/spec/iso8583-pos.md")
    .read_text("utf-8")
    .split("## 12. Response codes")[1]
    .split("## 13.")[0]
)
CODES = [
    code
    for line in SPEC.splitlines()
    if (row := re.match(r"\| ((?:[0-9A][0-9] ?)+) \| [A-E] \|", line))
    for code in row[1].split()
]


def status(code: CardStatus) -> Callable[[Clerk], IsoMessage]:
    def ask(clerk: Clerk) -> IsoMessage:
        with clerk.bank.store.transaction():
            clerk.bank.cards.set_status("good", code)
        return clerk.purchase()

    return ask


def approving(code: str) -> Callable[[Clerk], IsoMessage]:
    def ask(clerk: Clerk) -> IsoMessage:
        with clerk.bank.store.transaction():
            clerk.bank.cards.set_terms("good", CardTerms(approval_code=code))
        return clerk.purchase()

    return ask


def suspended(clerk: Clerk) -> IsoMessage:
    with clerk.bank.store.transaction():
        clerk.bank.merchants.set_status(clerk.mid, MerchantStatus.SUSPENDED)
    return clerk.purchase()


def partial(clerk: Clerk) -> IsoMessage:
    with clerk.bank.store.transaction():
        clerk.bank.cards.set_terms("poor", CardTerms(partial_approval=True))
    return clerk.ask("0200", clerk.purchase_fields("poor", 150) | {60: f"22{clerk.batch}000201"})


def track(old: str, new: str) -> Callable[[Clerk], IsoMessage]:
    def ask(clerk: Clerk) -> IsoMessage:
        fields = clerk.purchase_fields()
        assert old in str(fields[35])
        return clerk.ask("0200", fields | {35: str(fields[35]).replace(old, new)})

    return ask


def unknown_issuer(clerk: Clerk) -> IsoMessage:
    fields = without(clerk.purchase_fields(), 35)
    return clerk.ask("0200", fields | {2: "9999990000000004", 14: "3012", 22: "011"})


def voided_twice(clerk: Clerk) -> IsoMessage:
    sold = clerk.purchase()
    clerk.void(sold)
    return clerk.void(sold)


def unknown_original(clerk: Clerk) -> IsoMessage:
    return clerk.ask("0200", clerk.void_fields(clerk.purchase()) | {61: f"{clerk.batch}999999"})


def wrong_pins(clerk: Clerk) -> IsoMessage:
    for _ in range(3):
        assert clerk.purchase(pin="000000").text(39) == "55"
    return clerk.purchase()


def wrong_pins_of_another_issuer(clerk: Clerk) -> IsoMessage:
    policy = clerk.bank.policy
    other = replace(policy, profile=policy.profile.changed(pin_tries_exceeded="38"))
    clerk.bank.set_policy(other)
    return wrong_pins(clerk)


def forbidden_to_card(clerk: Clerk) -> IsoMessage:
    with clerk.bank.store.transaction():
        clerk.bank.cards.set_terms("good", CardTerms(forbids=frozenset({"preauth", "purchase"})))
    return clerk.purchase()


def forbidden_to_merchant(clerk: Clerk) -> IsoMessage:
    with clerk.bank.store.transaction():
        clerk.bank.merchants.set_qualifications(clerk.mid, frozenset(QUALIFICATIONS) - {"refund"})
    return clerk.refund(clerk.purchase())


def too_often(clerk: Clerk) -> IsoMessage:
    with clerk.bank.store.transaction():
        clerk.bank.cards.set_terms("good", CardTerms(daily_count_max=2))
    assert [clerk.purchase().text(39) for _ in range(2)] == ["00", "00"]
    refused = clerk.purchase()
    clerk.later(days=1)
    assert clerk.purchase().text(39) == "00", "the next day counts anew"
    return refused


def used_trace(clerk: Clerk) -> IsoMessage:
    fields = clerk.purchase_fields(amount_minor=1)
    clerk.ask("0200", fields)
    return clerk.ask("0200", fields | {4: "000000000002"})


def stranger(clerk: Clerk) -> IsoMessage:
    clerk.tid = "99999999"
    return clerk.purchase()


def no_pin_block(clerk: Clerk) -> IsoMessage:
    return clerk.ask("0200", clerk.purchase_fields() | {52: bytes(8)})


def no_mac(clerk: Clerk) -> IsoMessage:
    return clerk.ask("0200", clerk.purchase_fields(), mac=False)


BY_DATA: Mapping[str, Callable[[Clerk], IsoMessage]] = {
    "00": lambda clerk: clerk.purchase(),
    "01": status(CardStatus.REFERRED),
    "03": suspended,
    "04": status(CardStatus.PICK_UP),
    "10": partial,
    "12": lambda clerk: clerk.void(clerk.purchase("poor", 5000)),
    "13": lambda clerk: clerk.purchase(amount_minor=0),
    "14": lambda clerk: clerk.purchase("unknown"),
    "15": unknown_issuer,
    "21": status(CardStatus.INACTIVE),
    "22": voided_twice,
    "25": unknown_original,
    "30": lambda clerk: clerk.ask("0200", without(clerk.purchase_fields(), 4)),
    "34": status(CardStatus.FRAUD),
    "38": wrong_pins_of_another_issuer,
    "40": lambda clerk: clerk.ask("0200", clerk.purchase_fields() | {25: "64"}),
    "41": status(CardStatus.LOST),
    "43": status(CardStatus.STOLEN),
    "45": track("D3012120", "D3012201"),
    "51": lambda clerk: clerk.purchase("poor", 101),
    "54": lambda clerk: clerk.purchase("expired"),
    "55": lambda clerk: clerk.purchase(pin="000000"),
    "57": forbidden_to_card,
    "58": forbidden_to_merchant,
    "59": track("D301212000000000", "D301212000000001"),
    "61": lambda clerk: clerk.purchase("limited", 1001),
    "62": status(CardStatus.RESTRICTED),
    "64": lambda clerk: clerk.refund(clerk.purchase(amount_minor=100), 101),
    "65": too_often,
    "75": wrong_pins,
    "94": used_trace,
    "97": stranger,
    "99": no_pin_block,
    "A0": no_mac,
    **{code: approving(code) for code in ("11", "A2", "A4", "A5", "A6")},
}
BY_FAULT = ("05", "68", "90", "91", "92", "96", "98", "A1", "A7")
"""Codes of chips that are not checked here, of other banks' systems and of currencies."""


def test_every_code_of_the_table_is_covered() -> None:
    assert len(CODES) > 40
    assert set(CODES) == {*BY_DATA, *BY_FAULT}
    assert not set(BY_FAULT) & SUCCESSES


@pytest.mark.parametrize("code", BY_DATA)
def test_a_code_by_what_is_asked(clerk: Clerk, code: str) -> None:
    answer = BY_DATA[code](clerk)
    assert answer.text(39) == code


@pytest.mark.parametrize("code", CODES)
def test_a_code_by_an_amount(clerk: Clerk, code: str) -> None:
    clerk.bank.faults.add(parse_fault(f"response-code:value={code},amount=77.77,count=always"))
    assert clerk.purchase(amount_minor=7776).text(39) == "00"
    before = clerk.balance_minor()
    answer = clerk.purchase(amount_minor=7777)
    assert answer.text(39) == code
    assert clerk.mac_is_right(answer)
    moved = 0 if code not in SUCCESSES else 7777 if code != "10" else 3888
    assert before - clerk.balance_minor() == moved
    assert code != "10" or answer.text(4) == "000000003888"


@pytest.mark.parametrize("expiry_yymm", ["0000", "3000", "3013", "9999"])
def test_a_typed_expiry_that_is_no_date_names_no_card(clerk: Clerk, expiry_yymm: str) -> None:
    """Once it ended the connection: F14 is YYMM (ISO 8583), and only a person makes it a date."""
    answer = clerk.ask("0220", clerk.offline_fields() | {14: expiry_yymm})
    assert answer.text(39) == "14"
