"""The seven-step payment (authorise first), seen from the bank."""

from __future__ import annotations

import pytest

from tests.bank.till import NOW, Till, card, without

OPENING_MINOR = 1_000_000


def test_the_whole_payment_moves_the_money_once(till: Till) -> None:
    authorised = till.authorise(amount_minor=1234)
    assert authorised.mti == "0110"
    assert authorised.text(39) == "00"
    assert len(authorised.text(38)) == 6
    assert len(authorised.text(37)) == 12
    assert (till.balance_minor(), till.available_minor()) == (OPENING_MINOR, OPENING_MINOR - 1234)

    verified = till.verify(authorised)
    assert (verified.mti, verified.text(39)) == ("0110", "00")
    assert (till.balance_minor(), till.merchant_minor()) == (OPENING_MINOR, 0)

    completed = till.complete(authorised)
    assert (completed.mti, completed.text(39)) == ("0230", "00")
    assert (till.balance_minor(), till.available_minor()) == (OPENING_MINOR - 1234, OPENING_MINOR - 1234)
    assert till.merchant_minor() == 1234

    books = till.bank.payment_ledger(till.tid, till.mid, till.batch, authorised.text(11))
    assert [(posting.kind, posting.amount_minor) for posting in books.postings] == [("completion", 1234)]
    assert books.holds_left == 0


def test_every_answer_carries_a_right_mac_and_the_banks_clock(till: Till) -> None:
    authorised = till.authorise()
    answers = [
        authorised,
        till.verify(authorised, "000000"),
        till.verify(authorised),
        till.complete(authorised),
    ]
    assert [answer.text(39) for answer in answers] == ["00", "55", "00", "00"]
    for answer in answers:
        assert till.mac_is_right(answer)
        assert (answer.text(12), answer.text(13), answer.text(15)) == ("093015", "0521", "0521")
        assert answer.text(32) == "08960000"
        assert answer.text(44).split() == ["01020000", "08960000"]
        assert answer.text(63).startswith("CUP")
        assert (answer.tpdu, answer.header) == ("6000000006", "603100320000")
        assert not {2, 35, 52} & answer.fields.keys()


def test_references_are_unique(till: Till) -> None:
    answers = [till.authorise(amount_minor=1) for _ in range(30)]
    assert len({answer.text(37) for answer in answers}) == 30
    assert len({answer.text(38) for answer in answers}) == 30


@pytest.mark.parametrize(
    ("name", "amount_minor", "code"),
    [
        ("good", 1_000_000, "00"),
        ("good", 1_000_001, "51"),
        ("poor", 100, "00"),
        ("poor", 101, "51"),
        ("expired", 1, "54"),
        ("lost", 1, "41"),
        ("limited", 1000, "00"),
        ("limited", 1001, "61"),
        ("unknown", 1, "14"),
        ("good", 0, "13"),
    ],
)
def test_the_card_and_the_amount_decide(till: Till, name: str, amount_minor: int, code: str) -> None:
    answer = till.authorise(name, amount_minor)
    assert answer.text(39) == code
    assert till.mac_is_right(answer)
    assert (38 in answer.fields) == (code == "00")
    assert len(till.bank.open_holds()) == (1 if code == "00" else 0)


def test_a_hold_lowers_what_the_next_payment_may_take(till: Till) -> None:
    assert till.authorise(amount_minor=999_999).text(39) == "00"
    assert till.authorise(amount_minor=2).text(39) == "51"
    assert till.authorise(amount_minor=1).text(39) == "00"


def test_an_expiry_other_than_the_banks_is_not_this_card(till: Till) -> None:
    fields = till.authorise_fields()
    track = str(fields[35])
    assert till.ask("0100", {**fields, 35: track.replace("D3012", "D2912")}).text(39) == "14"
    other = till.authorise_fields()
    assert till.ask("0100", {**other, 35: track.replace("D3012", "D2512")}).text(39) == "54"


def test_a_swiped_chip_card_is_sent_to_the_chip_reader_unless_it_fell_back(till: Till) -> None:
    fields = till.authorise_fields()
    chip_track = str(fields[35]).replace("D3012120", "D3012201")
    assert till.ask("0100", {**fields, 35: chip_track}).text(39) == "45"
    fallback = {**till.authorise_fields(), 35: chip_track, 60: f"10{till.batch}00052"}
    assert till.ask("0100", fallback).text(39) == "00"


def test_a_keyed_card_is_found_by_field_2(till: Till) -> None:
    fields = without(till.authorise_fields(), 35)
    keyed = {**fields, 2: card("good").pan.reveal(), 14: "3012", 22: "012"}
    answer = till.ask("0100", keyed)
    assert answer.text(39) == "00"
    assert answer.text(2) == card("good").pan.reveal()


def test_a_track_enciphered_under_the_track_key_is_read(fresh_till: Till) -> None:
    till = fresh_till
    till.sign_in("004")
    fields = till.authorise_fields()
    nibbles = str(fields[35])
    end = len(nibbles) - (1 if len(nibbles) % 2 else 2)
    from bank.hsm import des_encrypt

    block = des_encrypt(till.tdk, bytes.fromhex(nibbles[end - 16 : end])).hex().upper()
    hidden = nibbles[: end - 16] + block + nibbles[end:]
    assert hidden != nibbles
    assert till.ask("0100", {**fields, 35: hidden, 53: "0610000000000000"}).text(39) == "00"


# --- PIN verification --------------------------------------------------------------------------------


def test_wrong_pins_count_to_the_limit_and_a_right_one_clears_the_count(till: Till) -> None:
    authorised = till.authorise()
    assert [till.verify(authorised, "000000").text(39) for _ in range(2)] == ["55", "55"]
    assert till.verify(authorised).text(39) == "00"
    assert till.bank.cards.named("good").pin_tries_used == 0
    assert [till.verify(authorised, "000000").text(39) for _ in range(3)] == ["55", "55", "55"]
    assert till.verify(authorised).text(39) == "75"
    assert till.verify(authorised, "000000").text(39) == "75"
    assert till.bank.cards.named("good").pin_tries_used == 3


def test_after_a_wrong_pin_nothing_is_completed_until_the_right_one_came(till: Till) -> None:
    authorised = till.authorise()
    assert till.verify(authorised, "111111").text(39) == "55"
    assert till.complete(authorised).text(39) == "55"
    assert till.merchant_minor() == 0
    assert till.verify(authorised).text(39) == "00"
    assert till.complete(authorised).text(39) == "00"


def test_a_pin_block_that_is_none_is_not_a_try(till: Till) -> None:
    authorised = till.authorise()
    fields = till.verify_fields(authorised)
    assert till.ask("0100", {**fields, 52: bytes(8)}).text(39) == "99"
    assert till.bank.cards.named("good").pin_tries_used == 0


def test_verification_of_what_is_not_held(till: Till) -> None:
    authorised = till.authorise()
    stranger = without(till.verify_fields(authorised), 61) | {61: f"{till.batch}9999990521"}
    assert till.ask("0100", stranger).text(39) == "25"
    wrong_code = till.verify_fields(authorised) | {38: "XXXXXX"}
    assert till.ask("0100", wrong_code).text(39) == "25"
    wrong_day = till.verify_fields(authorised) | {61: till.reference(authorised)[:12] + "0520"}
    assert till.ask("0100", wrong_day).text(39) == "25"


def test_verification_and_completion_of_a_declined_authorisation(till: Till) -> None:
    declined = till.authorise("poor", 500)
    assert till.verify(declined, name="poor").text(39) == "12"
    assert till.complete(declined).text(39) == "12"


# --- completion --------------------------------------------------------------------------------------


def test_a_second_completion_is_refused(till: Till) -> None:
    authorised = till.authorise()
    till.verify(authorised)
    assert [till.complete(authorised).text(39) for _ in range(2)] == ["00", "22"]
    assert till.merchant_minor() == 1234


def test_a_completion_may_not_exceed_what_was_held(till: Till) -> None:
    authorised = till.authorise(amount_minor=1000)
    assert till.complete(authorised, 1001).text(39) == "64"
    assert till.complete(authorised, 0).text(39) == "64"
    assert till.complete(authorised, 900).text(39) == "00"
    assert (till.balance_minor(), till.available_minor()) == (OPENING_MINOR - 900, OPENING_MINOR - 900)


def test_a_completion_may_name_code_and_card_instead_of_the_message(till: Till) -> None:
    authorised = till.authorise()
    till.verify(authorised)
    fields = till.completion_fields(authorised) | {
        61: "0000000000000521",
        2: card("good").pan.reveal(),
        22: "012",
    }
    assert till.ask("0220", fields).text(39) == "00"
    unnamed = till.completion_fields(authorised) | {61: "0000000000000521"}
    assert till.ask("0220", unnamed).text(39) == "25"


def test_a_hold_expires_and_its_money_is_free_again(till: Till) -> None:
    authorised = till.authorise(amount_minor=1000)
    till.later(hours=23, minutes=59)
    till.ask("0820", {11: till.next_trace(), 60: f"00{till.batch}301"}, mac=False)
    assert len(till.bank.open_holds()) == 1
    till.later(minutes=1)
    till.ask("0820", {11: till.next_trace(), 60: f"00{till.batch}301"}, mac=False)
    assert till.bank.open_holds() == []
    assert till.available_minor() == OPENING_MINOR
    assert till.verify(authorised).text(39) == "22"


def test_a_late_completion_is_posted_if_the_money_is_there(till: Till) -> None:
    verified_twice = [till.authorise(amount_minor=600_000), till.authorise(amount_minor=400_000)]
    for authorised in verified_twice:
        assert till.verify(authorised).text(39) == "00"
    till.later(days=2)
    assert till.purchase(amount_minor=500_000).text(39) == "00"
    assert [till.complete(authorised).text(39) for authorised in verified_twice] == ["51", "00"]
    assert till.balance_minor() == OPENING_MINOR - 900_000


def test_batch_totals_count_completions_and_purchases_that_stand(till: Till) -> None:
    authorised = till.authorise(amount_minor=100)
    till.verify(authorised)
    till.complete(authorised)
    till.authorise(amount_minor=50)
    till.purchase(amount_minor=30)
    undone = till.purchase_fields(amount_minor=7)
    till.ask("0200", undone)
    till.reverse(undone)
    till.purchase("poor", 5000)
    totals = till.bank.batch_totals(till.tid, till.mid, till.batch)
    assert (totals.debit_count, totals.debit_minor, totals.credit_count) == (2, 130, 0)
    assert till.now == NOW
