"""`python -m tools.mutate`: spoil the state tables, and see whether tests notice; `make mutate`."""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.progress import Progress

from tools.mutate.mutants import MACHINES, Kind, Mutant, mutants_of
from tools.mutate.trial import (
    SUITE,
    Fate,
    Taken,
    TrialError,
    Verdict,
    by_rule,
    taken_by_the_suite,
    try_mutant,
)

EXAMPLES = """\
examples:
  python -m tools.mutate                                 every rule of all tables: half an hour
  python -m tools.mutate --count 60 --seed 1             a sample, the same one each time
  python -m tools.mutate --machine settlement --json     one table, for a program
  python -m tools.mutate --only "transaction/12/drop record/note_amount"

First the suite runs once, to see which test takes which rule; --taken FILE keeps that for the next time.

exit codes: 0 the score is as high as --least asks, 1 it is lower, 2 wrong usage, or the suite fails by itself
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Try the mutants, and tell the score."""
    parser = argparse.ArgumentParser(
        prog="make mutate",
        description="spoil rules of the state tables one by one, and see whether tests notice",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--count", type=int, metavar="N", help="a sample of so many mutants; default: all")
    add("--seed", type=int, default=1, metavar="S", help="which sample; default: %(default)s")
    add("--machine", choices=MACHINES, action="append", help="default: all of them")
    add("--kind", choices=[kind.value for kind in Kind], action="append", help="default: all of them")
    add("--only", metavar="MUTANT", action="append", help="as a report names it")
    add("--taken", type=Path, metavar="FILE", help="which test takes which rule; made when it is missing")
    add("--suite", metavar="PATH", nargs="+", default=SUITE, help="its tests; default: %(default)s")
    add("--tests", type=int, default=60, metavar="N", help="tests a mutant, at most; default: %(default)s")
    add("--workers", type=int, default=2, metavar="N", help="at the same time; default: %(default)s")
    add("--least", type=float, default=95.0, metavar="PERCENT", help="default: %(default)s")
    add("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args(arguments)
    if min(1 if chosen.count is None else chosen.count, chosen.tests, chosen.workers) < 1:
        parser.error("--count, --tests and --workers: at least 1")
    try:
        mutants = _chosen(chosen)
        taken = _taken(chosen.taken, chosen.suite, chosen.workers)
        verdicts = sorted(_try_all(mutants, taken, chosen), key=lambda one: str(one.mutant))
    except (TrialError, ValueError, OSError) as error:
        print(f"mutate: {error}", file=sys.stderr)
        return 2
    score = 100 * sum(one.is_caught for one in verdicts) / len(verdicts)
    print(json.dumps(_document(verdicts, score), indent=1) if chosen.json else _table(verdicts, score))
    return 0 if score >= chosen.least else 1


def _chosen(chosen: argparse.Namespace) -> list[Mutant]:
    if chosen.only:
        return [Mutant.parse(text) for text in chosen.only]
    kinds = {Kind(name) for name in chosen.kind} if chosen.kind else set(Kind)
    machines = chosen.machine or MACHINES
    mutants = [one for name in machines for one in mutants_of(name) if one.kind in kinds]
    if not mutants:
        raise ValueError("no rule of these tables has anything of that kind: choose another --kind")
    count = min(chosen.count or len(mutants), len(mutants))
    return random.Random(f"mutants {chosen.seed}").sample(mutants, count)


def _taken(file: Path | None, suite: Sequence[str], workers: int) -> Taken:
    if file is not None and file.exists():
        return by_rule(json.loads(file.read_text("utf-8")))
    print("running the suite once, to see which test takes which rule ...", file=sys.stderr, flush=True)
    tests = taken_by_the_suite(suite, workers)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(tests, indent=0) + "\n", encoding="utf-8")
    return by_rule(tests)


def _try_all(mutants: Sequence[Mutant], taken: Taken, chosen: argparse.Namespace) -> Iterator[Verdict]:
    with (
        Progress(transient=True, disable=chosen.json) as bar,
        ThreadPoolExecutor(chosen.workers) as pool,
    ):
        task = bar.add_task("mutants", total=len(mutants))
        for verdict in pool.map(lambda one: try_mutant(one, taken, chosen.tests), mutants):
            bar.advance(task)
            if not verdict.is_caught:
                print(f"{verdict.fate.value}: {verdict.mutant.text()}", file=sys.stderr, flush=True)
            yield verdict


def _document(verdicts: Sequence[Verdict], score: float) -> dict[str, object]:
    return {
        "score_percent": round(score, 1),
        "mutants": [
            {"mutant": str(one.mutant), "text": one.mutant.text(), "fate": one.fate.value, "by": one.by}
            for one in verdicts
        ],
    }


def _table(verdicts: Sequence[Verdict], score: float) -> str:
    """Fates by table and kind, what survived, and the score."""
    counts = Counter((one.mutant.machine, one.mutant.kind, one.fate) for one in verdicts)
    lines = [f"{'':<12}{'':<13}" + "".join(f"{fate.value:>13}" for fate in Fate)]
    for machine, kind in sorted({(m, k) for m, k, _ in counts}, key=lambda pair: (pair[0], pair[1].value)):
        row = "".join(f"{counts[machine, kind, fate] or '':>13}" for fate in Fate)
        lines.append(f"{machine:<12}{kind.value:<13}{row}")
    lines += [
        f"{one.fate.value} ({one.by}): {one.mutant.text()}\n    {one.mutant}"
        for one in verdicts
        if not one.is_caught
    ]
    lines.append(f"{sum(one.is_caught for one in verdicts)} of {len(verdicts)} caught: {score:.1f} %")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
