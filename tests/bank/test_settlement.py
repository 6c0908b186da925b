"""Settlement (iso8583-pos section 8): totals, upload, end; each message again, and what the batch is then."""

from __future__ import annotations

from dataclasses import replace

import pytest
from psec.pinblock import encode_pinblock_iso_0

from bank.hsm import des_encrypt
from bank.settlement import BatchTotals
from tests.bank.clerk import Clerk, results
from tests.bank.till import NOW, UNIONPAY, card, without
from wire.iso8583.private import ChipUpload, Detail, Totals
from wire.pan import Pan

NOTHING = Totals()


def sell_and_void(clerk: Clerk) -> Totals:
    """A day with an authorise-first sale, a purchase, a void and a refund; its totals, counted by hand."""
    authorised = clerk.authorise(amount_minor=1000)
    clerk.verify(authorised)
    clerk.complete(authorised)
    sold = clerk.purchase(amount_minor=250)
    clerk.void(sold)
    clerk.refund(clerk.purchase(amount_minor=400), 100)
    undone = clerk.purchase_fields(amount_minor=99)
    clerk.ask("0200", undone)
    clerk.reverse(undone)
    clerk.preauth(amount_minor=500)
    clerk.purchase("poor", 5000)
    return Totals(1000 + 250 + 400, 3, 250 + 100, 2)


def test_the_settlement_of_the_worked_example(clerk: Clerk) -> None:
    """One sale of 123.45; field 48 and the answer's form as in section 8.1."""
    clerk.purchase(amount_minor=12345)
    answer = clerk.settle(Totals(12345, 1))
    assert UNIONPAY.decode(clerk.last_sent).text(48) == "0000000123450010000000000000000" + "0" * 31
    assert answer.mti == "0510"
    assert answer.text(48) == "0000000123450010000000000000001" + "0" * 30 + "1"
    assert sorted(answer.fields) == [11, 12, 13, 15, 32, 37, 41, 42, 48, 49, 60, 63]
    assert answer.text(63) == "01 "


def test_totals_that_agree_close_the_batch_after_the_end_message(clerk: Clerk) -> None:
    totals = sell_and_void(clerk)
    assert results(clerk.settle(totals)) == (1, 1)
    assert clerk.batch == "000001"
    ended = clerk.end("207", 0)
    assert (ended.mti, ended.text(39), ended.text(48)) == ("0330", "00", "0000")
    assert 64 not in ended.fields
    assert ended.text(60) == "00000001207", "the terminal adds one itself"
    assert clerk.bank.merchants.terminal(clerk.mid, clerk.tid).batch == clerk.batch == "000002"
    assert results(clerk.settle(NOTHING)) == (1, 1), "the next batch begins with nothing"


@pytest.mark.parametrize(
    ("domestic", "foreign", "expected"),
    [
        (Totals(99, 1), NOTHING, (2, 1)),
        (Totals(100, 2), NOTHING, (2, 1)),
        (Totals(100, 1, 1, 1), NOTHING, (2, 1)),
        (Totals(100, 1), Totals(1, 1), (1, 2)),
        (NOTHING, Totals(100, 1), (2, 2)),
    ],
)
def test_each_number_of_each_block_is_compared(
    clerk: Clerk, domestic: Totals, foreign: Totals, expected: tuple[int, int]
) -> None:
    clerk.purchase(amount_minor=100)
    assert results(clerk.settle(domestic, foreign)) == expected


def test_what_is_no_total_is_an_error(clerk: Clerk) -> None:
    answer = clerk.manage("0500", "201", {48: "0" * 60, 49: "156", 63: "01 "})
    assert results(answer) == (3, 3)
    assert 39 not in answer.fields
    clerk.tid = "99999999"
    assert results(clerk.settle(NOTHING)) == (3, 3)


def test_more_than_field_48_can_say_is_an_error_and_not_the_end(
    clerk: Clerk, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = BatchTotals(debit_count=1000, debit_minor=1)
    monkeypatch.setattr("bank.settling.blocks", lambda _payments: (many, BatchTotals()))
    assert results(clerk.settle(Totals(1, 999))) == (3, 3)
    assert clerk.end("202", 0).text(39) == "00"


def test_an_upload_is_kept_and_counted_once_however_often_it_comes(clerk: Clerk) -> None:
    pan = card("good").pan
    sold = [clerk.purchase(amount_minor=100 * number) for number in range(1, 11)]
    details = [Detail("00", one.text(11), pan, int(one.text(4))) for one in sold]
    assert results(clerk.settle(Totals(1, 1))) == (2, 1)
    for part in (details[:8], details[8:]):
        answer = clerk.upload(*part)
        assert (answer.mti, answer.text(39)) == ("0330", "00")
        again = clerk.send_bytes(clerk.last_sent)
        assert again is not None
        assert again.text(39) == "00"
    assert clerk.end("202", 10).text(39) == "00"
    uploads = clerk.bank.batches.uploads(clerk.mid, clerk.tid, "000001")
    assert [(one.trace, one.amount_minor) for one in uploads] == [
        (one.text(11), int(one.text(4))) for one in sold
    ]
    batch = clerk.bank.batches.find(clerk.mid, clerk.tid, "000001")
    assert batch is not None
    assert (batch.records_told, batch.is_balanced) == (10, False)


def test_chip_records_and_advices_are_uploaded_too(clerk: Clerk) -> None:
    clerk.settle(NOTHING)
    certificate = ChipUpload("6", "00", "00", 1234)
    failed = ChipUpload("7", "01", "05", 99, failure="22")
    assert certificate.encode() == b"610000000000001234156"
    assert failed.encode() == b"71010500000000009915622"
    pan = card("good").pan.reveal()
    chip = {2: pan, 4: "000000001234", 22: "051"}
    assert clerk.manage("0320", "203", {**chip, 62: certificate.encode()}).text(39) == "00"
    assert clerk.manage("0320", "204", {**chip, 62: failed.encode()}).text(39) == "00"
    assert clerk.manage("0320", "205", {**chip, 62: failed.encode()}).text(39) == "30"
    advice = clerk.offline_fields() | {60: f"30{clerk.batch}00020"}
    assert clerk.ask("0320", advice, mac=False).text(39) == "00"
    kinds = {one.kind.value for one in clerk.bank.batches.uploads(clerk.mid, clerk.tid, clerk.batch)}
    assert kinds == {"certificate", "failed", "advice"}
    assert clerk.merchant_minor() == 0, "an upload has no MAC and moves nothing"


def test_an_upload_without_a_settlement_is_refused(clerk: Clerk) -> None:
    assert clerk.upload().text(39) == "12"
    assert clerk.manage("0320", "207", {48: "0000"}).text(39) == "12"


def test_a_settlement_goes_on_where_the_power_failed(clerk: Clerk) -> None:
    totals = sell_and_void(clerk)
    first = clerk.settle(totals)
    again = clerk.settle(totals)
    assert results(first) == results(again) == (1, 1)
    assert clerk.manage("0320", "207", {48: "0000"}).text(39) == "00"
    assert results(clerk.settle(totals)) == (1, 1), "the end was lost: the terminal begins anew"
    assert clerk.manage("0320", "207", {48: "0000"}).text(39) == "00"
    assert clerk.bank.merchants.terminal(clerk.mid, clerk.tid).batch == "000002"


def test_a_settled_batch_takes_no_payment_but_a_reversal(clerk: Clerk) -> None:
    fields = clerk.purchase_fields(amount_minor=100)
    clerk.ask("0200", fields)
    clerk.settle(Totals(100, 1))
    clerk.manage("0320", "207", {48: "0000"})
    assert clerk.purchase().text(39) == "22"
    assert clerk.reverse(fields).text(39) == "00"


def test_what_comes_after_the_end_changes_nothing(clerk: Clerk) -> None:
    clerk.settle(Totals(1, 1))
    clerk.upload(Detail("00", "000002", None, 1))
    assert clerk.manage("0320", "202", {48: "0001"}).text(39) == "00"
    key = (clerk.mid, clerk.tid, "000001")
    closed, uploads = clerk.bank.batches.find(*key), clerk.bank.batches.uploads(*key)
    clerk.later(hours=1)
    assert clerk.upload(Detail("00", "000003", None, 2)).text(39) == "00"
    assert clerk.manage("0320", "202", {48: "0009"}).text(39) == "00"
    assert clerk.bank.batches.find(*key) == closed
    assert clerk.bank.batches.uploads(*key) == uploads
    assert clerk.bank.merchants.terminal(clerk.mid, clerk.tid).batch == "000002"


def test_a_batch_number_that_is_taken_is_passed_over(clerk: Clerk) -> None:
    clerk.batch = "000002"
    clerk.purchase()
    clerk.batch = "000001"
    clerk.settle(NOTHING)
    ended = clerk.end("207", 0)
    assert ended.text(60) == "00000003207"
    assert clerk.purchase().text(39) == "00"


def test_another_acquirer_takes_payments_of_the_open_batch_alone(clerk: Clerk) -> None:
    policy = clerk.bank.policy
    strict = policy.profile.changed(other_batch_takes_payments=False, swaps_tpdu=False)
    clerk.bank.set_policy(replace(policy, profile=strict))
    taken = clerk.purchase()
    assert (taken.text(39), taken.tpdu) == ("00", clerk.tpdu)
    assert clerk.ask("0200", clerk.purchase_fields() | {60: "2200000900020"}).text(39) == "22"


def test_a_foreign_card_counts_in_the_other_block(clerk: Clerk) -> None:
    with clerk.bank.store.transaction():
        clerk.bank.cards.add(
            "visitor", Pan("4111111111111111"), "123456", expiry_yymm="3012", now=NOW, balance_minor=5000
        )
    fields = without(clerk.purchase_fields(amount_minor=300, pin=None), 35)
    keyed = {2: "4111111111111111", 14: "3012", 22: "011"} | pin_of(clerk)
    paid = clerk.ask("0200", fields | keyed)
    assert (paid.text(39), paid.text(63)[:3]) == ("00", "VIS")
    clerk.purchase(amount_minor=200)
    assert results(clerk.settle(Totals(500, 2))) == (2, 2)
    assert results(clerk.settle(Totals(200, 1), Totals(300, 1))) == (1, 1)
    with clerk.bank.store.transaction():
        allowed = clerk.bank.merchants.qualifications(clerk.mid) - {"foreign"}
        clerk.bank.merchants.set_qualifications(clerk.mid, allowed)
    refused = clerk.ask("0200", fields | keyed | {11: clerk.next_trace()})
    assert refused.text(39) == "58"


def pin_of(clerk: Clerk) -> dict[int, str | bytes]:
    block = encode_pinblock_iso_0("123456", "4111111111111111")
    return {26: "06", 52: des_encrypt(clerk.pik, block), 53: "2600000000000000"}


def test_parameters_are_told_code_by_code(clerk: Clerk) -> None:
    answer = clerk.manage("0800", "360", traced=False)
    assert sorted(answer.fields) == [39, 41, 42, 60, 62]
    text, values, at = answer.binary(62), {}, 0
    lengths = {"11": 2, "12": 2, "13": 1, "18": 1, "19": 2, "20": 1, "21": 1, "22": 40, "23": 1, "24": 1}
    lengths |= {"14": 14, "15": 14, "16": 14, "17": 14, "25": 1, "26": 4, "27": 2}
    while at < len(text):
        number = text[at : at + 2].decode()
        values[number] = text[at + 2 : at + 2 + lengths[number]]
        at += 2 + lengths[number]
    assert at == len(text)
    assert values.keys() == lengths.keys()
    assert values["22"].decode("gbk").rstrip() == "小样咖啡馆"
    assert (values["12"], values["19"], values["23"]) == (b"60", b"15", b"3")
    assert values["26"] == bytes.fromhex("FFF00000")
    assert clerk.manage("0800", "361", traced=False).text(39) == "00"


def test_a_status_is_kept(clerk: Clerk) -> None:
    status = b"0110210310410511160"
    answer = clerk.manage("0820", "362", {62: status}, traced=False)
    assert (answer.mti, answer.text(39), sorted(answer.fields)) == ("0830", "00", [39, 41, 42, 60])
    terminal = clerk.bank.merchants.terminal(clerk.mid, clerk.tid)
    assert clerk.bank.merchants.status_of(terminal) == ("2026-05-21T09:30:15", status.decode())
    assert clerk.manage("0820", "362", traced=False).text(39) == "30"
