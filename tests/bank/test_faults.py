from __future__ import annotations

import pytest

from bank.authoriser import Reply
from bank.errors import RecordError
from bank.faults import BankFaults, Fault, FaultKind, parse_fault
from tests.bank.clerk import Clerk, results
from tests.bank.till import UNIONPAY, Till
from wire.iso8583.private import Totals

OPENING_MINOR = 1_000_000


def test_a_request_lost_on_the_way_in_did_nothing(till: Till) -> None:
    till.bank.faults.add(Fault(FaultKind.SILENT_BEFORE_POSTING, mti="0200"))
    fields = till.purchase_fields()
    assert till.exchange("0200", fields) is None
    assert till.balance_minor() == OPENING_MINOR
    assert till.reverse(fields).text(39) == "25"


def test_an_answer_lost_on_the_way_out_was_done(till: Till) -> None:
    till.bank.faults.add(Fault(FaultKind.SILENT_AFTER_POSTING, mti="0200"))
    fields = till.purchase_fields()
    assert till.exchange("0200", fields) is None
    assert till.balance_minor() == OPENING_MINOR - 1234
    assert till.reverse(fields).text(39) == "00"
    assert till.balance_minor() == OPENING_MINOR


def test_a_fault_is_counted_and_chosen_by_message(till: Till) -> None:
    till.bank.faults.add(
        Fault(FaultKind.SILENT_BEFORE_POSTING, mti="0100", processing_code="330000", skip=1, count=2)
    )
    authorised = till.authorise()
    answers = [till.exchange("0100", till.verify_fields(authorised)) for _ in range(4)]
    assert [answer is None for answer in answers] == [False, True, True, False]


def test_a_wrong_mac_and_a_wrong_trace(till: Till) -> None:
    till.bank.faults.add(Fault(FaultKind.WRONG_MAC))
    spoilt = till.authorise()
    assert spoilt.text(39) == "00"
    assert not till.mac_is_right(spoilt)
    till.bank.faults.add(Fault(FaultKind.WRONG_TRACE))
    shifted = till.authorise()
    assert till.mac_is_right(shifted)
    assert int(shifted.text(11)) == till.trace_count + 1
    assert till.mac_is_right(till.authorise())


def test_a_header_digit_and_a_forced_code(till: Till) -> None:
    till.bank.faults.add(Fault(FaultKind.HEADER_DIGIT, value="3"))
    assert till.authorise().header == "603103320000"
    till.bank.faults.add(Fault(FaultKind.RESPONSE_CODE, mti="0200", value="91"))
    assert till.purchase().text(39) == "91"
    assert till.balance_minor() == OPENING_MINOR
    till.bank.faults.add(Fault(FaultKind.RESPONSE_CODE, mti="0800", value="96"))
    assert till.sign_in().text(39) == "96"


def test_delay_duplicate_and_hanging_up(till: Till) -> None:
    def replies() -> list[Reply]:
        return till.bank.handle(till.pack("0100", till.authorise_fields()), now=till.now)

    till.bank.faults.add(Fault(FaultKind.DELAY, delay_ms=61_000))
    assert [reply.delay_ms for reply in replies()] == [61_000]
    till.bank.faults.add(Fault(FaultKind.DUPLICATE))
    first, second = replies()
    assert first == second
    assert UNIONPAY.decode(first.message).text(39) == "00"
    for kind, holds in ((FaultKind.CLOSE_BEFORE_POSTING, 2), (FaultKind.CLOSE_AFTER_POSTING, 3)):
        till.bank.faults.add(Fault(kind))
        assert replies() == [Reply(b"", close=True)]
        assert len(till.bank.open_holds()) == holds


def test_a_fault_may_wait_for_an_amount(till: Till) -> None:
    till.bank.faults.add(Fault(FaultKind.RESPONSE_CODE, value="91", amount_minor=9100, count=None))
    assert [till.purchase(amount_minor=amount).text(39) for amount in (9099, 9100, 9101, 9100)] == [
        *("00", "91", "00", "91")
    ]


def test_a_truncated_answer_has_half_its_bytes_and_a_split_one_all(till: Till) -> None:
    till.bank.faults.add(Fault(FaultKind.TRUNCATE))
    [cut] = till.bank.handle(till.pack("0100", till.authorise_fields()), now=till.now)
    told, whole = int.from_bytes(cut.frame()[:2], "big"), len(cut.message) + cut.lost_bytes
    assert (told, len(cut.frame()) - 2, cut.close) == (whole, whole // 2, True)
    till.bank.faults.add(Fault(FaultKind.SPLIT))
    [split] = till.bank.handle(till.pack("0100", till.authorise_fields()), now=till.now)
    assert split.in_pieces
    assert UNIONPAY.decode(split.message).text(39) == "00"


def test_a_settlement_that_agrees_may_be_said_not_to(clerk: Clerk) -> None:
    clerk.bank.faults.add(Fault(FaultKind.UNBALANCED))
    assert results(clerk.settle(Totals())) == (2, 2)
    clerk.bank.faults.add(Fault(FaultKind.RESPONSE_CODE, mti="0500", value="96"))
    refused = clerk.settle(Totals())
    assert (results(refused), 39 in refused.fields) == ((3, 3), False)
    assert results(clerk.settle(Totals())) == (1, 1)


def test_faults_without_end_and_clearing_them() -> None:
    faults = BankFaults(Fault(FaultKind.WRONG_MAC, count=None))
    assert all(faults.take(FaultKind.WRONG_MAC, "0200") for _ in range(10))
    assert faults.take(FaultKind.DELAY, "0200") is None
    faults.clear()
    assert faults.take(FaultKind.WRONG_MAC, "0200") is None


def test_faults_as_text() -> None:
    assert parse_fault("wrong-mac") == Fault(FaultKind.WRONG_MAC)
    assert parse_fault("delay:mti=0200,delay_ms=500,count=always,skip=2") == Fault(
        FaultKind.DELAY, mti="0200", delay_ms=500, count=None, skip=2
    )
    assert parse_fault("response-code:value=91,processing_code=000000").value == "91"
    assert parse_fault("truncate:amount=91.00").amount_minor == 9100


@pytest.mark.parametrize(
    "text", ["", "rain", "delay:delay_ms=soon", "delay:amount=much", "delay:colour=red", "response-code"]
)
def test_wrong_texts_are_refused_in_one_line(text: str) -> None:
    with pytest.raises(RecordError) as caught:
        parse_fault(text)
    assert "\n" not in str(caught.value)
