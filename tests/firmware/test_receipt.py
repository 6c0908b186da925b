"""Slips against the table of iso8583-pos section 11: every element, on the right copy, within the paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import pytest

from firmware.receipt import SlipRefusedError, continued, slip
from firmware.records import Flow, Outcome, Payment, SlipCopy
from firmware.settings import TerminalSettings
from firmware.texts.cells import columns_of
from hal.api import PrintCut, PrintItem, PrintPair, PrintRule, PrintText

LANGUAGES = ("en", "zh")
PAPERS = (32, 48)
NOW = datetime.fromisoformat("2025-11-22T23:45:30")
SETTINGS = TerminalSettings()
PAYMENT = Payment(
    number=7,
    flow=Flow.AUTHORISE_FIRST,
    amount_minor=123456,
    batch="000042",
    stan="000123",
    rrn="112223450123",
    authorisation_code="A1B2C3",
    response_code="00",
    host_date="1122",
    host_time="234501",
    issuer="01030000",
    acquirer="48983200",
    card_organisation="CUP",
    host_text="WELCOME BACK       欢迎再来",
    pan_masked="622588******6783",
    expiry_yymm="3012",
    outcome=Outcome.APPROVED,
)
LONGEST = replace(
    PAYMENT,
    amount_minor=999_999_999_999,
    pan_masked="622588*********6783",
    issuer="01030000001",
    acquirer="48983200001",
    host_text="发卡方附言" * 12 + " " + "ACQUIRER-NOTE" * 6,
    response_code="A6",
)


def printed(
    payment: Payment = PAYMENT,
    copy: SlipCopy = SlipCopy.MERCHANT,
    *,
    language: str = "en",
    columns: int = 32,
    duplicate: bool = False,
    printed_at: datetime = NOW,
) -> tuple[PrintItem, ...]:
    return slip(
        payment,
        SETTINGS,
        copy,
        language=language,
        columns=columns,
        duplicate=duplicate,
        printed_at=printed_at,
    )


def lines_of(items: Sequence[PrintItem]) -> list[str]:
    """What a person reads: a pair as "label: value", other texts as they are."""
    lines = []
    for item in items:
        match item:
            case PrintPair():
                lines.append(f"{item.label}: {item.value}")
            case PrintText():
                lines.append(item.text)
            case _:
                pass
    return lines


def width_of(item: PrintItem) -> int:
    match item:
        case PrintPair():
            return columns_of(item.label) + 1 + columns_of(item.value)
        case PrintText():
            return columns_of(item.text) * (2 if item.double_width else 1)
        case _:
            return 0


def test_english_cardholder_copy_in_the_order_of_the_specification() -> None:
    assert lines_of(printed(copy=SlipCopy.CARDHOLDER)) == [
        "POS SALES SLIP",
        "CARDHOLDER COPY",
        "MERCHANT NAME: POSTERM DEMO SHOP",
        "MERCHANT NO.: 898320154110001",
        "TERMINAL NO.: 12345678",
        "OPERATOR NO.: 01",
        "ISSUER: 01030000",
        "ACQUIRER: 48983200",
        "CARD NO.: 622588******6783/S",
        "CARD TYPE: CUP",
        "EXP DATE: 2030/12",
        "TRANS TYPE: SALE",
        "BATCH NO.: 000042",
        "VOUCHER NO.: 000123",
        "AUTH NO.: A1B2C3",
        "REFER NO.: 112223450123",
        "DATE/TIME: 2025/11/22 23:45:01",
        "AMOUNT: RMB 1234.56",
        "REFERENCE",
        "WELCOME BACK",
        "欢迎再来",
        "PLEASE KEEP THIS SLIP",
        "THANK YOU",
    ]


def test_chinese_merchant_copy_in_the_order_of_the_specification() -> None:
    assert lines_of(printed(language="zh", columns=48)) == [
        "POS签购单",
        "商户存根 MERCHANT COPY",
        "商户名称 MERCHANT NAME: 小样咖啡馆",
        "商户编号 MERCHANT NO.: 898320154110001",
        "终端编号 TERMINAL NO.: 12345678",
        "操作员号 OPERATOR NO.: 01",
        "发卡行 ISSUER: 01030000",
        "收单行 ACQUIRER: 48983200",
        "卡号 CARD NO.: 622588******6783/S",
        "卡组织 CARD TYPE: CUP",
        "有效期 EXP DATE: 2030/12",
        "交易类型 TRANS TYPE: 消费/SALE",
        "批次号 BATCH NO.: 000042",
        "凭证号 VOUCHER NO.: 000123",
        "授权码 AUTH NO.: A1B2C3",
        "参考号 REFER NO.: 112223450123",
        "日期/时间 DATE/TIME: 2025/11/22 23:45:01",
        "金额 AMOUNT: RMB 1234.56",
        "备注 REFERENCE",
        "WELCOME BACK",
        "欢迎再来",
        "持卡人签名 CARDHOLDER SIGNATURE",
        "本人确认以上交易，同意将其计入本卡账户",
        "I acknowledge satisfactory receipt of relative",
        "goods/services",
        "请妥善保管 PLEASE KEEP THIS SLIP",
    ]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("copy", SlipCopy)
def test_only_the_merchant_copy_is_signed(language: str, copy: SlipCopy) -> None:
    items = printed(copy=copy, language=language)
    text = "\n".join(lines_of(items))
    signed = copy is SlipCopy.MERCHANT
    assert ("CARDHOLDER SIGNATURE" in text) is signed
    assert ("I acknowledge" in text) is signed
    assert (PrintRule("_") in items) is signed


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("columns", PAPERS)
@pytest.mark.parametrize("copy", SlipCopy)
@pytest.mark.parametrize("payment", [PAYMENT, LONGEST], ids=["usual", "longest"])
def test_every_line_fits_the_paper(language: str, columns: int, copy: SlipCopy, payment: Payment) -> None:
    items = printed(payment, copy, language=language, columns=columns, duplicate=True)
    assert [item for item in items if width_of(item) > columns] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_does_not_fit_beside_its_label_stands_below_it_and_nothing_is_lost(language: str) -> None:
    narrow = "".join(lines_of(printed(LONGEST, language=language))).replace(" ", "")
    assert "999999999.99" in narrow
    assert "622588*********6783/S" in narrow
    assert LONGEST.host_text.replace(" ", "") in narrow


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("copy", SlipCopy)
def test_the_amount_stands_out(language: str, copy: SlipCopy) -> None:
    items = printed(copy=copy, language=language)
    amounts = [item for item in items if isinstance(item, PrintPair) and "AMOUNT" in item.label]
    assert [(item.value, item.bold, item.double_height) for item in amounts] == [("RMB 1234.56", True, True)]


@pytest.mark.parametrize(
    ("entry_mode", "suffix"),
    [("02", "/S"), ("05", "/I"), ("07", "/C"), ("01", "/M"), ("92", "/N")],
)
def test_the_card_number_says_how_the_card_was_read(entry_mode: str, suffix: str) -> None:
    assert f"CARD NO.: 622588******6783{suffix}" in lines_of(printed(replace(PAYMENT, entry_mode=entry_mode)))


def test_a_card_number_that_is_not_masked_is_refused_without_being_repeated() -> None:
    with pytest.raises(SlipRefusedError) as refused:
        printed(replace(PAYMENT, pan_masked="6225880123456783"))
    assert not any(character.isdigit() for character in str(refused.value))


@pytest.mark.parametrize("outcome", [None, *(one for one in Outcome if one is not Outcome.APPROVED)])
def test_only_an_approved_payment_has_a_slip(outcome: Outcome | None) -> None:
    with pytest.raises(ValueError, match="approved"):
        printed(replace(PAYMENT, outcome=outcome))


def test_a_reversed_payment_has_no_slip() -> None:
    with pytest.raises(ValueError, match="reversed"):
        printed(replace(PAYMENT, reversed=True))


@pytest.mark.parametrize(("language", "mark"), [("en", "DUPLICATED"), ("zh", "重打印凭证 DUPLICATED")])
def test_a_reprint_is_marked_above_the_first_block(language: str, mark: str) -> None:
    items = printed(language=language, duplicate=True)
    assert mark in lines_of(items[: items.index(PrintRule())])
    assert mark not in lines_of(printed(language=language))


@pytest.mark.parametrize(
    ("host_date", "host_time", "printed_at", "line"),
    [
        ("1231", "235959", "2026-01-01T00:00:10", "2025/12/31 23:59:59"),  # printed after New Year
        ("0101", "000001", "2025-12-31T23:59:50", "2026/01/01 00:00:01"),  # the bank's clock is ahead
        ("0704", "120000", "2025-07-04T11:59:00", "2025/07/04 12:00:00"),
        ("0704", "120000", "2025-03-01T09:00:00", "2024/07/04 12:00:00"),  # an old slip printed again
        ("0229", "080000", "2024-02-29T08:00:05", "2024/02/29 08:00:00"),
        ("0229", "080000", "2025-01-05T08:00:05", "2024/02/29 08:00:00"),
    ],
)
def test_the_banks_date_gets_the_right_year(
    host_date: str, host_time: str, printed_at: str, line: str
) -> None:
    payment = replace(PAYMENT, host_date=host_date, host_time=host_time)
    lines = lines_of(printed(payment, printed_at=datetime.fromisoformat(printed_at)))
    assert f"DATE/TIME: {line}" in lines


@pytest.mark.parametrize(
    ("started_at", "line"),
    [("2025-11-20T10:00:01", "2025/11/20 10:00:01"), ("", "2025/11/22 23:45:30")],
)
def test_without_the_banks_date_the_terminals_clock_stands_in(started_at: str, line: str) -> None:
    payment = replace(PAYMENT, host_date="", host_time="", started_at=started_at)
    assert f"DATE/TIME: {line}" in lines_of(printed(payment))


def test_remarks_are_left_out_when_there_are_none() -> None:
    assert "REFERENCE" not in lines_of(printed(replace(PAYMENT, host_text="  ")))


@pytest.mark.parametrize(
    ("language", "words"), [("en", "A2 Approved, confirm with issuer"), ("zh", "A2 交易成功,请向发卡行确认")]
)
def test_a_flawed_success_says_so(language: str, words: str) -> None:
    assert words in lines_of(printed(replace(PAYMENT, response_code="A2"), language=language))


def test_the_bank_cannot_send_commands_to_the_printer() -> None:
    items = printed(replace(PAYMENT, host_text="\x1b@\x1d!\x11FREE", issuer="\x1bp\x00"))
    assert all(line.isprintable() for line in lines_of(items))


@pytest.mark.parametrize("columns", PAPERS)
@pytest.mark.parametrize(("language", "mark"), [("en", "(CONTINUED)"), ("zh", "(续) CONTINUED")])
def test_the_rest_of_a_slip_says_what_it_belongs_to(columns: int, language: str, mark: str) -> None:
    items = continued(PAYMENT, language=language, columns=columns)
    assert lines_of(items)[0] == mark
    assert lines_of(items)[1].endswith("VOUCHER NO.: 000123")
    assert [item for item in items if width_of(item) > columns] == []


def test_a_slip_ends_with_its_only_cut() -> None:
    items = printed()
    assert items[-1] == PrintCut()
    assert items.count(PrintCut()) == 1


def test_the_expiry_date_may_be_missing() -> None:
    assert "EXP DATE" not in "\n".join(lines_of(printed(replace(PAYMENT, expiry_yymm=""))))
