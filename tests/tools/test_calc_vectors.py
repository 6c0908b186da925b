"""Every published case of the topics that the calculator holds completely, and a file's way through it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tools.calc.case_file import Case, compute, differences, read_cases

VECTORS = Path(__file__).parents[1] / "vectors"
TOPICS = (
    *("crc", "dukpt_tdes", "dukpt_aes", "pin_block", "pin_verification", "card_verification", "mac", "kcv"),
    *("unionpay_keys", "sm4", "tr31", "emv_keys", "emv_cryptogram", "emv_bits", "ber_tlv", "iso8583"),
    *("emv_qr", "magstripe", "luhn", "serial_framing", "apdu"),
)
CASES = [pytest.param(case, id=case.id) for topic in TOPICS for case in read_cases(VECTORS / f"{topic}.json")]


@pytest.mark.parametrize("case", CASES)
def test_case(case: Case) -> None:
    outcome = compute(case)
    assert differences(case, outcome) == [], outcome
    line = json.loads(outcome.as_line())
    assert line["id"] == case.id
    assert line.get("reason") == case.expected.get("reject")
    if "reject" in case.expected:
        assert line["error"].startswith(case.expected["reject"] + ": ")
        assert len(line["error"]) > len(case.expected["reject"]) + 10  # a sentence, not only the word
    else:
        assert line["result"]


@pytest.mark.parametrize("case", CASES)
def test_no_secret_in_the_reason_of_a_refusal(case: Case) -> None:
    outcome = compute(case)
    secrets = [
        value
        for name, value in case.inputs.items()
        if name in {"key", "kbpk", "bdk", "imk", "tmk", "pvk", "mak", "pin", "pan", "key_block", "block"}
        and isinstance(value, str)
        and len(value) > 3
    ]
    assert not [value for value in secrets if value in outcome.text]


def test_enough_cases_were_found() -> None:
    assert len(CASES) >= 1200
    assert sum("reject" in case.values[0].expected for case in CASES) >= 200  # type: ignore[union-attr]


@pytest.mark.parametrize("topic", TOPICS)
def test_computing_does_not_look_at_what_is_expected(topic: str) -> None:
    for case in read_cases(VECTORS / f"{topic}.json"):
        blind = Case(case.id, case.kind, case.inputs, {}, case.tables)
        assert compute(blind) == compute(case)


def changed(expected: dict[str, Any]) -> dict[str, Any]:
    """What is expected, with its first value made wrong."""
    name, value = next(iter(expected.items()))
    return {**expected, name: "wrong" if isinstance(value, str) else [value]}


@pytest.mark.parametrize("case", CASES)
def test_a_wrong_expectation_is_noticed(case: Case) -> None:
    wrong = Case(case.id, case.kind, case.inputs, changed(dict(case.expected)), case.tables)
    assert differences(wrong, compute(case)) == [next(iter(case.expected))]
