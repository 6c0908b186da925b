"""The end of the day: differences, fees, payouts, and books that balance whatever happens in between."""

from __future__ import annotations

import csv
import io

import pytest

from bank.batches import Batch, Upload, UploadKind
from bank.payouts import FEES, PAYOUTS
from bank.rates import Fee, rates
from bank.reconcile import Finding
from bank.report import day_report
from tests.bank.clerk import Clerk
from tests.bank.till import card
from tools.bank_report import csv_of, text_of
from wire.iso8583.private import Detail, Totals

DAY = "2026-05-21"


def balances(clerk: Clerk) -> dict[str, int]:
    return {account.name: account.balance_minor for account in clerk.bank.accounts()}


def close(clerk: Clerk, totals: Totals) -> None:
    clerk.settle(totals)
    assert clerk.end("207", 0).text(39) == "00"


def batch_of(clerk: Clerk, number: str = "000001") -> Batch:
    found = clerk.bank.batches.find(clerk.mid, clerk.tid, number)
    assert found is not None
    return found


# --- fees --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fee", "amount_minor", "expected"),
    [
        (Fee(60, 0, 0), 10_000, 60),
        (Fee(60, 0, 0), 83, 0),  # 0.498
        (Fee(60, 0, 0), 84, 1),  # 0.504
        (Fee(50, 0, 2000), 1_000_000, 2000),
        (Fee(160, 10, 0), 100, 10),
        (Fee(160, 10, 0), 5, 5),
        (Fee(0, 0, 0), 1_000_000, 0),
    ],
)
def test_a_fee_is_rounded_and_bounded(fee: Fee, amount_minor: int, expected: int) -> None:
    assert fee.of(amount_minor) == expected


def test_every_rate_has_its_fees() -> None:
    assert "standard" in rates()
    for name, rate in rates().items():
        assert (rate.name, bool(rate.title)) == (name, True)
        assert rate.domestic.of(10_000) <= rate.foreign.of(10_000)


# --- payouts -----------------------------------------------------------------------------------------


def test_only_what_is_settled_is_paid_and_only_once(clerk: Clerk) -> None:
    clerk.purchase(amount_minor=10_000)
    assert clerk.bank.payouts.pay_all(now=clerk.now) == []
    close(clerk, Totals(10_000, 1))
    [payout] = clerk.bank.payouts.pay_all(now=clerk.now)
    assert (payout.debit_minor, payout.fee_minor, payout.net_minor) == (10_000, 60, 9_940)
    assert clerk.bank.payouts.pay_all(now=clerk.now) == []
    books = balances(clerk)
    assert (books[f"merchant {clerk.mid}"], books[PAYOUTS], books[FEES]) == (0, 9_940, 60)


def test_a_whole_day_is_paid_as_counted_by_hand(clerk: Clerk) -> None:
    authorised = clerk.authorise(amount_minor=10_000)
    clerk.verify(authorised)
    clerk.complete(authorised)
    clerk.adjust(authorised, 1_000)
    sold = clerk.purchase(amount_minor=5_000)
    clerk.void(sold)
    clerk.refund(clerk.purchase(amount_minor=3_000), 500)
    clerk.preauth(amount_minor=700)
    close(clerk, Totals(19_000, 3, 5_500, 2))
    assert batch_of(clerk).is_balanced
    [payout] = clerk.bank.payouts.pay_all(now=clerk.now)
    # Fees at 0.60 %: 60 of 100.00, 6 of the tip, 30 of 50.00 and back with its void, 18 of 30.00.
    assert payout.fee_minor == 60 + 6 + 30 - 30 + 18
    assert payout.net_minor == 19_000 - 5_500 - 84
    assert balances(clerk)[f"merchant {clerk.mid}"] == 0


def test_a_day_with_more_refunds_than_sales_waits(clerk: Clerk) -> None:
    sold = clerk.purchase(amount_minor=10_000)
    close(clerk, Totals(10_000, 1))
    clerk.bank.payouts.pay_all(now=clerk.now)
    clerk.refund(sold, 4_000)
    close(clerk, Totals(0, 0, 4_000, 1))
    assert clerk.bank.payouts.pay_all(now=clerk.now) == []
    clerk.purchase(amount_minor=6_000)
    close(clerk, Totals(6_000, 1))
    [payout] = clerk.bank.payouts.pay_all(now=clerk.now)
    assert payout.net_minor == 6_000 - 4_000 - 36
    assert balances(clerk)[f"merchant {clerk.mid}"] == 0


def test_what_is_reversed_after_its_payout_is_taken_off_the_next(clerk: Clerk) -> None:
    fields = clerk.purchase_fields(amount_minor=10_000)
    clerk.ask("0200", fields)
    close(clerk, Totals(10_000, 1))
    clerk.bank.payouts.pay_all(now=clerk.now)
    assert clerk.reverse(fields).text(39) == "00"
    clerk.purchase(amount_minor=20_000)
    close(clerk, Totals(20_000, 1))
    [payout] = clerk.bank.payouts.pay_all(now=clerk.now)
    assert (payout.correction_minor, payout.fee_minor) == (10_000, 120 - 60)
    assert payout.net_minor == 20_000 - 10_000 - 60
    books = balances(clerk)
    assert (books[f"merchant {clerk.mid}"], books[FEES], books[PAYOUTS]) == (0, 120, 20_000 - 120)
    assert clerk.bank.payouts.pay_all(now=clerk.now) == []


def test_each_merchant_has_its_rate(clerk: Clerk) -> None:
    with clerk.bank.store.transaction():
        clerk.bank.merchants.set_rate(clerk.mid, "public")
    clerk.purchase(amount_minor=10_000)
    close(clerk, Totals(10_000, 1))
    [payout] = clerk.bank.payouts.pay_all(now=clerk.now)
    assert (payout.fee_minor, payout.net_minor) == (0, 10_000)


def test_what_a_terminal_left_behind_is_paid_the_day_after(clerk: Clerk) -> None:
    """It has lost its storage: nobody will ever settle its batch."""
    clerk.purchase(amount_minor=10_000)
    reborn = Clerk(clerk.bank, now=clerk.now)
    reborn.sign_in()
    assert reborn.batch == "000002"
    assert clerk.bank.payouts.pay_all(now=clerk.now) == []
    reborn.later(days=1)
    reborn.purchase(amount_minor=500)
    [payout] = clerk.bank.payouts.pay_all(now=reborn.now)
    assert (payout.debit_minor, payout.net_minor) == (10_000, 9_940)
    batch = batch_of(clerk)
    assert (batch.domestic, batch.foreign, batch.closed_at) == (3, 3, "2026-05-22T09:30:15")
    [difference] = clerk.bank.differences(batch)
    assert difference.finding is Finding.NOT_UPLOADED
    assert "ERROR" in text_of(day_report(clerk.bank, "2026-05-22"))
    close(reborn, Totals(500, 1))
    [payout] = clerk.bank.payouts.pay_all(now=reborn.now)
    assert payout.debit_minor == 500


def test_a_batch_in_use_is_left_open_overnight(clerk: Clerk) -> None:
    clerk.purchase(amount_minor=10_000)
    clerk.later(days=3)
    assert clerk.bank.payouts.pay_all(now=clerk.now) == []
    close(clerk, Totals(10_000, 1))
    assert len(clerk.bank.payouts.pay_all(now=clerk.now)) == 1


# --- differences -------------------------------------------------------------------------------------


def test_a_balanced_batch_has_no_differences(clerk: Clerk) -> None:
    clerk.purchase(amount_minor=100)
    close(clerk, Totals(100, 1))
    assert clerk.bank.differences(batch_of(clerk)) == []


def test_each_kind_of_difference_is_found(clerk: Clerk) -> None:
    pan = card("good").pan
    good, missing, wrong, twice = [clerk.purchase(amount_minor=100 * number) for number in range(1, 5)]
    clerk.settle(Totals(1, 1))
    clerk.upload(
        Detail("00", good.text(11), pan, 100),
        Detail("00", wrong.text(11), pan, 299),
        Detail("00", twice.text(11), pan, 400),
        Detail("00", "999999", pan, 5),
    )
    clerk.upload(Detail("00", twice.text(11), pan, 400))
    clerk.end("202", 5)
    found = {
        one.trace: (one.finding, one.booked_minor, one.uploaded_minor)
        for one in clerk.bank.differences(batch_of(clerk))
    }
    assert found == {
        missing.text(11): (Finding.NOT_UPLOADED, 200, None),
        wrong.text(11): (Finding.AMOUNT, 300, 299),
        twice.text(11): (Finding.TWICE, 400, 800),
        "999999": (Finding.NOT_BOOKED, None, 5),
    }


@pytest.mark.parametrize(
    ("uploaded_minor", "with_advice", "findings"),
    [
        (1000, True, []),
        (1100, False, []),
        (1000, False, [Finding.AMOUNT]),
        (1100, True, [Finding.AMOUNT]),
    ],
)
def test_a_tip_is_uploaded_within_its_sale_or_as_an_advice(
    clerk: Clerk, uploaded_minor: int, with_advice: bool, findings: list[Finding]
) -> None:
    sold = clerk.purchase(amount_minor=1000)
    tip = clerk.adjust_fields(sold, 100)
    clerk.ask("0220", tip)
    clerk.settle(Totals(1, 1))
    clerk.upload(Detail("00", sold.text(11), None, uploaded_minor))
    if with_advice:
        assert clerk.ask("0320", tip, mac=False).text(39) == "00"
    clerk.end("202", 2)
    assert [one.finding for one in clerk.bank.differences(batch_of(clerk))] == findings


# --- the report --------------------------------------------------------------------------------------


def test_the_report_tells_the_day(clerk: Clerk) -> None:
    clerk.purchase(amount_minor=10_000)
    clerk.settle(Totals(9_999, 1))
    clerk.end("202", 0)
    clerk.bank.payouts.pay_all(now=clerk.now)
    report = day_report(clerk.bank, DAY)
    text = text_of(report)
    for words in (
        "settlement report 2026-05-21",
        "898320154110001  POSTERM DEMO SHOP  (rate: standard)",
        "domestic  NOT BALANCED  terminal 1 debits 99.99, 0 credits 0.00",
        "bank     1 debits 100.00, 0 credits 0.00",
        "trace 000002: the bank has it, the terminal did not upload it",
        "payout 1: 100.00 - 0.00 - 0.00 - fees 0.60 = 99.40",
        "still owed: 0.00",
        "paid out 99.40, fees 0.60",
        "books: right",
    ):
        assert words in text
    rows = list(csv.DictReader(io.StringIO(csv_of(report))))
    assert [(row["line"], row["block"], row["result"]) for row in rows] == [
        ("batch", "domestic", "not balanced"),
        ("batch", "foreign", "balanced"),
        ("payout", "", ""),
    ]
    assert (rows[0]["debit_minor"], rows[0]["booked_debit_minor"]) == ("9999", "10000")
    assert (rows[2]["fee_minor"], rows[2]["net_minor"]) == ("60", "9940")
    assert day_report(clerk.bank, "2026-05-22").merchants == ()


def test_certificates_are_no_money(clerk: Clerk) -> None:
    record = Upload(UploadKind.CERTIFICATE, "000777", "00", 5)
    clerk.settle(Totals(1, 1))
    with clerk.bank.store.transaction():
        clerk.bank.batches.take_upload(clerk.mid, clerk.tid, clerk.batch, "000900", [record])
    assert clerk.bank.differences(batch_of(clerk)) == []
