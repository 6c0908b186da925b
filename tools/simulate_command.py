"""`posterm simulate`: shops in a seed, with faults, and everything that must be true looked at."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tools.simulate.options import Options
    from tools.simulate.world import Report

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse has no public name

EXAMPLES = """examples:
  posterm simulate --seed 7                                 two tills, 100 transactions, every fault class
  posterm simulate --seed 1 --runs 50 --transactions 40     fifty seeds, one after the other
  posterm simulate --seed 7 --faults power,storage          these two classes only
  posterm simulate --replay violation.json --step           the same again, moment by moment
  posterm simulate --matrix                                 every point of every type, and every fault there

Each fault class is off in half of the seeds. The same seed and options give the same run, to the last byte:
the digest says so. A violation prints the smallest run found that still shows it, and is kept in a file.
"""


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
    parser.add_argument("--runs", type=_at_least_one, default=1, help="so many seeds; default: %(default)s")
    parser.add_argument("--transactions", type=_at_least_one, default=100, help="a run; default: %(default)s")
    parser.add_argument("--terminals", type=_at_least_one, default=2, help="default: %(default)s")
    parser.add_argument("--faults", default="all", metavar="LIST", help="all, none, or names with commas")
    parser.add_argument("--all-on", action="store_true", help="no fault class is off by the seed")
    parser.add_argument("--hours", type=float, default=0.0, help="of virtual time at most; default: no end")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="run again what a violation's file says")
    parser.add_argument("--step", action="store_true", help="with --replay: wait for ENTER at every moment")
    parser.add_argument("--matrix", action="store_true", help="the crash matrix instead; prints its table")
    parser.add_argument(
        "--hits", type=Path, metavar="FILE", help="write how often each rule was taken (JSON)"
    )
    parser.add_argument(
        "--keep", type=Path, default=Path("violation.json"), metavar="FILE", help="default: %(default)s"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a run")
    parser.set_defaults(run=run)


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def run(options: argparse.Namespace) -> int:
    """Simulate; 0 when every promise was kept, 1 when one was broken, 2 for options that do not fit."""
    if options.matrix:
        return _matrix(as_json=options.json)
    try:
        chosen = _chosen(options)
    except (ValueError, OSError) as error:
        print(f"posterm simulate: {error}", file=sys.stderr)
        return 2
    if options.replay is not None:
        from tools.simulate.replay import replay

        return _verdict(replay(chosen, step=options.step), options)
    reports = _run_all(chosen, options.runs, as_json=options.json)
    return _conclude(list(reports), options)


def _chosen(options: argparse.Namespace) -> Options:
    from tools.simulate.options import Options, troubles_named
    from tools.simulate.replay import read_file

    if options.replay is not None:
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
    )


def _run_all(first: Options, runs: int, *, as_json: bool) -> Iterator[Report]:
    """Each seed's report, until one has a finding."""
    from dataclasses import replace

    from tools.simulate.world import run as simulate

    for number in range(runs):
        report = simulate(replace(first, seed=first.seed + number))
        print(json.dumps(report.to_json()) if as_json else _line(report), flush=True)
        yield report
        if not report.ok:
            return


def _line(report: Report) -> str:
    struck = ", ".join(f"{name} {count}" for name, count in report.struck.items() if count)
    ends = ", ".join(f"{count} {name}" for name, count in report.outcomes.items() if count)
    verdict = "ok" if report.ok else f"BROKEN {report.findings[0]}"
    took = f"{report.transactions} transactions ({ends}) in {report.virtual_ms // 1000} s"
    return (
        f"seed {report.options.seed}: {took}; faults: {struck or 'none'}; "
        f"digest {report.digest[:16]}; {verdict}"
    )


def _conclude(reports: list[Report], options: argparse.Namespace) -> int:
    if options.hits is not None:
        _write_hits(reports, options.hits)
    if reports[-1].ok:
        total = sum(report.transactions for report in reports)
        if len(reports) > 1 and not options.json:
            print(f"{len(reports)} seeds, {total} transactions, no promise broken")
        return 0
    return _verdict(reports[-1], options)


def _verdict(report: Report, options: argparse.Namespace) -> int:
    """Say what was broken, and make it small enough to look at."""
    if report.ok:
        return 0
    from tools.simulate.replay import write_file
    from tools.simulate.shrink import shrunk

    print("making it smaller ...", file=sys.stderr)
    smallest = shrunk(report, tell=lambda command: print(f"  still broken: {command}", file=sys.stderr))
    for finding in smallest.findings:
        print(f"BROKEN {finding}", file=sys.stderr)
    print("\n".join(list(smallest.trace.newest)[-30:]), file=sys.stderr)
    write_file(smallest, options.keep)
    print(
        f"again: {smallest.options.command}\nstep by step: posterm simulate --replay {options.keep} --step",
        file=sys.stderr,
    )
    return 1


def _write_hits(reports: list[Report], path: Path) -> None:
    total: dict[str, int] = {}
    for report in reports:
        for key, count in report.trace.hits.items():
            total[" ".join(key)] = total.get(" ".join(key), 0) + count
    path.write_text(json.dumps(dict(sorted(total.items())), indent=1) + "\n", encoding="utf-8")


def _matrix(*, as_json: bool) -> int:
    from tools.simulate.matrix import matrix

    table = matrix(tell=lambda text: print(text, file=sys.stderr, flush=True))
    print(json.dumps(table.to_json(), indent=1) if as_json else table.markdown())
    return 0 if table.ok else 1
