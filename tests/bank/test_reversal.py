"""Reversals, repeats and late messages: nothing happens twice, and nothing undone comes back."""

from __future__ import annotations

import pytest

from bank.faults import Fault, FaultKind
from tests.bank.till import Till, card, without

OPENING_MINOR = 1_000_000


def test_a_reversed_authorisation_releases_its_hold(till: Till) -> None:
    fields = till.authorise_fields()
    authorised = till.ask("0100", fields)
    reversed_ = till.reverse(fields)
    assert (reversed_.mti, reversed_.text(39)) == ("0410", "00")
    assert till.mac_is_right(reversed_)
    assert till.available_minor() == OPENING_MINOR
    books = till.bank.payment_ledger(till.tid, till.mid, till.batch, str(fields[11]))
    assert (list(books.postings), books.holds_left) == ([], 0)
    assert till.verify(authorised).text(39) == "22"
    assert till.complete(authorised).text(39) == "22"


def test_a_reversed_purchase_is_paid_back(till: Till) -> None:
    fields = till.purchase_fields(amount_minor=1234)
    till.ask("0200", fields)
    assert till.balance_minor() == OPENING_MINOR - 1234
    assert till.reverse(fields).text(39) == "00"
    assert (till.balance_minor(), till.merchant_minor()) == (OPENING_MINOR, 0)
    books = till.bank.payment_ledger(till.tid, till.mid, till.batch, str(fields[11]))
    assert [posting.kind for posting in books.postings] == ["purchase", "reversal"]


@pytest.mark.parametrize("mti", ["0100", "0200"])
def test_a_reversal_may_come_many_times(till: Till, mti: str) -> None:
    fields = till.authorise_fields() if mti == "0100" else till.purchase_fields()
    till.ask(mti, fields)
    assert [till.reverse(fields, reason).text(39) for reason in ("98", "98", "A0")] == ["00", "00", "00"]
    assert (till.balance_minor(), till.available_minor()) == (OPENING_MINOR, OPENING_MINOR)


def test_an_original_that_comes_after_its_reversal_is_refused(till: Till) -> None:
    fields = till.purchase_fields()
    assert [till.reverse(fields).text(39) for _ in range(2)] == ["25", "25"]
    assert [till.ask("0200", fields).text(39) for _ in range(2)] == ["22", "22"]
    assert till.balance_minor() == OPENING_MINOR


def test_an_original_repeated_after_its_reversal_is_not_answered_with_the_old_approval(till: Till) -> None:
    fields = till.authorise_fields()
    till.ask("0100", fields)
    till.reverse(fields)
    assert till.ask("0100", fields).text(39) == "22"
    assert till.bank.open_holds() == []


def test_a_declined_original_needs_no_reversal(till: Till) -> None:
    fields = till.authorise_fields("poor", 500)
    assert till.ask("0100", fields).text(39) == "51"
    assert till.reverse(fields).text(39) == "12"


def test_a_completed_payment_is_not_reversed(till: Till) -> None:
    fields = till.authorise_fields()
    authorised = till.ask("0100", fields)
    till.verify(authorised)
    till.complete(authorised)
    assert till.reverse(fields).text(39) == "22"
    assert till.merchant_minor() == 1234


def test_a_reversal_with_another_amount_touches_nothing(till: Till) -> None:
    fields = till.authorise_fields(amount_minor=1234)
    till.ask("0100", fields)
    assert till.reverse({**fields, 4: "000000001235"}).text(39) == "64"
    assert len(till.bank.open_holds()) == 1


def test_a_verification_cannot_be_reversed(till: Till) -> None:
    authorised = till.authorise()
    fields = till.verify_fields(authorised) | {4: "000000000000", 49: "156"}
    assert till.ask("0100", fields).text(39) == "00"
    assert till.reverse(fields).text(39) == "22"


def test_an_expired_hold_can_still_be_reversed(till: Till) -> None:
    fields = till.authorise_fields()
    till.ask("0100", fields)
    till.later(days=3)
    assert till.reverse(fields).text(39) == "00"
    assert till.available_minor() == OPENING_MINOR


# --- repeats -----------------------------------------------------------------------------------------


def test_a_repeated_request_gets_the_same_answer_and_does_nothing(till: Till) -> None:
    fields = till.purchase_fields()
    first = till.ask("0200", fields)
    till.later(seconds=30)
    assert till.send_bytes(till.last_sent) == first
    assert till.balance_minor() == OPENING_MINOR - 1234


def test_a_repeat_of_a_keyed_card_has_its_number_again(till: Till) -> None:
    pan = card("good").pan.reveal()
    fields = without(till.purchase_fields(), 35) | {2: pan, 14: "3012", 22: "011"}
    first = till.ask("0200", fields)
    assert first.text(2) == pan
    assert till.send_bytes(till.last_sent) == first


def test_a_completion_is_posted_once_however_often_it_comes(till: Till) -> None:
    authorised = till.authorise()
    till.verify(authorised)
    fields = till.completion_fields(authorised)
    answers = [till.ask("0220", fields) for _ in range(5)]
    assert {answer.text(39) for answer in answers} == {"00"}
    assert {answer.text(37) for answer in answers} == {answers[0].text(37)}
    assert till.merchant_minor() == 1234


def test_a_repeat_after_a_new_sign_in_is_answered_under_the_new_key_and_by_its_own_way(till: Till) -> None:
    authorised = till.authorise()
    till.verify(authorised)
    fields = till.completion_fields(authorised)
    first = till.ask("0220", fields)
    till.sign_in()
    till.tpdu = "6000070001"
    again = till.ask("0220", fields)
    assert till.mac_is_right(again)
    assert again.fields[64] != first.fields[64]
    assert again.tpdu == "6000010007"
    assert again.text(37) == first.text(37)
    assert till.merchant_minor() == 1234


def test_a_repeated_wrong_pin_is_not_counted_again(till: Till) -> None:
    authorised = till.authorise()
    fields = till.verify_fields(authorised, "000000")
    assert [till.ask("0100", fields).text(39) for _ in range(5)] == ["55"] * 5
    assert till.bank.cards.named("good").pin_tries_used == 1


def test_a_used_trace_with_other_content_is_a_duplicate(till: Till) -> None:
    fields = till.purchase_fields(amount_minor=1)
    till.ask("0200", fields)
    answer = till.ask("0200", {**fields, 4: "000000000002"})
    assert answer.text(39) == "94"
    assert till.mac_is_right(answer)
    assert till.ask("0100", till.authorise_fields() | {11: str(fields[11])}).text(39) == "94"
    assert till.balance_minor() == OPENING_MINOR - 1


@pytest.mark.parametrize(
    "change",
    [
        {4: "000000001235"},
        {22: "021"},
        {25: "00"},
        {35: "another card"},
        {49: "840"},
        {60: "10{batch}00050"},
    ],
    ids=lambda change: f"F{min(change)}",
)
def test_a_used_trace_never_gets_the_authorisation_of_another_payment(
    till: Till, change: dict[int, str]
) -> None:
    fields = till.authorise_fields()
    till.ask("0100", fields)
    other = {number: value.format(batch=till.batch) for number, value in change.items()}
    if 35 in other:
        other[35] = till.track2(card("limited"))
    answer = till.ask("0100", {**fields, **other})
    assert (answer.text(39), 38 in answer.fields) == ("94", False)


@pytest.mark.parametrize("trace_count", [0, 2], ids=["from the start", "from a copy"])
def test_a_terminal_that_counts_anew_gets_a_new_batch(till: Till, trace_count: int) -> None:
    """It has lost its storage. Same card, same amount, same trace as before: it is another payment."""
    paid = [till.authorise(), till.authorise(), till.authorise()]
    reborn = Till(till.bank, trace_count=trace_count)
    reborn.sign_in()
    assert reborn.batch == "000002"
    again = [reborn.authorise(), reborn.authorise()]
    assert [answer.text(39) for answer in again] == ["00", "00"]
    assert len({answer.text(37) for answer in (*paid, *again)}) == 5
    assert till.available_minor() == OPENING_MINOR - 5 * 1234
    reborn.sign_in()
    assert reborn.batch == "000002"


def test_a_new_batch_is_one_in_which_nothing_was_asked_for(till: Till) -> None:
    for batch in ("000001", "000002", "000003"):
        till.batch = batch
        till.authorise()
    reborn = Till(till.bank)
    reborn.sign_in()
    assert reborn.batch == "000004"


def test_the_same_trace_in_another_batch_is_another_payment(till: Till) -> None:
    fields = till.purchase_fields(amount_minor=1)
    till.ask("0200", fields)
    assert till.ask("0200", {**fields, 60: "2200000200020"}).text(39) == "00"
    assert till.balance_minor() == OPENING_MINOR - 2


@pytest.mark.parametrize("code", ["68", "90", "91", "92", "96", "98", "A0"])
def test_an_advice_that_met_trouble_is_taken_when_it_comes_again(till: Till, code: str) -> None:
    """Nothing was decided the first time (class E of section 12, a wrong MAC): nothing may be remembered."""
    authorised = till.authorise()
    till.verify(authorised)
    fields = till.completion_fields(authorised)
    till.bank.faults.add(Fault(FaultKind.RESPONSE_CODE, mti="0220", value=code))
    assert till.ask("0220", fields).text(39) == code
    assert till.ask("0220", fields).text(39) == "00"
    assert till.merchant_minor() == 1234
