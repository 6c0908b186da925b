"""`python -m tools.durability`: the whole proof, with a progress bar; `make durability`."""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

from rich.progress import Progress

from tools.durability.damage import Day, traded_day
from tools.durability.day import AS_IT_IS, BANK, DESPITE_FAILURES, TERMINAL
from tools.durability.recording import FailedSync, Operation, RecordingError
from tools.durability.rot import Rot, rot
from tools.durability.verdict import Verdict, judge, recorded_day

_SECTIONS = ("cuts", "rot", "syncs")
SYNC_PAYMENTS = 2
ROT_PAYMENTS_MAX = 12
"""Each page is damaged in turn, and each time the whole is read: it takes the square of a day's length."""

_WEAKER = ("OFF", "NORMAL", "FULL")
_EXAMPLES = """\
examples:
  python -m tools.durability                             forty payments, every power cut
  python -m tools.durability --payments 4 --json         a short day, for a program
  python -m tools.durability --synchronous NORMAL        see that too little is noticed: ends with 1
  python -m tools.durability --only rot                  damaged pages and logs; needs no strace
  python -m tools.durability --only syncs                each sync fails once, and the power is cut

exit codes: 0 nothing was lost, 1 something was, 2 it cannot be recorded here
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Record a day, cut the power everywhere, and say what was lost."""
    parser = argparse.ArgumentParser(
        prog="make durability",
        description="cut the power after every call that a day of terminal and bank makes to the disk, "
        "and damage their files everywhere",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--payments", type=int, default=40, metavar="N", help="how long a day; default: 40")
    parser.add_argument("--synchronous", choices=_WEAKER, help="weaken SQLite to this level first")
    parser.add_argument("--only", choices=_SECTIONS, help="one section of the proof; default: all")
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args(arguments)
    if chosen.payments < 1:
        parser.error("--payments: a day has one payment at least")
    found: dict[str, list[Verdict] | list[Rot]] = {}
    try:
        if chosen.only in (None, "cuts"):
            day = recorded_day(chosen.payments, chosen.synchronous or AS_IT_IS)
            found["cuts"] = [_judged(day, name, quiet=chosen.json) for name in (TERMINAL, BANK)]
        if chosen.only in (None, "rot"):
            files = traded_day(min(chosen.payments, ROT_PAYMENTS_MAX))
            found["rot"] = [_rotten(files, name, quiet=chosen.json) for name in (TERMINAL, BANK)]
        if chosen.only in (None, "syncs"):
            found["syncs"] = list(_with_failed_syncs(quiet=chosen.json))
    except RecordingError as error:
        print(f"durability: {error}", file=sys.stderr)
        return 2
    if chosen.json:
        told = {name: [asdict(one) | {"ok": one.ok} for one in all_of] for name, all_of in found.items()}
        json.dump(told, sys.stdout, indent=2)
        print()
    return 0 if all(one.ok for all_of in found.values() for one in all_of) else 1


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


def _with_failed_syncs(*, quiet: bool) -> Iterator[Verdict]:
    """A short day for each sync that can fail."""
    for number in itertools.count(1):
        day = recorded_day(SYNC_PAYMENTS, DESPITE_FAILURES, failing_sync=number)
        failed = [one.name for one in day if isinstance(one, FailedSync)]
        if not failed:
            return
        if not quiet:
            print(f"sync {number}, of {failed[0]}, fails:")
        yield from (
            _judged(day, name, quiet=quiet) for name in (TERMINAL, BANK) if failed[0].startswith(name)
        )


def _rotten(files: Day, name: str, *, quiet: bool) -> Rot:
    with Progress(transient=True, disable=quiet) as bar:
        task = bar.add_task(f"{name}, damaged", total=None)
        found = rot(files, name, progress=lambda done: bar.update(task, completed=done))
    if not quiet:
        print(f"{name}: damaged in {found.total.total()} ways: {_list(found.total)}")
        for loss in found.losses:
            print(f"  {loss}")
    return found


def _list(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in sorted(counts.items()))


if __name__ == "__main__":
    sys.exit(main())
