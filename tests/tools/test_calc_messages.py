"""`posterm calc iso8583`: whole messages of the specification, decoded with every part named, and built."""

import argparse
import json
import shlex
from typing import Any

import pytest

from tools import calc_command
from tools.calc.subfields import Subfield, subfields
from wire.iso8583 import IsoMessage, dialect

# The POS message digest, sections 6.2 and 6.3: with two bytes of length in front.
SIGN_IN = (
    "003C600006000060310032000008000020000000C000120000013132333435363738"
    "383938333230313534313130303031001100000001003000033031 20"
).replace(" ", "")
SIGN_IN_ANSWER = (
    "0079600000000660310032000008100038000 10AC0001400000109301505210808960000"
    "30393330313530303030303130303132333435363738383938333230313534313130303031"
    "00110000000100300040F9C2452F0F4EFC0908E97821E0A7BCC108D7B4FB45F890CD51133A5600000000000000005FFE0009"
).replace(" ", "")
SALE = (
    "00726000060000603100320000 0200 302004C020C09811 000000 000000012345 000002 0210 00 06"
    "34 6225880123456783D30122011234500000 3132333435363738 383938333230313534313130303031 313536"
    "8922C16FE575AAD2 2600000000000000 001322000001000600 3430364130363641"
).replace(" ", "")


def calc(line: str) -> int:
    parser = argparse.ArgumentParser(prog="posterm")
    calc_command.register(parser.add_subparsers())
    options = parser.parse_args(["calc", *shlex.split(line)])
    status: int = options.run(options)
    return status


def answer(capsys: pytest.CaptureFixture[str], line: str) -> Any:
    assert calc(line + " --json") == 0
    return json.loads(capsys.readouterr().out)


def parts(message: IsoMessage, number: int) -> list[tuple[str, str]]:
    return [(part.number, part.value) for part in subfields(message)[number]]


# --- decode ----------------------------------------------------------------------------------------


def test_a_sale_decoded_with_its_secrets_starred(capsys: pytest.CaptureFixture[str]) -> None:
    decoded = answer(capsys, f"iso8583 decode {SALE} --framed")
    assert decoded["mti"] == "0200"
    assert decoded["fields"]["4"] == "000000012345"
    assert decoded["fields"]["35"] == "*" * 34
    assert decoded["fields"]["52"] == "*" * 16
    assert decoded["names"]["4"] == "amount 交易金额"
    assert [(part["number"], part["value"]) for part in decoded["subfields"]["60"]] == [
        ("60.1", "22"),
        ("60.2", "000001"),
        ("60.3", "000"),
        ("60.4", "6"),
        ("60.5", "0"),
    ]
    assert calc(f"iso8583 decode {SALE} --framed --explain") == 0
    text = capsys.readouterr().out
    assert "6225880123456783" not in text
    assert "8922C16FE575AAD2" not in text
    assert "22.1     entry mode: 02 (magnetic stripe)" in text


def test_what_is_secret_is_shown_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    decoded = answer(capsys, f"iso8583 decode {SALE} --framed --reveal")
    assert decoded["fields"]["35"] == "6225880123456783D30122011234500000"
    assert decoded["fields"]["52"] == "8922C16FE575AAD2"


def test_the_keys_of_a_sign_in_answer(capsys: pytest.CaptureFixture[str]) -> None:
    decoded = answer(capsys, f"iso8583 decode {SIGN_IN_ANSWER} --framed")
    named = {part["name"]: part["value"] for part in decoded["subfields"]["62"]}
    assert named == {
        "key layout": "003",
        "PIK under the TMK": "*" * 32,
        "PIK check value": "08D7B4FB",
        "MAK under the TMK": "*" * 32,
        "MAK check value": "5FFE0009",
    }
    assert decoded["subfields"]["60"][2] == {
        "number": "60.3",
        "name": "network management code",
        "value": "003",
    }


def test_the_operator_of_a_sign_in(capsys: pytest.CaptureFixture[str]) -> None:
    decoded = answer(capsys, f"iso8583 decode {SIGN_IN} --framed")
    assert decoded["subfields"]["63"] == [{"number": "63.1", "name": "operator", "value": "01 "}]


def test_the_other_dialect(capsys: pytest.CaptureFixture[str]) -> None:
    message = IsoMessage("0800", {7: "0611191024", 11: "000001", 70: "301"}, tpdu="", header="")
    encoded = dialect("iso87").encode(message).hex()
    decoded = answer(capsys, f"iso8583 decode {encoded} --dialect iso87")
    assert decoded["fields"] == {"7": "0611191024", "11": "000001", "70": "301"}
    assert decoded["tpdu"] == ""


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (SALE[:-2], "bad_length"),
        ("00FF" + SALE[4:], "bad_length"),
        ("zz", "bad_character"),
    ],
)
def test_refusals(capsys: pytest.CaptureFixture[str], message: str, reason: str) -> None:
    assert calc(f"iso8583 decode {message} --framed") == 2
    printed = capsys.readouterr()
    assert reason in printed.err
    assert "6225880123456783" not in printed.err


# --- build -----------------------------------------------------------------------------------------


def test_a_sign_in_built_out_of_parts(capsys: pytest.CaptureFixture[str]) -> None:
    line = (
        "iso8583 build --mti 0800 --field 11=000001 --field 41=12345678 --field 42=898320154110001 "
        "--field 60.1=00 --field 60.2=000001 --field 60.3=003 --field '63=01 ' --framed"
    )
    assert answer(capsys, line)["message"] == SIGN_IN


def test_a_sale_built_and_signed(capsys: pytest.CaptureFixture[str]) -> None:
    line = (
        "iso8583 build --mti 0200 --field 3=000000 --field 4=000000012345 --field 11=000002 --field 22=021 "
        "--field 25=00 --field 26=06 --field 35=6225880123456783=30122011234500000 --field 41=12345678 "
        "--field 42=898320154110001 --field 49=156 --field 52=8922C16FE575AAD2 --field 53=2600000000000000 "
        "--field 60=2200000100060 --mak A1B2C3D4E5F60718 --framed"
    )
    assert answer(capsys, line)["message"] == SALE


def test_decoded_and_built_again(capsys: pytest.CaptureFixture[str]) -> None:
    for message in (SIGN_IN, SIGN_IN_ANSWER, SALE):
        decoded = answer(capsys, f"iso8583 decode {message} --framed --reveal")
        built = answer(capsys, f"iso8583 build --framed --document '{json.dumps(decoded)}'")
        assert built["message"] == message


@pytest.mark.parametrize(
    "options",
    [
        "--field 11=1",
        "--field 11",
        "--field 11=000001 --field 11=000002",
        "--field x=1",
        "--field 60.2=000001",
        "--field 48.1=0",
        "--field 52=zz",
        "--document '['",
        '--document \'{"fields": {"11": 1}}\'',
    ],
)
def test_what_cannot_be_built(capsys: pytest.CaptureFixture[str], options: str) -> None:
    assert calc(f"iso8583 build --mti 0800 {options}") == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


# --- parts of fields -------------------------------------------------------------------------------


def test_original_message() -> None:
    message = IsoMessage("0220", {61: "0000010000420521"})
    assert parts(message, 61) == [("61.1", "000001"), ("61.2", "000042"), ("61.3", "0521")]


def test_institutions_and_balance_and_totals() -> None:
    message = IsoMessage(
        "0510",
        {
            44: "01020000   00010000   ",
            48: "000000012345001" + "000000000000000" + "1" + "0" * 30 + "1",
            54: "0002156C000000012345",
        },
    )
    assert parts(message, 44) == [("44.1", "01020000"), ("44.2", "00010000")]
    assert [part.name for part in subfields(message)[48]][:2] == [
        "domestic, debit amount",
        "domestic, debit count",
    ]
    assert ("54", "12345") in parts(message, 54)


def test_texts_of_an_answer() -> None:
    text = "CUP" + "ISSUER".ljust(20) + " " * 20 + "ACQUIRER".ljust(20) + "谢谢惠顾"
    assert parts(IsoMessage("0210", {63: text}), 63) == [
        ("63.1", "CUP"),
        ("63.2.1", "ISSUER"),
        ("63.2.3", "ACQUIRER"),
        ("63.2.4", "谢谢惠顾"),
    ]


def test_chip_data_shows_public_parts_only() -> None:
    message = IsoMessage("0200", {55: bytes.fromhex("9F0206000000012345" + "5A086225880123456783")})
    amount, pan = subfields(message)[55]
    assert (amount.number, amount.secret) == ("55.9F02", False)
    assert (pan.number, pan.secret) == ("55.5A", True)


def test_parameters_of_a_download() -> None:
    data = b"1130" + b"1260" + b"22" + "悦读书店".encode("gbk").ljust(40) + b"26" + bytes.fromhex("FC000000")
    message = IsoMessage("0810", {60: "00000001360", 62: data})
    assert parts(message, 62) == [
        ("62.11", "30"),
        ("62.12", "60"),
        ("62.22", "悦读书店"),
        ("62.26", "FC000000"),
    ]


@pytest.mark.parametrize(
    ("mti", "data", "expected"),
    [
        ("0800", b"Sequence No12306012345678", ("62.1", "12")),
        ("0320", b"610000000000012345156", ("62.1", "61")),
        ("0320", b"71000500000001234515612", ("62.1", "71")),
        ("0220", b"12345678", ("62", "12345678")),
    ],
)
def test_field_62_by_message(mti: str, data: bytes, expected: tuple[str, str]) -> None:
    assert parts(IsoMessage(mti, {60: "00000001000", 62: data}), 62)[0] == expected


def test_a_customers_code() -> None:
    message = IsoMessage("0200", {59: b"A30191234567890123456789"})
    assert [(part.number, part.secret) for part in subfields(message)[59]] == [("59.A3", True)]


def test_what_cannot_be_taken_apart_says_so() -> None:
    message = IsoMessage("0200", {60: "123", 55: b"\x9f"})
    assert subfields(message)[60] == [Subfield("60.?", "cannot be taken apart", "bad_length")]
    assert subfields(message)[55] == [Subfield("55.?", "cannot be taken apart", "truncated")]
