"""`posterm calc` and wrong input: one line that names the field and the rule, and never a key or a PIN.

The table holds wrong values for every subject. A value that was refused ends with 2; a value that was fine
and did not fit (a MAC, a check value, a CRC) ends with 1, so that scripts can tell the two apart.
"""

import argparse
import json
import re
import shlex

import pytest

from tools import calc_command

PAN, PAN_OF_WRONG_LUHN = "6225880123456783", "6225880123456784"
KEY = "0123456789ABCDEFFEDCBA9876543210"
SHORT_KEY = KEY[:-2]
NO_HEX = "0123456789ABCDEFFEDCBA987654321G"
BLOCK_B = "B0080P0TE00E000094B420079CC80BA3461F86FE26EFC4A3B8E4FA4C5F5341176EED7B727B8A248E"
SIGNED_SALE = (
    "60000600006031003200000200302004C020C0981100000000000001234500000202100006346225880123456783D301220112"
    "3450000031323334353637383839383332303135343131303030313135368922C16FE575AAD22600000000000000001322"
    "0000010006003430364130363641"
)
REFUSED, FAILED = 2, 1


def calc(line: str) -> int:
    """Run `posterm calc LINE`."""
    parser = argparse.ArgumentParser(prog="posterm")
    calc_command.register(parser.add_subparsers())
    options = parser.parse_args(["calc", *shlex.split(line)])
    status: int = options.run(options)
    return status


# line, status, reason, and what the sentence names
TABLE = [
    # values that are missing
    ("pin-block encode --pin 1234", REFUSED, "missing_data", "--pan is needed: format 0"),
    ("pin-block decode --format 3 --block 34126C2CAFDBFDB5", REFUSED, "missing_data", "--pan is needed"),
    ("crc --name CRC-32/ISCSI", REFUSED, "missing_data", "--data is needed, or --text"),
    ("track bits", REFUSED, "missing_data", "--text is missing"),
    # lengths
    (f"pin-block encode --pin 123 --pan {PAN}", REFUSED, "bad_length", "PIN"),
    (f"pin-block encode --pin 12345678901234 --pan {PAN}", REFUSED, "bad_length", "PIN has 4 to 12 digits"),
    ("pin-block encode --pin 1234 --pan 622588012345", REFUSED, "bad_length", "card number"),
    (f"pin-block encode --format 3 --pin 1234 --pan {PAN} --random 00", REFUSED, "bad_length", "random fill"),
    (f"pin-block decode --block 0412 --pan {PAN}", REFUSED, "bad_length", "PIN block has 8 bytes"),
    (f"ibm3624 pin --key {KEY} --pan {PAN} --offset 0000 --table 12345", REFUSED, "bad_length", "table"),
    (f"ibm3624 offset --key {KEY} --pan {PAN} --pin 12", REFUSED, "bad_length", "PIN"),
    (
        f"dcvv --imk {KEY} --pan {PAN} --expiry 1310 --service-code 226 --atc 32",
        REFUSED,
        "bad_length",
        "counter",
    ),
    (f"cvc3 --imk {KEY} --pan {PAN} --atc 005E --un 0899 --track 51", REFUSED, "bad_length", "unpredictable"),
    (f"kcv --key {KEY[:-1]}", REFUSED, "bad_length", "odd number of hex digits"),
    (f"components combine --component {KEY} --component {SHORT_KEY}", REFUSED, "bad_length", "components"),
    (f"components combine --component {KEY}", REFUSED, "bad_length", "2 to 9 components"),
    (f"sm4 encrypt --key {KEY} --data 00", REFUSED, "bad_length", "16 bytes"),
    (f"unionpay bundle --tmk {KEY} --f62 00", REFUSED, "bad_length", "layout 003"),
    (f"tr31 unwrap --kbpk {KEY} --key-block {BLOCK_B[:-2]}", REFUSED, "bad_length", "key block"),
    (f"dukpt tdes --ipek {KEY} --ksn 00", REFUSED, "bad_length", "key serial number"),
    (f"dukpt aes --ik {KEY} --ksn FFFF9876543210E00000", REFUSED, "bad_length", "key serial number has 12"),
    (f"dukpt update-key --ik {KEY} --ikid 1234", REFUSED, "bad_length", "initial key id"),
    (f"emv session-key --icc-mk {KEY} --atc 00", REFUSED, "bad_length", "transaction counter has 2 bytes"),
    (f"emv arpc --session-key {KEY} --arqc 3778 --csu 00820000", REFUSED, "bad_length", "cryptogram"),
    ("bits TVR 00", REFUSED, "bad_length", "5 bytes"),
    ("iso8583 build --mti 0800 --field 11=00001", REFUSED, "bad_length", "field 11"),
    # characters
    (f"pin-block encode --pin 12AB --pan {PAN}", REFUSED, "bad_character", "PIN"),
    ("pin-block encode --pin 1234 --pan 62258801A3456783", REFUSED, "bad_character", "card number"),
    (f"ibm3624 pin --key {KEY} --pan {PAN} --offset 00x0", REFUSED, "bad_character", "offset"),
    (
        f"cvv --key {KEY} --pan {PAN} --expiry 8701 --service-code 2x1",
        REFUSED,
        "bad_character",
        "service code",
    ),
    (f"emv script-pin --session-key {KEY} --pin 12x4", REFUSED, "bad_character", "PIN"),
    (f"kcv --key {NO_HEX}", REFUSED, "bad_character", "key is written in hex digits"),
    (f"dukpt tdes --bdk {NO_HEX} --ksn FFFF9876543210E00001", REFUSED, "bad_character", "bdk"),
    (f"emv master-key --imk {KEY} --pan {PAN} --psn 0x", REFUSED, "bad_character", "sequence number"),
    ("luhn 62258801234567A3", REFUSED, "bad_character", "card number"),
    ("track service-code 2x1", REFUSED, "bad_character", "service code"),
    ("track bits --bits 0101x", REFUSED, "bad_character", "bits"),
    ("bits TVR XY", REFUSED, "bad_character", "hex digits"),
    ("crc --poly XY --text 1", REFUSED, "bad_character", "poly"),
    ("qr parse zz", REFUSED, "bad_character", "base64"),
    ("iso8583 build --mti 0800 --field abc=123", REFUSED, "bad_character", "number of a field"),
    # keys of another type or length
    (f"pin-block encode --pin 1234 --pan {PAN} --key {SHORT_KEY}", REFUSED, "bad_key", "PIN key"),
    (f"pin-block encode --format 4 --pin 1234 --pan {PAN} --key {KEY[:16]}", REFUSED, "bad_key", "AES key"),
    (f"pvv --key 01 --pin 4524 --pan {PAN}", REFUSED, "bad_key", "PIN verification key"),
    (f"cvv --key {KEY[:16]} --pan {PAN} --expiry 8701", REFUSED, "bad_key", "card verification key"),
    (f"kcv --key {SHORT_KEY}", REFUSED, "bad_key", "DES key"),
    (f"mac --algorithm iso9797-alg3 --key {KEY[:16]} --data 00", REFUSED, "bad_key", "retail MAC"),
    (f"mac --algorithm aes-cmac --key {SHORT_KEY} --data 00", REFUSED, "bad_key", "AES key"),
    (f"sm4 decrypt --key {SHORT_KEY} --data {KEY}", REFUSED, "bad_key", "SM4 key"),
    (f"unionpay bundle --tmk {SHORT_KEY} --f62 {'11' * 40}", REFUSED, "bad_key", "DES key"),
    (f"tr31 unwrap --kbpk {SHORT_KEY} --key-block {BLOCK_B}", REFUSED, "bad_key", "protection key"),
    (f"dukpt tdes --bdk {SHORT_KEY} --ksn FFFF9876543210E00001", REFUSED, "bad_key", "DUKPT key"),
    (f"emv master-key --imk {SHORT_KEY} --pan {PAN}", REFUSED, "bad_key", "issuer master key"),
    (f"emv script-mac --session-key {KEY[:16]} --data 84", REFUSED, "bad_key", "session key"),
    (f"track cipher --key 00 --nibbles {PAN}D30122011234500000", REFUSED, "bad_key", "DES key"),
    # unknown formats; the value is not repeated: it may be a key in the wrong place
    (
        f"pin-block encode --format {KEY} --pin 1234 --pan {PAN}",
        REFUSED,
        "unsupported",
        "--format is one of 0, 1",
    ),
    (f"mac --algorithm {KEY} --key {KEY} --data 00", REFUSED, "unsupported", "--algorithm"),
    (f"tr31 wrap --kbpk {KEY} --key {KEY} --usage P0 --version X", REFUSED, "unsupported", "--version"),
    (f"tr31 wrap --kbpk {KEY} --key {KEY} --usage ZZ9 --mode E", REFUSED, "bad_format", "key usage"),
    (f"tr31 unwrap --kbpk {KEY} --key-block Z0080P0TE00E0000", REFUSED, "bad_version", "versions"),
    ("frame decode --framing ppp --data 00", REFUSED, "unsupported", "--framing"),
    ("crc --name CRC-17 --text 1", REFUSED, "unsupported", "name is one of"),
    ("bits NOSUCH 00", REFUSED, "unsupported", ""),
    ("track parse --track 7 --text x", REFUSED, "unsupported", "--track"),
    ("iso8583 decode 00 --dialect base24", REFUSED, "unsupported", "--dialect is one of unionpay, iso87"),
    ("iso8583 build --mti 0800 --field 7=0101010101", REFUSED, "unsupported", "field 7"),
    # structure
    (f"pin-block decode --block 04126C7FEDCBA987 --pan {PAN[:-2]}10", REFUSED, "bad_padding", ""),
    (f"pin-block decode --block 34126C7FEDCBA987 --pan {PAN}", REFUSED, "bad_format", "format 0"),
    (f"components combine --component {KEY} --component {KEY}", REFUSED, "duplicate", "components"),
    (f"dukpt tdes --bdk {KEY} --ksn FFFF9876543210EFFFFF", REFUSED, "bad_format", "10 one bits"),
    ("dukpt next --ksn FFFF9876543210FFF800", REFUSED, "exhausted", "counter"),
    ("tr31 header --key-block B00", REFUSED, "truncated", "16 characters"),
    ("tlv decode 9F02", REFUSED, "truncated", ""),
    ("tlv decode 5A80", REFUSED, "bad_length", "indefinite"),
    ("tlv encode --value ZZ=00", REFUSED, "bad_tag", "tag"),
    ("tlv encode --value 9F02", REFUSED, "bad_format", "TAG=HEX"),
    ("dol parse 9F02", REFUSED, "truncated", "length"),
    ("qr parse 00020101021", REFUSED, "truncated", "object 01"),
    ("frame decode --framing cobs --data 0500", REFUSED, "bad_format", "zero byte"),
    ("iso8583 decode 600006000060310032000002003020", REFUSED, "truncated", "bitmap"),
    ("iso8583 build --mti 080 --field 11=000001", REFUSED, "bad_format", "message type"),
    ("track parse --text ';622588=30'", REFUSED, "bad_length", "card number"),
    (f"track build --pan {PAN} --expiry 3013", REFUSED, "bad_date", "month"),
    ("track bits --bits 010101010", REFUSED, "no_start_sentinel", "start sentinel"),
    # nothing there
    ("kcv", REFUSED, "missing_data", "--key"),
    ("luhn ''", REFUSED, "missing_data", "card number"),
    ("dukpt tdes --ksn FFFF9876543210E00001", REFUSED, "missing_data", "bdk"),
    ("emv arqc --data 00", REFUSED, "missing_data", "--session-key"),
    (f"emv arpc --session-key {KEY} --arqc 3778034E7ED1100B", REFUSED, "missing_data", "--arc"),
    ("run /no/such/file.json", REFUSED, "", "No such file"),
    # fine, and does not fit
    (f"unionpay mac --key {'11' * 8} --message {SIGNED_SALE}", FAILED, "bad_mac", "field 64"),
    (f"unionpay bundle --tmk {KEY} --f62 {'11' * 40}", FAILED, "bad_check", "PIK"),
    (f"tr31 unwrap --kbpk {KEY} --key-block {BLOCK_B}", FAILED, "bad_mac", "key block is not authentic"),
    (
        "crc --frame --name CRC-16/MODBUS --byteorder little --data 01030000000AC5CC",
        FAILED,
        "bad_crc",
        "",
    ),
    ("frame decode --framing stx-etx-lrc --data 02313233340308", FAILED, "bad_lrc", "LRC"),
]


@pytest.mark.parametrize(("line", "status", "reason", "named"), TABLE, ids=[entry[0][:40] for entry in TABLE])
def test_refusal(capsys: pytest.CaptureFixture[str], line: str, status: int, reason: str, named: str) -> None:
    assert calc(line) == status
    printed = capsys.readouterr()
    assert printed.out == ""
    (only,) = printed.err.splitlines()
    assert only.startswith("posterm calc ")
    assert reason in only
    assert named in only
    assert not [word for word in given_values(line) if word in only]


def given_values(line: str) -> list[str]:
    """The values on a line that could be secrets: PINs, and whatever is long; not names of files and CRCs."""
    words = [word for word in shlex.split(line)[2:] if not word.startswith(("-", "/", "CRC"))]
    pins = re.findall(r"--pin (\S+)", line)
    return [word for word in (*pins, *words) if len(word) > 11 or (word in pins and len(word) > 2)]


def test_every_subject_is_in_the_table() -> None:
    subjects = {entry[0].split()[0] for entry in TABLE}
    assert subjects | {"verify"} == set(calc_command.SUBJECTS)


def test_a_refusal_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert calc("kcv --key 1 --json") == 2
    assert json.loads(capsys.readouterr().out)["reason"] == "bad_length"


@pytest.mark.parametrize("line", ["kcv --kee 0123456789ABCDEF", f"kcv {KEY}", "", "pin-block"])
def test_wrong_usage_repeats_no_value(capsys: pytest.CaptureFixture[str], line: str) -> None:
    with pytest.raises(SystemExit) as caught:
        calc(line)
    assert caught.value.code == 2
    assert "0123456789" not in capsys.readouterr().err


def test_an_unknown_subject(capsys: pytest.CaptureFixture[str]) -> None:
    assert calc("pinblock encode") == 2
    assert "did you mean 'pin-block'?" in capsys.readouterr().err
    assert calc(KEY) == 2
    assert "0123456789" not in capsys.readouterr().err


def test_a_wrong_check_digit_is_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    assert calc(f"pin-block encode --pin 1234 --pan {PAN_OF_WRONG_LUHN}") == 0
    assert "Luhn" in capsys.readouterr().err
    assert calc(f"luhn {PAN_OF_WRONG_LUHN}") == 1
