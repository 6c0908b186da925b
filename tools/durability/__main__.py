"""`python -m tools.durability`: the whole proof, with a progress bar; `make durability`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from rich.progress import Progress

from tools.durability.day import AS_IT_IS, BANK, TERMINAL
from tools.durability.recording import Operation, RecordingError
from tools.durability.verdict import Verdict, judge, recorded_day

_WEAKER = ("OFF", "NORMAL", "FULL")
_EXAMPLES = """\
examples:
  python -m tools.durability                             forty payments, every power cut
  python -m tools.durability --payments 4 --json         a short day, for a program
  python -m tools.durability --synchronous NORMAL        see that too little is noticed: ends with 1

exit codes: 0 nothing was lost, 1 something was, 2 it cannot be recorded here
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Record a day, cut the power everywhere, and say what was lost."""
    parser = argparse.ArgumentParser(
        prog="make durability",
        description="cut the power after every call that a day of terminal and bank makes to the disk",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--payments", type=int, default=40, metavar="N", help="how long a day; default: 40")
    parser.add_argument("--synchronous", choices=_WEAKER, help="weaken SQLite to this level first")
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args(arguments)
    if chosen.payments < 1:
        parser.error("--payments: a day has one payment at least")
    try:
        day = recorded_day(chosen.payments, chosen.synchronous or AS_IT_IS)
    except RecordingError as error:
        print(f"durability: {error}", file=sys.stderr)
        return 2
    verdicts = [_judged(day, name, quiet=chosen.json) for name in (TERMINAL, BANK)]
    if chosen.json:
        json.dump([asdict(one) | {"ok": one.ok} for one in verdicts], sys.stdout, indent=2)
        print()
    return 0 if all(one.ok for one in verdicts) else 1


def _judged(day: Sequence[Operation], name: str, *, quiet: bool) -> Verdict:
    with Progress(transient=True, disable=quiet) as bar:
        task = bar.add_task(name, total=len(day))
        verdict = judge(day, name, progress=lambda done: bar.update(task, completed=done))
    if not quiet:
        found = "nothing was lost" if verdict.ok else f"LOST in {verdict.lost}"
        print(
            f"{name}: {verdict.commits} commits, {verdict.cuts} power cuts, "
            f"{verdict.images} different disks: {found}"
        )
        for loss in verdict.losses:
            print(f"  {loss}")
    return verdict


if __name__ == "__main__":
    sys.exit(main())
