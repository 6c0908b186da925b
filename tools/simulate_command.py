"""`posterm simulate`: shops in a seed, with faults, and everything that must be true looked at."""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.simulate import matrix_command

if TYPE_CHECKING:
    from tools.simulate.many import Summary, Tally
    from tools.simulate.options import Options
    from tools.simulate.world import Report

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse has no public name

EXAMPLES = """examples:
  posterm simulate --seed 7                                 two tills, 100 transactions, every fault class
  posterm simulate --runs 50 --transactions 40 --jobs 4     fifty seeds, four at once
  posterm simulate --total 1000000 --jobs 4                 as many seeds as a million transactions take
  posterm simulate --seed 7 --faults power,storage          these two classes only
  posterm simulate --replay violation.json --step           the same again, moment by moment
  posterm simulate --matrix --jobs 4                        every point of every type, and every fault there
  posterm simulate --matrix --only refund,settlement        the same of these two
  posterm simulate --matrix --cell "sign_in/bank request/1/lost" --step

Each fault class is off in half of the seeds. The same seed and options give the same run, to the last byte:
the digest says so. A violation ends everything, prints the smallest run found that still shows it, and is
kept in a file. --jobs changes nothing but the time: runs are told in the order of their seeds.
"""


SHOWN_LINES = 30
"""Of a violation's trace; its file has more."""


def register(subparsers: Subparsers) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "simulate",
        help="many tills, people and faults, in one seed",
        description="Simulate shops with the real firmware, link and bank; look for broken promises.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, default=1, help="of the first run; default: %(default)s")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--runs", type=_at_least_one, default=1, help="so many seeds; default: %(default)s")
    length.add_argument(
        "--total", type=_at_least_one, metavar="N", help="seeds until N transactions were made, then the sum"
    )
    parser.add_argument(
        "--jobs", type=_at_least_one, default=1, metavar="N", help="seeds at once; default: %(default)s"
    )
    parser.add_argument("--transactions", type=_at_least_one, default=100, help="a run; default: %(default)s")
    parser.add_argument("--terminals", type=_at_least_one, default=2, help="default: %(default)s")
    parser.add_argument("--faults", default="all", metavar="LIST", help="all, none, or names with commas")
    parser.add_argument("--all-on", action="store_true", help="no fault class is off by the seed")
    parser.add_argument(
        "--without", default="", metavar="LIST", help="single strikes that do not come: bank:2-5,power:1"
    )
    parser.add_argument("--hours", type=_hours, default=0.0, help="of virtual time at most; default: no end")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="run again what a violation's file says")
    parser.add_argument(
        "--step", action="store_true", help="with --replay, --cell: wait for ENTER at every moment"
    )
    parser.add_argument(
        "--language", choices=("en", "zh"), default="en", help="of --replay; default: %(default)s"
    )
    parser.add_argument(
        "--hits", type=Path, metavar="FILE", help="write how often each rule was taken (JSON)"
    )
    parser.add_argument(
        "--keep", type=Path, default=Path("violation.json"), metavar="FILE", help="default: %(default)s"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a run; the sum of --total last")
    matrix_command.add_arguments(parser)
    parser.set_defaults(run=run)


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _hours(text: str) -> float:
    hours = float(text)
    if not (math.isfinite(hours) and hours > 0):
        raise argparse.ArgumentTypeError("more than 0")
    return hours


def run(options: argparse.Namespace) -> int:
    """Simulate; 0 when every promise was kept, 1 when one was broken, 2 for options that do not fit."""
    if options.matrix:
        return matrix_command.run(options)
    try:
        chosen = _chosen(options)
    except ValueError as error:
        print(f"posterm simulate: {error}", file=sys.stderr)
        return 2
    if options.replay is not None:
        from tools.simulate.replay import replay

        return _verdict(replay(chosen, step=options.step, language=options.language), options)
    _tell_what_is_missing()
    tally, last, seconds = _run_all(chosen, options)
    if options.hits is not None:
        _write_hits(tally, options.hits)
    if not last.ok:
        return _violation(last, options)
    if options.json and options.total is not None:
        print(json.dumps({"total": {**tally.to_json(), "seconds": round(seconds, 1)}}))
    elif tally.seeds > 1 and not options.json:
        print(_sum(tally, seconds))
        print(f"rules taken: {_rules_taken(tally)}")
    return 0


def _tell_what_is_missing() -> None:
    from tools.simulate.checkers import second_decoder

    if not second_decoder.is_there():
        print(f"posterm simulate: {second_decoder.MISSING}", file=sys.stderr)


def _chosen(options: argparse.Namespace) -> Options:
    from tools.simulate.options import Options, strikes_named, troubles_named
    from tools.simulate.replay import read_file

    matrix_command.look_for_folder("--hits", options.hits)
    matrix_command.look_for_folder("--keep", options.keep)
    if options.write is not None or options.only != "all" or options.cell is not None:
        raise ValueError("--only, --cell and --write go with --matrix")
    if options.replay is not None:
        if options.hits is not None:
            raise ValueError("--hits does not go with --replay")
        return read_file(options.replay)
    if options.step:
        raise ValueError("--step goes with --replay FILE")
    return Options(
        options.seed,
        options.transactions,
        options.terminals,
        troubles_named(options.faults),
        options.hours,
        options.all_on,
        strikes_named(options.without),
    )


def _run_all(first: Options, options: argparse.Namespace) -> tuple[Tally, Summary, float]:
    """Run and tell seed after seed, to the end or to the first finding: sum, last run, seconds."""
    from tools.simulate.many import Tally, simulated
    from tools.simulate.progress import Bar

    seeds = range(first.seed, first.seed + options.runs) if options.total is None else count(first.seed)
    runs = (replace(first, seed=seed) for seed in seeds)
    tally, began_s = Tally(), time.monotonic()
    goal = options.runs * first.transactions if options.total is None else options.total
    with (
        Bar(goal, "transactions") as bar,
        closing(
            simulated(runs, options.jobs, begun=lambda begun: bar.show(tally.transactions + begun))
        ) as summaries,
    ):
        for summary in summaries:
            tally.add(summary)
            print(json.dumps(summary.told) if options.json else _line(summary.told), flush=True)
            bar.show(tally.transactions)
            if not summary.ok or (options.total is not None and tally.transactions >= options.total):
                break
    return tally, summary, time.monotonic() - began_s


def _line(told: Mapping[str, Any]) -> str:
    verdict = "ok" if told["ok"] else f"BROKEN {told['findings'][0]}"
    took = f"{told['transactions']} transactions ({_list(told['outcomes'])}) in {told['virtual_s']} s"
    return (
        f"seed {told['options']['seed']}: {took}; faults: {_list(told['troubles'])}; "
        f"digest {told['digest'][:16]}; {verdict}"
    )


def _sum(tally: Tally, seconds: float) -> str:
    made = f"{tally.seeds} seeds, {tally.transactions} transactions ({_list(tally.outcomes)})"
    took = f"{tally.virtual_s} s, simulated in {seconds:.0f} s"
    return f"{made} in {took}; faults: {_list(tally.troubles)}; no promise broken"


def _rules_taken(tally: Tally) -> str:
    """How many of each table's rules."""
    from tools.diagram.choices import TERMINAL_MACHINES, table_of

    taken = Counter(machine for machine, *_ in tally.hits)
    return ", ".join(f"{name} {taken[name]} of {len(table_of(name).rules)}" for name in TERMINAL_MACHINES)


def _list(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items() if count) or "none"


def _violation(run: Summary, options: argparse.Namespace) -> int:
    """Make the run once more, for its trace; a seed that is not the same again is a mistake too."""
    from tools.simulate.world import run as simulate

    report = simulate(run.options)
    if report.ok:
        print(f"BROKEN {run.told['findings'][0]}, but not again: {run.options.command}", file=sys.stderr)
    return _verdict(report, options) or 1


def _verdict(report: Report, options: argparse.Namespace) -> int:
    """Say what was broken, and make it small enough to look at."""
    if report.ok:
        return 0
    from tools.simulate.excerpt import excerpt
    from tools.simulate.replay import write_file
    from tools.simulate.shrink import shrunk

    print("making it smaller ...", file=sys.stderr)
    smallest = shrunk(
        report,
        tell=lambda smaller: print(f"  still broken: {smaller.options.command}", file=sys.stderr),
        note=lambda text: print(text, file=sys.stderr),
    )
    for finding in smallest.findings:
        print(f"BROKEN {finding}", file=sys.stderr)
    shown = excerpt(smallest.trace.story, map(str, smallest.findings), SHOWN_LINES)
    print("\n".join(shown), file=sys.stderr)
    write_file(smallest, options.keep)
    print(
        f"again: {smallest.options.command}\nstep by step: posterm simulate --replay {options.keep} --step",
        file=sys.stderr,
    )
    return 1


def _write_hits(tally: Tally, path: Path) -> None:
    total = {" ".join(hit): count for hit, count in sorted(tally.hits.items())}
    path.write_text(json.dumps(total, indent=1) + "\n", encoding="utf-8")
