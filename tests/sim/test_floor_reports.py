"""Enquiries and reprints at the terminal, read from the display and from paper, in both languages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bank.faults import Fault, FaultKind
from tests.sim.floor import Floor, floor

LANGUAGES = ("en", "zh")


@pytest.fixture(params=LANGUAGES)
def shop(request: pytest.FixtureRequest) -> Iterator[Floor]:
    with floor(language=request.param) as opened:
        yield opened


def enquire(shop: Floor) -> str:
    """The last transaction's report, as one line of words."""
    shop.open("enquiries", "last_transaction")
    return "".join(shop.read().split())


def has(shop: Floor, words: str, key: str) -> bool:
    return "".join(shop.words(key).split()) in words


# --- what became of the one I lost -------------------------------------------------------------------


def test_before_the_first_transaction_there_is_none(shop: Floor) -> None:
    shop.open("enquiries", "last_transaction")
    assert shop.says("notices.refused.no_transaction")


def test_an_approved_one_is_booked_and_has_its_slips(shop: Floor) -> None:
    shop.sell()
    words = enquire(shop)
    assert has(shop, words, "report.outcome.approved")
    assert has(shop, words, "report.fate.booked")
    assert "12.34" in words
    assert shop.station.payment is not None
    assert shop.station.payment.stan in words


def test_a_declined_one_charged_nothing_and_says_why(shop: Floor) -> None:
    shop.station.enter_amount("12.34")
    shop.station.swipe("lost")
    shop.station.finish()
    words = enquire(shop)
    assert has(shop, words, "report.outcome.declined")
    assert has(shop, words, "report.fate.nothing_charged")
    assert "41" in words


def test_one_that_is_to_be_undone_says_whether_the_bank_knows(shop: Floor) -> None:
    shop.station.enter_amount("12.34")
    shop.station.swipe("good")
    shop.station.wait_for("pin")
    shop.station.drive.stop_bank()
    shop.station.press("cancel")
    shop.station.finish()
    words = enquire(shop)
    assert has(shop, words, "report.outcome.cancelled")
    assert has(shop, words, "report.fate.reversal_waits")
    shop.leave()
    shop.station.drive.start_bank()
    shop.station.run_for(700_000)
    words = enquire(shop)
    assert has(shop, words, "report.fate.reversed")


def test_one_without_a_confirmed_completion_is_told_as_such(shop: Floor) -> None:
    shop.station.add_bank_fault(Fault(FaultKind.SILENT_BEFORE_POSTING, "0220", ""))
    shop.sell()
    words = enquire(shop)
    assert has(shop, words, "report.outcome.approved")
    assert has(shop, words, "report.fate.completion_waits")


def test_it_is_still_known_after_a_power_cut(shop: Floor) -> None:
    shop.station.enter_amount("12.34")
    shop.station.swipe("good")
    shop.station.wait_for("pin")
    shop.station.cut_power()
    shop.station.power_on()
    words = enquire(shop)
    assert has(shop, words, "report.fate.reversed")
    assert has(shop, words, "screen.reason.power_cut.full")


def test_a_report_is_printed_with_the_same_words(shop: Floor) -> None:
    shop.sell()
    before = len(shop.station.slips)
    shop.open("enquiries", "last_transaction")
    shop.station.press("enter")
    paper = shop.printed()
    assert len(shop.station.slips) == before + 1
    assert shop.words("report.title.last_transaction") in paper
    assert shop.words("report.fate.booked") in paper
    assert "DUPLICATED" not in paper


# --- reprints ----------------------------------------------------------------------------------------


def test_the_last_slip_again(shop: Floor) -> None:
    shop.sell()
    shop.open("reprints", "last_slip")
    assert "DUPLICATED" in shop.printed()


def test_any_slip_by_its_voucher_number(shop: Floor) -> None:
    shop.sell("1.11")
    voucher = shop.station.payment.stan if shop.station.payment else ""
    shop.sell("2.22")
    shop.open("reprints", "slip")
    shop.type(voucher.lstrip("0"))
    paper = shop.printed()
    assert "DUPLICATED" in paper
    assert "1.11" in paper
    assert voucher in paper


def test_a_transaction_by_its_voucher_number(shop: Floor) -> None:
    shop.sell("1.11")
    voucher = shop.station.payment.stan if shop.station.payment else ""
    shop.sell("2.22")
    shop.open("enquiries", "transaction")
    shop.type(voucher)
    assert "1.11" in shop.read()


def test_an_unknown_voucher_number(shop: Floor) -> None:
    shop.sell()
    for menu, entry in (("reprints", "slip"), ("enquiries", "transaction")):
        shop.open(menu, entry)
        shop.type("999999")
        assert shop.says("notices.refused.no_transaction")


def test_a_declined_transaction_has_no_slip(shop: Floor) -> None:
    shop.sell()
    shop.station.enter_amount("12.34")
    shop.station.swipe("good")
    shop.station.wait_for("pin")
    shop.station.press("cancel")
    shop.station.finish()
    assert shop.station.payment is not None
    shop.open("reprints", "slip")
    shop.type(shop.station.payment.stan)
    assert shop.says("notices.refused.no_slip")


def test_paper_that_ends_stops_a_report_and_new_paper_goes_on(shop: Floor) -> None:
    shop.sell()
    shop.station.devices.printer.run_out_of_paper()
    shop.open("reprints", "last_slip")
    shop.station.wait_for("report_stopped")
    assert shop.says("printer.paper_out")
    shop.station.devices.printer.load_paper()
    shop.station.wait_for("menu")
    assert "DUPLICATED" in shop.station.slips[-1]


def test_a_report_can_be_given_up(shop: Floor) -> None:
    shop.sell()
    shop.station.devices.printer.run_out_of_paper()
    shop.open("reprints", "last_slip")
    shop.station.wait_for("report_stopped")
    shop.station.press("cancel")
    assert shop.state == "menu"
    shop.leave()


# --- menus -------------------------------------------------------------------------------------------


def test_arrows_go_round_and_enter_chooses(shop: Floor) -> None:
    shop.station.press("down")
    assert f">1 {shop.words('screen.entry.trade')}" in shop.display
    shop.station.press("up")
    last = shop.display
    assert ">1" not in last
    shop.station.press("down", "enter")
    assert f">1 {shop.words('screen.entry.purchase')}" in shop.display


def test_a_menu_closes_by_itself(shop: Floor) -> None:
    shop.station.press("down", "1")
    shop.station.run_for(61_000)
    assert shop.state == "idle"


def test_a_digit_without_an_entry_is_refused_with_a_beep(shop: Floor) -> None:
    shop.station.press("down")
    before = shop.station.beeps
    shop.station.press("0")
    assert shop.state == "menu"
    assert shop.station.beeps == before + 1
