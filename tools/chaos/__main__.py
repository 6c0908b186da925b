"""`python -m tools.chaos`: kill terminal, gateway and bank over and over, with a bar; `make chaos`."""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from tools.chaos.failing import ERRORS, NUMBER_MAX, FailingReport, run_failing
from tools.chaos.run import Report, run
from tools.durability.recording import why_not
from tools.simulate.checkers.finding import Finding

EXAMPLES = """\
examples:
  python -m tools.chaos                        1,000 kills, about a quarter of an hour
  python -m tools.chaos --kills 50 --json      a short run, for a program
  python -m tools.chaos --seed 7 --keep out/   the same kills as before; databases and logs are kept
  python -m tools.chaos --failing-calls        no kills: each call to the disk fails in turn; most of an hour
  python -m tools.chaos --failing-calls --call fdatasync --every 5

The seed says whom to kill when, what people do and what else goes wrong. Processes, disk and line are real:
the same seed asks for the same, and what comes of it may differ.

exit codes: 0 every promise was kept, 1 one was broken, 2 wrong usage, or no strace for failing calls
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, and say what came of it."""
    parser = argparse.ArgumentParser(
        prog="make chaos",
        description="kill terminal, gateway and bank as processes of their own while people pay",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--kills", type=int, default=1_000, metavar="N", help="default: %(default)s")
    parser.add_argument("--seed", type=int, metavar="S", help="default: a new one, which is printed")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="an empty folder for databases, paper, logs")
    parser.add_argument("--failing-calls", action="store_true", help="let each call to the disk fail in turn")
    parser.add_argument("--call", action="append", choices=ERRORS, help="only this call; may be repeated")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="one in so many; default: 1")
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args(arguments)
    if chosen.kills < 1 or chosen.every < 1:
        parser.error("--kills, --every: at least 1")
    if not chosen.failing_calls and (chosen.call or chosen.every != 1):
        parser.error("--call and --every go with --failing-calls")
    if chosen.failing_calls and (reason := why_not()):
        parser.error(f"--failing-calls: {reason}")
    seed = random.SystemRandom().randrange(10_000) if chosen.seed is None else chosen.seed
    if chosen.keep is None:
        with tempfile.TemporaryDirectory(prefix="posterm-chaos-") as folder:
            return _carry_out(chosen, Path(folder), seed)
    try:
        chosen.keep.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"--keep {chosen.keep}: {error.strerror}: name another folder")
    if any(chosen.keep.iterdir()):
        parser.error(f"--keep {chosen.keep}: it is not empty: name another folder")
    return _carry_out(chosen, chosen.keep.resolve(), seed)


def _carry_out(chosen: argparse.Namespace, folder: Path, seed: int) -> int:
    if chosen.failing_calls:
        calls = {call: errors for call, errors in ERRORS.items() if call in (chosen.call or ERRORS)}
        numbers = range(1, NUMBER_MAX, chosen.every)
        return _told_of_calls(_run_failing(folder, seed, calls, numbers, quiet=chosen.json), chosen.json)
    return _told(_run(folder, seed, chosen.kills, quiet=chosen.json), as_json=chosen.json)


def _run(folder: Path, seed: int, kills: int, *, quiet: bool) -> Report:
    print(f"seed {seed}", file=sys.stderr, flush=True)
    columns = (TextColumn("{task.completed} of {task.total} kills"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True, disable=quiet) as bar:
        task = bar.add_task("kills", total=kills)
        return run(folder, seed, kills, lambda done: bar.update(task, completed=done))


def _run_failing(
    folder: Path, seed: int, calls: Mapping[str, Sequence[str]], numbers: Sequence[int], *, quiet: bool
) -> FailingReport:
    print(f"seed {seed}", file=sys.stderr, flush=True)
    with Progress(TextColumn("{task.completed} calls failed"), transient=True, disable=quiet) as bar:
        task = bar.add_task("calls", total=None)
        return run_failing(
            folder, seed, calls=calls, numbers=numbers, tell=lambda done: bar.update(task, completed=done)
        )


def _told_of_calls(report: FailingReport, as_json: bool) -> int:
    if as_json:
        print(json.dumps(report.to_json(), indent=1))
        return 0 if report.ok else 1
    print(f"{report.strikes.total()} calls failed in {report.duration_s:.0f} s: {_list(report.strikes)}")
    print(f"the part {_list(report.outcomes)}; {report.transactions} transactions")
    return _verdict(report.findings)


def _verdict(findings: Sequence[Finding]) -> int:
    for finding in findings:
        print(f"BROKEN {finding}")
    if not findings:
        print("bank, journal and paper agree")
    return 1 if findings else 0


def _told(report: Report, *, as_json: bool) -> int:
    if as_json:
        print(json.dumps(report.to_json(), indent=1))
        return 0 if report.ok else 1
    kills = f"{report.kills.total()} kills ({_list(report.kills)})"
    print(f"seed {report.seed}: {kills} in {report.duration_s:.0f} s")
    print(f"disks full: {_list(report.full_disks)}; failing: {_list(report.failing_disks)}")
    print(f"refused to start on such a disk: {_list(report.refused_starts)}")
    print(f"clocks set back: {_list(report.clocks_back)}")
    print(f"the terminal was killed in: {_list(report.killed_in)}")
    print(f"{report.outcomes.total()} transactions: {_list(report.outcomes)}; {report.slips} slips")
    return _verdict(report.findings)


def _list(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} {count}" for name, count in ordered) or "none"


if __name__ == "__main__":
    sys.exit(main())
