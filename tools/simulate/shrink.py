"""A smaller run that breaks the same promise: fewer tills, troubles, transactions, strikes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from tools.simulate.options import Options, Strike
from tools.simulate.world import Report, run

RUNS_MAX = 150
"""So many runs at the most: what is small by then is small enough to be looked at."""
_HOUR_MS = 3_600_000
_STOPS = (0.5, 0.75, 0.9, 0.97)


def shrunk(report: Report, *, tell: Callable[[str], None] = lambda _text: None) -> Report:
    """The smallest run found that breaks a promise of the same checker as the first finding of `report`.

    A step that still breaks it is kept, and the next is taken from there, until none does, or RUNS_MAX were
    tried. Which steps are tried depends on the report alone. A run that keeps all promises is returned as it
    is.
    """
    if report.ok:
        return report
    checker = report.findings[0].checker
    smallest, options = report, report.options.with_troubles(report.options.active)
    tried = {options}
    while (step := _next_step(smallest, options, checker, tried)) is not None:
        smallest = step
        options = step.options
        tell(options.command)
    return smallest


def _next_step(report: Report, options: Options, checker: str, tried: set[Options]) -> Report | None:
    """The first of the smaller runs, not tried yet, that breaks the same promise."""
    for smaller in _smaller(options, report):
        if smaller in tried:
            continue
        if len(tried) > RUNS_MAX:
            return None
        tried.add(smaller)
        found = run(smaller)
        if any(finding.checker == checker for finding in found.findings):
            return found
    return None


def _smaller(options: Options, report: Report) -> Iterator[Options]:
    """One step in every direction, the largest first. `report`: of a run with these options."""
    if options.terminals > 1:
        yield replace(options, terminals=1)
        yield replace(options, terminals=options.terminals - 1)
    for trouble in sorted(options.troubles, key=lambda one: one.value):
        left_out = frozenset(strike for strike in options.left_out if strike[0] is not trouble)
        yield replace(options.with_troubles(options.troubles - {trouble}), left_out=left_out)
    for percent in (25, 50, 75, 90):
        if (fewer := options.transactions * percent // 100) > 0:
            yield replace(options, transactions=fewer)
    yield from _without_strikes(options, _strikes(options, report))
    if options.transactions > 1:
        yield replace(options, transactions=options.transactions - 1)
    yield from _earlier(options, report.traded_ms)


def _earlier(options: Options, traded_ms: int) -> Iterator[Options]:
    """The shop closes before its last customers have done what they wanted."""
    for share in _STOPS:
        hours = round(traded_ms * share / _HOUR_MS, 4)  # as the command line writes it
        if 0 < hours < (options.hours or traded_ms / _HOUR_MS):
            yield replace(options, hours=hours)


def _strikes(options: Options, report: Report) -> list[Strike]:
    """Those that came, in the order of their classes."""
    active = sorted(options.active, key=lambda one: one.value)
    numbered = [(trouble, number + 1) for trouble in active for number in range(report.struck[trouble.value])]
    return [strike for strike in numbered if strike not in options.left_out]


def _without_strikes(options: Options, strikes: list[Strike]) -> Iterator[Options]:
    """Without a half of the strikes, a quarter, … at last without a single one."""
    size = len(strikes) // 2
    while size:
        for start in range(0, len(strikes), size):
            yield replace(options, left_out=options.left_out | set(strikes[start : start + size]))
        size //= 2
    if len(strikes) == 1:
        yield replace(options, left_out=options.left_out | set(strikes))
