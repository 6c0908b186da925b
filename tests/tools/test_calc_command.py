"""`posterm calc`: its commands as people use them. Values are those of the field's worked examples."""

import argparse
import io
import json
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from tools import calc_command
from tools.calc.command import Command

PIK, TMK = "0123456789ABCDEFFEDCBA9876543210", "11223344556677888877665544332211"
PAN = "6225880123456783"
VECTORS = Path(__file__).parents[1] / "vectors"
SIGNED_SALE = (
    "60000600006031003200000200302004C020C0981100000000000001234500000202100006346225880123456783D301220112"
    "3450000031323334353637383839383332303135343131303030313135368922C16FE575AAD22600000000000000001322"
    "0000010006003430364130363641"
)


def calc(line: str) -> int:
    """Run `posterm calc LINE`."""
    parser = argparse.ArgumentParser(prog="posterm")
    calc_command.register(parser.add_subparsers())
    options = parser.parse_args(["calc", *shlex.split(line)])
    status: int = options.run(options)
    return status


def answer(capsys: pytest.CaptureFixture[str], line: str) -> Any:
    """The JSON that `posterm calc LINE --json` writes."""
    assert calc(line + " --json") == 0
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdin", stream)
    return stream


def fill(stream: io.StringIO, text: str) -> None:
    stream.write(text)
    stream.seek(0)


# --- results ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f"pin-block encode --pin 1234 --pan {PAN} --key {PIK}", {"pin_block": "8922C16FE575AAD2"}),
        ("pin-block encode --format 2 --pin 1234", {"clear_block": "241234FFFFFFFFFF"}),
        (
            f"pin-block encode --format 3 --pin 1234 --pan {PAN} --random ACBDEFABCD",
            {"clear_block": "34126C2CAFDBFDB5"},
        ),
        (
            (
                f"pin-block encode --format 4 --pin 1234 --pan {PAN} --random 0123456789ABCDEF "
                "--key 00112233445566778899AABBCCDDEEFF"
            ),
            {"pin_block": "BDE62A92BC3263C9FD5D142BE5337BC4", "pan_field": "4" + PAN + "000000000000000"},
        ),
        (f"pin-block decode --block 8922C16FE575AAD2 --pan {PAN} --key {PIK}", {"pin": "1234"}),
        (f"pvv --key {PIK} --pin 4524 --pan 1122334455667788", {"pvv": "8523"}),
        (
            (
                f"ibm3624 offset --key {PIK} --pan 1122334455667788 --pin 5635 --table 1234567890123456 "
                "--verify-length 16"
            ),
            {"offset": "1111"},
        ),
        (
            (
                f"ibm3624 pin --key {PIK} --pan 1122334455667788 --offset 6586 --table 1234567890123456 "
                "--verify-length 16"
            ),
            {"pin": "0000"},
        ),
        (
            "cvv --key 12345678123456781234567812345678 --pan 123456789012 --expiry 1108 --kind cvv2",
            {"cvv2": "204"},
        ),
        (
            (
                "dcvv --imk 12345678123456781234567812345678 --pan 1234567890123456 --expiry 1310 "
                "--service-code 226 --atc 3210"
            ),
            {"dcvv": "422"},
        ),
        (
            (
                "cvc3 --imk 01234567899876543210012345678998 --pan 5123456789012345 --atc 005E --un 00000899 "
                "--track 5123456789012345D35121010000000000000F"
            ),
            {"cvc3": "488", "cvc3_whole": "29488"},
        ),
        (f"luhn {PAN}", {"valid": True, "check_digit": 3}),
        (f"kcv --key {TMK}", {"kcv": "491510"}),
        (f"kcv --key {PIK} --method sm4-zero", {"kcv": "2677F4"}),
        (
            f"components combine --component {PIK} --component {'11' * 8 + '22' * 8}",
            {"key": "1032547698BADCFEDCFE98BA54761032"},
        ),
        (
            "mac --algorithm unionpay-ecb --key A1B2C3D4E5F60718 --data 0123456789ABCDEFFEDCBA9876543210AABB",
            {"text": "9EC5D0D8"},
        ),
        (
            f"mac --algorithm iso9797-alg3 --key {PIK} --data 0123456789ABCDEFFEDCBA9876543210AABB",
            {"mac": "FFB29F7F2277047C"},
        ),
        (
            f"mac --algorithm unionpay-ecb-sm4 --key {PIK} --data 0123456789ABCDEFFEDCBA9876543210AABB",
            {"mac": "90AC56EFE865B96DBC1079407106E84E"},
        ),
        (f"sm4 encrypt --key {PIK} --data {PIK}", {"ciphertext": "681EDF34D206965E86B3E94F536E4246"}),
        (f"sm4 decrypt --key {PIK} --data 681EDF34D206965E86B3E94F536E4246", {"plaintext": PIK}),
        (
            (
                f"unionpay bundle --tmk {TMK} --f62 "
                "F9C2452F0F4EFC0908E97821E0A7BCC108D7B4FB45F890CD51133A5600000000000000005FFE0009"
            ),
            {"pik": PIK, "mak": "A1B2C3D4E5F60718"},
        ),
        (f"unionpay mac --key A1B2C3D4E5F60718 --message {SIGNED_SALE}", {"text": "406A066A", "valid": True}),
        (
            f"dukpt tdes --bdk {PIK} --ksn FFFF9876543210E00001",
            {
                "txn_key": "042666B49184CFA368DE9628D0397BC9",
                "pin_key": "042666B49184CF5C68DE9628D0397B36",
                "mac_response_key": "042666B46E84CFA368DE96282F397BC9",
                "data_request_key": "448D3F076D8304036A55A3D7E0055A78",
            },
        ),
        (
            "dukpt aes --bdk FEDCBA9876543210F1F1F1F1F1F1F1F1 --ksn 123456789012345600000001",
            {
                "ik": "1273671EA26AC29AFA4D1084127652A1",
                "pin_key": "AF8CB133A78F8DC2D1359F18527593FB",
                "data_encrypt_key": "A35C412EFD41FDB98B69797C02DCD08F",
            },
        ),
        ("dukpt next --ksn FFFF9876543210E003FF", {"ksn": "FFFF9876543210E00400"}),
        (
            f"emv master-key --imk {PIK} --pan {PAN} --psn 01",
            {"icc_mk": "26989431670EB03B435D83F43101A461"},
        ),
        (
            (
                f"emv arqc --imk {PIK} --pan {PAN} --psn 01 --sk-method pboc --atc 0001 --data "
                "00000001234500000000000001560000000000015626052100123456787C00 --data 000103A00000"
            ),
            {"ac": "A6EB87C28CA0B06A"},
        ),
        (
            f"emv arpc --imk {PIK} --pan {PAN} --psn 01 --atc 0001 --arqc 3778034E7ED1100B --csu 00820000",
            {"arpc": "C0FA47BA", "tag_91": "C0FA47BA00820000"},
        ),
        (
            (
                "emv script-mac --session-key C7931542DCAF9FA465C0712B2EB08748 "
                "--data 841E0000040001A6EB87C28CA0B06A"
            ),
            {"mac": "C55CD584"},
        ),
        ("bits TSI E800", {"element": "TSI", "other_bits": []}),
        ("bits 9F27 80", {"type": "ARQC"}),
        ("tlv encode --value 9F02=000000001234 --value 5F2A=0156", {"data": "9F02060000000012345F2A020156"}),
        ("dol parse 9F02069F1A02", {"entries": [["9F02", 6], ["9F1A", 2]], "total": 8}),
        ("dol build 9F02069F1A02 --value 9F02=1234", {"data": "0000000012340000"}),
        ("crc --text 123456789", {"crc": "29B1", "residue": "0000"}),
        ("crc --poly 1021 --init FFFF --refin --refout --xorout FFFF --text 123456789", {"crc": "906E"}),
        ("frame decode --framing stx-etx-lrc --data 02313233340307", {"payload": "31323334"}),
        ("frame encode --framing cobs --data 001100", {"frame": "01021101"}),
        (
            f"track cipher --key 1F2E3D4C5B6A79881020304050607080 --nibbles {PAN}=30122011234500000",
            {"track": "622588012345678385CFDA80717E885700"},
        ),
        (
            f"track build --pan {PAN} --expiry 3012 --service-code 201 --discretionary 1234500000",
            {"text": f";{PAN}=30122011234500000?", "lrc": "3"},
        ),
        ("track service-code 201", {"interchange": "international", "chip": True}),
    ],
)
def test_result(capsys: pytest.CaptureFixture[str], line: str, expected: dict[str, Any]) -> None:
    given = answer(capsys, line)
    shown = {name: given.get(name) for name in expected}
    if "mac" in shown and isinstance(shown["mac"], str):
        shown["mac"] = shown["mac"][: len(expected["mac"])]
    assert shown == expected


def test_steps_of_the_unionpay_mac(capsys: pytest.CaptureFixture[str]) -> None:
    line = "mac --algorithm unionpay-ecb --key A1B2C3D4E5F60718 --data 0123456789ABCDEFFEDCBA9876543210AABB"
    steps = [step["value"] for step in answer(capsys, line + " --explain")["steps"]]
    assert steps == [
        "5544FFFFFFFFFFFF",
        "35353434464646464646464646464646",
        "10616C0D0D99634A",
        "56272A4B4BDF250C",
        "9EC5D0D853201B8F",
    ]


def test_steps_of_a_pin_block_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert calc(f"pin-block encode --pin 1234 --pan {PAN} --explain") == 0
    assert capsys.readouterr().out.splitlines() == [
        "PIN field             041234FFFFFFFFFF",
        "account number field  0000588012345678",
        "clear block           04126C7FEDCBA987",
        "",
        "format       0",
        "clear block  04126C7FEDCBA987",
    ]


def test_random_fill_is_random_and_opens_again(capsys: pytest.CaptureFixture[str]) -> None:
    for block_format in (1, 3, 4):
        line = f"pin-block encode --format {block_format} --pin 123456 --pan {PAN}"
        blocks = {answer(capsys, line)["clear_block"] for _ in range(4)}
        assert len(blocks) == 4
        for block in blocks:
            line = f"pin-block decode --format {block_format} --block {block} --pan {PAN}"
            assert answer(capsys, line)["pin"] == "123456"


def test_components_split_and_combine(capsys: pytest.CaptureFixture[str]) -> None:
    parts = answer(capsys, f"components split --key {PIK} --count 3")
    line = " ".join(f"--component {entry['component']}" for entry in parts["components"])
    assert answer(capsys, f"components combine {line}")["key"] == PIK
    assert parts["kcv"] == "08D7B4"


def test_key_block_wrapped_and_opened(capsys: pytest.CaptureFixture[str]) -> None:
    line = f"tr31 wrap --kbpk {TMK} --key {PIK} --version B --usage P0 --mode E --block KS=0060"
    block = answer(capsys, line)["key_block"]
    opened = answer(capsys, f"tr31 unwrap --kbpk {TMK} --key-block {block}")
    assert (opened["key"], opened["kcv"]) == (PIK, "08D7B4")
    assert opened["header"]["optional_blocks"] == {"KS": "0060"}
    assert answer(capsys, f"tr31 header --key-block {block}")["key_usage"] == "P0"


def test_track_to_bits_and_back(capsys: pytest.CaptureFixture[str]) -> None:
    bits = answer(capsys, f"track bits --text ';{PAN}=3012101?'")["bits"]
    read = answer(capsys, f"track bits --bits {bits[::-1]}")
    assert read == {"text": f";{PAN}=3012101?", "lrc": read["lrc"], "direction": "backward"}


def test_tlv_with_names_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert calc("tlv decode 70149F0206000000001234950500000480008A023030") == 0
    assert capsys.readouterr().out.splitlines() == [
        "70  record template 记录模板",
        "  9F02  amount, authorised 授权金额: 000000001234",
        (
            "  95  terminal verification results 终端验证结果: 0000048000"
            " (online PIN entered; transaction exceeds floor limit)"
        ),
        '  8A  authorisation response code 授权响应码: 3030 "00"',
    ]


def test_tlv_decoded_and_encoded_again(capsys: pytest.CaptureFixture[str]) -> None:
    tree = answer(capsys, "tlv decode 70059A03260521")["tree"]
    assert answer(capsys, f"tlv encode --tree '{json.dumps(tree)}'")["data"] == "70059A03260521"


def test_bits_in_words_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert calc("bits TVR 0000008100") == 0
    assert capsys.readouterr().out.splitlines() == [
        "terminal verification results (终端验证结果), tag 95: 0000008100",
        "  byte 4 80  transaction exceeds floor limit  交易超过最低限额",
        "  byte 4 01  without meaning",
    ]


def test_qr_built_and_parsed(capsys: pytest.CaptureFixture[str]) -> None:
    line = "qr build --object 26.00=COM.EXAMPLE --object 52=0000 --object 53=156 --object 58=CN"
    payload = answer(capsys, line + " --object 59=店 --object 60=北京")["payload"]
    parsed = answer(capsys, f"qr parse '{payload}'")
    assert parsed["tree"][1] == ["26", [["00", "COM.EXAMPLE"]]]
    assert parsed["missing_mandatory"] == []


# --- files of vectors ------------------------------------------------------------------------------


def test_run_writes_a_line_a_case(capsys: pytest.CaptureFixture[str]) -> None:
    assert calc(f"run {VECTORS / 'tr31.json'}") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    cases = json.loads((VECTORS / "tr31.json").read_text(encoding="utf-8"))["cases"]
    assert [line["id"] for line in lines] == [case["id"] for case in cases]
    assert lines[0]["result"]["key"] == "5DB50B454F8389ADCE573BE50861F2BF"
    assert lines[16]["error"].startswith("bad_length: ")


def test_cases_from_stdin(capsys: pytest.CaptureFixture[str], stdin: io.StringIO) -> None:
    fill(stdin, (VECTORS / "luhn.json").read_text(encoding="utf-8"))
    assert answer(capsys, "verify -")["hold"] == 26


def test_verify_counts_and_fails(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert calc(f"verify {VECTORS / 'luhn.json'}") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "26 of 26 cases hold"
    document = json.loads((VECTORS / "luhn.json").read_text(encoding="utf-8"))
    document["cases"][0]["expected"]["check_digit"] = 9
    document["cases"][25]["expected"] = {"valid": True}
    path = tmp_path / "wrong.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    assert calc(f"verify {path}") == 1
    out = capsys.readouterr().out
    assert "luhn-001 (luhn): differs in check_digit" in out
    assert "refused: bad_character" in out
    assert out.splitlines()[-1] == "24 of 26 cases hold"


def test_what_is_not_computed_yet_is_said_and_not_counted(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    cases = [
        {"id": "moon-1", "kind": "phase_of_the_moon", "inputs": {}, "expected": {"phase": "full"}},
        {"id": "moon-2", "kind": "phase_of_the_moon", "inputs": {}, "expected": {"reject": "unsupported"}},
        {"id": "luhn-1", "kind": "luhn", "inputs": {"number": "18"}, "expected": {"valid": True}},
    ]
    path = tmp_path / "moon.json"
    path.write_text(json.dumps({"cases": cases}), encoding="utf-8")
    assert calc(f"verify {path}") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("2 not computed: posterm has no such calculation yet")
    assert lines[-1] == "1 of 3 cases hold, 2 are not computed"
    assert calc(f"run {path}") == 0
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert first["reason"] == "not_computed"
    assert "phase_of_the_moon" in first["error"]


# --- where values come from ------------------------------------------------------------------------


def test_secrets_from_stdin_and_files(
    capsys: pytest.CaptureFixture[str], stdin: io.StringIO, tmp_path: Path
) -> None:
    fill(stdin, f"1234\n{PIK}\n")
    assert answer(capsys, f"pin-block encode --pin - --pan {PAN} --key -")["pin_block"] == "8922C16FE575AAD2"
    (tmp_path / "key").write_text(PIK + "\n", encoding="utf-8")
    line = f"pin-block encode --pin 1234 --pan {PAN} --key-file {tmp_path / 'key'}"
    assert answer(capsys, line)["pin_block"] == "8922C16FE575AAD2"


def test_one_value_may_be_all_of_stdin(capsys: pytest.CaptureFixture[str], stdin: io.StringIO) -> None:
    fill(stdin, "9A03\n26 05 21\n")
    assert answer(capsys, "tlv decode -")["tree"] == [["9A", "260521"]]


# --- help ------------------------------------------------------------------------------------------


def all_commands() -> list[tuple[str, Command]]:
    import importlib

    return [
        (subject, command)
        for subject, (module, _) in calc_command.SUBJECTS.items()
        for command in importlib.import_module(f"tools.calc.commands.{module}").GROUPS[subject].commands
    ]


@pytest.mark.parametrize(
    ("subject", "command"), all_commands(), ids=lambda value: getattr(value, "name", value)
)
def test_every_command_has_help_and_an_example_that_fits(
    capsys: pytest.CaptureFixture[str], subject: str, command: Command
) -> None:
    with pytest.raises(SystemExit) as caught:
        calc(f"{subject} {command.name} --help")
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert "example" in text
    assert "--json" in text
    assert "--explain" in text
    assert command.example.startswith(f"{subject} {command.name}".rstrip())


@pytest.mark.parametrize(
    "example",
    [
        command.example
        for _, command in all_commands()
        # Those that read files or standard input show how to, and cannot run here.
        if not any(mark in f"{command.example} " for mark in ("-file ", " - ", ".json "))
    ],
)
def test_every_example_runs(capsys: pytest.CaptureFixture[str], example: str) -> None:
    assert calc(example) == 0
    printed = capsys.readouterr()
    assert printed.out
    assert "error" not in printed.err


# They compute nothing, or their answer is all there is to see.
WITHOUT_STEPS = (
    "track service-code",
    "tr31 header",
    "tlv ",
    "dol parse",
    "frame ",
    "iso8583 decode",
    "run ",
    "verify ",
)


@pytest.mark.parametrize(
    "example",
    [
        example
        for _, command in all_commands()
        if not (example := command.example).startswith(WITHOUT_STEPS)
        and not any(mark in f"{example} " for mark in ("-file ", " - "))
    ],
)
def test_whatever_computes_shows_its_steps(capsys: pytest.CaptureFixture[str], example: str) -> None:
    assert answer(capsys, example + " --explain" * (" --explain" not in example))["steps"]


def test_subjects_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        calc("--help")
    text = capsys.readouterr().out
    assert all(f"  {subject} " in text for subject in calc_command.SUBJECTS)
