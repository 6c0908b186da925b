"""The security module against published vectors and the worked examples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bank.entropy import SeededEntropy
from bank.errors import HsmError
from bank.hsm import (
    Hsm,
    MessageKeys,
    PinFormatError,
    check_value,
    decode_pin_block,
    des_decrypt,
    des_encrypt,
    ibm3624_offset,
    unionpay_mac,
)
from wire.iso8583 import dialect
from wire.pan import Pan

VECTORS = Path(__file__).resolve().parents[1] / "vectors"
TMK = bytes.fromhex("11223344556677888877665544332211")
PAN = Pan("6225880123456783")


def cases(topic: str, *kinds: str, rejects: bool = True, **inputs: object) -> list[Any]:
    """The published cases of these kinds whose inputs have these values."""
    found = [
        pytest.param(case["inputs"], case["expected"], id=case["id"])
        for case in json.loads((VECTORS / f"{topic}.json").read_text(encoding="utf-8"))["cases"]
        if case["kind"] in kinds
        and inputs.items() <= {k: v for k, v in case["inputs"].items() if isinstance(v, str | int)}.items()
        and (rejects or "reject" not in case["expected"])
    ]
    assert found
    return found


def hsm() -> Hsm:
    return Hsm(bytes(range(32)))


@pytest.mark.parametrize(("inputs", "expected"), cases("kcv", "kcv", method="des-zero"))
def test_check_values(inputs: dict[str, str], expected: dict[str, str]) -> None:
    if "reject" in expected:
        with pytest.raises(HsmError):
            check_value(bytes.fromhex(inputs["key"]))
        return
    published = bytes.fromhex(expected["kcv"])
    assert check_value(bytes.fromhex(inputs["key"]))[: len(published)] == published[:4]


@pytest.mark.parametrize(("inputs", "expected"), cases("mac", "mac", algorithm="unionpay-ecb"))
def test_unionpay_macs(inputs: dict[str, str], expected: dict[str, str]) -> None:
    key, data = bytes.fromhex(inputs["key"]), bytes.fromhex(inputs["data"])
    if "reject" in expected:
        with pytest.raises(HsmError):
            unionpay_mac(key, data)
        return
    assert unionpay_mac(key, data).hex().upper() == expected["mac"]


@pytest.mark.parametrize(("inputs", "expected"), cases("unionpay_keys", "unionpay_message_mac"))
def test_macs_of_whole_messages(inputs: dict[str, str], expected: dict[str, Any]) -> None:
    message = bytes.fromhex(inputs["message"])
    unionpay = dialect("unionpay")
    mac = unionpay_mac(bytes.fromhex(inputs["mak"]), unionpay.mac_region(message))
    assert (mac == unionpay.decode(message).fields[64]) is expected["valid"]


def test_the_published_mac_sample() -> None:
    tmk = bytes.fromhex("70F2A84CCBC2AE8625CBB0F2C22AB923")
    mak = des_decrypt(tmk, bytes.fromhex("96D605EA176B7E9E"))
    assert mak.hex().upper() == "C24A8FB57AA20123"
    mab = bytes.fromhex(
        "0200302004C020C0981100000000000000005100183402100006324392260009942820D1312101120084393136363838"
        "303134303030303030303030303030303031313536ACF46E73838A82F92600000000000000000822000001"
    )
    assert unionpay_mac(mak, mab) == b"8A9E91B8"


class Tokens:
    def __init__(self, *tokens: str) -> None:
        self._tokens = [bytes.fromhex(token) for token in tokens]

    def token(self, length_bytes: int) -> bytes:
        token = self._tokens.pop(0)
        assert len(token) == length_bytes
        return token


# A damaged bundle has no test here: the bank makes bundles and never reads one.
@pytest.mark.parametrize(("inputs", "expected"), cases("unionpay_keys", "unionpay_key_bundle", rejects=False))
def test_key_bundles_are_made_as_the_published_ones(inputs: dict[str, Any], expected: dict[str, str]) -> None:
    module = hsm()
    keys = [expected[name] for name in ("pik", "mak", "tdk") if name in expected]
    made = module.make_working_keys(
        module.seal_tmk(bytes.fromhex(inputs["tmk"])), inputs["layout"], Tokens(*keys)
    )
    assert made.bundle.hex().upper() == inputs["f62"]


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        *cases("pin_block", "pin_block_encode", rejects=False, format=0),
        *cases("pin_block", "pin_block_decode", "pin_block_encrypted", format=0),
    ],
)
def test_pin_blocks_of_format_0(inputs: dict[str, Any], expected: dict[str, str]) -> None:
    block = bytes.fromhex(inputs.get("block", expected.get("block", "")))
    if "key" in inputs:
        block = des_decrypt(bytes.fromhex(inputs["key"]), block)
    if "reject" in expected:
        with pytest.raises(PinFormatError):
            decode_pin_block(block, Pan(inputs["pan"]))
        return
    assert decode_pin_block(block, Pan(inputs["pan"])) == expected.get("pin", inputs.get("pin"))


@pytest.mark.parametrize(("inputs", "expected"), cases("pin_verification", "ibm3624_offset", rejects=False))
def test_ibm_3624_offsets(inputs: dict[str, Any], expected: dict[str, str]) -> None:
    start = inputs["pan_verify_offset"]
    digits = inputs["pan"][start : start + inputs["pan_verify_length"]]
    offset = ibm3624_offset(
        bytes.fromhex(inputs["pvk"]),
        inputs["pin"],
        digits.ljust(16, inputs["pan_pad"]),
        table=inputs["conversion_table"],
    )
    assert offset == expected["offset"]


def test_the_pin_block_of_the_worked_example_is_verified() -> None:
    """PIN 1234, PAN 6225880123456783 under the PIK of the example is 8922C16FE575AAD2."""
    module = hsm()
    made = module.make_working_keys(
        module.seal_tmk(TMK), "003", Tokens("0123456789ABCDEFFEDCBA9876543210", "A1B2C3D4E5F60718")
    )
    keys = MessageKeys("master-session", "unionpay", pik_sealed=made.pik_sealed)
    block = bytes.fromhex("8922C16FE575AAD2")
    assert module.pin_is_right(keys, block, PAN, module.pin_offset("1234", PAN))
    assert not module.pin_is_right(keys, block, PAN, module.pin_offset("1235", PAN))
    assert not module.pin_is_right(keys, block, PAN, module.pin_offset("123400", PAN))


def test_the_track_of_the_worked_example() -> None:
    module = hsm()
    tdk = "1F2E3D4C5B6A79881020304050607080"
    made = module.make_working_keys(
        module.seal_tmk(TMK), "004", Tokens("0123456789ABCDEFFEDCBA9876543210", "A1B2C3D4E5F60718", tdk)
    )
    keys = MessageKeys("master-session", "unionpay", tdk_sealed=made.tdk_sealed)
    clear = module.decrypt_track(keys, "622588012345678385CFDA80717E885700")
    assert clear == "6225880123456783D30122011234500000"
    with pytest.raises(HsmError):
        module.decrypt_track(keys, "1234567890ABCDEF")


def test_a_sealed_value_opens_only_for_its_purpose_and_under_its_key() -> None:
    module = hsm()
    sealed = module.seal_pan(PAN)
    assert module.open_pan(sealed) == PAN
    assert module.seal_pan(PAN) == sealed
    for stranger in (Hsm(bytes(32)), module):
        with pytest.raises(HsmError):
            (stranger.open_pan if stranger is not module else module.tmk_check_value)(sealed)
    assert module.tmk_check_value(module.seal_tmk(TMK)).hex().upper() == "491510CA"


def test_errors_and_reprs_tell_nothing() -> None:
    module = hsm()
    made = module.make_working_keys(module.seal_tmk(TMK), "003", SeededEntropy(1))
    assert repr(made) == "WorkingKeys(bundle of 40 bytes)"
    assert repr(module) == "Hsm(...)"
    with pytest.raises(PinFormatError) as caught:
        decode_pin_block(bytes.fromhex("041234FFFFFFFFFF"), PAN)
    assert str(caught.value) == ""
    assert caught.value.__cause__ is None
    with pytest.raises(HsmError, match="4 to 12 digits") as bad_pin:
        module.pin_offset("98765x", PAN)
    assert "98765" not in str(bad_pin.value)


def test_lengths_are_checked() -> None:
    with pytest.raises(HsmError):
        Hsm(bytes(31))
    with pytest.raises(HsmError):
        hsm().seal_tmk(bytes(8))
    with pytest.raises(HsmError):
        des_encrypt(bytes(15), bytes(8))


def test_seeded_entropy_repeats_and_does_not_stand_still() -> None:
    first, second = SeededEntropy(7), SeededEntropy(7)
    drawn = [first.token(length) for length in (16, 8, 40)]
    assert [second.token(length) for length in (16, 8, 40)] == drawn
    assert [len(token) for token in drawn] == [16, 8, 40]
    assert drawn[0][:8] != drawn[1]
    assert SeededEntropy(8).token(16) != drawn[0]
