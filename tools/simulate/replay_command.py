"""`posterm simulate --replay FILE`: the run again, shown or as JSON, and what became of it this time."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tools.program import described
from tools.simulate.kept import Kept, read

if TYPE_CHECKING:
    from tools.simulate.world import Report, World
    from tools.texts import Words

_DIGITS_SHOWN = 16


def ready(options: argparse.Namespace) -> Callable[[], int]:
    """What replays the file. Raises OSError, and ValueError for a file that is none."""
    path: Path = options.replay
    kept = read(path)
    return (lambda: _as_json(kept)) if options.json else (lambda: _watched(kept, options))


class _Mark:
    """The digest of a run where that of a file ended: a run that breaks nothing goes on from there."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept
        self.is_reached = False

    def watch(self, world: World) -> None:
        """Look at a moment of the run."""
        if world.trace.lines == self._kept.trace_lines:
            self.is_reached = world.trace.digest == self._kept.digest

    def is_same(self, report: Report) -> bool:
        """Whether it is the same run, as far as that of the file goes."""
        return self.is_reached or report.digest == self._kept.digest


def _as_json(kept: Kept) -> int:
    """The report as that of a run, and beside it what the file says."""
    from tools.simulate.progress import Bar
    from tools.simulate.world import World

    mark = _Mark(kept)
    with Bar(kept.options.transactions, "transactions") as bar:

        def watch(world: World) -> None:
            mark.watch(world)
            bar.show(sum(people.begun for people in world.people))

        report = World(kept.options, watch=watch).run()
    file = {
        "findings": list(kept.findings),
        "digest": kept.digest,
        "program": kept.program,
        "same_run": mark.is_same(report) if kept.digest else None,
    }
    print(json.dumps({**report.to_json(), "file": file}))
    return 0 if report.ok else 1


def _watched(kept: Kept, options: argparse.Namespace) -> int:
    from tools.simulate.replay import Left
    from tools.texts import Words

    words = Words(options.language)
    try:
        report, mark = replay(kept, words, step=options.step, from_s=getattr(options, "from"))
    except Left as left:
        return left.told(words)
    for line in verdict(report, kept, mark.is_same(report), words):
        print(line)
    return 0 if report.ok else 1


def replay(kept: Kept, words: Words, *, step: bool = False, from_s: float = 0.0) -> tuple[Report, _Mark]:
    """Run it again and show it from there; with `step`, wait after each moment. Raises Left."""
    from tools.simulate.replay import on_screen
    from tools.simulate.world import World

    shown, mark = on_screen(words, step=step, from_s=from_s), _Mark(kept)

    def watch(world: World) -> None:
        mark.watch(world)
        shown.watch(world)

    world = World(kept.options, watch=watch)
    shown.listen(world)
    report = world.run()
    if not shown.moments:
        print(words("replay.nothing_shown", seconds=f"{world.now_ms / 1000:.3f}"))
    return report, mark


def verdict(report: Report, kept: Kept, is_same_run: bool, words: Words) -> Iterator[str]:
    """What became of the run this time, against what its file says; a sentence each."""
    findings = [str(finding) for finding in report.findings]
    for finding in findings:
        yield words("replay.broken_again" if finding in kept.findings else "replay.broken", finding=finding)
    if not findings:
        yield words("replay.kept")
    for finding in kept.findings:
        if finding not in findings:
            yield words("replay.file_had", finding=finding)
    now, then = report.digest[:_DIGITS_SHOWN], kept.digest[:_DIGITS_SHOWN]
    if not kept.digest:
        yield words("replay.no_digest", digest=now)
    elif now == then:
        yield words("replay.same_run", digest=then)
    elif is_same_run:
        yield words("replay.same_until", digest=then)
    else:
        yield words("replay.other_run", now=now, then=then)
        yield words("replay.programs", now=described(), then=kept.program or "?")
