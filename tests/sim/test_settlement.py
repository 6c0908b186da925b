"""Settlement against the bank's own books: balanced, not balanced, cut off anywhere, and what comes after."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from bank import schemes, settling
from bank.batches import UploadKind
from bank.faults import FaultKind
from firmware import batch_limit
from firmware.exchange import Answer, Verdict
from firmware.journal import Journal
from firmware.management_work import stored_parameters
from firmware.records import Flow, Outcome, Payment, SettlementStep
from firmware.settlement_work import unsettled
from firmware.totals import BatchTotals, Block, Line
from firmware.txn.schema import Kind
from firmware.txn.settlement import TABLE, Event, State
from tests.sim.shop import Purchase, Shop
from tests.sim.test_types import GOOD_PAN, by_code, done, merchant_minor, opened, voucher
from wire.iso8583 import IsoMessage


def settle(shop: Shop) -> None:
    """Ask for the settlement and let it end, one way or the other."""
    assert shop.station.terminal is not None
    shop.station.terminal.settle()
    shop.station.settle()
    shop.go_on()


def step(shop: Shop) -> SettlementStep:
    assert shop.station.terminal is not None
    settlement = shop.station.terminal.journal.settlement
    assert settlement is not None
    return settlement.step


def batch(shop: Shop) -> str:
    assert shop.station.terminal is not None
    return shop.station.terminal.journal.counters.batch


def unbalance(shop: Shop) -> None:
    """One sale more, which the terminal's journal takes for undone: the bank has more than the terminal."""
    sale = done(shop, "purchase")
    assert shop.station.terminal is not None
    journal = shop.station.terminal.journal
    draft = journal.draft()
    draft.payment = replace(sale, reversed=True)
    journal.commit(draft)


def busy_day(shop: Shop) -> int:
    """A day with one of everything; what the merchant is to get, in minor units."""
    sale = done(shop, "purchase", amount="10000")
    done(shop, "purchase_void", typed=voucher(done(shop, "purchase", amount="500")))
    done(shop, "adjustment", typed=voucher(sale), amount="1000")
    shop.heal()
    hold = done(shop, "preauth", amount="7000")
    done(shop, "completion", typed=by_code(hold), amount="6000")
    other = done(shop, "preauth", amount="3000")
    done(shop, "completion_advice", typed=by_code(other), amount="3000")
    last = done(shop, "purchase", amount="200")
    done(shop, "refund", typed={"reference": last.rrn, "original_date": last.host_date}, amount="150")
    return 10_000 + 1_000 + 6_000 + 3_000 + 200 - 150


@pytest.mark.parametrize("flow", Flow, ids=lambda flow: flow.value)
def test_a_day_balances(flow: Flow) -> None:
    shop = opened(flow)
    done(shop, "purchase")
    sale = done(shop, "purchase", amount="5000")
    done(shop, "purchase_void", typed=voucher(sale))
    first = batch(shop)
    settle(shop)
    assert step(shop) is SettlementStep.CLOSED
    assert [one for one in shop.transitions if one.rule.event is Event.TIMEOUT] == []
    slip = shop.station.slips[-1]
    assert "NOT BALANCED" not in slip
    assert slip.count("BALANCED") == 2
    assert "x2" in slip
    assert "62.34" in slip, "debits: 12.34 and 50.00"
    assert "50.00" in slip, "credits: the void"
    assert int(batch(shop)) == int(first) + 1
    done(shop, "purchase")
    assert merchant_minor(shop) == 1234 * 2


def test_a_busy_day_balances_with_what_was_stored_sent_before() -> None:
    shop = opened()
    earned_minor = busy_day(shop)
    settle(shop)
    assert step(shop) is SettlementStep.CLOSED
    assert "NOT BALANCED" not in shop.station.slips[-1]
    assert merchant_minor(shop) == earned_minor


def test_no_card_number_outlives_its_batch() -> None:
    shop = opened()
    done(shop, "purchase")
    assert list(shop.storage.scan("cards")) != []
    settle(shop)
    assert list(shop.storage.scan("cards")) == []


def test_what_differs_is_uploaded_and_then_closed() -> None:
    """Totals that the bank does not have: every record of that half goes up, in eights."""
    shop = opened()
    for _ in range(9):
        done(shop, "purchase", amount="100")
    busy_day(shop)
    unbalance(shop)
    settle(shop)
    assert step(shop) is SettlementStep.CLOSED
    assert "NOT BALANCED" in shop.station.slips[-1]
    uploads = shop.bank._office.batches.uploads("898320154110001", "12345678", "000001")
    kinds = [one.kind for one in uploads]
    assert kinds.count(UploadKind.DETAIL) == 9 + 5
    assert kinds.count(UploadKind.ADVICE) == 3
    done(shop, "purchase")


STEPS = [
    row.state.value
    for row in TABLE.rows
    if row.kind is Kind.WAITING and row.state is not State.PRINTER_STOPPED
]


CUTS = [
    (state, unbalanced)
    for state in STEPS
    for unbalanced in (False, True)
    if unbalanced or state != "uploading"
]


@pytest.mark.parametrize(("state", "unbalanced"), CUTS)
def test_a_power_cut_at_any_step_is_made_good(state: str, unbalanced: bool) -> None:
    shop = opened()
    done(shop, "purchase")
    if unbalanced:
        unbalance(shop)
    if state == "settlement_linking":
        shop.cut_cable_until_down()
    cut: list[str] = []

    def pull() -> None:
        cut.append(shop.state)
        shop.power_cycle()
        shop.station.plug_cable()

    shop.instead[state] = pull
    settle(shop)
    shop.heal()
    assert cut == [state]
    shop.station.run_until(lambda: step(shop) is SettlementStep.CLOSED, 200_000)
    shop.go_on()
    assert step(shop) is SettlementStep.CLOSED
    assert int(batch(shop)) == 2
    done(shop, "purchase")
    assert merchant_minor(shop) == 1234 * (3 if unbalanced else 2)


def test_nothing_is_sold_before_a_settlement_is_through() -> None:
    shop = opened()
    done(shop, "purchase")
    shop.instead["totalling"] = lambda: shop.station.press("cancel")
    settle(shop)
    assert step(shop) is SettlementStep.TOTALS
    shop.station.press("f1")
    assert shop.state == "not_settled"
    assert "NOT SETTLED" in shop.station.display
    settle(shop)
    assert step(shop) is SettlementStep.CLOSED
    assert done(shop, "purchase").outcome is Outcome.APPROVED


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_settlement_slip_tells_both_blocks(language: str) -> None:
    shop = opened(language=language)
    done(shop, "purchase")
    settle(shop)
    slip = shop.station.slips[-1]
    for word in {"en": ("SETTLEMENT", "DOMESTIC", "FOREIGN"), "zh": ("结算单", "内卡", "外卡")}[language]:
        assert word in slip


def test_a_settlement_without_an_answer_is_tried_again_and_goes_on_later() -> None:
    shop = opened()
    done(shop, "purchase")
    shop.fault(FaultKind.SILENT_AFTER_POSTING, ("0500", ""), count=2)
    settle(shop)
    assert step(shop) is SettlementStep.CLOSED


def managed(shop: Shop, name: str) -> None:
    """A management message, to its good end."""
    terminal = shop.station.terminal
    assert terminal is not None
    terminal.manage(name)
    shop.station.settle()
    shop.station.run_until(lambda: shop.state != "managing")
    assert shop.state == "managed", name
    shop.go_on()


def test_management_messages() -> None:
    shop = opened()
    terminal = shop.station.terminal
    assert terminal is not None
    for name in ("echo", "status", "parameters"):
        managed(shop, name)
    assert terminal.parts.settings.manual_entry_allowed, "parameter 20 of the demo bank"
    managed(shop, "sign_out")
    assert not terminal.parts.secure.has_working_keys
    assert not terminal.journal.counters.signed_in
    assert done(shop, "purchase").outcome is Outcome.APPROVED, "it signs in first"


def test_a_sign_out_whose_answer_is_lost_costs_no_sale() -> None:
    """The bank has forgotten the keys, and the terminal knows that it may have: it signs in first."""
    shop = opened()
    terminal = shop.station.terminal
    assert terminal is not None
    shop.fault(FaultKind.SILENT_AFTER_POSTING, ("0820", ""))
    terminal.manage("sign_out")
    shop.station.settle()
    shop.go_on()
    assert done(shop, "purchase").outcome is Outcome.APPROVED


def test_parameters_outlive_a_power_cut_and_a_switch_turns_a_type_off() -> None:
    shop = opened()
    terminal = shop.station.terminal
    assert terminal is not None
    terminal.parts.settings = replace(terminal.parts.settings, switches="ff7fffff")
    terminal.start("offline_settlement")
    shop.station.settle()
    assert shop.state == "sale_refused"
    shop.go_on()
    managed(shop, "parameters")
    shop.power_cycle()
    shop.go_on()
    assert shop.station.terminal is not None
    assert shop.station.terminal.parts.settings.manual_entry_allowed
    shop.play(Purchase())
    assert shop.outcome is Outcome.APPROVED


def test_the_journal_is_read_no_more_often_for_more_to_upload(monkeypatch: pytest.MonkeyPatch) -> None:
    """A day of a thousand sales is a hundred messages; reading all of it for each would take minutes."""
    reads: list[int] = []
    payments = Journal.payments

    def counted(journal: Journal) -> Iterator[Payment]:
        reads.append(1)
        return payments(journal)

    shops = [opened(), opened()]
    for shop, sales in zip(shops, (1, 17), strict=True):
        for _ in range(sales):
            done(shop, "purchase", amount="100")
        unbalance(shop)
    monkeypatch.setattr(Journal, "payments", counted)
    settle(shops[0])
    few, reads[:] = len(reads), []
    settle(shops[1])
    assert step(shops[1]) is SettlementStep.CLOSED
    assert len(reads) == few


def test_a_settled_payment_is_in_no_later_batch_of_the_same_number() -> None:
    shop = opened()
    done(shop, "purchase")
    settle(shop)
    last = done(shop, "purchase")
    assert shop.station.terminal is not None
    assert [one.number for one in unsettled(shop.station.terminal.journal)] == [last.number]


def test_a_parameter_that_is_not_sent_again_stays() -> None:
    shop = opened()
    managed(shop, "parameters")
    terminal = shop.station.terminal
    assert terminal is not None
    before = stored_parameters(shop.storage)
    draft = terminal.journal.draft()
    answer = Answer(Verdict.APPROVED, IsoMessage("0810", {62: b"1907"}))
    terminal._service.note_parameters(draft, answer)
    terminal.journal.commit(draft)
    assert len(before) > 1
    assert stored_parameters(shop.storage) == before | {"19": "07"}


def test_a_full_batch_is_settled_before_more_is_sold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Field 48 has three digits for a count (iso8583-pos section 8.1)."""
    monkeypatch.setattr(batch_limit, "COUNT_MAX", 2)
    shop = opened()
    assert shop.station.terminal is not None
    done(shop, "purchase")
    done(shop, "balance")
    done(shop, "purchase")
    shop.station.press("f1")
    assert shop.state == "not_settled"
    shop.go_on()
    done(shop, "balance")
    shop.power_cycle()
    shop.station.press("f1")
    assert shop.state == "not_settled", "a power cut does not make room"
    settle(shop)
    assert step(shop) is SettlementStep.CLOSED
    done(shop, "purchase")


def test_a_batch_of_too_much_money_is_settled_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_limit, "SUM_MAX_MINOR", 6000)
    shop = opened()
    sale = done(shop, "purchase", amount="5500")
    done(shop, "adjustment", typed=voucher(sale), amount="500")
    shop.station.press("f1")
    assert shop.state == "not_settled"


def test_the_largest_batch_fits_its_field() -> None:
    side = Line(batch_limit.COUNT_MAX, batch_limit.SUM_MAX_MINOR - 1 + batch_limit.ONE_MAX_MINOR)
    assert len(BatchTotals(Block(side, side), Block(side, side)).encoded()) == 62


def test_a_bank_in_error_gets_the_records_and_the_batch_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Result 3 is not 1: the records go up (iso8583-pos section 8.2). So no shop is stuck for ever."""
    shop = opened()
    done(shop, "purchase")
    monkeypatch.setattr(settling, "_told", lambda _domestic, _foreign: "")
    settle(shop)
    assert step(shop) is SettlementStep.CLOSED
    assert "NOT BALANCED" in shop.station.slips[-1]


@pytest.mark.parametrize("unbalanced", [True, False], ids=["records", "end"])
def test_a_bank_that_has_lost_the_totals_is_told_them_again(*, unbalanced: bool) -> None:
    """12 to a 0320: without a new 0500 the settlement would stand at that step for ever."""
    shop = opened()
    done(shop, "purchase")
    if unbalanced:
        unbalance(shop)
    shop.fault(FaultKind.RESPONSE_CODE, ("0320", ""), value="12")
    settle(shop)
    assert step(shop) is SettlementStep.TOTALS
    shop.heal()
    shop.station.run_until(lambda: step(shop) is SettlementStep.CLOSED, 200_000)
    shop.go_on()
    assert step(shop) is SettlementStep.CLOSED


def test_a_line_that_fails_is_waited_for() -> None:
    shop = opened()
    done(shop, "purchase")

    def pull() -> None:
        shop.station.unplug_cable()
        shop.station.run_until(lambda: not shop.link_is_up, 5_000)

    shop.instead["totalling"] = pull
    shop.instead["settlement_linking"] = shop.station.plug_cable
    settle(shop)
    assert step(shop) is SettlementStep.CLOSED


def test_three_failed_connections_interrupt_a_settlement() -> None:
    """iso8583-pos section 8.2; it goes on by itself when the bank is there again."""
    shop = opened()
    done(shop, "purchase")
    shop.drive.stop_bank()
    settle(shop)
    sent = [one.rule for one in shop.transitions if one.rule.event is Event.HOST_NOT_SENT]
    assert [rule.target for rule in sent] == [State.LINKING, State.LINKING, State.INTERRUPTED]
    assert step(shop) is SettlementStep.TOTALS
    shop.drive.start_bank()
    shop.station.run_until(lambda: step(shop) is SettlementStep.CLOSED, 200_000)
    shop.go_on()
    assert step(shop) is SettlementStep.CLOSED


def test_nothing_is_settled_while_a_reversal_is_owed() -> None:
    shop = opened()
    shop.fault(FaultKind.SILENT_AFTER_POSTING, ("0200", "000000"))
    shop.fault(FaultKind.SILENT_BEFORE_POSTING, ("0400", ""), count=2)
    done(shop, "purchase", Outcome.TIMED_OUT)
    settle(shop)
    assert shop.station.terminal is not None
    assert shop.station.terminal.journal.settlement is None, "its totals would not be the bank's"
    shop.heal()
    settle(shop)
    assert step(shop) is SettlementStep.CLOSED
    assert "NOT BALANCED" not in shop.station.slips[-1]


def test_the_answer_that_a_settlement_waited_for_counts_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is owed is sent first; the last answer says that the card is foreign, and the totals know it."""
    monkeypatch.setattr(schemes, "_ranges", lambda: (("0", "9", "VIS"),))
    shop = opened(manual_entry_allowed=True)
    typed = {"authorisation_code": "123456", "expiry": "3012"}
    done(shop, "offline_settlement", typed=typed, number=GOOD_PAN, amount="5000")
    assert shop.station.terminal is not None
    assert shop.station.terminal.journal.due()
    settle(shop)
    settlement = shop.station.terminal.journal.settlement
    assert settlement is not None
    assert (settlement.domestic_result, settlement.foreign_result) == (1, 1)
    assert shop.bank.batches.batches()[0].is_balanced


@pytest.mark.parametrize("is_open", [False, True], ids=["before", "in the middle"])
def test_a_day_is_settled_after_the_tamper_switch(*, is_open: bool) -> None:
    """The card numbers are gone with the keys: what is uploaded names none, what is owed is refused."""
    shop = opened(manual_entry_allowed=True)
    done(shop, "purchase")
    unbalance(shop)
    if is_open:
        shop.instead["uploading"] = lambda: shop.station.press("cancel")
        settle(shop)
        assert step(shop) is SettlementStep.RECORDS
    else:
        typed = {"authorisation_code": "123456", "expiry": "3012"}
        done(shop, "offline_settlement", typed=typed, number=GOOD_PAN, amount="5000")
    shop.station.devices.tamper.trip()
    shop.station.run_for(100)
    assert shop.state == "tampered"
    assert list(shop.storage.scan("cards")) == []
    shop.heal()
    settle(shop)
    assert step(shop) is SettlementStep.CLOSED
    done(shop, "purchase")
