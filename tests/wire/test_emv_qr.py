"""EMV QR codes: built and read again, and what the published cases leave out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.emv_qr import QrObject, build_mpm, crc, missing_mandatory, parse_mpm
from wire.errors import QrError

SHOP = (
    QrObject("00", "01"),
    QrObject("26", children=(QrObject("00", "COM.EXAMPLE"), QrObject("01", "X"))),
    QrObject("52", "0000"),
    QrObject("53", "156"),
    QrObject("58", "CN"),
    QrObject("59", "悦读书店"),
    QrObject("60", "北京"),
)


def with_crc(text: str) -> str:
    return text + "6304" + crc(text + "6304")


def test_built_and_read_again() -> None:
    payload = build_mpm(SHOP)
    objects = parse_mpm(payload)
    assert tuple(objects[:-1]) == SHOP
    assert missing_mandatory(objects) == []
    assert build_mpm(objects) == payload


def test_a_crc_in_lower_case_is_taken() -> None:
    payload = build_mpm(SHOP)
    assert parse_mpm(payload[:-4] + payload[-4:].lower())[-1].identifier == "63"


@given(value=st.text(st.characters(codec="utf-8"), min_size=1, max_size=99))
def test_any_text_is_counted_in_characters(value: str) -> None:
    objects = parse_mpm(build_mpm([QrObject("00", "01"), QrObject("59", value)]))
    assert objects[1].value == value


def test_what_is_absent() -> None:
    assert missing_mandatory([QrObject("00", "01")]) == ["52", "53", "58", "59", "60", "63"]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (with_crc("000201") + "5802CN", "bad_format"),
        (with_crc("000201" + "62030501"), "truncated"),
        ("0002016303ABC", "bad_length"),
        ("00020152", "truncated"),
        ("0002015", "truncated"),
        ("00020152XX0000", "bad_length"),
        ("000201٥٢040000", "bad_tag"),
    ],
)
def test_refused(payload: str, reason: str) -> None:
    with pytest.raises(QrError) as caught:
        parse_mpm(payload)
    assert caught.value.reason == reason


def test_a_value_that_is_too_long() -> None:
    with pytest.raises(QrError) as caught:
        build_mpm([QrObject("00", "01"), QrObject("59", "x" * 100)])
    assert caught.value.reason == "bad_length"
