"""`posterm simulate`: shops in a seed, with faults, and everything that must be true looked at."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.simulate import matrix_command
from tools.simulate.modes import Mode, mode_of

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse has no public name

EXAMPLES = """examples:
  posterm simulate --seed 7                                 two tills, 100 transactions, every fault class
  posterm simulate --runs 50 --transactions 40 --jobs 4     fifty seeds, four at once
  posterm simulate --total 1000000 --jobs 4                 as many seeds as a million transactions take
  posterm simulate --seed 7 --faults power,storage          these two classes only
  posterm simulate --replay violation.json --step           the same again, moment by moment
  posterm simulate --replay violation.json --step --from 95   the same, from that second on
  posterm simulate --matrix --jobs 4                        every point of every type, and every fault there
  posterm simulate --matrix --only refund,settlement        the same of these two
  posterm simulate --matrix --cell "sign_in/bank request/1/lost" --step

Each fault class is off in half of the seeds. The same seed and options give the same run, to the last byte:
the digest says so. A violation ends everything, prints the smallest run found that still shows it, and is
kept in a file. --jobs changes nothing but the time: runs are told in the order of their seeds.
"""


DEFAULTS: Mapping[str, Any] = {
    "seed": 1,
    "runs": 1,
    "total": None,
    "jobs": 1,
    "transactions": 100,
    "terminals": 2,
    "faults": "all",
    "all_on": False,
    "without": "",
    "hours": 0.0,
    "hits": None,
    "keep": Path("violation.json"),
    "json": False,
    "replay": None,
    "step": False,
    "from": 0.0,
    "language": "en",
    "matrix": False,
    "only": "all",
    "cell": None,
    "write": None,
}
"""What is not on the command line is not in what argparse gives: so it is known what was asked for."""


def register(subparsers: Subparsers) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "simulate",
        help="many tills, people and faults, in one seed",
        description="Simulate shops with the real firmware, link and bank; look for broken promises.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    _add_runs(parser)
    _add_replay(parser.add_argument_group("a violation again"))
    matrix_command.add_arguments(parser)
    parser.set_defaults(run=run)


def _add_runs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, help=f"of the first run; {_default('seed')}")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--runs", type=_at_least_one, help=f"so many seeds; {_default('runs')}")
    length.add_argument(
        "--total", type=_at_least_one, metavar="N", help="seeds until N transactions were made, then the sum"
    )
    parser.add_argument("--jobs", type=_at_least_one, metavar="N", help=f"seeds at once; {_default('jobs')}")
    parser.add_argument("--transactions", type=_at_least_one, help=f"a run; {_default('transactions')}")
    parser.add_argument("--terminals", type=_terminals, help=_default("terminals"))
    parser.add_argument("--faults", metavar="LIST", help="all, none, or names with commas; default: all")
    parser.add_argument("--all-on", action="store_true", help="no fault class is off by the seed")
    parser.add_argument("--without", metavar="LIST", help="single strikes that do not come: bank:2-5,power:1")
    parser.add_argument("--hours", type=_hours, help="of virtual time at most; default: no end")
    parser.add_argument(
        "--hits", type=Path, metavar="FILE", help="write how often each rule was taken (JSON)"
    )
    parser.add_argument(
        "--keep", type=Path, metavar="FILE", help=f"where a violation is kept; {_default('keep')}"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a run; the sum of --total last")


def _add_replay(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--replay", type=Path, metavar="FILE", help="run again what a violation's file says")
    group.add_argument(
        "--step", action="store_true", help="with --replay, --cell: wait for ENTER at every moment"
    )
    group.add_argument(
        "--from", type=_seconds, metavar="SECONDS", help="show nothing before that moment of the run"
    )
    group.add_argument("--language", choices=("en", "zh"), help=f"of what is shown; {_default('language')}")


def _default(name: str) -> str:
    return f"default: {DEFAULTS[name]}"


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _terminals(text: str) -> int:
    from tools.simulate.options import TERMINALS_MAX

    number = _at_least_one(text)
    if number > TERMINALS_MAX:
        raise argparse.ArgumentTypeError(f"at most {TERMINALS_MAX}")
    return number


def _hours(text: str) -> float:
    from tools.simulate.options import HOURS_MAX, is_hours

    hours = float(text)
    if not (is_hours(hours) and hours > 0):
        raise argparse.ArgumentTypeError(f"more than 0, at most {HOURS_MAX:.0f}")
    return hours


def _seconds(text: str) -> float:
    seconds = float(text)
    if not (math.isfinite(seconds) and seconds >= 0):
        raise argparse.ArgumentTypeError("0 or more")
    return seconds


def run(given: argparse.Namespace) -> int:
    """Simulate; 0 when every promise was kept, 1 when one was broken, 2 for options that do not fit."""
    try:
        work = _work(given)
    except ValueError as error:
        print(f"posterm simulate: {error}", file=sys.stderr)
        return 2
    _tell_what_is_missing()
    return work()


def _work(given: argparse.Namespace) -> Callable[[], int]:
    """What is to be done, everything looked at before. Raises OSError, ValueError."""
    from tools.simulate import replay_command, seeds_command

    names = [f"--{name.replace('_', '-')}" for name in vars(given) if name in DEFAULTS]
    options = argparse.Namespace(**{**DEFAULTS, **vars(given)})
    match mode_of(names):
        case Mode.SEEDS:
            return seeds_command.ready(options)
        case Mode.REPLAY | Mode.REPLAY_JSON:
            return replay_command.ready(options)
        case Mode.MATRIX | Mode.CELL | Mode.CELL_STEP:
            return matrix_command.ready(options)


def _tell_what_is_missing() -> None:
    from tools.simulate.checkers import second_decoder

    if not second_decoder.is_there():
        print(f"posterm simulate: {second_decoder.MISSING}", file=sys.stderr)
