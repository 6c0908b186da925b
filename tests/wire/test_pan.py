"""Card numbers: the Luhn vectors, and that nothing prints a whole number."""

import json
from pathlib import Path
from typing import Any

import pytest

from wire.errors import PanError
from wire.pan import Pan, luhn_check_digit, luhn_valid, mask_digits

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "luhn.json").read_text(encoding="utf-8"))
DIGITS = "6225880123456783"


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["id"])
def test_luhn_vectors(case: dict[str, Any]) -> None:
    number, expected = case["inputs"]["number"], case["expected"]
    if "reject" in expected:
        with pytest.raises(PanError) as caught:
            luhn_valid(number)
        assert caught.value.reason == expected["reject"]
        return
    assert luhn_valid(number) is expected["valid"]
    assert luhn_check_digit(number[:-1]) == str(expected["check_digit"])


def test_an_empty_number_has_no_right_check_digit() -> None:
    assert not luhn_valid("")


@pytest.mark.parametrize("printed", [str, repr, "{}".format, "{!r}".format, lambda pan: f"{[pan]}"])
def test_every_way_of_printing_is_masked(printed: Any) -> None:
    text = printed(Pan(DIGITS))
    assert "622588******6783" in text
    assert DIGITS not in text


def test_pan_keeps_its_digits() -> None:
    pan = Pan(DIGITS)
    assert pan.reveal() == DIGITS
    assert pan.luhn_valid
    assert pan == Pan(DIGITS)
    assert hash(pan) == hash(Pan(DIGITS))
    assert pan != Pan("6225880000000001")
    assert pan != DIGITS


@pytest.mark.parametrize(
    ("digits", "reason"),
    [
        ("", "bad_length"),
        ("62258801234", "bad_length"),
        ("6225880123456783" + "1234", "bad_length"),
        ("6225 8801 2345 6783", "bad_character"),
        ("６２２５８８０１２３４５６７８３", "bad_character"),
    ],
)
def test_refused_numbers_are_not_in_the_text(digits: str, reason: str) -> None:
    with pytest.raises(PanError) as caught:
        Pan(digits)
    assert caught.value.reason == reason
    assert not digits or digits not in str(caught.value)


@pytest.mark.parametrize(
    ("digits", "masked"),
    [
        ("622588012345", "622588**2345"),
        ("6225880123456789012", "622588*********9012"),
        ("6225880123", "*" * 10),
    ],
)
def test_mask_shows_six_and_four(digits: str, masked: str) -> None:
    assert mask_digits(digits) == masked
