"""Case files: JSON in the schema of the test vectors (`tests/vectors/README.md`), computed and compared.

`compute` looks at a case's `kind` and `inputs` only. `differences` holds its outcome against `expected`.
"""

from __future__ import annotations

import functools
import importlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware.secure.errors import BadInput
from tools.calc.errors import CalculationErrors, Refused, reason_of
from tools.calc.inputs import Inputs

_MODULES = ("keys", "dukpt", "pins_and_cards", "emv", "chips", "formats")

# Vectors may give the leading bytes of these only, and the rightmost digits of a CVC3.
_LEADING = frozenset({"mac", "kcv", "session_key_kcv"})
_TRAILING = {"cvc3": "cvc3_whole"}


NOT_COMPUTED = "not_computed"
"""The reason word of a case of a kind that is not calculated: no test vector rejects with it."""


class CaseFileError(ValueError):
    """Not a case file. The text says what is wrong, and where."""


@dataclass(frozen=True, slots=True)
class Case:
    """One case. `tables`: what its file says beside the cases."""

    id: str
    kind: str
    inputs: Mapping[str, Any]
    expected: Mapping[str, Any]
    tables: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out: a result, or the reason why there is none and a sentence; sometimes both."""

    case_id: str
    result: Mapping[str, Any] | None = None
    reason: str = ""
    text: str = ""

    @property
    def is_computed(self) -> bool:
        """False when there is no calculation for cases of this kind, whatever is in them."""
        return self.reason != NOT_COMPUTED

    def as_line(self) -> str:
        """One line of JSON: `id`, and `result` or `error` (the reason word, then the sentence)."""
        line: dict[str, Any] = {"id": self.case_id}
        if self.result is not None:
            line["result"] = self.result
        if self.reason:
            line |= {"error": f"{self.reason}: {self.text}", "reason": self.reason}
        return json.dumps(line, ensure_ascii=False)


def read_cases(path: Path) -> list[Case]:
    """Read a case file. Raises CaseFileError; OSError when the file cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise CaseFileError(f"{path}: not UTF-8 text") from None
    return parse_cases(text, str(path))


def parse_cases(text: str, source: str) -> list[Case]:
    """Read the text of a case file; `source` is what errors call it. Raises CaseFileError."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise CaseFileError(f"{source}: no JSON: {error.msg}, line {error.lineno}") from None
    except RecursionError:
        raise CaseFileError(f"{source}: nested too deeply") from None
    if not isinstance(document, dict) or not isinstance(document.get("cases"), list):
        raise CaseFileError(f"{source}: a case file is an object with a list of cases in it")
    tables = document.get("specs", {})
    return [_case(source, place, entry, tables) for place, entry in enumerate(document["cases"], start=1)]


def compute(case: Case) -> Outcome:
    """Compute one case. What is wrong with its inputs is an outcome, not an exception."""
    try:
        return Outcome(case.id, _handler(case.kind)(Inputs(case.inputs, case.tables)))
    except Refused as error:
        return Outcome(case.id, error.result, error.reason, str(error))
    except CalculationErrors as error:
        return Outcome(case.id, None, reason_of(error), str(error))


def differences(case: Case, outcome: Outcome) -> list[str]:
    """The names in `expected` that the outcome does not give; empty when the case holds."""
    result = outcome.result or {}
    wrong = [
        name for name, value in case.expected.items() if name != "reject" and not _agrees(name, value, result)
    ]
    if case.expected.get("reject", "") != outcome.reason:
        wrong.append("reject")
    return wrong


def known_kinds() -> Iterator[str]:
    """All kinds of cases that can be computed."""
    yield from _handlers()


@functools.cache
def _handlers() -> Mapping[str, Callable[[Inputs], dict[str, Any]]]:
    kinds: dict[str, Callable[[Inputs], dict[str, Any]]] = {}
    for name in _MODULES:
        kinds |= importlib.import_module(f"tools.calc.cases.{name}").KINDS
    return kinds


def _handler(kind: str) -> Callable[[Inputs], dict[str, Any]]:
    handler = _handlers().get(kind)
    if handler is None:
        raise BadInput(NOT_COMPUTED, f"posterm calculates no cases of kind {kind} yet")
    return handler


def _agrees(name: str, expected: Any, result: Mapping[str, Any]) -> bool:
    if name not in result:
        return False
    value = result[name]
    if name in _LEADING and isinstance(expected, str):
        return bool(expected) and str(value).startswith(expected)
    if name in _TRAILING and isinstance(expected, str):
        return bool(expected) and str(result.get(_TRAILING[name], value)).endswith(expected)
    if isinstance(expected, dict) and isinstance(value, Mapping):
        return {key: value.get(key) for key in expected} == expected and _same_names(name, expected, value)
    return bool(value == expected)


def _same_names(name: str, expected: Mapping[str, Any], value: Mapping[str, Any]) -> bool:
    return name == "header" or expected.keys() == value.keys()


def _case(source: str, place: int, entry: object, tables: Mapping[str, Any]) -> Case:
    if not isinstance(entry, dict) or not isinstance(entry.get("inputs"), dict):
        raise CaseFileError(f"{source}: case {place} is no object with inputs")
    case_id, kind = entry.get("id"), entry.get("kind")
    if not isinstance(case_id, str) or not isinstance(kind, str):
        raise CaseFileError(f"{source}: case {place} has no id or no kind")
    expected = entry.get("expected", {})
    if not isinstance(expected, dict):
        raise CaseFileError(f"{source}: what case {place} expects is no object")
    return Case(case_id, kind, entry["inputs"], expected, tables if isinstance(tables, dict) else {})
