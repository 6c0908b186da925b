"""The bank's own DUKPT, ciphers and MACs against the published vectors, and the bank's record of a scheme."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bank import dukpt
from bank.ciphers import cbc_decrypt, cmac, sm4_check_value, sm4_encrypt, sm4_mac, x9_9_mac, x9_19_mac
from bank.entropy import SeededEntropy
from bank.errors import HsmError, RecordError
from bank.hsm import Hsm, MessageKeys, PinFormatError, decode_pin_block
from bank.provision import DEMO_MID, DEMO_TID, demo_bank, provision_of
from tests.bank.test_hsm import cases
from tests.bank.till import NOW, Till
from wire.pan import Pan

PAN = Pan("6225880123456783")
DATA = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210AABB")


# --- keys --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("inputs", "expected"), cases("dukpt_tdes", "dukpt_tdes_ipek"))
def test_initial_keys(inputs: dict[str, str], expected: dict[str, str]) -> None:
    key = dukpt.tdes_initial_key(bytes.fromhex(inputs["bdk"]), bytes.fromhex(inputs["ksn"]))
    assert key.hex().upper() == expected["ipek"]


@pytest.mark.parametrize(("inputs", "expected"), cases("dukpt_tdes", "dukpt_tdes_pin"))
def test_tdes_pin_keys(inputs: dict[str, str], expected: dict[str, str]) -> None:
    """The bank deciphers the published block and finds the published PIN."""
    hsm = Hsm(bytes(range(32)))
    keys = MessageKeys(
        "dukpt-tdes",
        "x9.19",
        bdk_sealed=hsm.seal_bdk(bytes.fromhex(inputs["bdk"])),
        ksn=bytes.fromhex(inputs["ksn"]),
    )
    pan = Pan(inputs["pan"])
    block = bytes.fromhex(expected["pin_block"])
    assert hsm.pin_is_right(keys, block, pan, hsm.pin_offset(inputs["pin"], pan))


@pytest.mark.parametrize(
    ("inputs", "expected"), cases("dukpt_tdes", "dukpt_tdes_mac", direction="request", algorithm="retail")
)
def test_tdes_macs(inputs: dict[str, str], expected: dict[str, str]) -> None:
    key = dukpt.tdes_key(bytes.fromhex(inputs["bdk"]), bytes.fromhex(inputs["ksn"]), "mac")
    assert x9_19_mac(key, bytes.fromhex(inputs["data"])).hex().upper()[:8] == expected["mac"]


@pytest.mark.parametrize(
    ("inputs", "expected"), cases("dukpt_tdes", "dukpt_tdes_mac", direction="response", algorithm="cmac")
)
def test_tdes_macs_of_answers(inputs: dict[str, str], expected: dict[str, str]) -> None:
    key = dukpt.tdes_key(bytes.fromhex(inputs["bdk"]), bytes.fromhex(inputs["ksn"]), "mac answer")
    assert cmac(key, bytes.fromhex(inputs["data"])).hex().upper() == expected["mac"]


@pytest.mark.parametrize(
    ("inputs", "expected"), cases("dukpt_tdes", "dukpt_tdes_data", key_use="data_request")
)
def test_tdes_data_keys(inputs: dict[str, str], expected: dict[str, str]) -> None:
    key = dukpt.tdes_key(bytes.fromhex(inputs["bdk"]), bytes.fromhex(inputs["ksn"]), "data")
    clear = cbc_decrypt(key, bytes.fromhex(expected["ciphertext"]), is_aes=False).hex().upper()
    assert clear == inputs["data"].ljust(len(clear), "0")  # the published data are filled with zeros


@pytest.mark.parametrize(("usage", "use"), [("pin", "pin"), ("mac_gen", "mac"), ("data_enc", "data")])
def test_the_aes_keys_of_the_worked_example(usage: str, use: str) -> None:
    """iso8583-pos section 6.8: BDK FEDC..., key id 1234567890123456, counter 1."""
    expected = {
        "pin": "AF8CB133A78F8DC2D1359F18527593FB",
        "mac_gen": "A2DC23DE6FDE0824A2BC321E08E4B8B7",
        "data_enc": "A35C412EFD41FDB98B69797C02DCD08F",
    }
    bdk = bytes.fromhex("FEDCBA9876543210F1F1F1F1F1F1F1F1")
    key = dukpt.aes_key(bdk, bytes.fromhex("123456789012345600000001"), use)
    assert key.hex().upper() == expected[usage]


AES_TYPES = {16: "AES128", 24: "AES192", 32: "AES256"}


@pytest.mark.parametrize(("inputs", "expected"), cases("dukpt_aes", "dukpt_aes_pin"))
def test_aes_pin_blocks(inputs: dict[str, str], expected: dict[str, str]) -> None:
    bdk = bytes.fromhex(inputs["bdk"])
    if inputs["key_type"].replace("-", "").replace("_", "").upper() != AES_TYPES[len(bdk)]:
        pytest.skip("this bank's keys are as long as its BDK")
    hsm = Hsm(bytes(range(32)))
    keys = MessageKeys("dukpt-aes", "cmac", bdk_sealed=hsm.seal_bdk(bdk), ksn=bytes.fromhex(inputs["ksn"]))
    pan, block = Pan(inputs["pan"]), bytes.fromhex(expected["pin_block"])
    assert hsm.pin_is_right(keys, block, pan, hsm.pin_offset(expected["pin"], pan))
    with pytest.raises(PinFormatError):
        hsm.pin_is_right(keys, block, pan, "0000", formats="013")


@pytest.mark.parametrize("ksn", ["FFFF9876543210E00000", "FFFF9876543210FFFFFF", "FFFF9876543210E0"])
def test_numbers_that_no_transaction_has(ksn: str) -> None:
    with pytest.raises(HsmError):
        dukpt.tdes_key(bytes(range(16)), bytes.fromhex(ksn), "pin")


# --- MACs and PIN blocks -----------------------------------------------------------------------------


def test_the_other_macs_of_the_worked_example() -> None:
    """iso8583-pos sections 6.4 and 6.7."""
    assert x9_9_mac(bytes.fromhex("A1B2C3D4E5F60718"), DATA).hex().upper() == "93A6F8251303C18D"
    key = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
    assert x9_19_mac(key, DATA).hex().upper() == "FFB29F7F2277047C"
    assert sm4_mac(key, DATA).hex().upper() == "90AC56EFE865B96D"
    assert sm4_check_value(key).hex().upper() == "2677F46B"
    assert sm4_encrypt(key, key).hex().upper() == "681EDF34D206965E86B3E94F536E4246"


@pytest.mark.parametrize(("inputs", "expected"), cases("mac", "mac", algorithm="aes-cmac"))
def test_aes_cmac(inputs: dict[str, str], expected: dict[str, str]) -> None:
    code = cmac(bytes.fromhex(inputs["key"]), bytes.fromhex(inputs["data"]), is_aes=True)
    assert code.hex().upper() == expected["mac"][:16]


@pytest.mark.parametrize(
    ("block", "pin"),
    [("141234A5B6C7D8E9", "1234"), ("34126C2CAFDBFDB5", "1234"), ("04126C7FEDCBA987", "1234")],
)
def test_pin_blocks_of_the_worked_example(block: str, pin: str) -> None:
    assert decode_pin_block(bytes.fromhex(block), PAN, "013") == pin


@pytest.mark.parametrize(
    "block", ["141234A5B6C7D8E9", "24126C7FEDCBA987", "131234A5B6C7D8E9", "1412A4A5B6C7D8E9"]
)
def test_pin_blocks_that_are_not_taken(block: str) -> None:
    formats = "03" if block.startswith("141234") else "013"
    with pytest.raises(PinFormatError):
        decode_pin_block(bytes.fromhex(block), PAN, formats)


# --- the record --------------------------------------------------------------------------------------


def test_a_sign_in_of_another_scheme_is_refused(fresh_till: Till) -> None:
    assert fresh_till.sign_in("005").text(39) == "40"
    assert fresh_till.sign_in("006").text(39) == "40"
    assert fresh_till.sign_in("003").text(39) == "00"


def test_a_dukpt_terminal_gets_no_working_keys(fresh_till: Till) -> None:
    bank = fresh_till.bank
    terminal = bank.merchants.terminal(DEMO_MID, DEMO_TID)
    with bank.store.transaction():
        bank.merchants.set_security(terminal, "dukpt-tdes", "x9.19", bytes(range(16)))
    assert fresh_till.sign_in("003").text(39) == "40"
    fields = {11: fresh_till.next_trace(), 60: "00000001006", 63: "01 "}
    answer = fresh_till.ask("0800", fields, mac=False)
    assert (answer.text(39), 62 in answer.fields) == ("00", False)


def test_changing_the_scheme_ends_the_sign_in(till: Till) -> None:
    terminal = till.bank.merchants.terminal(DEMO_MID, DEMO_TID)
    with till.bank.store.transaction():
        till.bank.merchants.set_security(terminal, "master-session", "x9.9")
    assert till.authorise().text(39) == "A0"


@pytest.mark.parametrize(
    ("scheme", "algorithm", "bdk"),
    [("dukpt", "x9.19", bytes(16)), ("dukpt-tdes", "x9", bytes(16)), ("dukpt-tdes", "x9.19", None)],
)
def test_a_record_that_cannot_be(fresh_till: Till, scheme: str, algorithm: str, bdk: bytes | None) -> None:
    merchants = fresh_till.bank.merchants
    with pytest.raises(RecordError), fresh_till.bank.store.transaction():
        merchants.set_security(merchants.terminal(DEMO_MID, DEMO_TID), scheme, algorithm, bdk)


def test_the_bdk_is_not_in_the_database_in_clear(tmp_path: Path) -> None:
    bdk = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
    bank = demo_bank(tmp_path / "bank.db", now=NOW, entropy=SeededEntropy(1))
    with bank.store.transaction():
        terminal = bank.merchants.terminal(DEMO_MID, DEMO_TID)
        bank.merchants.set_security(terminal, "dukpt-tdes", "x9.19", bdk)
    bank.close()
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert bdk not in stored
    assert bdk.hex().encode() not in stored.lower()


TERMINAL = {"tid": "00000001", "tmk": "11223344556677888877665544332211"}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"key_scheme": "dukpt"}, "key_scheme: must be one of master-session, dukpt-tdes, dukpt-aes, sm4"),
        ({"mac_algorithm": "md5"}, "mac_algorithm: must be one of unionpay"),
        ({"key_scheme": "dukpt-tdes"}, "bdk: dukpt-tdes needs bdk and ksn"),
        ({"bdk": "0123"}, "bdk: must be 32 or 48 or 64 hex digits"),
        ({"ksn": "FFFF98765432"}, "ksn: must be 20 or 24 hex digits"),
    ],
)
def test_mistakes_in_a_file_are_one_line(more: dict[str, str], words: str) -> None:
    data: dict[str, Any] = {"merchant": [{"mid": DEMO_MID, "name": "SHOP", "terminal": [TERMINAL | more]}]}
    with pytest.raises(RecordError) as caught:
        provision_of("cards.toml", data)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_dukpt_terminal_of_a_file() -> None:
    more = {"key_scheme": "dukpt-aes", "mac_algorithm": "cmac", "bdk": "F1" * 16, "ksn": "12" * 8 + "00" * 4}
    data: dict[str, Any] = {"merchant": [{"mid": DEMO_MID, "name": "SHOP", "terminal": [TERMINAL | more]}]}
    (merchant,) = provision_of("cards.toml", data).merchants
    assert merchant.terminals[0].bdk == b"\xf1" * 16
    assert repr(merchant.terminals[0]) == "TerminalSpec('00000001')"
