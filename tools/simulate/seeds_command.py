"""`posterm simulate` without --replay and --matrix: seed after seed, told one by one, then their sum."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.simulate.written import must_be_writable, write

if TYPE_CHECKING:
    from tools.simulate.many import Summary, Tally
    from tools.simulate.options import Options

EXIT_BROKEN, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130


def ready(options: argparse.Namespace) -> Callable[[], int]:
    """What runs the seeds: 0 when every promise was kept, 1 when one was broken. Raises ValueError."""
    must_be_writable("--hits", options.hits)
    must_be_writable("--keep", options.keep)
    if options.hits is not None and options.hits.resolve() == options.keep.resolve():
        raise ValueError("--hits and --keep name the same file")
    first = _first(options)
    return lambda: _told(_run_all(first, options), options)


def _first(options: argparse.Namespace) -> Options:
    from tools.simulate.options import Options, strikes_named, troubles_named

    return Options(
        options.seed,
        options.transactions,
        options.terminals,
        troubles_named(options.faults),
        options.hours,
        options.all_on,
        strikes_named(options.without),
    )


@dataclass
class _Course:
    """How far the seeds have come, and how it ended."""

    tally: Tally
    last: Summary | None = None
    seconds: float = 0.0
    is_interrupted: bool = False


def _run_all(first: Options, options: argparse.Namespace) -> _Course:
    """Run and tell seed after seed, to the end, to the first finding, or to Ctrl-C."""
    from tools.simulate.many import Tally

    course, began_s = _Course(Tally()), time.monotonic()
    try:
        _run_each(first, options, course)
    except KeyboardInterrupt:
        course.is_interrupted = True
    except OSError:  # nobody reads the lines: a violation is told and kept all the same
        if course.last is None or course.last.ok:
            raise
    course.seconds = time.monotonic() - began_s
    return course


def _run_each(first: Options, options: argparse.Namespace, course: _Course) -> None:
    from tools.simulate.many import simulated
    from tools.simulate.progress import Bar

    seeds = range(first.seed, first.seed + options.runs) if options.total is None else count(first.seed)
    runs = (replace(first, seed=seed) for seed in seeds)
    tally = course.tally
    goal = options.runs * first.transactions if options.total is None else options.total
    with (
        Bar(goal, "transactions") as bar,
        closing(
            simulated(runs, options.jobs, begun=lambda begun: bar.show(tally.transactions + begun))
        ) as summaries,
    ):
        for summary in summaries:
            course.last = summary
            tally.add(summary)
            print(json.dumps(summary.told) if options.json else _line(summary.told), flush=True)
            bar.show(tally.transactions)
            if not summary.ok or (options.total is not None and tally.transactions >= options.total):
                break


def _told(course: _Course, options: argparse.Namespace) -> int:
    """Say what came of it. A broken promise comes first, so that nothing which fails after it hides it."""
    if course.last is not None and not course.last.ok:
        from tools.simulate.violation import tell_violation

        tell_violation(course.last, options.keep)
        code = EXIT_BROKEN
    else:
        _tell_sum(course, options)
        code = EXIT_INTERRUPTED if course.is_interrupted else 0
    if options.hits is None or not course.tally.seeds:
        return code
    try:
        _write_hits(course.tally, options.hits)
    except OSError as error:
        print(f"posterm simulate: --hits {options.hits}: {error.strerror}", file=sys.stderr)
        return code or EXIT_USAGE
    return code


def _tell_sum(course: _Course, options: argparse.Namespace) -> None:
    tally = course.tally
    if options.json and options.total is not None:
        print(json.dumps({"total": {**tally.to_json(), "seconds": round(course.seconds, 1)}}))
    elif not options.json and (tally.seeds > 1 or (tally.seeds and course.is_interrupted)):
        print(f"{'interrupted; so far ' if course.is_interrupted else ''}{_sum(tally, course.seconds)}")
        print(f"rules taken: {_rules_taken(tally)}")


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


def _write_hits(tally: Tally, path: Path) -> None:
    total = {" ".join(hit): count for hit, count in sorted(tally.hits.items())}
    write(path, json.dumps(total, indent=1) + "\n")
