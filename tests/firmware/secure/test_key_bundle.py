"""Working keys as the bank sends them: published bundles, the worked example, damage."""

import json
from pathlib import Path
from typing import Any

import psec.des
import pytest

from firmware.secure.errors import KeyCheckFailed, KeyFormat
from firmware.secure.key_bundle import KeyUse, parse_bundle

# psec uses triple DES in ways that cryptography warns of: the old place, short keys.
pytestmark = pytest.mark.filterwarnings("ignore:.*TripleDES")

VECTORS = json.loads(
    (Path(__file__).parents[2] / "vectors" / "unionpay_keys.json").read_text(encoding="utf-8")
)
BUNDLES = [case for case in VECTORS["cases"] if case["kind"] == "unionpay_key_bundle"]
REASONS: dict[str, type[Exception]] = {"bad_check": KeyCheckFailed, "bad_length": KeyFormat}

TMK = bytes.fromhex("11223344556677888877665544332211")
LAYOUT_004 = bytes.fromhex(
    "F9C2452F0F4EFC0908E97821E0A7BCC1 08D7B4FB 45F890CD51133A56 0000000000000000 5FFE0009"
    "B2D80E9A14C851C0CE02E51CB7DDEE4B BE865EFA"
)


def unwrap(bundle: bytes, layout: str, tmk: bytes = TMK) -> dict[str, str]:
    keys = {}
    for use, wrapped in parse_bundle(bundle, layout).items():
        with wrapped.unwrapped(tmk) as key:
            keys[use.value.lower()] = key.hex().upper()
    return keys


@pytest.mark.parametrize("case", BUNDLES, ids=lambda case: case["id"])
def test_published_bundles(case: dict[str, Any]) -> None:
    inputs, expected = case["inputs"], case["expected"]
    bundle, tmk = bytes.fromhex(inputs["f62"]), bytes.fromhex(inputs["tmk"])
    if "reject" in expected:
        with pytest.raises(REASONS[expected["reject"]]):
            unwrap(bundle, inputs["layout"], tmk)
    else:
        assert unwrap(bundle, inputs["layout"], tmk) == expected


def test_worked_example() -> None:
    pik, mak = "0123456789ABCDEFFEDCBA9876543210", "A1B2C3D4E5F60718"
    assert unwrap(LAYOUT_004[:40], "003") == {"pik": pik, "mak": mak}
    assert unwrap(LAYOUT_004, "004") == {"pik": pik, "mak": mak, "tdk": "1F2E3D4C5B6A79881020304050607080"}


def test_a_mak_of_sixteen_bytes_is_taken_where_the_bank_fills_the_right_half() -> None:
    mak = bytes.fromhex("8899AABBCCDDEEFF0011223344556677")
    bundle = LAYOUT_004[:20] + psec.des.encrypt_tdes_ecb(TMK, mak) + psec.des.generate_kcv(mak, 4)
    assert unwrap(bundle, "003")["mak"] == mak.hex().upper()


def test_a_pin_key_is_not_shortened() -> None:
    half = LAYOUT_004[20:28]  # the enciphered 8-byte MAK with its right check value, in the PIK's place
    with pytest.raises(KeyCheckFailed) as caught:
        unwrap(half + bytes(8) + LAYOUT_004[36:40] + LAYOUT_004[20:40], "003")
    assert caught.value.key == "PIK"


@pytest.mark.parametrize("place", range(len(LAYOUT_004)))
def test_any_damaged_byte_is_noticed(place: int) -> None:
    damaged = bytearray(LAYOUT_004)
    damaged[place] ^= 0x10
    with pytest.raises(KeyCheckFailed) as caught:
        unwrap(bytes(damaged), "004")
    assert caught.value.key == ("PIK" if place < 20 else "MAK" if place < 40 else "TDK")


@pytest.mark.parametrize("layout", ["", "002", "006", "3", "0003"])
def test_an_unknown_layout_names_the_known_ones(layout: str) -> None:
    with pytest.raises(KeyFormat, match="known are 001, 003, 004"):
        parse_bundle(LAYOUT_004, layout)


def test_the_clear_key_is_wiped_after_use_and_never_shown() -> None:
    wrapped = parse_bundle(LAYOUT_004, "004")[KeyUse.PIK]
    with wrapped.unwrapped(TMK) as key:
        assert any(key)
    assert not any(key)
    assert "F9C2" not in repr(wrapped).upper()
    assert "\\xf9" not in repr(wrapped)
