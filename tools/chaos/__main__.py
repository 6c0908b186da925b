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

from tools.chaos.run import Report, run

EXAMPLES = """\
examples:
  python -m tools.chaos                        1,000 kills, about a quarter of an hour
  python -m tools.chaos --kills 50 --json      a short run, for a program
  python -m tools.chaos --seed 7 --keep out/   the same kills as before; databases and logs are kept

The seed says whom to kill when, what people do and what else goes wrong. Processes, disk and line are real:
the same seed asks for the same, and what comes of it may differ.

exit codes: 0 every promise was kept, 1 one was broken, 2 wrong usage
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
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args(arguments)
    if chosen.kills < 1:
        parser.error("--kills: at least 1")
    seed = random.SystemRandom().randrange(10_000) if chosen.seed is None else chosen.seed
    if chosen.keep is None:
        with tempfile.TemporaryDirectory(prefix="posterm-chaos-") as folder:
            return _told(_run(Path(folder), seed, chosen.kills, quiet=chosen.json), as_json=chosen.json)
    try:
        chosen.keep.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"--keep {chosen.keep}: {error.strerror}: name another folder")
    if any(chosen.keep.iterdir()):
        parser.error(f"--keep {chosen.keep}: it is not empty: name another folder")
    return _told(_run(chosen.keep.resolve(), seed, chosen.kills, quiet=chosen.json), as_json=chosen.json)


def _run(folder: Path, seed: int, kills: int, *, quiet: bool) -> Report:
    print(f"seed {seed}", file=sys.stderr, flush=True)
    columns = (TextColumn("{task.completed} of {task.total} kills"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True, disable=quiet) as bar:
        task = bar.add_task("kills", total=kills)
        return run(folder, seed, kills, lambda done: bar.update(task, completed=done))


def _told(report: Report, *, as_json: bool) -> int:
    if as_json:
        print(json.dumps(report.to_json(), indent=1))
        return 0 if report.ok else 1
    kills = f"{report.kills.total()} kills ({_list(report.kills)})"
    print(f"seed {report.seed}: {kills} in {report.duration_s:.0f} s")
    print(f"disks full: {_list(report.full_disks)}; clocks set back: {_list(report.clocks_back)}")
    print(f"refused to start on a full disk: {_list(report.refused_starts)}")
    print(f"the terminal was killed in: {_list(report.killed_in)}")
    print(f"{report.outcomes.total()} transactions: {_list(report.outcomes)}; {report.slips} slips")
    for finding in report.findings:
        print(f"BROKEN {finding}")
    if report.ok:
        print("bank, journal and paper agree")
    return 0 if report.ok else 1


def _list(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} {count}" for name, count in ordered) or "none"


if __name__ == "__main__":
    sys.exit(main())
