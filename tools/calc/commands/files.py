"""`posterm calc run` and `verify`: files of test vectors."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from firmware.secure.errors import BadInput
from tools.calc.answer import Answer
from tools.calc.case_file import Case, CaseFileError, compute, differences, parse_cases, read_cases
from tools.calc.command import Command, Group, Option
from tools.calc.inputs import Inputs

_FILE = Option("file", "a case file (tests/vectors/README.md)", "FILE.json", "file", positional=True)


def _cases(inputs: Inputs) -> list[Case]:
    name = inputs.text("file")
    try:
        return parse_cases(sys.stdin.read(), "standard input") if name == "-" else read_cases(Path(name))
    except CaseFileError as error:
        raise BadInput("bad_format", str(error)) from None


def _run(inputs: Inputs) -> Answer:
    return Answer({}, lines=[compute(case).as_line() for case in _cases(inputs)])


def _verify(inputs: Inputs) -> Answer:
    wrong: list[str] = []
    lines: list[str] = []
    kinds: Counter[str] = Counter()
    missing: Counter[str] = Counter()
    for case in _cases(inputs):
        kinds[case.kind] += 1
        outcome = compute(case)
        if not outcome.is_computed:
            missing[case.kind] += 1
        elif names := differences(case, outcome):
            wrong.append(case.id)
            got = f"; refused: {outcome.reason}: {outcome.text}" if outcome.reason else ""
            lines.append(f"{case.id} ({case.kind}): differs in {', '.join(names)}{got}")
    total, unknown = sum(kinds.values()), sum(missing.values())
    hold = total - len(wrong) - unknown
    lines += [
        f"{kind:24} {count}{' not computed: posterm has no such calculation yet' if kind in missing else ''}"
        for kind, count in kinds.items()
    ]
    lines.append(f"{hold} of {total} cases hold" + (f", {unknown} are not computed" if unknown else ""))
    result = {"cases": total, "hold": hold, "differ": wrong, "not_computed": unknown, "kinds": dict(kinds)}
    return Answer(result, lines=lines, status=1 if wrong or unknown else 0)


GROUPS = {
    "run": Group(
        "run",
        "Compute every case of a file, without looking at what it expects: one JSON line a case.",
        (Command("", "compute the cases of a file", "run tests/vectors/mac.json", (_FILE,), _run),),
    ),
    "verify": Group(
        "verify",
        "Compute every case of a file and compare; exit code 1 when any differs or cannot be computed.",
        (Command("", "compare the cases of a file", "verify tests/vectors/mac.json", (_FILE,), _verify),),
    ),
}
