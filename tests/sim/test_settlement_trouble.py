"""A settlement whose messages are not answered well, at each step: asked again, given up, gone on with later.

Whatever happens, the batch is closed in the end with totals that both sides know, and nothing is sold before.
"""

from __future__ import annotations

import pytest

from firmware.app import Transition
from firmware.records import SettlementStep
from firmware.txn.settlement import Event, State
from hal.api import Beep, PrinterStatus
from tests.sim.bad_answers import (
    BAD_MAC,
    DECLINED,
    EVERY_WAY,
    LOST,
    NOT_SENT,
    SILENT,
    BadAnswer,
    name_of,
    with_field,
)
from tests.sim.shop import PATIENCE_MS, Shop
from tests.sim.test_settlement import batch, settle, step, unbalance
from tests.sim.test_types import done, merchant_minor, opened

MTI = {State.TOTALLING: "0500", State.UPLOADING: "0320", State.ENDING: "0320"}
EARNED_MINOR = 1234 * 2 - 100
WAYS = [way for way in EVERY_WAY if way is not BAD_MAC]  # none of these answers has a MAC
ways = pytest.mark.parametrize("way", WAYS, ids=name_of)
steps = pytest.mark.parametrize("state", MTI, ids=lambda state: state.value)


def trading_shop() -> Shop:
    """A sale and a refund, and one sale more at the bank: two messages of records are to be uploaded."""
    shop = opened()
    sale = done(shop, "purchase")
    unbalance(shop)
    typed = {"reference": sale.posted_rrn, "original_date": sale.host_date}
    done(shop, "refund", typed=typed, amount="100")
    return shop


def strike(shop: Shop, state: State, way: BadAnswer, count: int | None) -> None:
    """Let the answers in that state be bad, so often (None: for good), from its first message on."""

    def on_transition(step: Transition) -> None:
        if step.rule.target is state and step.rule.source is not state and not struck:
            struck.append(state)
            way.arm(shop, MTI[state], count)

    struck: list[State] = []
    shop.on_transition = on_transition


def closes_later(shop: Shop) -> None:
    """When the bank answers again, the settlement is brought to its end, without anybody's asking."""
    shop.on_transition = lambda _step: None
    shop.heal()
    shop.station.run_until(lambda: step(shop) is SettlementStep.CLOSED, PATIENCE_MS)
    shop.go_on()
    assert step(shop) is SettlementStep.CLOSED
    assert batch(shop) == "000002"
    assert merchant_minor(shop) == EARNED_MINOR
    done(shop, "purchase")


@steps
@pytest.mark.parametrize("way", [DECLINED, LOST, SILENT], ids=name_of)
def test_one_bad_answer_is_made_good_by_asking_again(state: State, way: BadAnswer) -> None:
    """Only a refusal of the totals is final for the moment: they would be refused again."""
    shop = trading_shop()
    strike(shop, state, way, 1)
    settle(shop)
    assert shop.took(state.value, way.event)
    is_refusal_of_totals = (state, way) == (State.TOTALLING, DECLINED)
    assert (step(shop) is SettlementStep.CLOSED) != is_refusal_of_totals
    if way is not SILENT:
        assert not shop.took(state.value, "timeout"), "it was asked again at once"
    closes_later(shop)


@steps
def test_a_settlement_gone_on_with_has_all_its_tries_again(state: State) -> None:
    """It was put off while the last of them was waited for; then an answer is lost once more."""
    shop = trading_shop()
    strike(shop, state, SILENT, None)
    arm = shop.on_transition
    tried: list[State] = []

    def on_transition(taken: Transition) -> None:
        arm(taken)
        if taken.rule.guard == "tries_left":
            tried.append(state)
            if len(tried) == shop.station.settings.resends:
                shop.instead[state.value] = lambda: shop.station.press("cancel")

    shop.on_transition = on_transition
    settle(shop)
    assert shop.took(state.value, "cancel")
    put_off = len(shop.transitions)
    shop.bank.faults.clear()
    strike(shop, state, LOST, 1)
    shop.station.run_until(lambda: step(shop) is SettlementStep.CLOSED, PATIENCE_MS)
    lost = [one.rule for one in shop.transitions[put_off:] if one.rule.event is Event.HOST_LOST]
    assert [(rule.source, rule.guard) for rule in lost] == [(state, "tries_left")]
    assert step(shop) is SettlementStep.CLOSED


@steps
def test_a_line_that_fails_once_is_waited_for(state: State) -> None:
    shop = trading_shop()
    strike(shop, state, NOT_SENT, 1)
    stop_bank = shop.on_transition

    def on_transition(taken: Transition) -> None:
        stop_bank(taken)
        if taken.rule.event.value == NOT_SENT.event:
            shop.drive.start_bank()

    shop.on_transition = on_transition
    settle(shop)
    assert shop.took(state.value, NOT_SENT.event)
    assert step(shop) is SettlementStep.CLOSED


@steps
@ways
def test_no_good_answer_at_all_is_not_waited_for_for_ever(state: State, way: BadAnswer) -> None:
    shop = trading_shop()
    strike(shop, state, way, None)
    settle(shop)
    asked = [one for one in shop.transitions if one.rule.event.value == way.event]
    if way in (LOST, SILENT):
        assert len(asked) >= shop.station.settings.resends
    are_passed_by = state is State.UPLOADING and way is not NOT_SENT  # records that nobody takes
    given_up = next(one.rule for one in shop.transitions if one.rule.target is State.INTERRUPTED)
    assert given_up.source is (State.ENDING if are_passed_by else state)
    assert given_up.event.value == way.event, "and not only when the time is up"
    assert step(shop) is not SettlementStep.CLOSED
    shop.station.press("f1")
    assert shop.state == "not_settled", "nothing is sold before"
    assert shop.station.devices.buzzer.played()[-1].beep is Beep.ERROR
    closes_later(shop)


@pytest.mark.parametrize("state", [*MTI, State.LINKING], ids=lambda state: state.value)
def test_cancel_puts_a_settlement_off(state: State) -> None:
    shop = trading_shop()
    if state is State.LINKING:
        shop.cut_cable_until_down()
    shop.instead[state.value] = lambda: shop.station.press("cancel")
    settle(shop)
    assert shop.took(state.value, "cancel")
    assert step(shop) is not SettlementStep.CLOSED
    closes_later(shop)


def test_records_that_the_bank_refuses_are_counted_on_the_slip() -> None:
    shop = trading_shop()
    strike(shop, State.UPLOADING, DECLINED, 8)  # both messages, the first time and three times more
    settle(shop)
    assert step(shop) is SettlementStep.CLOSED
    assert shop.station.terminal is not None
    settlement = shop.station.terminal.journal.settlement
    assert settlement is not None
    assert (settlement.failed, settlement.sent) == (2, 2)
    assert not shop.took("uploading", "timeout"), "a refusal is an answer: nothing is waited for"


def test_an_answer_without_results_settles_nothing() -> None:
    shop = trading_shop()
    shop.bank.altered["0510"] = lambda answer: with_field(answer, 48, None)
    settle(shop)
    assert step(shop) is SettlementStep.TOTALS
    closes_later(shop)


def test_what_the_bank_has_closed_is_not_told_again_after_a_power_cut() -> None:
    """Only the paper is missing then."""
    shop = trading_shop()
    asked: list[int] = []

    def pull() -> None:
        asked.append(len(shop.bank.asked))
        shop.power_cycle()

    shop.instead["printing_totals"] = pull
    settle(shop)
    shop.station.run_until(lambda: step(shop) is SettlementStep.CLOSED, PATIENCE_MS)
    assert step(shop) is SettlementStep.CLOSED
    assert [one.mti for one in shop.bank.asked[asked[0] :] if one.mti in MTI.values()] == []


# --- paper -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ends", ["paper", "cancel", "timeout"])
def test_a_settlement_stands_whatever_the_paper_does(ends: str) -> None:
    shop = trading_shop()
    printer = shop.station.devices.printer
    printer.fail_after_items(3, PrinterStatus.PAPER_OUT)

    def act() -> None:
        assert shop.station.devices.buzzer.played()[-1].beep is Beep.ALERT
        if ends == "paper":
            printer.load_paper()
        elif ends == "cancel":
            shop.station.press("cancel")

    shop.instead["totals_stopped"] = act
    settle(shop)
    assert shop.took("totals_stopped", {"paper": "printer_ready"}.get(ends, ends))
    assert step(shop) is SettlementStep.CLOSED
    assert ("SETTLEMENT" in shop.station.slips[-1]) or ends != "paper"
    printer.load_paper()
    closes_later(shop)


def test_a_settlement_stands_with_a_printer_that_never_finishes() -> None:
    shop = trading_shop()
    shop.station.devices.printer._speed_mm_per_s = 1
    settle(shop)
    assert shop.took("printing_totals", "timeout")
    assert step(shop) is SettlementStep.CLOSED
    done(shop, "purchase")
