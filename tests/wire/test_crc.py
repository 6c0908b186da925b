"""CRCs: the catalogue's check values, both ways of calculating, and parameters that make no CRC."""

import json
from pathlib import Path
from typing import Any

import pytest

from wire.crc import CATALOGUE, Crc
from wire.errors import FrameError

CASES = json.loads((Path(__file__).parents[1] / "vectors" / "crc.json").read_text(encoding="utf-8"))["cases"]


def crc_of(inputs: dict[str, Any]) -> Crc:
    poly, init, xorout = (int(inputs[name], 16) for name in ("poly", "init", "xorout"))
    return Crc(inputs["name"], inputs["width"], poly, init, inputs["refin"], inputs["refout"], xorout)


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case["id"]) for case in CASES if case["kind"] == "crc"]
)
def test_published_value(case: dict[str, Any]) -> None:
    crc, data = crc_of(case["inputs"]), bytes.fromhex(case["inputs"]["data"])
    assert crc.hex(data) == case["expected"]["crc"]
    assert crc._bitwise(data) ^ crc.xorout == crc.compute(data)
    if "residue" in case["expected"]:
        assert crc.residue() == int(case["expected"]["residue"], 16)


def test_the_catalogue_says_what_the_published_one_says() -> None:
    published = {case["inputs"]["name"]: crc_of(case["inputs"]) for case in CASES}
    known = {name: crc for name, crc in CATALOGUE.items() if name in published}
    assert known == {name: published[name] for name in known}
    assert len(known) >= 10


@pytest.mark.parametrize(
    ("crc", "check"),
    [
        (Crc("CRC-5/USB", 5, 0x05, 0x1F, True, True, 0x1F), "19"),
        (Crc("CRC-12/DECT", 12, 0x80F, 0, False, False, 0), "0F5B"),
        (Crc("CRC-12/UMTS", 12, 0x80F, 0, False, True, 0), "0DAF"),
        (Crc("CRC-40/GSM", 40, 0x0004820009, 0, False, False, 0xFFFFFFFFFF), "D4164FC646"),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_widths_that_the_library_does_not_know(crc: Crc, check: str) -> None:
    """The RevEng catalogue's check values."""
    assert crc.hex(b"123456789") == check


@pytest.mark.parametrize(
    ("width", "poly", "init", "xorout"),
    [
        (0, 1, 0, 0),
        (129, 1, 0, 0),
        (8, 0x107, 0, 0),
        (8, 7, 0x100, 0),
        (8, 7, 0, 0x100),
        (8, 0, 0, 0),
        (8, 7, -1, 0),
    ],
)
def test_parameters_that_make_no_crc(width: int, poly: int, init: int, xorout: int) -> None:
    with pytest.raises(FrameError) as caught:
        Crc("x", width, poly, init, False, False, xorout)
    assert caught.value.reason == "bad_format"


def test_a_frame_shorter_than_its_crc() -> None:
    with pytest.raises(FrameError) as caught:
        CATALOGUE["CRC-16/MODBUS"].split(b"\x01", "little")
    assert caught.value.reason == "truncated"
