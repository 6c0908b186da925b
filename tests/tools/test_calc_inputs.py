"""Inputs that no vector has: wrong types, absent values, junk. Refused with a reason, never a crash."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from firmware.secure.errors import BadInput
from tools.calc.case_file import Case, CaseFileError, compute, known_kinds, read_cases
from tools.calc.errors import Refused, reason_of
from tools.calc.inputs import Inputs
from wire.errors import REASONS

VECTORS = Path(__file__).parents[1] / "vectors"
KEY_REASONS = {"bad_key", "bad_mac", "bad_check", "bad_version", "exhausted"}
EXAMPLES = {
    case.kind: case
    for topic in sorted(VECTORS.glob("*.json"))
    for case in read_cases(topic)
    if case.kind in set(known_kinds()) and "reject" not in case.expected
}
JUNK: list[Any] = [
    *[None, "", "0", "zz", "00" * 7, "FF" * 300, "é一", "\0"],
    *[-1, 0, 3, 10**30, 1.5, True],
    *[[], [["", 1]], [{}], {}, {"a": 1}],
]


def test_every_kind_has_an_example() -> None:
    assert set(EXAMPLES) == set(known_kinds())


@pytest.mark.parametrize("kind", sorted(known_kinds()))
def test_any_single_input_replaced_by_junk(kind: str) -> None:
    example = EXAMPLES[kind]
    for name in example.inputs:
        for junk in JUNK:
            case = Case("x", kind, {**example.inputs, name: junk}, {}, example.tables)
            outcome = compute(case)
            json.loads(outcome.as_line())
            assert outcome.reason in REASONS | KEY_REASONS | {"", "bad_length"}
            assert bool(outcome.result) or bool(outcome.reason), (name, junk)


@pytest.mark.parametrize("kind", sorted(known_kinds()))
def test_bytes_and_digits_changed_at_random(kind: str) -> None:
    draw = random.Random(kind)
    example = EXAMPLES[kind]
    texts = [name for name, value in example.inputs.items() if isinstance(value, str) and value]
    for _ in range(60 if texts else 0):
        name = draw.choice(texts)
        text = list(example.inputs[name])
        place = draw.randrange(len(text))
        text[place : place + draw.choice([0, 1, 2])] = draw.choice(["", "0", "F", "9F", "=", "x"])
        outcome = compute(Case("x", kind, {**example.inputs, name: "".join(text)}, {}, example.tables))
        assert outcome.result is not None or outcome.reason


def test_no_inputs_at_all() -> None:
    for kind in known_kinds():
        assert compute(Case("x", kind, {}, {}, {})).reason == "missing_data", kind


def test_an_unknown_kind() -> None:
    outcome = compute(Case("x", "phase_of_the_moon", {}, {}, {}))
    assert outcome.reason == "not_computed"
    assert "phase_of_the_moon" in outcome.text


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"cases": 1}', '{"cases": [1]}', '{"cases": [{"inputs": {}}]}', "[" * 100_000],
)
def test_what_is_no_case_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "cases.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CaseFileError, match=r"cases\.json"):
        read_cases(path)


def test_a_case_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "cases.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CaseFileError, match="UTF-8"):
        read_cases(path)


def test_errors_name_the_input_and_not_its_value() -> None:
    with pytest.raises(BadInput, match="key is written in hex digits") as caught:
        Inputs({"key": "0123456789ABCDEG"}).hex("key")
    assert caught.value.reason == "bad_character"
    assert "0123" not in str(caught.value)


def test_a_partial_result_comes_with_its_reason() -> None:
    case = Case("x", "iso8583_frame", {"prefix": "ascii4", "stream": "30303033414243" + "5A5A5A5A"}, {}, {})
    outcome = compute(case)
    assert outcome.result == {"messages": ["414243"], "rest": "5A5A5A5A"}
    assert outcome.reason == "bad_length"


def test_reasons_of_the_secure_room() -> None:
    from firmware.secure.errors import KeyCheckFailed, KeyFormat, PinFormat, SealBroken

    assert reason_of(KeyCheckFailed("MAK", "text")) == "bad_check"
    assert reason_of(KeyFormat("text")) == "bad_key"
    assert reason_of(PinFormat("text")) == "bad_length"
    assert reason_of(SealBroken("text")) == "bad_format"
    assert reason_of(Refused("bad_mac", "text", {})) == "bad_mac"
