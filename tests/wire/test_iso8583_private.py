"""Fields 44, 48, 54, 60 and 61 against the worked examples of the field's documents."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.errors import CodecError
from wire.iso8583.private import F44, F54, F60, F61, ChipUpload, Detail, F48Details, F48Totals, Totals
from wire.pan import Pan


@pytest.mark.parametrize(
    ("field", "text"),
    [
        (F60("00", "000001", "003"), "00000001003"),
        (F60("22", "000001", "000", "6", "0"), "2200000100060"),
        (F60("22", "000001", ""), "22000001"),
        (F60("10", "000001", "000", "2"), "100000010002"),
        (F60("10", "000001", "000", "2", "0", "1"), "10000001000201"),
        (F60("22", "000001", "000", "2", "0", "0", "048"), "22000001000200048"),
    ],
)
def test_field_60(field: F60, text: str) -> None:
    assert field.encode() == text
    assert F60.parse(text) == field


@pytest.mark.parametrize(
    ("field", "text"),
    [
        (F61("000001", "000002"), "000001000002"),
        (F61("000000", "000000", "0521"), "0000000000000521"),
        (F61("000001", "000002", "0521", "01"), "000001000002052101"),
        (F61("000001", "000002", "0521", "01", "00012345678"), "00000100000205210100012345678"),
    ],
)
def test_field_61(field: F61, text: str) -> None:
    assert field.encode() == text
    assert F61.parse(text) == field


@pytest.mark.parametrize("length", sorted(set(range(20)) - {8, 11, 12, 13, 14, 17}))
def test_field_60_has_no_other_length(length: int) -> None:
    with pytest.raises(CodecError) as caught:
        F60.parse("0" * length)
    assert (caught.value.reason, caught.value.field) == ("bad_length", 60)


@pytest.mark.parametrize(
    "make",
    [
        F60("22", "1").encode,
        F60("22", "000001", "", "2").encode,
        F60("2", "0000011").encode,
        F60("22", "000001", "000", "", "0").encode,
        F61("000001", "000002", "", "01").encode,
        F44("1" * 12, "").encode,
        F54(10**12).encode,
        F48Totals(Totals(debit_count=1000)).encode,
        F48Totals(Totals(credit_amount_minor=-1)).encode,
    ],
)
def test_parts_that_do_not_fit_are_refused(make: Callable[[], str]) -> None:
    with pytest.raises(CodecError) as caught:
        make()
    assert caught.value.reason == "bad_length"


@pytest.mark.parametrize(
    ("parse", "text", "reason"),
    [
        (F60.parse, "2200000100A", "bad_character"),
        (F61.parse, "00000100000２", "bad_character"),
        (F61.parse, "000001", "bad_length"),
        (F44.parse, "0" * 26, "bad_length"),
        (F54.parse, "0002156X000000012345", "bad_format"),
        (F54.parse, "0002156C", "bad_length"),
        (F48Totals.parse, "0" * 61, "bad_length"),
    ],
)
def test_texts_that_are_refused(parse: Callable[[str], object], text: str, reason: str) -> None:
    with pytest.raises(CodecError) as caught:
        parse(text)
    assert caught.value.reason == reason


def test_field_44_of_a_published_answer() -> None:
    text = "03080000   48520000      "
    assert F44.parse(text) == F44("03080000", "48520000")
    assert F44("03080000", "48520000").encode() == text
    assert F44.parse("03080000") == F44("03080000", "")


@pytest.mark.parametrize(
    ("field", "text"),
    [(F54(12345), "0002156C000000012345"), (F54(-500, account_type="10"), "1002156D000000000500")],
)
def test_field_54(field: F54, text: str) -> None:
    assert field.encode() == text
    assert F54.parse(text) == field


def test_field_48_of_a_settlement_of_one_sale() -> None:
    totals = F48Totals(Totals(debit_amount_minor=12345, debit_count=1))
    text = "000000012345" + "001" + "000000000000" + "000" + "0" + "0" * 31
    assert totals.encode() == text
    assert F48Totals.parse(text) == totals
    assert F48Totals.parse(text[:30] + "1" + text[31:61] + "2").foreign.result == 2


@given(st.text(max_size=65), st.text("0123456789", max_size=65))
def test_any_text_gives_a_field_or_a_codec_error(text: str, digits: str) -> None:
    for kind in (F60, F61, F44, F54, F48Totals):
        for candidate in (text, digits):
            try:
                kind.parse(candidate)
            except CodecError:
                continue


@pytest.mark.parametrize(
    ("field", "text"),
    [
        (F48Details(()), "00"),
        (
            F48Details((Detail("00", "000002", Pan("6225880000000100"), 12345),)),
            "010000000200006225880000000100000000012345",
        ),
        (F48Details((Detail("01", "000003", None, 1),)), "0101000003" + "0" * 20 + "000000000001"),
    ],
)
def test_details_of_a_batch_upload(field: F48Details, text: str) -> None:
    assert field.encode() == text
    assert F48Details.parse(text) == field


def test_eight_details_fill_field_48_and_nine_do_not_fit() -> None:
    one = Detail("00", "000002", Pan("6225880000000100"), 12345)
    assert len(F48Details((one,) * 8).encode()) == 322
    with pytest.raises(CodecError):
        F48Details((one,) * 9).encode()


@pytest.mark.parametrize(
    "text", ["", "0", "01", "0x", "01" + "0" * 39, "01" + "0" * 41, "01" + "00000002" + "1" * 9 + "x" * 23]
)
def test_what_are_no_details(text: str) -> None:
    with pytest.raises(CodecError):
        F48Details.parse(text)


@pytest.mark.parametrize(
    ("field", "data"),
    [
        (ChipUpload("6", "00", "00", 1234), b"610000000000001234156"),
        (ChipUpload("7", "01", "05", 99, failure="22"), b"71010500000000009915622"),
        (ChipUpload("7", "00", "11", 1, "156", "10"), b"71001100000000000115610"),
    ],
)
def test_field_62_of_a_chip_upload(field: ChipUpload, data: bytes) -> None:
    assert field.encode() == data
    assert ChipUpload.parse(data) == field


@pytest.mark.parametrize(
    "data", [b"", b"61", b"710000000000001234156", b"61000000000000123415610", b"\xff" * 21]
)
def test_what_is_no_chip_upload(data: bytes) -> None:
    with pytest.raises(CodecError):
        ChipUpload.parse(data)
