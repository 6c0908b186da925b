"""DES, triple DES and check values against published vectors and a second implementation."""

import json
from pathlib import Path
from typing import Any

import psec.des
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.secure.errors import KeyFormat
from firmware.secure.memory import wipe
from firmware.secure.tdes import check_value, decrypt_in_place, encrypt_in_place

# psec uses triple DES in ways that cryptography warns of: the old place, short keys.
pytestmark = pytest.mark.filterwarnings("ignore:.*TripleDES")

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "kcv.json").read_text(encoding="utf-8"))
DES_CASES = [case for case in VECTORS["cases"] if case["inputs"]["method"] == "des-zero"]

keys = st.sampled_from((8, 16, 24)).flatmap(lambda size: st.binary(min_size=size, max_size=size))
blocks = st.integers(0, 4).flatmap(lambda count: st.binary(min_size=8 * count, max_size=8 * count))


@pytest.mark.parametrize("case", DES_CASES, ids=lambda case: case["id"])
def test_published_check_values(case: dict[str, Any]) -> None:
    expected = case["expected"]["kcv"]
    assert check_value(bytes.fromhex(case["inputs"]["key"])).hex().upper()[: len(expected)] == expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("11223344556677888877665544332211", "491510CA"),
        ("0123456789ABCDEFFEDCBA9876543210", "08D7B4FB"),
        ("A1B2C3D4E5F60718", "5FFE0009"),
        ("1F2E3D4C5B6A79881020304050607080", "BE865EFA"),
    ],
)
def test_check_values_of_the_worked_example(key: str, expected: str) -> None:
    assert check_value(bytes.fromhex(key)) == bytes.fromhex(expected)


def test_the_enciphered_mak_of_the_published_mac_sample() -> None:
    key = bytearray.fromhex("96D605EA176B7E9E")
    decrypt_in_place(bytes.fromhex("70F2A84CCBC2AE8625CBB0F2C22AB923"), key)
    assert key == bytes.fromhex("C24A8FB57AA20123")


@given(key=keys, data=blocks)
def test_agrees_with_a_second_implementation_and_with_itself(key: bytes, data: bytes) -> None:
    buffer = bytearray(data)
    encrypt_in_place(key, buffer)
    if data:
        assert buffer == psec.des.encrypt_tdes_ecb(key, data)
    decrypt_in_place(key, buffer)
    assert buffer == data


def test_a_key_of_equal_halves_works_and_is_single_des() -> None:
    half = bytes.fromhex("0123456789ABCDEF")
    double, single = bytearray(b"POSTERM!"), bytearray(b"POSTERM!")
    encrypt_in_place(half + half, double)
    encrypt_in_place(half, single)
    assert double == single != b"POSTERM!"


@pytest.mark.parametrize("size", [0, 7, 9, 15, 17, 23, 25, 32])
def test_other_key_lengths_are_refused_without_showing_the_key(size: int) -> None:
    with pytest.raises(KeyFormat) as caught:
        check_value(b"\x5a" * size)
    assert str(caught.value) == f"a DES key has 8, 16 or 24 bytes, this one {size}"


def test_wipe_overwrites_where_the_secret_lies() -> None:
    secret = bytearray(b"secret")
    view = memoryview(secret)
    wipe(secret)
    assert bytes(view) == bytes(6)
