"""A smaller run that breaks the same promise: fewer tills, fewer troubles, fewer transactions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from tools.simulate.options import Options
from tools.simulate.world import Report, run


def shrunk(report: Report, *, tell: Callable[[str], None] = lambda _text: None) -> Report:
    """The smallest run found that breaks a promise of the same checker as the first finding of `report`.

    Each step is tried once and kept if it still fails, until none of them does. A run that keeps all promises
    is returned as it is.
    """
    if report.ok:
        return report
    checker = report.findings[0].checker
    smallest, options = report, report.options.with_troubles(report.options.active)
    progress = True
    while progress:
        progress = False
        for smaller in _smaller(options):
            tried = run(smaller)
            if any(finding.checker == checker for finding in tried.findings):
                smallest, options, progress = tried, smaller, True
                tell(smaller.command)
                break
    return smallest


def _smaller(options: Options) -> Iterator[Options]:
    """One step in every direction, the largest first."""
    if options.terminals > 1:
        yield replace(options, terminals=1)
    for trouble in sorted(options.troubles, key=lambda one: one.value):
        yield options.with_troubles(options.troubles - {trouble})
    for share in (4, 2):
        if options.transactions >= share:
            yield replace(options, transactions=options.transactions // share)
    if options.transactions > 1:
        yield replace(options, transactions=options.transactions - 1)
