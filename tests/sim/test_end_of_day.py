"""The end of a whole day: what the terminal settled and uploaded, reconciled, paid and reported."""

from __future__ import annotations

import pytest

from bank.batches import Batch
from bank.payouts import FEES, PAYOUTS
from bank.reconcile import Finding
from bank.report import day_report
from firmware.records import Flow
from tests.bank.till import NOW
from tests.sim.shop import Shop
from tests.sim.test_settlement import busy_day, settle, unbalance
from tests.sim.test_types import done, opened
from tools.bank_report import text_of


def closed_batch(shop: Shop) -> Batch:
    [batch] = shop.bank.batches.batches()
    assert batch.closed_at is not None
    return batch


@pytest.mark.parametrize("flow", Flow, ids=lambda flow: flow.value)
def test_a_day_that_balances_is_paid_to_the_cent(flow: Flow) -> None:
    shop = opened(flow)
    earned_minor = busy_day(shop)
    settle(shop)
    batch = closed_batch(shop)
    assert batch.is_balanced
    assert batch.closed_at is not None
    shop.bank.payouts.pay_all(now=NOW)
    books = {account.name: account.balance_minor for account in shop.bank.accounts()}
    assert books[PAYOUTS] + books[FEES] == earned_minor
    assert books["merchant 898320154110001"] == 0
    assert sum(books.values()) == 0
    report = text_of(day_report(shop.bank, batch.closed_at[:10]))
    assert "domestic  balanced" in report
    assert "books: right" in report


@pytest.mark.parametrize("flow", Flow, ids=lambda flow: flow.value)
def test_of_an_upload_only_the_real_difference_is_found(flow: Flow) -> None:
    """Void, tip, completions by request and by advice and refund are uploaded as the bank has booked them."""
    shop = opened(flow)
    busy_day(shop)
    unbalance(shop)
    settle(shop)
    batch = closed_batch(shop)
    assert (batch.domestic, batch.foreign) == (2, 1)
    [difference] = shop.bank.differences(batch)
    assert (difference.finding, difference.booked_minor) == (Finding.NOT_UPLOADED, 1234)
    assert batch.records_told == len(shop.bank.batches.uploads(batch.mid, batch.tid, batch.batch))
    done(shop, "purchase")
