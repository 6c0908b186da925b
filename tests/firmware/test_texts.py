"""The files of texts agree with each other, with the specification, and with what displays can draw."""

from __future__ import annotations

from string import Formatter

import pytest

from firmware.texts import (
    LANGUAGES,
    Action,
    ResponseClass,
    UnknownTextError,
    catalogue,
    response_code,
    response_codes,
    text,
)
from firmware.texts.cells import columns_of, printable, wrap

# iso8583-pos section 12: the classes of the table, and of the codes "also legal".
CLASSES = {
    ResponseClass.APPROVED: "00 10 11 A2 A4 A5 A6",
    ResponseClass.RETRY_MAY_HELP: "13 14 55 99 A0",
    ResponseClass.DO_NOT_RETRY: (
        "01 03 05 12 15 21 22 25 30 40 45 51 54 57 58 59 61 62 64 65 75 A1 A7 "
        "02 06 09 16 17 19 20 23 31 39 42 44 52 53 56 60 63 66 93 95"
    ),
    ResponseClass.OPERATOR_ACTS: "04 34 38 41 43 97 07 33 35 36 37 67",
    ResponseClass.SYSTEM_TROUBLE: "68 90 91 92 94 96 98",
}
LISTED = {code: kind for kind, codes in CLASSES.items() for code in codes.split()}


def placeholders(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


def test_both_languages_have_the_same_keys() -> None:
    assert len(catalogue("en")) > 150
    assert catalogue("en").keys() == catalogue("zh").keys()


def test_both_languages_have_the_same_placeholders() -> None:
    english = {key: placeholders(template) for key, template in catalogue("en").items()}
    chinese = {key: placeholders(template) for key, template in catalogue("zh").items()}
    assert english == chinese
    assert any(english.values())


def test_english_is_ascii_and_chinese_is_what_every_font_and_printer_has() -> None:
    assert [key for key, words in catalogue("en").items() if not words.isascii()] == [
        "screen.keys.language",
        "screen.entry.language",
    ]
    catalogue("en")["screen.keys.language"].encode("gb2312")
    for words in catalogue("zh").values():
        words.encode("gb2312")  # raises at the first character outside of it
    for entry in response_codes().values():
        assert entry.text_en.isascii()
        entry.text_zh.encode("gb2312")


def test_text_fills_placeholders() -> None:
    assert text("en", "screen.element.tries_left", count=2) == "Tries left: 2"
    assert text("zh", "screen.element.tries_left", count=2) == "剩余次数: 2"


@pytest.mark.parametrize(("language", "key"), [("en", "screen.nowhere"), ("fr", "screen.idle.title")])
def test_unknown_text_says_what_is_missing(language: str, key: str) -> None:
    with pytest.raises(UnknownTextError, match=r"screen\.nowhere|'fr'"):
        text(language, key)


def test_response_codes_are_those_of_the_specification() -> None:
    assert {code: entry.kind for code, entry in response_codes().items()} == LISTED


def test_successes_are_seven() -> None:
    approved = {code for code in response_codes() if response_code(code).approved}
    assert approved == {"00", "10", "11", "A2", "A4", "A5", "A6"}


@pytest.mark.parametrize(
    ("code", "zh", "en", "action"),
    [
        ("00", "交易成功", "Approved", Action.NONE),
        ("01", "请持卡人与发卡银行联系", "Call issuer", Action.CALL_ISSUER),
        ("41", "挂失卡,请没收", "Lost card, pick up", Action.HOLD_CARD),
        ("51", "可用余额不足", "Insufficient funds", Action.NONE),
        ("55", "密码错", "Wrong PIN", Action.NEW_PIN),
        ("97", "终端未登记,请联系收单行或银联", "Terminal not registered", Action.CALL_SUPPORT),
        ("A0", "MAC校验错,请重新签到", "MAC error, sign in again", Action.SIGN_IN),
        ("A6", "交易成功,请向发卡行确认", "Approved, confirm with issuer", Action.CALL_ISSUER),
        ("67", "交易失败", "Declined", Action.HOLD_CARD),
    ],
)
def test_response_code(code: str, zh: str, en: str, action: Action) -> None:
    entry = response_code(code)
    assert (entry.text("zh"), entry.text("en"), entry.action) == (zh, en, action)


def test_every_card_to_be_kept_says_so_to_the_operator() -> None:
    kept = {code for code, entry in response_codes().items() if entry.action is Action.HOLD_CARD}
    assert kept == {"04", "07", "33", "34", "35", "36", "37", "41", "43", "67"}


@pytest.mark.parametrize("code", ["Z9", "", "\x1b@"])
def test_an_unknown_response_code_is_a_decline(code: str) -> None:
    entry = response_code(code)
    assert not entry.approved
    assert (entry.text_zh, entry.text_en) == ("未知应答码", "Unknown response code")


def test_every_action_has_words() -> None:
    used = {entry.action for entry in response_codes().values()} - {Action.NONE}
    assert used == set(Action) - {Action.NONE}
    for language in LANGUAGES:
        for action in used:
            assert text(language, f"screen.action.{action.value}.brief")


@pytest.mark.parametrize(
    ("words", "columns"),
    [("", 0), ("ABC 12", 6), ("交易成功", 8), ("¥ 12.34", 7), ("，", 2), ("ＡＢ", 4), ("①", 2)],
)
def test_columns(words: str, columns: int) -> None:
    assert columns_of(words) == columns


@pytest.mark.parametrize(
    ("words", "columns", "lines"),
    [
        ("", 16, ()),
        ("   ", 16, ()),
        ("Not permitted at terminal", 16, ("Not permitted at", "terminal")),
        ("可用余额不足", 8, ("可用余额", "不足")),
        ("将自动冲正，谢谢", 10, ("将自动冲", "正，谢谢")),  # no line begins with a comma
        ("ABCDEFGHIJ", 4, ("ABCD", "EFGH", "IJ")),
        ("PIN格式错,请重新签到", 9, ("PIN格式", "错,请重新", "签到")),
        ("a      b", 3, ("a b",)),
    ],
)
def test_wrap(words: str, columns: int, lines: tuple[str, ...]) -> None:
    assert wrap(words, columns) == lines


def test_wrap_loses_nothing_but_spaces() -> None:
    words = "本人确认以上交易，同意将其计入本卡账户 I acknowledge satisfactory receipt of goods/services"
    for columns in range(2, 60):
        lines = wrap(words, columns)
        assert "".join(lines).replace(" ", "") == words.replace(" ", "")
        assert max(columns_of(line) for line in lines) <= columns


def test_printable_disarms_control_characters() -> None:
    assert printable("\x1b@PAID\n\tTWICE\x00") == "@PAID  TWICE"
