"""Transactions that refer to another: voids, refunds, the pre-authorisation's family, offline sales and tips.

The codes are those of iso8583-pos sections 7.4 to 7.7 and 12: 12 the original was declined, 14 another card,
22 done already, too late or of another batch, 25 not found, 61 above a limit, 64 another amount.
"""

from __future__ import annotations

import pytest

from bank.cards import CardTerms
from tests.bank.clerk import Clerk
from tests.bank.till import without
from wire.iso8583 import IsoMessage

OPENING_MINOR = 1_000_000


def code(answer: IsoMessage) -> str:
    return answer.text(39)


# --- purchase void -----------------------------------------------------------------------------------


def test_a_void_pays_the_whole_amount_back_once(clerk: Clerk) -> None:
    sold = clerk.purchase(amount_minor=1234)
    voided = clerk.void(sold)
    assert (voided.mti, code(voided)) == ("0210", "00")
    assert clerk.mac_is_right(voided)
    assert (clerk.balance_minor(), clerk.merchant_minor()) == (OPENING_MINOR, 0)
    assert code(clerk.void(sold)) == "22"
    totals = clerk.bank.batch_totals(clerk.tid, clerk.mid, clerk.batch)
    assert (totals.debit_count, totals.debit_minor) == (1, 1234), "a void takes no debit away"
    assert (totals.credit_count, totals.credit_minor) == (1, 1234)


def test_a_void_must_name_the_purchase_as_it_was(clerk: Clerk) -> None:
    sold = clerk.purchase(amount_minor=1234)
    wrong = {
        "64": {4: "000000001233"},
        "25": {37: "000000000000"},
        "14": {35: clerk.track2_of("limited")},
        "12": {49: "840"},
        "30": {},
    }
    for expected, change in wrong.items():
        fields = clerk.void_fields(sold) | change
        assert code(clerk.ask("0200", without(fields, 37) if expected == "30" else fields)) == expected
    unknown = clerk.void_fields(sold) | {61: f"{clerk.batch}999999"}
    assert code(clerk.ask("0200", unknown)) == "25"
    assert clerk.merchant_minor() == 1234


def test_a_void_needs_no_card_but_the_same_batch(clerk: Clerk) -> None:
    sold = clerk.purchase()
    late = clerk.void_fields(sold) | {60: "2300000200020"}
    assert code(clerk.ask("0200", late)) == "22"
    assert code(clerk.ask("0200", without(clerk.void_fields(sold), 35, 38))) == "00"


def test_a_declined_or_reversed_purchase_is_not_voided(clerk: Clerk) -> None:
    assert code(clerk.void(clerk.purchase("poor", 5000))) == "12"
    fields = clerk.purchase_fields()
    sold = clerk.ask("0200", fields)
    clerk.reverse(fields)
    assert code(clerk.void(sold)) == "22"


def test_a_reversed_void_leaves_the_purchase_as_it_was(clerk: Clerk) -> None:
    sold = clerk.purchase(amount_minor=1234)
    fields = clerk.void_fields(sold)
    assert code(clerk.ask("0200", fields)) == "00"
    assert [code(clerk.reverse(fields)) for _ in range(2)] == ["00", "00"]
    assert (clerk.balance_minor(), clerk.merchant_minor()) == (OPENING_MINOR - 1234, 1234)
    assert code(clerk.void(sold)) == "00", "it can be voided again"


def test_a_voided_purchase_is_neither_reversed_nor_refunded(clerk: Clerk) -> None:
    fields = clerk.purchase_fields()
    sold = clerk.ask("0200", fields)
    clerk.void(sold)
    assert code(clerk.reverse(fields)) == "22"
    assert code(clerk.refund(sold)) == "22"


# --- refund ------------------------------------------------------------------------------------------


def test_refunds_add_up_to_the_purchase_and_no_further(clerk: Clerk) -> None:
    sold = clerk.purchase(amount_minor=1000)
    clerk.later(days=3)
    first = clerk.refund(sold, 600)
    assert (first.mti, code(first)) == ("0230", "00")
    assert code(clerk.refund(sold, 401)) == "64"
    assert code(clerk.refund(sold, 400)) == "00"
    assert code(clerk.refund(sold, 1)) == "64"
    assert (clerk.balance_minor(), clerk.merchant_minor()) == (OPENING_MINOR, 0)


def test_a_refund_has_its_days_and_its_card(clerk: Clerk) -> None:
    sold = clerk.purchase(amount_minor=1000)
    assert code(clerk.ask("0220", clerk.refund_fields(sold, name="limited"))) == "14"
    other_day = clerk.refund_fields(sold) | {61: "0000000000000520"}
    assert code(clerk.ask("0220", other_day)) == "25"
    clerk.later(days=180)
    assert code(clerk.refund(sold, 1)) == "00"
    clerk.later(days=1)
    assert code(clerk.refund(sold, 1)) == "22"


def test_a_refund_is_no_purchases_only_and_from_any_terminal(clerk: Clerk) -> None:
    authorised = clerk.authorise(amount_minor=1000)
    clerk.verify(authorised)
    assert code(clerk.refund(authorised)) == "25", "nothing was paid yet"
    clerk.complete(authorised)
    with clerk.bank.store.transaction():
        clerk.bank.merchants.add_terminal(clerk.mid, "00000002", clerk.tmk)
    other = Clerk(clerk.bank, tid="00000002")
    other.sign_in()
    assert code(other.refund(authorised, 999)) == "00", "the number on the slip is the authorisation's"


def test_a_refund_is_not_reversed(clerk: Clerk) -> None:
    fields = clerk.refund_fields(clerk.purchase())
    assert code(clerk.ask("0220", fields)) == "00"
    assert code(clerk.reverse(fields)) == "22"


# --- pre-authorisation and its family ----------------------------------------------------------------


def test_a_preauthorisation_is_cancelled(clerk: Clerk) -> None:
    held = clerk.preauth(amount_minor=1000)
    assert clerk.available_minor() == OPENING_MINOR - 1000
    assert code(clerk.cancel(held, 999)) == "64"
    cancelled = clerk.cancel(held)
    assert (cancelled.mti, code(cancelled)) == ("0110", "00")
    assert clerk.available_minor() == OPENING_MINOR
    assert code(clerk.cancel(held)) == "22"
    assert code(clerk.finish(held)) == "22"


def test_a_reversed_cancel_holds_the_money_again(clerk: Clerk) -> None:
    held = clerk.preauth(amount_minor=1000)
    fields = clerk.cancel_fields(held)
    clerk.ask("0100", fields)
    assert code(clerk.reverse(fields)) == "00"
    assert clerk.available_minor() == OPENING_MINOR - 1000
    assert code(clerk.finish(held, 900)) == "00"


@pytest.mark.parametrize(("percent", "expected"), [(100, "00"), (115, "00"), (116, "64"), (1, "00")])
def test_a_completion_may_exceed_a_preauthorisation_by_15_percent(
    clerk: Clerk, percent: int, expected: str
) -> None:
    held = clerk.preauth(amount_minor=1000)
    finished = clerk.finish(held, 10 * percent)
    assert (finished.mti, code(finished)) == ("0210", expected)
    assert clerk.merchant_minor() == (10 * percent if expected == "00" else 0)


def test_a_completion_by_advice_names_card_code_and_day(clerk: Clerk) -> None:
    held = clerk.preauth(amount_minor=1000)
    advised = clerk.advise(held, 1100)
    assert (advised.mti, code(advised)) == ("0230", "00")
    assert code(clerk.advise(held, 1100)) == "22"
    assert clerk.merchant_minor() == 1100


def test_a_preauthorisation_is_good_for_thirty_days(clerk: Clerk) -> None:
    held = [clerk.preauth(amount_minor=1000) for _ in range(2)]
    clerk.later(days=30, seconds=-1)
    assert code(clerk.finish(held[0])) == "00"
    clerk.later(seconds=1)
    assert code(clerk.finish(held[1])) == "22"
    assert code(clerk.cancel(held[1])) == "22"
    assert clerk.bank.open_holds() == []


def test_a_reversed_completion_request_holds_the_money_again(clerk: Clerk) -> None:
    held = clerk.preauth(amount_minor=1000)
    fields = clerk.finish_fields(held)
    clerk.ask("0200", fields)
    assert code(clerk.reverse(fields)) == "00"
    assert (clerk.merchant_minor(), clerk.available_minor()) == (0, OPENING_MINOR - 1000)
    assert code(clerk.cancel(held)) == "00"


@pytest.mark.parametrize("names", ["completion", "authorisation"])
def test_a_completion_is_voided_by_its_own_or_its_authorisations_number(clerk: Clerk, names: str) -> None:
    authorised = clerk.authorise(amount_minor=1000)
    clerk.verify(authorised)
    completed = clerk.complete(authorised)
    named = completed if names == "completion" else authorised
    fields = clerk.void_completion_fields(named)
    assert code(clerk.ask("0200", fields)) == "00"
    assert (clerk.merchant_minor(), clerk.available_minor()) == (0, OPENING_MINOR)
    assert code(clerk.void_completion(named)) == "22"
    assert code(clerk.reverse(fields)) == "00"
    assert clerk.merchant_minor() == 1000
    assert code(clerk.void_completion(named)) == "00"


def test_a_completion_by_advice_is_not_reversed(clerk: Clerk) -> None:
    authorised = clerk.authorise()
    clerk.verify(authorised)
    fields = clerk.completion_fields(authorised)
    clerk.ask("0220", fields)
    assert code(clerk.reverse(fields)) == "22"


# --- offline sales, tips, balance --------------------------------------------------------------------


def test_an_offline_sale_is_posted_with_the_code_from_the_telephone(clerk: Clerk) -> None:
    fields = clerk.offline_fields(amount_minor=800)
    sold = clerk.ask("0220", fields)
    assert (sold.mti, code(sold), sold.text(38)) == ("0230", "00", "T12345")
    assert clerk.merchant_minor() == 800
    assert code(clerk.reverse(fields)) == "22"
    assert code(clerk.ask("0220", clerk.offline_fields("lost"))) == "41"
    assert code(clerk.ask("0220", without(clerk.offline_fields(), 38))) == "30"


def test_a_tip_raises_a_sale_once_and_within_its_limit(clerk: Clerk) -> None:
    sold = clerk.purchase(amount_minor=1000)
    assert code(clerk.adjust(sold, 151)) == "61"
    assert code(clerk.adjust(sold, 100, total_minor=1099)) == "64"
    assert code(clerk.adjust(sold, 0)) == "64"
    assert code(clerk.ask("0220", clerk.adjust_fields(sold, 100) | {48: "100"})) == "30"
    adjusted = clerk.adjust(sold, 150)
    assert (adjusted.mti, code(adjusted)) == ("0230", "00")
    assert code(clerk.adjust(sold, 1)) == "22"
    assert code(clerk.void(sold)) == "22", "what was adjusted is refunded, not voided"
    assert clerk.merchant_minor() == 1150
    totals = clerk.bank.batch_totals(clerk.tid, clerk.mid, clerk.batch)
    assert (totals.debit_count, totals.debit_minor) == (1, 1150)
    assert code(clerk.refund(sold, 1150)) == "00"


def test_an_authorise_first_sale_takes_a_tip(clerk: Clerk) -> None:
    authorised = clerk.authorise(amount_minor=1000)
    clerk.verify(authorised)
    clerk.complete(authorised)
    assert code(clerk.adjust(authorised, 100)) == "00"
    assert clerk.merchant_minor() == 1100


def test_the_balance_is_told_and_needs_the_pin(clerk: Clerk) -> None:
    clerk.preauth(amount_minor=1000)
    told = clerk.ask("0200", clerk.balance_fields())
    assert (code(told), told.text(54)) == ("00", f"0002156C{OPENING_MINOR - 1000:012d}")
    assert code(clerk.ask("0200", clerk.balance_fields(pin=None))) == "55"
    fields = clerk.balance_fields()
    clerk.ask("0200", fields)
    assert code(clerk.reverse(fields | {4: "000000000000"})) == "22"


def test_a_script_result_is_taken_for_its_original(clerk: Clerk) -> None:
    sold = clerk.purchase()
    fields = without(clerk.linked("000000 00 00", sold), 35, 38) | {
        32: "08960000",
        55: bytes.fromhex("DF31052000000001"),
        60: f"00{clerk.batch}95150",
    }
    answer = clerk.ask("0620", fields)
    assert (answer.mti, code(answer)) == ("0630", "00")
    assert clerk.mac_is_right(answer)
    stranger = fields | {11: clerk.next_trace(), 61: f"{clerk.batch}999999"}
    assert code(clerk.ask("0620", stranger)) == "25"
    assert code(clerk.void(sold)) == "00"


@pytest.mark.parametrize("selector", ["000000 64 22", "000000 65 22", "600000 91 45", "200000 00 27"])
def test_what_the_bank_has_no_plan_for_is_not_supported(clerk: Clerk, selector: str) -> None:
    sold = clerk.purchase()
    assert code(clerk.ask("0200", clerk.linked(selector, sold))) == "40"


# --- partial and flawed successes --------------------------------------------------------------------


def test_a_part_is_approved_where_card_and_terminal_allow_it(clerk: Clerk) -> None:
    with clerk.bank.store.transaction():
        clerk.bank.cards.set_terms("poor", CardTerms(partial_approval=True))
    assert code(clerk.purchase("poor", 150)) == "51"
    fields = clerk.purchase_fields("poor", 150)
    fields |= {60: f"22{clerk.batch}000201"}
    partly = clerk.ask("0200", fields)
    assert (code(partly), partly.text(4)) == ("10", "000000000100")
    assert clerk.balance_minor("poor") == 0
    assert clerk.bank.batch_totals(clerk.tid, clerk.mid, clerk.batch).debit_minor == 100
    assert code(clerk.reverse(fields)) == "00", "a reversal has the amount of the request"
    assert clerk.balance_minor("poor") == 100


@pytest.mark.parametrize("success", ["11", "A2", "A4", "A5", "A6"])
def test_a_flawed_success_is_done(clerk: Clerk, success: str) -> None:
    with clerk.bank.store.transaction():
        clerk.bank.cards.set_terms("good", CardTerms(approval_code=success))
    sold = clerk.purchase(amount_minor=1234)
    assert code(sold) == success
    assert clerk.mac_is_right(sold)
    assert clerk.merchant_minor() == 1234
    assert code(clerk.void(sold)) == "00"
