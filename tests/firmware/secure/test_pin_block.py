"""PIN block format 0: published vectors, the worked example, a second implementation.

A terminal never takes a block apart, so the decoding cases are read backwards: what decodes to a PIN is what
that PIN must encode to. The malformed blocks among them concern the bank.
"""

import json
from pathlib import Path
from typing import Any

import psec.pinblock
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.secure.errors import PinFormat
from firmware.secure.pin_block import format_0
from firmware.secure.tdes import encrypt_in_place
from wire.errors import PanError
from wire.pan import Pan

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "pin_block.json").read_text(encoding="utf-8"))
FORMAT_0 = [case for case in VECTORS["cases"] if case["inputs"]["format"] == 0]


def of_kind(*kinds: str, rejected: bool) -> list[dict[str, Any]]:
    found = [
        case for case in FORMAT_0 if case["kind"] in kinds and ("reject" in case["expected"]) is rejected
    ]
    assert found
    return found


def digits(pin: str) -> bytearray:
    return bytearray(int(digit) for digit in pin)


@pytest.mark.parametrize(
    "case",
    of_kind("pin_block_encode", "pin_block_decode", rejected=False),
    ids=lambda case: case["id"],
)
def test_published_blocks(case: dict[str, Any]) -> None:
    values = case["inputs"] | case["expected"]
    assert format_0(digits(values["pin"]), Pan(values["pan"])) == bytes.fromhex(values["block"])


@pytest.mark.parametrize("case", of_kind("pin_block_encrypted", rejected=False), ids=lambda case: case["id"])
def test_published_enciphered_blocks(case: dict[str, Any]) -> None:
    values = case["inputs"] | case["expected"]
    block = format_0(digits(values["pin"]), Pan(values["pan"]))
    assert block == bytes.fromhex(values.get("clear_block", block.hex()))
    encrypt_in_place(bytes.fromhex(values["key"]), block)
    assert block == bytes.fromhex(values["block"])


@pytest.mark.parametrize("case", of_kind("pin_block_encode", rejected=True), ids=lambda case: case["id"])
def test_published_refusals(case: dict[str, Any]) -> None:
    with pytest.raises((PinFormat, PanError)):
        format_0(digits(case["inputs"]["pin"]), Pan(case["inputs"]["pan"]))


def test_worked_example() -> None:
    block = format_0(digits("1234"), Pan("6225880123456783"))
    assert block == bytes.fromhex("04126C7FEDCBA987")
    encrypt_in_place(bytes.fromhex("0123456789ABCDEFFEDCBA9876543210"), block)
    assert block == bytes.fromhex("8922C16FE575AAD2")


@given(
    pin=st.text("0123456789", min_size=4, max_size=12), pan=st.text("0123456789", min_size=13, max_size=19)
)
def test_agrees_with_a_second_implementation(pin: str, pan: str) -> None:
    assert format_0(digits(pin), Pan(pan)) == psec.pinblock.encode_pinblock_iso_0(pin, pan)


@pytest.mark.parametrize(
    ("pin", "pan"),
    [
        (bytearray(3), "6225880123456783"),
        (bytearray(13), "6225880123456783"),
        (bytearray(), "6225880123456783"),
        (bytearray((1, 2, 3, 10)), "6225880123456783"),
        (bytearray(b"1234"), "6225880123456783"),  # characters instead of digits
        (bytearray((1, 2, 3, 4)), "622588012345"),
    ],
)
def test_what_does_not_fit_is_refused(pin: bytearray, pan: str) -> None:
    with pytest.raises(PinFormat):
        format_0(pin, Pan(pan))
