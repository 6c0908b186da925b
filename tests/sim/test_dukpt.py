"""DUKPT and the power: whatever is pulled and whenever, no key is ever used for two messages."""

from __future__ import annotations

from collections import defaultdict
from typing import Literal

import pytest

from firmware.records import Flow, Outcome, SettlementStep
from tests.sim.cases import flows
from tests.sim.invariants import check
from tests.sim.shop import PIN, SILENT_AFTER, WRONG_PIN, Purchase, Shop
from tests.sim.test_settlement import settle, step, unbalance
from tests.sim.test_types import GOOD_PAN, done, merchant_minor, voucher
from wire.security_data import SecurityData

SCHEMES = ("dukpt-tdes", "dukpt-aes")
SALE = Purchase(pins=(WRONG_PIN, PIN))

schemes = pytest.mark.parametrize("scheme", SCHEMES)


def opened(flow: Flow, scheme: str) -> Shop:
    shop = Shop(flow, security={"key_scheme": scheme, "encrypt_track": "dukpt"})
    shop.open()
    assert shop.state == "idle"
    return shop


def messages_by_ksn(shop: Shop) -> dict[bytes, set[str]]:
    """Every message that the bank was sent under each serial number; a repeat on the line is the same one."""
    found: dict[bytes, set[str]] = defaultdict(set)
    for message in shop.bank.asked:
        data = message.fields.get(59)
        if isinstance(data, bytes):
            found[SecurityData.parse(data).ksn].add(f"{message.mti}{sorted(message.fields.items())}")
    return found


@flows
@schemes
def test_a_sale_uses_a_number_for_every_message(flow: Flow, scheme: str) -> None:
    shop = opened(flow, scheme)
    shop.play(SALE)
    used = messages_by_ksn(shop)
    assert len(used) >= (1 if flow is Flow.PIN_FIRST else 4)
    assert all(len(messages) == 1 for messages in used.values())
    check(shop)


@schemes
def test_no_message_names_a_card_in_clear(scheme: str) -> None:
    """Typed, undone, sent later, uploaded: neither line nor gateway sees a number (docs/keys.md)."""
    security = {"key_scheme": scheme, "encrypt_track": "dukpt", "manual_entry_allowed": True}
    shop = Shop(Flow.PIN_FIRST, security=security)  # type: ignore[arg-type]
    shop.open()
    typed = {"expiry": "3012", "authorisation_code": "123456"}
    sale = done(shop, "purchase", number=GOOD_PAN, typed=typed)
    done(shop, "purchase_void", number=GOOD_PAN, typed={**voucher(sale), **typed})
    shop.fault(SILENT_AFTER, ("0200", "000000"))
    done(shop, "purchase", Outcome.TIMED_OUT, number=GOOD_PAN, typed=typed)
    shop.fault(SILENT_AFTER, ("0220", "000000"))
    done(shop, "offline_settlement", number=GOOD_PAN, typed=typed)
    unbalance(shop)
    shop.heal()
    settle(shop)
    assert {message.mti for message in shop.bank.asked} >= {"0200", "0220", "0320", "0400"}
    for message in shop.bank.asked:
        texts = [value.hex() if isinstance(value, bytes) else value for value in message.fields.values()]
        assert not [text for text in texts if GOOD_PAN in text], message.mti
    assert merchant_minor(shop) == 1234 * 2
    assert step(shop) is SettlementStep.CLOSED


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("flow", "scheme"), [*zip(Flow, SCHEMES, strict=True)])
def test_no_key_is_used_twice_wherever_the_power_goes(
    flow: Flow, scheme: str, when: Literal["before", "after"]
) -> None:
    counting = opened(flow, scheme)
    before = counting.storage.commits
    counting.play(SALE)
    count = counting.storage.commits - before
    assert count > 8
    for number in range(1, count + 1):
        shop = opened(flow, scheme)
        shop.power_or_paper_trouble = True
        shop.storage.power_cut_at(shop.storage.commits + number, when)
        shop.play(SALE)
        assert shop.state == "off"
        check(shop)  # heals, lets the terminal send what it owes, and sells once more
        used = messages_by_ksn(shop)
        assert used
        assert all(len(messages) == 1 for messages in used.values()), f"commit {number}"


@schemes
def test_an_answer_to_another_number_is_not_believed(scheme: str) -> None:
    """The MAC of an answer is made with a key of its request: an old answer fits no new request."""
    shop = opened(Flow.PIN_FIRST, scheme)
    shop.play(Purchase())
    assert shop.outcome is Outcome.APPROVED
    secure = shop.station.terminal
    assert secure is not None
    module = secure.parts.secure
    mab = b"0210 an answer"
    first = module._mac(mab, of_answer=True)
    assert module.verify_mac(mab, first)
    module.open_message()
    assert not module.verify_mac(mab, first)
