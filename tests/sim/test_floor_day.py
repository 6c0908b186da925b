"""A merchant's day from the menus: every type, approval, switches, totals, settlement, the bank, clearing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bank.faults import Fault, FaultKind
from firmware.menus import MENUS, Verb
from firmware.operators import Rank
from firmware.parameters import is_on
from firmware.records import CLEARED, Outcome, OutgoingKind
from firmware.txn.plans import PLANS, Authority
from tests.sim.floor import ADMINISTRATOR, SUPERVISOR, Floor, floor

LANGUAGES = ("en", "zh")
TYPES = {entry.data: (menu, entry) for menu in ("trade", "preauths") for entry in MENUS[menu]}


@pytest.fixture(params=LANGUAGES)
def shop(request: pytest.FixtureRequest) -> Iterator[Floor]:
    with floor(language=request.param) as opened:
        yield opened


def outbox(shop: Floor) -> list[str]:
    assert shop.station.terminal is not None
    return [entry.kind.value for entry in shop.station.terminal.journal.outbox.values()]


# --- transactions ------------------------------------------------------------------------------------


def test_every_type_of_transaction_has_its_entry() -> None:
    assert TYPES.keys() == PLANS.keys()
    for name, (_, entry) in TYPES.items():
        plan = PLANS[name]
        assert (entry.rank is Rank.SUPERVISOR) == (plan.authority is Authority.SUPERVISOR)
        assert entry.switch == plan.switch


@pytest.mark.parametrize("kind", PLANS)
def test_every_type_begins_from_the_menu_with_the_approval_that_it_needs(kind: str) -> None:
    menu, entry = TYPES[kind]
    with floor() as shop:
        shop.open({"trade": "trade", "preauths": "preauths"}[menu], entry.name)
        if PLANS[kind].authority is Authority.SUPERVISOR:
            assert shop.state == "typing_password"
            assert shop.says("ask.password_of_supervisor", number="00")
            shop.type(SUPERVISOR)
        assert shop.state not in {"idle", "menu", "notice"}
        assert shop.station.payment is not None
        assert shop.station.payment.kind == kind


def test_a_void_is_approved_by_the_supervisor_and_undoes_the_sale(shop: Floor) -> None:
    shop.sell()
    assert shop.station.payment is not None
    voucher = shop.station.payment.stan
    shop.open("trade", "purchase_void")
    shop.type("999999")
    assert shop.says("ask.password_again", count=4)
    shop.type(SUPERVISOR)
    shop.station.wait_for("original")
    shop.station.press(*voucher, "enter")
    shop.station.wait_for("original_shown")
    shop.station.press("enter")
    shop.station.wait_for("card")
    shop.station.swipe("good")
    shop.station.enter_pin("123456")
    payment = shop.station.finish()
    assert payment is not None
    assert (payment.kind, payment.outcome and payment.outcome.value) == ("purchase_void", "approved")
    shop.open("enquiries", "transaction")
    shop.type(voucher)
    words = "".join(shop.read().split())
    assert "".join(shop.words("report.fate.voided").split()) in words


def test_a_balance_has_no_slip_and_a_preauthorisation_is_held(shop: Floor) -> None:
    for kind, menu, entry, fate in (
        ("balance", "trade", "balance", "done"),
        ("preauth", "preauths", "preauth", "held"),
    ):
        shop.open(menu, entry)
        if kind == "preauth":
            shop.station.press(*"1234", "enter")
        shop.station.wait_for("card")
        shop.station.swipe("good")
        shop.station.enter_pin("123456")
        payment = shop.station.finish()
        assert payment is not None
        assert payment.outcome is Outcome.APPROVED
        shop.open("enquiries", "last_transaction")
        words = "".join(shop.read().split())
        assert "".join(shop.words(f"report.fate.{fate}").split()) in words
        shop.open("reprints", "slip")
        shop.type(payment.stan)
        assert shop.says("notices.refused.no_slip") == (kind == "balance")
        shop.leave()


def test_what_the_acquirer_has_switched_off_is_refused(shop: Floor) -> None:
    assert shop.station.terminal is not None
    parts = shop.station.terminal.parts
    refund = PLANS["refund"].switch
    off = f"{0xFFFFFFFF & ~(1 << (32 - refund)):08x}"
    assert not is_on(off, refund)
    object.__setattr__(parts.settings, "switches", off)
    shop.open("trade", "refund")
    assert shop.says("notices.refused.switched_off"), "not even a password is asked for"
    shop.open("trade", "purchase")
    assert shop.state not in {"menu", "notice", "idle"}
    shop.station.press("cancel")
    shop.station.finish()
    shop.open("enquiries", "parameters")
    assert shop.words("report.no") in shop.read()


# --- totals, details, settlement ---------------------------------------------------------------------


def test_totals_and_details_agree_with_what_was_sold(shop: Floor) -> None:
    shop.sell("1.11")
    first = shop.station.payment
    shop.sell("2.22")
    assert first is not None
    shop.open("enquiries", "totals")
    words = shop.read()
    assert "3.33" in words
    for block in ("domestic", "foreign"):
        assert "".join(shop.words(f"settlement.{block}").split()) in "".join(words.split())
    shop.open("reprints", "totals_slip")
    paper = shop.printed()
    assert "3.33" in paper
    assert shop.words("report.title.totals") in paper
    shop.open("reprints", "detail")
    paper = shop.printed()
    for fact in ("1.11", "2.22", first.stan, first.pan_masked, first.authorisation_code):
        assert fact in paper


def test_the_settlement_s_slip_can_be_printed_again(shop: Floor) -> None:
    shop.open("reprints", "settlement_slip")
    assert shop.says("notices.refused.no_settlement")
    shop.sell("1.11")
    shop.open("settlement")
    assert shop.state == "confirming"
    shop.station.press("enter")
    shop.station.finish()
    first = shop.station.slips[-1]
    assert "1.11" in first
    shop.open("reprints", "settlement_slip")
    again = shop.printed()
    assert "DUPLICATED" in again
    assert first.splitlines()[-6:] == again.splitlines()[-6:]


def test_an_unconfirmed_settlement_does_not_begin(shop: Floor) -> None:
    shop.sell()
    shop.open("settlement")
    shop.station.press("cancel")
    assert shop.state == "menu"
    assert shop.station.terminal is not None
    assert shop.station.terminal.journal.settlement is None


# --- the bank and the line ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", [entry.name for entry in MENUS["bank"]])
def test_the_bank_is_asked_from_the_menu(shop: Floor, name: str) -> None:
    shop.open("bank", name)
    if shop.state == "confirming":
        shop.station.press("enter")
    shop.station.run_until(lambda: shop.state in {"managed", "idle"}, 30_000)
    assert shop.state in {"managed", "idle"}
    assert shop.state == "managed" or name == "sign_in"
    assert shop.station.terminal is not None
    assert shop.station.terminal.journal.counters.signed_in == (name != "sign_out")


def test_the_line_test_tells_of_the_bank_and_of_the_line(shop: Floor) -> None:
    shop.open("maintenance", "line")
    shop.station.wait_for("reading")
    words = shop.read()
    assert shop.words("report.line.echo.approved") in words
    assert shop.words("report.line.up") in words
    assert "####" in words
    shop.station.press("enter")
    paper = shop.printed()
    assert shop.words("report.line.repeated") in paper


def test_the_line_test_says_when_the_bank_is_not_there(shop: Floor) -> None:
    shop.station.drive.stop_bank()
    shop.open("maintenance", "line")
    shop.station.wait_for("reading")
    assert shop.words("report.line.echo.not_sent") in shop.read()
    shop.leave()
    shop.station.drive.start_bank()
    shop.station.add_bank_fault(Fault(FaultKind.SILENT_BEFORE_POSTING, "0820"))
    shop.open("maintenance", "line")
    assert shop.state == "asking_bank"
    shop.station.wait_for("reading")
    assert shop.words("report.line.echo.silence") in shop.read()


# --- clearing ----------------------------------------------------------------------------------------


def refused_reversal(shop: Floor) -> None:
    """A payment is undone, and the bank says no to its reversal again and again."""
    shop.station.add_bank_fault(Fault(FaultKind.RESPONSE_CODE, "0400", count=None, value="03"))
    shop.station.enter_amount("12.34")
    shop.station.swipe("good")
    shop.station.wait_for("pin")
    shop.station.press("cancel")
    shop.station.finish()
    assert outbox(shop) == [OutgoingKind.REVERSAL.value]


def refusals(shop: Floor) -> int:
    assert shop.station.terminal is not None
    return max((entry.refusals for entry in shop.station.terminal.journal.outbox.values()), default=0)


def test_a_reversal_that_is_refused_for_good_is_cleared_with_a_record_on_paper(shop: Floor) -> None:
    refused_reversal(shop)
    shop.open("maintenance", "clear_pending")
    assert shop.says("notices.refused.nothing_to_clear"), "it was hardly tried yet"
    shop.leave()
    shop.station.run_until(lambda: refusals(shop) >= 4, 3_600_000)
    shop.leave()
    shop.open("maintenance", "clear_pending")
    shop.type(SUPERVISOR)
    assert shop.state == "confirming"
    shop.station.press("enter")
    paper = shop.printed()
    assert shop.state == "notice"
    for words in ("report.title.pending", "report.pending.reversal", "report.pending.signature"):
        assert shop.words(words) in paper
    assert "12.34" in paper
    assert "03 " in paper, "with what the bank refused it"
    assert outbox(shop) == []
    shop.leave()
    assert shop.station.payment is not None
    assert shop.station.payment.mark == CLEARED
    shop.open("enquiries", "last_transaction")
    assert "".join(shop.words("report.fate.cleared").split()) in "".join(shop.read().split())
    shop.leave()
    shop.sell("1.11")


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_power_cut_clears_all_of_it_or_nothing(when: str) -> None:
    with floor() as shop:
        refused_reversal(shop)
        shop.station.run_until(lambda: refusals(shop) >= 4, 3_600_000)
        shop.open("maintenance", "clear_pending")
        shop.type(SUPERVISOR)
        shop.station.press("enter")
        storage = shop.station.board.storage
        storage.power_cut_at(storage.commits + 1, when)  # type: ignore[attr-defined]
        shop.station.run_until(lambda: not shop.station.is_on, 60_000)
        assert not shop.station.is_on
        shop.station.power_on()
        assert outbox(shop) == ([OutgoingKind.REVERSAL.value] if when == "before" else [])
        assert shop.station.payment is not None
        assert (shop.station.payment.mark == CLEARED) == (when == "after")


def test_without_the_record_on_paper_nothing_is_cleared(shop: Floor) -> None:
    refused_reversal(shop)
    shop.station.run_until(lambda: refusals(shop) >= 4, 3_600_000)
    shop.station.devices.printer.run_out_of_paper()
    shop.open("maintenance", "clear_pending")
    shop.type(SUPERVISOR)
    shop.station.press("enter")
    shop.station.wait_for("report_stopped")
    shop.station.press("cancel")
    assert outbox(shop) == [OutgoingKind.REVERSAL.value]


def test_a_reversal_that_nobody_answers_is_never_cleared(shop: Floor) -> None:
    shop.station.enter_amount("12.34")
    shop.station.swipe("good")
    shop.station.wait_for("pin")
    shop.station.drive.stop_bank()
    shop.station.press("cancel")
    shop.station.finish()
    shop.station.run_for(1_800_000)
    shop.open("maintenance", "clear_pending")
    assert shop.says("notices.refused.nothing_to_clear")
    assert outbox(shop) == [OutgoingKind.REVERSAL.value]


@pytest.mark.parametrize("name", ["clear_log", "reset"])
def test_unsettled_money_keeps_the_log(shop: Floor, name: str) -> None:
    shop.sell()
    shop.open("maintenance", name)
    assert shop.says("notices.refused.unsettled")
    shop.open("settlement")
    shop.station.press("enter")
    shop.station.finish()
    shop.open("maintenance", name)
    shop.type(ADMINISTRATOR)
    assert shop.state == "confirming"
    shop.station.press("enter")
    assert shop.says(f"notices.done.{name}")
    assert shop.station.terminal is not None
    assert list(shop.station.terminal.journal.payments()) == []
    shop.leave()
    shop.station.cut_power()
    shop.station.power_on()
    shop.open("reprints", "last_slip")
    assert shop.says("notices.refused.no_transaction")
    shop.open("reprints", "settlement_slip")
    assert shop.says("notices.refused.no_settlement"), "its details are gone"
    shop.sell()
    assert shop.station.payment is not None
    assert shop.station.payment.number > 1, "numbers are never used again"


def test_what_is_owed_keeps_the_log(shop: Floor) -> None:
    shop.station.add_bank_fault(Fault(FaultKind.SILENT_BEFORE_POSTING, "0220", count=None))
    shop.sell()
    for name in ("clear_log", "reset"):
        shop.open("maintenance", name)
        assert shop.says("notices.refused.unsettled")


def test_a_reset_brings_back_the_first_day(shop: Floor) -> None:
    shop.open("operators", "reset_supervisor")
    shop.type(ADMINISTRATOR)
    shop.type("314159")
    shop.type("314159")
    shop.open("settings", "contrast")
    shop.station.press("2", "enter")
    shop.leave()
    language = shop.words("screen.idle.title")
    shop.station.press("f4")
    shop.open("maintenance", "reset")
    shop.type(ADMINISTRATOR)
    shop.station.press("enter")
    shop.leave()
    assert shop.words("screen.idle.title") == language
    assert shop.station.devices.display.contrast_percent == 50
    shop.open("operators", "operator_list")
    shop.type(SUPERVISOR)
    assert shop.state == "reading"
    assert shop.station.terminal is not None
    keys = shop.station.terminal.parts.secure.check_values()
    assert keys, "keys stay"


def test_every_report_of_the_menus_can_be_shown_and_printed() -> None:
    """No entry leads to a report that nobody has written."""
    with floor(device_test_ms=500) as shop:
        shop.sell()
        for menu, entries in MENUS.items():
            for entry in entries:
                if entry.verb is not Verb.SHOW or entry.asks:
                    continue
                shop.open(menu, entry.name)
                if entry.rank is Rank.SUPERVISOR:
                    shop.type(SUPERVISOR)
                assert shop.state == "reading", entry.name
                shop.station.press("enter")
                assert shop.words(f"report.title.{entry.what}") in shop.printed()


def test_a_download_keeps_who_has_logged_on(shop: Floor) -> None:
    shop.open("operators", "log_on")
    shop.type("00")
    shop.type(SUPERVISOR)
    shop.open("bank", "download")
    shop.station.run_until(lambda: shop.state == "managed", 30_000)
    shop.station.press("enter")
    shop.sell()
    assert shop.station.payment is not None
    assert shop.station.payment.operator == "00"
