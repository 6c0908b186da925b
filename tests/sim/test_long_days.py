"""What comes once in a long while: the trace wraps, the batch changes, the bank keeps asking."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bank.faults import FaultKind
from firmware.records import Flow, Outcome, SettlementStep
from tests.sim.shop import Shop
from tests.sim.test_settlement import batch, managed, settle, step
from tests.sim.test_types import GOOD_PAN, done, merchant_minor, opened, voucher

FOR_EVER = 10_000


def set_trace(shop: Shop, stan: int) -> None:
    """The trace used last."""
    assert shop.station.terminal is not None
    journal = shop.station.terminal.journal
    draft = journal.draft()
    draft.counters = replace(draft.counters, stan=stan)
    journal.commit(draft)


@pytest.mark.parametrize("flow", Flow, ids=lambda flow: flow.value)
def test_a_day_over_which_the_trace_wraps_is_settled_in_full(flow: Flow) -> None:
    """The bank gives a new batch at the next sign-in, with payments of the old one still to be settled."""
    shop = opened(flow)
    set_trace(shop, 999_998)
    sales = [done(shop, "purchase", amount="100") for _ in range(3)]
    shop.heal()
    assert {int(sale.stan) for sale in sales} & {1, 2, 3, 4, 5, 6, 7}
    void = done(shop, "purchase_void", typed=voucher(sales[-1]))
    assert void.batch == sales[0].batch
    first = batch(shop)
    shop.station.press("f3")
    shop.go_on()
    assert batch(shop) != first
    done(shop, "purchase", amount="700")
    shop.heal()
    for _ in range(2):
        settle(shop)
        assert step(shop) is SettlementStep.CLOSED
        assert "NOT BALANCED" not in shop.station.slips[-1]
    assert "7.00" in shop.station.slips[-1]
    assert merchant_minor(shop) == 2 * 100 + 700


@pytest.mark.parametrize("digit", ["1", "2", "3", "4", "9"])
def test_a_bank_that_asks_for_ever_stops_no_sale(digit: str) -> None:
    """Whatever the header asks for (section 1.1), and however often: payments go on, and nothing spins."""
    shop = opened()
    shop.fault(FaultKind.HEADER_DIGIT, value=digit, count=FOR_EVER)
    for _ in range(2):
        assert done(shop, "purchase").outcome is Outcome.APPROVED
    before = len(shop.transitions)
    shop.station.run_for(600_000)
    assert len(shop.transitions) - before < 120, "ten minutes have pauses"
    shop.bank.faults.clear()
    shop.go_on()
    assert done(shop, "purchase").outcome is Outcome.APPROVED


@pytest.mark.parametrize("by_settlement", [False, True])
def test_a_terminal_that_was_signed_out_stays_so_until_somebody_sells(*, by_settlement: bool) -> None:
    shop = opened(signs_out_after_settlement=by_settlement)
    done(shop, "purchase")
    if by_settlement:
        settle(shop)
    else:
        managed(shop, "sign_out")
    shop.station.run_for(600_000)
    assert shop.station.terminal is not None
    assert not shop.station.terminal.journal.counters.signed_in
    done(shop, "purchase")
    assert shop.station.terminal.journal.counters.signed_in


@pytest.mark.parametrize("is_repeat", [True, False])
def test_a_bank_that_calls_a_repeat_a_duplicate_has_it(*, is_repeat: bool) -> None:
    """94 to a repeat: the bank posted the first. To one never sent before it is a no like any other."""
    shop = opened(manual_entry_allowed=True)
    advice = ("0220", "000000")
    fault = FaultKind.SILENT_AFTER_POSTING if is_repeat else FaultKind.RESPONSE_CODE
    shop.fault(fault, advice, value="94")
    typed = {"authorisation_code": "123456", "expiry": "3012"}
    done(shop, "offline_settlement", typed=typed, number=GOOD_PAN, amount="5000")
    shop.station.run_until(lambda: shop.bank.asked[-1].mti == "0220", 600_000)
    shop.fault(FaultKind.RESPONSE_CODE, advice, value="94")
    shop.station.run_until(lambda: not shop.owes, 600_000)
    shop.go_on()
    assert merchant_minor(shop) == (5000 if is_repeat else 0)
    settle(shop)
    assert "NOT BALANCED" not in shop.station.slips[-1]
    assert ("50.00" in shop.station.slips[-1]) is is_repeat
