"""Answers to reset and PPS: published ones, what EMV makes of them, then any bytes.

Published: the ATRs that openemv/emv-utils tests its check with (tests/emv_atr_parse_test.c); EMV's two basic
ATRs (EMV Level 1, tables 8-2 and 8-3).
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.cards.card import ATR_T0, ATR_T1
from wire.iso7816.atr import ATR_BYTES_MAX, Atr, AtrError, InterfaceBytes, bytes_missing, clock_rate
from wire.iso7816.atr_emv import emv_defects
from wire.iso7816.pps import Pps, pps_bytes_missing

BASIC_T0 = "3B600000"
BASIC_T1 = "3BE000008131204535"
T0_SPECIFIC = "3BF41300FFD0000A3F0300DEADBEEFDC"
T1_SPECIFIC = "3BF41300FF9101717C4100DEADBEEFE6"
NOT_EMV = "3BDA18FF81B1FE751F030031F573C78A40009000B0"

ACCEPTED = [BASIC_T0, BASIC_T1, "3BE000FF81317C4192", T0_SPECIFIC, T1_SPECIFIC]

# What emv-utils changes in its two long ATRs, one byte each time, and expects to be refused.
CHANGES = [
    (T0_SPECIFIC, 2, 0x14, "TA1"),
    (T0_SPECIFIC, 4, 0x01, "TC1"),
    (T0_SPECIFIC, 5, 0xD2, "TD1"),
    (T0_SPECIFIC, 6, 0x10, "TA2"),
    (T0_SPECIFIC, 6, 0x01, "TA2"),
    (T0_SPECIFIC, 7, 0x00, "TC2"),
    (T0_SPECIFIC, 8, 0x31, "TD2"),
    (T0_SPECIFIC, 9, 0x08, "TA3"),
    (T1_SPECIFIC, 2, 0x23, "TA1"),
    (T1_SPECIFIC, 4, 0x01, "TC1"),
    (T1_SPECIFIC, 5, 0x92, "TD1"),
    (T1_SPECIFIC, 6, 0x11, "TA2"),
    (T1_SPECIFIC, 6, 0x00, "TA2"),
    (T1_SPECIFIC, 7, 0x70, "TD2"),
    (T1_SPECIFIC, 8, 0x0F, "TA3"),
    (T1_SPECIFIC, 9, 0x46, "TB3"),
    (T1_SPECIFIC, 10, 0x01, "TC3"),
]


def with_check(data: bytearray) -> bytes:
    check = 0
    for byte in data[1:-1]:
        check ^= byte
    data[-1] = check
    return bytes(data)


@pytest.mark.parametrize("text", [*ACCEPTED, NOT_EMV])
def test_a_published_atr_is_read_whole_and_written_again(text: str) -> None:
    data = bytes.fromhex(text)
    assert Atr.decode(data).encode() == data
    for cut in range(len(data)):
        assert 0 < bytes_missing(data[:cut]) <= len(data) - cut
        with pytest.raises(AtrError):
            Atr.decode(data[:cut])
    assert bytes_missing(data) == 0


@pytest.mark.parametrize("text", ACCEPTED)
def test_emv_accepts(text: str) -> None:
    assert emv_defects(Atr.decode(bytes.fromhex(text))) == []


def test_emv_refuses_a_card_of_another_trade() -> None:
    assert emv_defects(Atr.decode(bytes.fromhex(NOT_EMV)))


@pytest.mark.parametrize(("text", "place", "value", "names"), CHANGES)
def test_emv_refuses_one_wrong_byte(text: str, place: int, value: int, names: str) -> None:
    data = bytearray.fromhex(text)
    data[place] = value
    defects = emv_defects(Atr.decode(with_check(data)))
    assert [defect for defect in defects if defect.startswith(names)], defects


def test_a_second_t0_is_refused_for_the_check_byte_that_it_has_not() -> None:
    """The only change of theirs that is no ATR at all: with T=0 alone there is no TCK."""
    data = bytearray.fromhex(T0_SPECIFIC)
    data[8] = 0x30
    with pytest.raises(AtrError):
        Atr.decode(with_check(data))


@pytest.mark.parametrize(
    ("groups", "names"),
    [
        ((InterfaceBytes(tb=0x25, tc=0),), "TB1"),
        ((InterfaceBytes(ta=0x11),), "TA1"),
        ((InterfaceBytes(protocol=0), InterfaceBytes(tb=0x01)), "TB2"),
        ((InterfaceBytes(protocol=1), InterfaceBytes()), "TB3"),
        ((InterfaceBytes(protocol=1), InterfaceBytes(protocol=1), InterfaceBytes(tb=0x40)), "TB3"),
        ((InterfaceBytes(protocol=1), InterfaceBytes(tc=0x0A)), "TC2"),
        ((InterfaceBytes(protocol=15), InterfaceBytes()), "TD1"),
    ],
)
def test_emv_refuses_what_iso_allows(groups: tuple[InterfaceBytes, ...], names: str) -> None:
    atr = Atr(groups)
    assert Atr.decode(atr.encode()) == atr
    assert [defect for defect in emv_defects(atr) if defect.startswith(names)]


def test_the_parameters_of_t0() -> None:
    atr = Atr.decode(bytes.fromhex(T0_SPECIFIC))
    assert atr.protocols == (0,)
    assert (atr.fidi, clock_rate(atr.fidi), atr.speed_at_once) == (0x13, (372, 4), (372, 4))
    assert (atr.specific_protocol, atr.extra_guard_time, atr.waiting_integer) == (0, 0xFF, 10)
    assert atr.historical == bytes.fromhex("DEADBEEF")
    assert not atr.inverse


def test_the_parameters_of_t1() -> None:
    atr = Atr.decode(bytes.fromhex(T1_SPECIFIC))
    assert (atr.protocols, atr.ifsc, atr.waiting_integers, atr.t1_uses_crc) == ((1,), 0x7C, (4, 1), False)


def test_waiting_times() -> None:
    """10.2: WI * 960 * Fi / f. 11.4.3: 2^BWI * 960 * 372 / f: at 3.57 MHz 1.6 s for EMV's BWI of 4."""
    assert Atr().work_wait_cycles == 10 * 960 * 372
    assert Atr((InterfaceBytes(ta=0x95),)).work_wait_cycles == 10 * 960 * 512
    assert ATR_T1.block_wait_cycles == 16 * 960 * 372
    assert Atr.decode(bytes.fromhex(T0_SPECIFIC)).protocol == 0
    assert ATR_T1.protocol == 1


def test_defaults_where_an_atr_says_nothing() -> None:
    atr = Atr.decode(bytes.fromhex("3B00"))
    assert atr.protocols == (0,)
    assert (atr.fidi, atr.speed_at_once, atr.specific_protocol) == (0x11, (372, 1), None)
    assert (atr.extra_guard_time, atr.waiting_integer, atr.ifsc) == (0, 10, 32)
    assert atr.waiting_integers == (4, 13)
    assert not atr.has_check


def test_the_basic_atrs_of_our_cards_are_emv_s() -> None:
    assert (str(ATR_T0), str(ATR_T1)) == (BASIC_T0, BASIC_T1)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "truncated"),
        ("3B", "truncated"),
        ("3C00", "bad_format"),
        ("3B0000", "trailing_data"),
        ("3BE000008131204534", "bad_lrc"),
        ("3B80" + "80" * 40, "truncated"),
    ],
)
def test_what_is_no_atr(text: str, reason: str) -> None:
    with pytest.raises(AtrError) as caught:
        Atr.decode(bytes.fromhex(text))
    assert caught.value.reason == reason


def test_an_atr_that_cannot_be_is_refused() -> None:
    for groups in [(InterfaceBytes(), InterfaceBytes()), (InterfaceBytes(protocol=1),), ()]:
        with pytest.raises(AtrError):
            Atr(groups)
    with pytest.raises(AtrError):
        Atr(historical=bytes(16))


@given(st.binary(max_size=40), st.sampled_from([b"", b"\x3b", b"\x3f"]))
def test_any_bytes_are_an_atr_or_refused(data: bytes, begin: bytes) -> None:
    data = begin + data
    try:
        atr = Atr.decode(data)
    except AtrError:
        return
    assert len(data) <= ATR_BYTES_MAX
    assert atr.encode() == data
    emv_defects(atr)
    assert atr.interface_byte("A", 20) is None


# --- PPS ---------------------------------------------------------------------------------------------


def test_pps_as_iso_7816_3_writes_it() -> None:
    assert Pps(1, 0x13).encode() == bytes.fromhex("FF1113FD")
    assert Pps.decode(bytes.fromhex("FF1113FD")) == Pps(1, 0x13)
    assert Pps(0).encode() == bytes.fromhex("FF00FF")
    assert Pps(1, 0x13).is_granted_by(Pps(1))
    assert not Pps(1, 0x13).is_granted_by(Pps(0, 0x13))
    assert not Pps(1, 0x13).is_granted_by(Pps(1, 0x94))


@pytest.mark.parametrize(
    ("text", "reason"),
    [("00", "bad_format"), ("FF11", "truncated"), ("FF00FF00", "trailing_data"), ("FF1113FE", "bad_lrc")],
)
def test_what_is_no_pps(text: str, reason: str) -> None:
    with pytest.raises(AtrError) as caught:
        Pps.decode(bytes.fromhex(text))
    assert caught.value.reason == reason


@given(st.binary(max_size=8))
def test_any_bytes_are_a_pps_or_refused(data: bytes) -> None:
    try:
        pps = Pps.decode(data)
    except AtrError:
        return
    assert pps_bytes_missing(data) == 0
    assert Pps.decode(pps.encode()) == pps
