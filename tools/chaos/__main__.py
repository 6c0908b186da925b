"""`python -m tools.chaos`: kill terminal, gateway and bank over and over, with a bar; `make chaos`."""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from tools.chaos.failing import ERRORS, NUMBER_MAX, FailingReport, run_failing
from tools.chaos.run import Report, run
from tools.durability.recording import why_not

EXAMPLES = """\
examples:
  python -m tools.chaos                        1,000 kills, about a quarter of an hour
  python -m tools.chaos --kills 50 --json      a short run, for a program
  python -m tools.chaos --seed 7 --keep out/   the same kills as before; databases and logs are kept anyway
  python -m tools.chaos --failing-calls        no kills: each call to the disk fails in turn; most of an hour
  python -m tools.chaos --failing-calls --call fdatasync --every 5

The seed says whom to kill when, what people do and what else goes wrong. Processes, disk and line are real:
the same seed asks for the same, and what comes of it may differ. So where a promise was broken databases,
paper and logs are kept, and it says where. Ctrl-C and SIGTERM end every part, and compare nothing.

exit codes: 0 every promise was kept, 1 one was broken, 2 wrong usage, or no strace for failing calls,
130 and 143 ended by Ctrl-C and by SIGTERM
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
    with _sigterm_as_ctrl_c():
        try:
            return _carried_out(chosen, _folder(chosen.keep, parser), seed)
        except KeyboardInterrupt as stop:  # once more, while everything was ended
            return _code_of(stop)


def _folder(keep: Path | None, parser: argparse.ArgumentParser) -> Path:
    """The empty folder in which everything happens."""
    if keep is None:
        return Path(tempfile.mkdtemp(prefix="posterm-chaos-"))
    try:
        keep.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"--keep {keep}: {error.strerror}: name another folder")
    if any(keep.iterdir()):
        parser.error(f"--keep {keep}: it is not empty: name another folder")
    return keep.resolve()


# --- stopped from outside ---------------------------------------------------------------------------------


class _Terminated(KeyboardInterrupt):
    """SIGTERM, which ends everything in the same order as Ctrl-C does."""


@contextlib.contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    def stop(_number: int, _frame: object) -> None:
        raise _Terminated

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _code_of(stop: KeyboardInterrupt) -> int:
    """The exit code of what a signal has ended, as shells have it."""
    return 128 + (signal.SIGTERM if isinstance(stop, _Terminated) else signal.SIGINT)


# --- a run ------------------------------------------------------------------------------------------------


def _carried_out(chosen: argparse.Namespace, folder: Path, seed: int) -> int:
    """Run, keep the folder if anything was found in it, and say what came of it."""
    report = FailingReport() if chosen.failing_calls else Report(seed)
    print(f"seed {seed}", file=sys.stderr, flush=True)
    code: int | None = None
    try:
        if isinstance(report, Report):
            _run(chosen, folder, report)
        else:
            _run_failing(chosen, folder, seed, report)
    except KeyboardInterrupt as stop:
        code = _code_of(stop)
        print("stopped before it was done", file=sys.stderr)
    is_kept = chosen.keep is not None or bool(report.findings)
    if not is_kept:
        shutil.rmtree(folder)
    if code is None or report.findings:
        _tell(report, folder if is_kept else None, as_json=chosen.json)
    return (0 if report.ok else 1) if code is None else code


def _run(chosen: argparse.Namespace, folder: Path, report: Report) -> None:
    columns = (TextColumn("{task.completed} of {task.total} kills"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=chosen.json) as bar:
        task = bar.add_task("kills", total=chosen.kills)
        run(folder, report.seed, chosen.kills, lambda done: bar.update(task, completed=done), report)


def _run_failing(chosen: argparse.Namespace, folder: Path, seed: int, report: FailingReport) -> None:
    calls = {call: errors for call, errors in ERRORS.items() if call in (chosen.call or ERRORS)}
    numbers = range(1, NUMBER_MAX, chosen.every)
    told = TextColumn("{task.completed} calls failed")
    with Progress(told, console=Console(stderr=True), transient=True, disable=chosen.json) as bar:
        task = bar.add_task("calls", total=None)

        def tell(done: int) -> None:
            bar.update(task, completed=done)

        run_failing(folder, seed, calls=calls, numbers=numbers, tell=tell, report=report)


# --- what came of it --------------------------------------------------------------------------------------


def _tell(report: Report | FailingReport, folder: Path | None, *, as_json: bool) -> None:
    """For a program or for people. `folder`: what is kept."""
    if as_json:
        print(json.dumps(report.to_json() | {"folder": folder and str(folder)}, indent=1))
        return
    if isinstance(report, Report):
        _tell_of_kills(report)
    else:
        print(f"{report.strikes.total()} calls failed in {report.duration_s:.0f} s: {_list(report.strikes)}")
        print(f"the part {_list(report.outcomes)}; {report.transactions} transactions")
    for finding in report.findings:
        print(f"BROKEN {finding}")
    if report.findings:
        print(f"databases, paper and logs are in {folder}")
    else:
        print(
            "bank, journal and paper agree"
            if report.ok
            else "BROKEN no such call was made: nothing was tried"
        )


def _tell_of_kills(report: Report) -> None:
    kills = f"{report.kills.total()} kills ({_list(report.kills)})"
    print(f"seed {report.seed}: {kills} in {report.duration_s:.0f} s")
    print(f"disks full: {_list(report.full_disks)}; failing: {_list(report.failing_disks)}")
    print(f"refused to start on such a disk: {_list(report.refused_starts)}")
    print(f"clocks set back: {_list(report.clocks_back)}")
    print(f"the terminal was killed in: {_list(report.killed_in)}")
    print(f"{report.outcomes.total()} transactions: {_list(report.outcomes)}; {report.slips} slips")


def _list(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} {count}" for name, count in ordered) or "none"


if __name__ == "__main__":
    sys.exit(main())
