"""What becomes of a broken promise: it is kept in a file, made smaller, and told.

The file is there before anything else is tried, and is written again with every smaller run: whoever ends it
early, or whatever fails, loses only what would have been smaller still.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.simulate.excerpt import excerpt
from tools.simulate.kept import keep

if TYPE_CHECKING:
    from tools.simulate.many import Summary
    from tools.simulate.options import Options
    from tools.simulate.world import Report

SHOWN_LINES = 30
"""Of a violation's trace; its file has more."""


def tell_violation(run: Summary, path: Path) -> None:
    """Say how to have the run again, keep it there, make it smaller, and say what is left."""
    found = _Violation(run, path)
    is_told = True
    try:
        found.tell_command()
        found.keep_first()
        is_told = found.make_smaller()
    except KeyboardInterrupt:
        found.keep_first()
        _say("interrupted: this is the smallest so far")
    if is_told:
        found.tell()


class _Violation:
    """A broken run, and the smallest that is known to be broken alike: in the file as here."""

    def __init__(self, run: Summary, path: Path) -> None:
        self.options: Options = run.options
        self._path = path
        self._told = run.told
        self._findings: list[str] = run.told["findings"]
        self._report: Report | None = None
        self._is_kept = False

    def keep_first(self) -> None:
        """Keep the run as it was found, if none is kept yet."""
        if not self._is_kept:
            self._keep(self._told)

    def make_smaller(self) -> bool:
        """Run it once more, for its trace, and then smaller and smaller; False if it is not broken again."""
        from tools.simulate.shrink import shrunk
        from tools.simulate.world import run

        report = run(self.options)
        if report.ok:
            _say(f"BROKEN {self._findings[0]}, but not again: {self.options.command}")
            return False
        self._take(report)
        _say("making it smaller (Ctrl-C leaves it as small as it is then) ...")
        shrunk(report, tell=self._take_smaller, note=_say)
        return True

    def tell(self) -> None:
        """What was broken, the part of the trace that shows why, and how to have it again."""
        for finding in self._findings:
            _say(f"BROKEN {finding}")
        if self._report is not None:
            _say("\n".join(excerpt(self._report.trace.story, self._findings, SHOWN_LINES)))
        self.tell_command()
        if self._is_kept:
            _say(f"step by step: posterm simulate --replay {shlex.quote(str(self._path))} --step")

    def tell_command(self) -> None:
        """What runs the smallest so far again."""
        _say(f"again: {self.options.command}")

    def _take_smaller(self, report: Report) -> None:
        self._take(report)
        _say(f"  still broken: {report.options.command}")

    def _take(self, report: Report) -> None:
        self._report = report
        self.options, self._findings = report.options, [str(finding) for finding in report.findings]
        self._keep(report.to_json(), report.trace.kept)

    def _keep(self, told: Mapping[str, Any], trace: Iterable[str] = ()) -> None:
        try:
            keep(self._path, told, trace)
        except OSError as error:
            _say(f"{self._path}: it cannot be written: {error.strerror}")
            return
        if not self._is_kept:
            _say(f"kept in {self._path}")
        self._is_kept = True


def _say(text: str) -> None:
    print(text, file=sys.stderr)
