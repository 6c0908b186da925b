"""The UnionPay dialect against whole frames worked out in documents, and what must never happen."""

import traceback
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.iso8583 import (
    CodecError,
    FrameSplitter,
    IsoMessage,
    dialect,
    frame,
    response_mti,
    swap_tpdu,
)
from wire.iso8583.table import DialectTable

UNIONPAY = dialect("unionpay")
ISO87 = dialect("iso87")
TID, MID = "12345678", "898320154110001"
KEYS_003 = "F9C2452F0F4EFC0908E97821E0A7BCC108D7B4FB45F890CD51133A5600000000000000005FFE0009"

SIGN_IN = IsoMessage("0800", {11: "000001", 41: TID, 42: MID, 60: "00000001003", 63: "01 "})
SIGN_IN_ANSWER = IsoMessage(
    "0810",
    {11: "000001", 12: "093015", 13: "0521", 32: "08960000", 37: "093015000001", 39: "00"}
    | {41: TID, 42: MID, 60: "00000001003", 62: bytes.fromhex(KEYS_003)},
    tpdu="6000000006",
)
SALE = IsoMessage(
    "0200",
    {3: "000000", 4: "000000012345", 11: "000002", 22: "021", 25: "00", 26: "06"}
    | {35: "6225880123456783D30122011234500000", 41: TID, 42: MID, 49: "156"}
    | {52: bytes.fromhex("8922C16FE575AAD2"), 53: "2600000000000000", 60: "2200000100060", 64: b"406A066A"},
)
SETTLEMENT = IsoMessage(
    "0500",
    {11: "000003", 41: TID, 42: MID, 48: "0000000123450010000000000000000" + "0" * 31}
    | {49: "156", 60: "00000001201", 63: "01 "},
)
# Length, TPDU, header, MTI, bitmap, fields: written as in the documents, which leave no doubt where each is.
FRAMES = [
    (
        SIGN_IN,
        """003C 6000060000 603100320000 0800 0020000000C00012 000001 3132333435363738
        383938333230313534313130303031 0011 000000010030 0003 303120""",
    ),
    (
        SIGN_IN_ANSWER,
        f"""0079 6000000006 603100320000 0810 003800010AC00014 000001 093015 0521 08 08960000
        303933303135303030303031 3030 3132333435363738 383938333230313534313130303031
        0011 000000010030 0040 {KEYS_003}""",
    ),
    (
        SALE,
        """0072 6000060000 603100320000 0200 302004C020C09811 000000 000000012345 000002 0210 00 06
        34 6225880123456783D30122011234500000 3132333435363738 383938333230313534313130303031 313536
        8922C16FE575AAD2 2600000000000000 0013 22000001000600 3430364130363641""",
    ),
    (
        SETTLEMENT,
        f"""0060 6000060000 603100320000 0500 0020000000C18012 000003 3132333435363738
        383938333230313534313130303031 0062 0000000123450010000000000000000{"0" * 31} 313536
        0011 000000012010 0003 303120""",
    ),
]
# The MAC sample that circulates among developers: everything the MAC is calculated over.
PUBLISHED_MAB = bytes.fromhex(
    """0200302004C020C0981100000000000000005100183402100006324392260009942820D1312101120084393136363838
    303134303030303030303030303030303031313536ACF46E73838A82F92600000000000000000822000001"""
)


@pytest.mark.parametrize(("message", "framed"), FRAMES, ids=[message.mti for message, _ in FRAMES])
def test_worked_frames(message: IsoMessage, framed: str) -> None:
    assert frame(UNIONPAY.encode(message)).hex().upper() == bytes.fromhex(framed).hex().upper()
    assert FrameSplitter().feed(bytes.fromhex(framed)) == [UNIONPAY.encode(message)]
    assert UNIONPAY.decode(bytes.fromhex(framed)[2:]) == message


@pytest.mark.parametrize(
    ("numbers", "bitmap"),
    [
        ([11, 41, 42, 60, 62, 63], "0020000000C00016"),
        ([3, 4, 11, 22, 25, 26, 35, 41, 42, 49, 52, 53, 60, 64], "302004C020C09811"),
    ],
)
def test_bitmaps_of_frequent_messages(numbers: list[int], bitmap: str) -> None:
    values = dict(SALE.fields) | {62: b"Sequence No", 63: "01 "}
    encoded = UNIONPAY.encode(IsoMessage("0200", {number: values[number] for number in numbers}))
    assert encoded[13:21].hex().upper() == bitmap


def test_mac_region_of_the_published_sample() -> None:
    encoded = bytes.fromhex("6000060000603100320000") + PUBLISHED_MAB + b"8A9E91B8"
    assert UNIONPAY.mac_region(encoded) == PUBLISHED_MAB
    message = UNIONPAY.decode(encoded)
    assert (message.text(4), message.text(11), message.text(22)) == ("000000000051", "001834", "021")
    assert (message.text(41), message.text(60)) == ("16688014", "22000001")
    assert UNIONPAY.encode(message) == encoded


def test_mac_is_put_in_its_place() -> None:
    placeholder = UNIONPAY.encode(IsoMessage("0200", dict(SALE.fields) | {64: bytes(8)}))
    signed = UNIONPAY.with_mac(placeholder, b"406A066A")
    assert signed == UNIONPAY.encode(SALE)
    assert UNIONPAY.mac_region(signed) == UNIONPAY.mac_region(placeholder) == signed[11:-8]


def test_a_message_is_encoded_with_the_mac_of_its_region() -> None:
    regions: list[bytes] = []

    def mac_of(region: bytes) -> bytes:
        regions.append(region)
        return b"8A9E91B8"

    encoded = bytes.fromhex("6000060000603100320000") + PUBLISHED_MAB + b"8A9E91B8"
    message = UNIONPAY.decode(encoded)
    unsigned = replace(message, fields={n: value for n, value in message.fields.items() if n != 64})
    assert UNIONPAY.encode_with_mac(message, mac_of) == encoded
    assert UNIONPAY.encode_with_mac(unsigned, mac_of) == encoded
    assert regions == [PUBLISHED_MAB] * 2
    assert {repr(region) for region in regions} == {f"<{len(PUBLISHED_MAB)} confidential bytes>"}
    with pytest.raises(CodecError):
        UNIONPAY.encode_with_mac(SALE, lambda _region: b"short")


def test_mac_in_the_last_field_of_either_bitmap() -> None:
    for number, fields in ((64, {11: "000001"}), (128, {11: "000001", 70: "301"})):
        encoded = ISO87.encode(IsoMessage("0800", {**fields, number: bytes(8)}))
        signed = ISO87.with_mac(encoded, bytes.fromhex("0123456789ABCDEF"))
        assert signed.endswith(b"0123456789ABCDEF")
        assert ISO87.mac_region(signed) == encoded[:-16]


def test_a_message_without_mac_has_no_mac_region() -> None:
    encoded = UNIONPAY.encode(SIGN_IN)
    for use in (UNIONPAY.mac_region, lambda message: UNIONPAY.with_mac(message, bytes(8))):
        with pytest.raises(CodecError) as caught:
            use(encoded)
        assert caught.value.reason == "bad_format"
    with pytest.raises(CodecError):
        UNIONPAY.with_mac(UNIONPAY.encode(SALE), b"short")


# --- what encode refuses -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "value", "reason"),
    [
        (2, "6" * 20, "bad_length"),
        (2, "6225 88", "bad_character"),
        (3, "00000", "bad_length"),
        (4, "0000000123450", "bad_length"),
        (11, "00000A", "bad_character"),
        (11, "００００１１", "bad_character"),
        (35, "6225=3012", "bad_character"),
        (37, "093015-00001", "bad_character"),
        (39, "\x00\x00", "bad_character"),
        (41, "1234567", "bad_length"),
        (42, "89832015411000\n", "bad_character"),
        (52, "8922C16F", "bad_format"),
        (52, bytes(7), "bad_length"),
        (60, b"0011", "bad_format"),
        (62, bytes(513), "bad_length"),
        (63, "银" * 82, "bad_length"),  # 164 bytes of GBK
        (63, "☃", "bad_character"),
        (7, "0101010101", "unsupported"),
        (90, "0" * 42, "unsupported"),
    ],
)
def test_encode_refuses(number: int, value: str | bytes, reason: str) -> None:
    with pytest.raises(CodecError) as caught:
        UNIONPAY.encode(IsoMessage("0200", {number: value}))
    assert (caught.value.reason, caught.value.field) == (reason, number)
    assert str(value) not in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [{"mti": "200"}, {"mti": "02A0"}, {"tpdu": "60000600"}, {"header": ""}, {"header": "60310032000X"}],
)
def test_encode_refuses_a_wrong_frame(changes: dict[str, str]) -> None:
    parts: dict[str, Any] = {"mti": "0800", "fields": {11: "000001"}, **changes}
    with pytest.raises(CodecError):
        UNIONPAY.encode(IsoMessage(**parts))


# --- what decode refuses -----------------------------------------------------------------------------

FRONT = "6000060000 603100320000 0200"


@pytest.mark.parametrize(
    ("hex_text", "field", "reason"),
    [
        ("", None, "truncated"),
        ("6000060000 60310032", None, "truncated"),
        (FRONT, None, "truncated"),
        (FRONT + "0020000000", None, "truncated"),
        ("6000060000 603100320000 0A00 0000000000000000", None, "bad_character"),
        (FRONT + "0020000000000000 0000", 11, "truncated"),
        (FRONT + "0020000000000000 00000A", 11, "bad_character"),
        (FRONT + "0020000000000000 000001 00", 11, "trailing_data"),
        (FRONT + "0000000000000000 00", None, "trailing_data"),
        (FRONT + "4000000000000000 20 62258801234567830000", 2, "bad_length"),
        (FRONT + "4000000000000000 1A 6225880123456783", 2, "bad_length"),
        (FRONT + "4000000000000000 16 62258801234567", 2, "truncated"),
        (FRONT + "4000000000000000 03 6225", 2, "bad_padding"),
        (FRONT + "0000040000000000 0021", 22, "bad_padding"),
        (FRONT + "0000020000000000 0010", 23, None),
        (FRONT + "0000020000000000 1000", 23, "bad_padding"),
        (FRONT + "0000000000000004 05", 62, "truncated"),
        (FRONT + "0000000000000004 0600" + "00" * 600, 62, "bad_length"),
        (FRONT + "0000000000000002 0002 FFFF", 63, "bad_character"),
        (FRONT + "0000000000800000 3132333435363700", 41, "bad_character"),
        (FRONT + "8000000000000000 0000000000000000", 1, "unsupported"),
        (FRONT + "0200000000000000 0101010101", 7, "unsupported"),
    ],
)
def test_decode_refuses(hex_text: str, field: int | None, reason: str | None) -> None:
    encoded = bytes.fromhex(hex_text)
    if reason is None:
        assert UNIONPAY.decode(encoded).text(23) == "010"
        return
    with pytest.raises(CodecError) as caught:
        UNIONPAY.decode(encoded)
    assert (caught.value.reason, caught.value.field) == (reason, field)


@pytest.mark.parametrize("prefix", ["+6", " 6", "6 ", "-1", "1_"])
def test_lengths_that_python_would_take_for_numbers(prefix: str) -> None:
    with pytest.raises(CodecError) as caught:
        ISO87.decode(f"02004000000000000000{prefix}622588".encode())
    assert (caught.value.reason, caught.value.field) == ("bad_length", 2)


def test_blanks_in_a_hex_bitmap_and_third_bitmaps() -> None:
    with pytest.raises(CodecError) as caught:
        ISO87.decode(b"02000020000000 00000000001")
    assert caught.value.reason == "bad_character"
    with pytest.raises(CodecError) as caught:
        ISO87.decode(b"0200" + b"8000000000000000" * 2 + b"0" * 16)
    assert (caught.value.reason, caught.value.field) == ("unsupported", 65)


@pytest.mark.parametrize("cut", range(1, 114))
def test_a_sale_cut_anywhere_is_refused_and_no_error_holds_card_data(cut: int) -> None:
    with pytest.raises(CodecError) as caught:
        UNIONPAY.decode(UNIONPAY.encode(SALE)[:-cut])
    error = caught.value
    assert error.reason == "truncated"
    assert error.__context__ is None
    shown = "".join(traceback.format_exception(error)) + repr(vars(error))
    assert "622588" not in shown
    assert "8922C16F" not in shown.upper()


# --- masking -----------------------------------------------------------------------------------------


def test_masked_hex_hides_track_and_pin_block_in_place() -> None:
    framed = bytes.fromhex(FRAMES[2][1]).hex().upper()[4:]
    shown = UNIONPAY.masked_hex(UNIONPAY.encode(SALE))
    expected = framed.replace("6225880123456783D30122011234500000", "*" * 34)
    assert shown == expected.replace("8922C16FE575AAD2", "*" * 16)


@pytest.mark.parametrize(
    ("digits", "shown"),
    [("6225880123456783", "16622588******6783"), ("6225880123456789012", "19622588*********90120")],
)
def test_masked_hex_shows_six_and_four_digits_of_the_card_number(digits: str, shown: str) -> None:
    encoded = UNIONPAY.encode(IsoMessage("0200", {2: digits}))
    assert UNIONPAY.masked_hex(encoded)[42:] == shown
    in_ascii = ISO87.masked_hex(ISO87.encode(IsoMessage("0200", {2: digits})))
    assert in_ascii[-2 * len(digits) :] == "".join(
        "**" if 6 <= place < len(digits) - 4 else digit.encode().hex() for place, digit in enumerate(digits)
    )


def test_listing_of_a_sale() -> None:
    views = {
        view.number: view for view in UNIONPAY.describe(UNIONPAY.encode(SALE)) if view.number is not None
    }
    assert list(views) == [0, *SALE.fields]
    assert views[4].value_masked == "000000012345"
    assert (views[4].name, views[4].name_zh) == ("amount", "交易金额")
    assert views[35].value_masked == "*" * 34
    assert views[52].value_masked == "*" * 16
    assert views[64].value_masked == "3430364130363641"


def test_keys_are_starred() -> None:
    views = UNIONPAY.describe(UNIONPAY.encode(SIGN_IN_ANSWER))
    assert next(view.value_masked for view in views if view.number == 62) == "*" * 80
    assert views[0].value_masked == "6000000006"


def test_settlement_totals_are_shown_and_details_are_not() -> None:
    details = "01" + "00" + "000002" + "00006225880123456783" + "000000012345"
    shown = [
        next(view.value_masked for view in UNIONPAY.describe(UNIONPAY.encode(message)) if view.number == 48)
        for message in (SETTLEMENT, IsoMessage("0320", {48: details}))
    ]
    assert shown == [SETTLEMENT.text(48), "*" * 42]


@pytest.mark.parametrize("name", ["unionpay", "iso87"])
def test_no_table_shows_card_data_keys_or_pin_blocks(name: str) -> None:
    table = DialectTable.load(name)
    secret = {2, 14, 34, 35, 36, 45, 48, 52, 55, 59, 62, 96, 102, 103} & set(table.fields)
    assert {number for number in secret if table.fields[number].mask == "none"} == set()
    assert all(entry.name for entry in table.fields.values())
    assert all(entry.name_zh for entry in table.fields.values()) or name == "iso87"


def test_what_cannot_be_decoded_is_not_shown() -> None:
    encoded = UNIONPAY.encode(SALE)[:-1]
    assert UNIONPAY.masked_hex(encoded) == "<113 bytes, not decodable>"
    (only,) = UNIONPAY.describe(encoded)
    assert only.value_masked == "<113 bytes, not decodable: field 64: the message ends inside it>"


def test_repr_hides_everything_not_known_to_be_harmless() -> None:
    fields = dict(SALE.fields) | {
        2: "6225880123456783",
        14: "3012",
        36: "99" * 20,
        55: b"\x5a\x08",
        99: "secret",
    }
    shown = repr(IsoMessage("0200", fields))
    assert "F2=622588******6783" in shown
    assert "F4=000000012345" in shown
    for secret in ("6225880123456783", "3012", "9999", "8922C1", "secret", "5A08", "D3012"):
        assert secret not in shown.upper().replace("SECRET", "secret")


# --- values ------------------------------------------------------------------------------------------


def test_message_values() -> None:
    assert SALE.text(39) == ""
    assert SALE.binary(55) == b""
    assert list(IsoMessage("0200", {41: TID, 3: "000000"}).fields) == [3, 41]
    with pytest.raises(TypeError):
        SALE.fields[4] = "000000000001"  # type: ignore[index]  # that it cannot is what is tested
    for wrong in (lambda: SALE.text(52), lambda: SALE.binary(4)):
        with pytest.raises(CodecError) as caught:
            wrong()
        assert caught.value.reason == "bad_format"


def test_addresses_and_message_types_of_answers() -> None:
    assert swap_tpdu("6005250000") == "6000000525"
    assert swap_tpdu(swap_tpdu("6000060000")) == "6000060000"
    answers = {"0800": "0810", "0100": "0110", "0220": "0230", "0221": "0230", "0400": "0410", "0500": "0510"}
    assert {mti: response_mti(mti) for mti in answers} == answers
    with pytest.raises(CodecError):
        swap_tpdu("60")


def test_unknown_dialect_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unionpay and iso87"):
        dialect("visa")
    assert dialect("iso87") is ISO87


# --- framing -----------------------------------------------------------------------------------------


def test_keep_alives_are_dropped_and_absurd_lengths_end_the_stream() -> None:
    splitter = FrameSplitter()
    assert splitter.feed(b"\0\0" + frame(b"one") + b"\0\0" + frame(b"two") + b"\x7f\xff") == [b"one", b"two"]
    for _ in range(2):
        with pytest.raises(CodecError) as caught:
            splitter.feed(b"")
        assert caught.value.reason == "bad_length"
    with pytest.raises(CodecError):
        frame(bytes(0x10000))


# --- any value, any bytes ----------------------------------------------------------------------------

_DIGITS = "0123456789"
_VALUES: dict[int, st.SearchStrategy[str | bytes]] = {
    2: st.text(_DIGITS, max_size=19),
    4: st.text(_DIGITS, min_size=12, max_size=12),
    22: st.text(_DIGITS, min_size=3, max_size=3),
    23: st.text(_DIGITS, min_size=3, max_size=3),
    32: st.text(_DIGITS, max_size=11),
    35: st.text(_DIGITS + "ABCDEF", max_size=37),
    36: st.text(_DIGITS + "D", max_size=104),
    38: st.text(_DIGITS + "ABCxyz ", min_size=6, max_size=6),
    44: st.text("银联AB 0　", max_size=12),
    48: st.text(_DIGITS, max_size=322),
    52: st.binary(min_size=8, max_size=8),
    55: st.binary(max_size=255),
    60: st.text(_DIGITS, max_size=17),
    62: st.binary(max_size=512),
    63: st.text("银联AB 0　", max_size=80),
    64: st.binary(min_size=8, max_size=8),
}


@given(st.fixed_dictionaries({}, optional=_VALUES))
def test_any_message_is_read_back(fields: dict[int, str | bytes]) -> None:
    message = IsoMessage("0200", fields)
    encoded = UNIONPAY.encode(message)
    assert UNIONPAY.decode(encoded) == message
    assert len(UNIONPAY.masked_hex(encoded)) == 2 * len(encoded)


@given(st.fixed_dictionaries({}, optional=_VALUES))
def test_any_message_is_read_back_in_the_other_dialect(fields: dict[int, str | bytes]) -> None:
    fields = {number: value for number, value in fields.items() if number != 35}
    encoded = ISO87.encode(IsoMessage("0200", fields))
    assert ISO87.decode(encoded) == IsoMessage("0200", fields, tpdu="", header="")
    assert len(ISO87.masked_hex(encoded)) == 2 * len(encoded)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_message_or_a_codec_error(data: bytes) -> None:
    for codec in (UNIONPAY, ISO87):
        for body in (data, codec.encode(SIGN_IN)[:25] + data):
            assert codec.masked_hex(body)
            assert codec.describe(body)
            try:
                codec.decode(body)
            except CodecError:
                continue


@given(position=st.integers(0, 113), bit=st.integers(0, 7))
def test_one_wrong_bit_gives_a_message_or_a_codec_error(position: int, bit: int) -> None:
    damaged = bytearray(UNIONPAY.encode(SALE))
    damaged[position] ^= 1 << bit
    try:
        message = UNIONPAY.decode(bytes(damaged))
    except CodecError:
        return
    assert UNIONPAY.encode(message) == damaged
