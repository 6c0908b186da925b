"""A smaller run that breaks the same promise: another seed, fewer tills, troubles, transactions, strikes.

First other seeds are asked, with one till and few transactions: what is broken often is broken soon, and a
run that was short from the start is smaller than one that was cut. Then parts are left out of the smallest
run, the largest first, as delta debugging does (Zeller and Hildebrandt, 2002, "Simplifying and Isolating
Failure-Inducing Input"), until no single one can be. Both are repeated until neither gives a smaller run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from math import ceil

from tools.simulate.options import Options, Strike, Trouble
from tools.simulate.world import Report, run

SEEDS = range(1, 41)
"""The seeds that are asked, for each number of transactions."""
RUN_LINES = 500
"""What it costs to build a world, told in lines of trace."""
WORK_LINES = 400_000
"""So many lines of trace all runs that are tried may have together, at the least. Work, not time: the same
report becomes the same small run on every machine."""
WORK_RUNS = 40
"""And so many times the run that was found."""
_SECONDS = 3600
_PARTS = 10_000
"""Of an hour, as the command line writes it."""
_TOO_MUCH = "stopped after {runs} runs, and there may be a smaller one than this: {size}"
_DONE = "after {runs} runs nothing can be left out any more: {size}"

Tell = Callable[[Report], object]


def shrunk(
    report: Report, *, tell: Tell = lambda _smaller: None, note: Callable[[str], object] = lambda _text: None
) -> Report:
    """The smallest run found that breaks the promise of the first finding of `report`.

    `tell` gets each smaller run on the way; `note` the end in words: whether nothing can be left out any
    more, or the work was too much (`WORK_LINES`, `WORK_RUNS`), and how small it is. The same report gives the
    same result. A run that keeps all promises is returned as it is.
    """
    if report.ok:
        return report
    search = _Search(report, tell)
    try:
        while search.asks_other_seeds() or search.leaves_out():
            pass
        end = _DONE
    except _TooMuch:
        end = _TOO_MUCH
    note(end.format(runs=search.runs, size=search.size))
    return search.smallest


class _TooMuch(Exception):
    """All the work that is allowed was done."""


class _Search:
    """`smallest`: the smallest run so far. Methods that try something say whether it became smaller."""

    def __init__(self, report: Report, tell: Tell) -> None:
        self.smallest = report
        self.runs = 0
        self._options = report.options.with_troubles(report.options.active)
        self._promise = report.findings[0].promise
        self._tell = tell
        self._tried = {self._options}
        self._work_left = WORK_LINES + WORK_RUNS * _work(report)

    @property
    def size(self) -> str:
        """The smallest in a few words."""
        return (
            f"transactions {self._options.transactions}, terminals {self._options.terminals}, "
            f"strikes {len(self._strikes())}, lines {self.smallest.trace.told}"
        )

    # --- other seeds --------------------------------------------------------------------------------

    def asks_other_seeds(self) -> bool:
        """One till, one transaction, two, four, eight, …, with the troubles of the smallest.

        The first number of transactions with which the promise is broken is the last that is tried. Half of
        the work that is left is for what comes after.
        """
        enough = self._work_left // 2
        for transactions in _doubled(self._options.transactions):
            is_smaller = False
            for seed in SEEDS:
                if self._work_left < enough:
                    return is_smaller
                options = Options(seed, transactions, 1).with_troubles(self._options.troubles)
                is_smaller |= self._is_broken(options, lines_below=self.smallest.trace.told)
            if is_smaller:
                return True
        return False

    # --- parts that are left out ----------------------------------------------------------------------

    def leaves_out(self) -> bool:
        """One part after the other, until no single one can be left out any more."""
        is_smaller = False
        while (
            self._without_tills()
            | self._without_transactions()
            | self._without_troubles()
            | self._without_strikes()
            | self._stops_earlier()
            | self._without_idle_words()
        ):
            is_smaller = True
        return is_smaller

    def _without_tills(self) -> bool:
        return any(
            self._is_broken(replace(self._options, terminals=terminals))
            for terminals in range(1, self._options.terminals)
        )

    def _without_transactions(self) -> bool:
        return self._least(
            self._options.transactions,
            lambda transactions: self._is_broken(replace(self._options, transactions=transactions)),
        )

    def _without_troubles(self) -> bool:
        """All of them, all but one, then without one after the other."""
        every = sorted(self._options.troubles, key=lambda one: one.value)
        fewer = [frozenset(), *(frozenset({one}) for one in every)]
        if any(self._is_broken(self._only(troubles)) for troubles in fewer):
            return True
        is_smaller = False
        for one in every:
            is_smaller |= self._is_broken(self._only(self._options.troubles - {one}))
        return is_smaller

    def _only(self, troubles: frozenset[Trouble]) -> Options:
        left_out = frozenset(strike for strike in self._options.left_out if strike[0] in troubles)
        return replace(self._options.with_troubles(troubles), left_out=left_out)

    def _without_strikes(self) -> bool:
        """Without all of them, a half, a quarter, … at last without each one."""
        is_smaller, size = False, len(self._strikes())
        while size:
            start = 0
            while part := self._strikes()[start : start + size]:
                if self._is_broken(replace(self._options, left_out=self._options.left_out | set(part))):
                    is_smaller = True
                else:
                    start += size
            size //= 2
        return is_smaller

    def _strikes(self) -> list[Strike]:
        """Those that came, in the order of their classes."""
        struck, names = self.smallest.struck, sorted(self._options.troubles, key=lambda one: one.value)
        every = [(name, number + 1) for name in names for number in range(struck[name.value])]
        return [strike for strike in every if strike not in self._options.left_out]

    def _stops_earlier(self) -> bool:
        """The shop closes before its last customers have done what they wanted, if that makes less happen."""
        return self._least(
            self.smallest.traded_ms // 1000,
            lambda seconds: self._is_broken(
                replace(self._options, hours=ceil(seconds * _PARTS / _SECONDS) / _PARTS),
                lines_below=self.smallest.trace.told,
            ),
        )

    def _without_idle_words(self) -> bool:
        """Without what changes nothing: a stop that never comes, strikes that would come after the end."""
        struck = self.smallest.struck
        came = {
            (trouble, number) for trouble, number in self._options.left_out if number <= struck[trouble.value]
        }
        plain = replace(self._options, left_out=frozenset(came))
        lines_below = self.smallest.trace.told + 1
        without_stop = bool(plain.hours) and self._is_broken(
            replace(plain, hours=0.0), lines_below=lines_below
        )
        return without_stop or self._is_broken(plain, lines_below=lines_below)

    @staticmethod
    def _least(most: int, is_enough: Callable[[int], bool]) -> bool:
        """The least number that is enough: doubled from 1, for little is soon tried, then halved between two.

        Whether one below `most` is.
        """
        too_few, enough = 0, most
        while (number := min(2 * too_few or 1, enough)) < enough:
            if is_enough(number):
                enough = number
            else:
                too_few = number
        while enough - too_few > 1:
            number = (too_few + enough) // 2
            if is_enough(number):
                enough = number
            else:
                too_few = number
        return enough < most

    # --- one run ----------------------------------------------------------------------------------------

    def _is_broken(self, options: Options, *, lines_below: int | None = None) -> bool:
        """Whether it breaks the same promise, with less to tell than `lines_below`: then it is the smallest.

        Raises _TooMuch.
        """
        if options in self._tried:
            return False
        if self._work_left <= 0:
            raise _TooMuch
        self._tried.add(options)
        found = run(options)
        self.runs += 1
        self._work_left -= _work(found)
        if all(finding.promise != self._promise for finding in found.findings):
            return False
        if lines_below is not None and found.trace.told >= lines_below:
            return False
        self.smallest, self._options = found, options
        self._tell(found)
        return True


def _work(report: Report) -> int:
    return RUN_LINES + report.trace.lines


def _doubled(most: int) -> Iterator[int]:
    """1, 2, 4, 8 … as far as `most`, and that."""
    number = 1
    while number < most:
        yield number
        number *= 2
    yield most
