"""The UnionPay MAC: published vectors, the worked examples, a second implementation."""

import json
from functools import reduce
from pathlib import Path
from typing import Any

import psec.des
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.secure.errors import KeyFormat
from firmware.secure.mac import unionpay_ecb_mac

# psec uses triple DES in ways that cryptography warns of: the old place, short keys.
pytestmark = pytest.mark.filterwarnings("ignore:.*TripleDES")

FOLDER = Path(__file__).parents[2] / "vectors"


def cases(name: str, **wanted: str) -> list[dict[str, Any]]:
    content = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    found = [
        case
        for case in content["cases"]
        if all((case | case["inputs"]).get(key) == value for key, value in wanted.items())
    ]
    assert found, f"no case of {wanted} in {name}.json"
    return found


@pytest.mark.parametrize(
    "case", cases("mac", kind="mac", algorithm="unionpay-ecb"), ids=lambda case: case["id"]
)
def test_published_macs(case: dict[str, Any]) -> None:
    inputs = case["inputs"]
    mac = unionpay_ecb_mac(bytes.fromhex(inputs["key"]), bytes.fromhex(inputs["data"]))
    assert mac == bytes.fromhex(case["expected"]["mac"])


@pytest.mark.parametrize(
    "case", cases("unionpay_keys", kind="unionpay_message_mac"), ids=lambda case: case["id"]
)
def test_published_messages(case: dict[str, Any]) -> None:
    message = bytes.fromhex(case["inputs"]["message"])
    mab, received = message[11:-8], message[-8:]  # behind TPDU and header; field 64 is the last
    mac = unionpay_ecb_mac(bytes.fromhex(case["inputs"]["mak"]), mab)
    assert (mac == received) is case["expected"]["valid"]
    if case["expected"]["valid"]:
        assert mac == bytes.fromhex(case["expected"]["mac"])


@pytest.mark.parametrize(
    ("mak", "mab", "expected"),
    [
        pytest.param(
            "C24A8FB57AA20123",
            "0200302004C020C0981100000000000000005100183402100006324392260009942820D1312101120084393136363838"
            "303134303030303030303030303030303031313536ACF46E73838A82F92600000000000000000822000001",
            b"8A9E91B8",
            id="example-1",
        ),
        pytest.param(
            "A1B2C3D4E5F60718", "0123456789ABCDEFFEDCBA9876543210AABB", b"9EC5D0D8", id="example-2-short-key"
        ),
        pytest.param(
            "0123456789ABCDEFFEDCBA9876543210",
            "0123456789ABCDEFFEDCBA9876543210AABB",
            b"4A2A6D23",
            id="example-2-long-key",
        ),
        pytest.param(
            "A1B2C3D4E5F60718",
            "0200302004C020C09811 000000 000000012345 000002 0210 00 06"
            "346225880123456783D30122011234500000 3132333435363738 383938333230313534313130303031 313536"
            "8922C16FE575AAD2 2600000000000000 001322000001000600",
            b"406A066A",
            id="example-3-swiped-sale",
        ),
    ],
)
def test_worked_examples(mak: str, mab: str, expected: bytes) -> None:
    assert unionpay_ecb_mac(bytes.fromhex(mak), bytes.fromhex(mab)) == expected


def second_opinion(key: bytes, mab: bytes) -> bytes:
    padded = mab + bytes(-len(mab) % 8)
    blocks = [padded[at : at + 8] for at in range(0, len(padded), 8)]
    folded = reduce(lambda a, b: bytes(x ^ y for x, y in zip(a, b, strict=True)), blocks, bytes(8))
    text = folded.hex().upper().encode()
    first = psec.des.encrypt_tdes_ecb(key, text[:8])
    mixed = bytes(x ^ y for x, y in zip(first, text[8:], strict=True))
    return psec.des.encrypt_tdes_ecb(key, mixed).hex().upper()[:8].encode()


@given(key=st.one_of(st.binary(min_size=8, max_size=8), st.binary(min_size=16, max_size=16)), mab=st.binary())
def test_agrees_with_a_second_implementation(key: bytes, mab: bytes) -> None:
    assert unionpay_ecb_mac(key, mab) == second_opinion(key, mab)


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(KeyFormat):
        unionpay_ecb_mac(bytes(12), b"0200")
