"""Working keys as the bank sends them: published bundles, the worked example, damage."""

import json
from pathlib import Path
from typing import Any

import psec.des
import pytest

from firmware.secure import sm4, tdes
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


# --- the other layouts -------------------------------------------------------------------------------


def wrapped_key(key: bytes, size_bytes: int) -> bytes:
    """A key of a bundle, filled with zeros to its place; by the functions that the vectors judge."""
    return tdes.encrypt(TMK, key).ljust(size_bytes, b"\0") + tdes.check_value(key)


@pytest.mark.parametrize(("asked", "tdk"), [("003", b""), ("004", bytes(range(48, 72)))])
def test_triple_length_keys_come_in_56_and_84_bytes(asked: str, tdk: bytes) -> None:
    pik, mak = bytes(range(24)), bytes(range(24, 32))
    bundle = wrapped_key(pik, 24) + wrapped_key(mak, 24) + (wrapped_key(tdk, 24) if tdk else b"")
    assert len(bundle) == (84 if tdk else 56)
    keys = parse_bundle(bundle, asked)
    for use, expected in ((KeyUse.PIK, pik), (KeyUse.MAK, mak), *([(KeyUse.TDK, tdk)] if tdk else [])):
        with keys[use].unwrapped(TMK) as key:
            assert key == expected


def test_a_mak_that_fills_its_place_is_taken_whole() -> None:
    pik, mak = bytes(range(16)), bytes(range(16, 32))
    with parse_bundle(wrapped_key(pik, 16) + wrapped_key(mak, 16), "003")[KeyUse.MAK].unwrapped(TMK) as key:
        assert key == mak


def test_the_sm4_layout_by_the_standard_s_vector() -> None:
    """SM4 of 0123...3210 under itself is 681E...4246, and its check value 2677F46B (digest, section 6.7)."""
    key = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
    one = bytes.fromhex("681EDF34D206965E86B3E94F536E4246 2677F46B")
    keys = parse_bundle(one * 3, "005")
    assert list(keys) == [KeyUse.PIK, KeyUse.MAK, KeyUse.TDK]
    for wrapped in keys.values():
        with wrapped.unwrapped(key) as opened:
            assert opened == key
    with (
        pytest.raises(KeyCheckFailed),
        parse_bundle(one[:-1] + b"\0" + one * 2, "005")[KeyUse.PIK].unwrapped(key),
    ):
        pass


def test_the_sm4_mac_of_the_digest() -> None:
    data = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210AABB")
    assert (
        sm4.mac(bytes.fromhex("0123456789ABCDEFFEDCBA9876543210"), data).hex().upper() == "90AC56EFE865B96D"
    )
