"""A broken run is made small: whatever is left is needed, and a limit that ends the search is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from bank.ledger import HoldState, Ledger
from tools.simulate import shrink
from tools.simulate.checkers.finding import Finding
from tools.simulate.excerpt import excerpt
from tools.simulate.options import Options, Trouble
from tools.simulate.shrink import shrunk
from tools.simulate.trace import Trace
from tools.simulate.world import Report, run

PLANTED = Finding("holds", "planted")
SECONDS_EACH = 10  # a transaction of the runs that are made up here
STRIKES_EACH = 6  # of each class that is active


@dataclass
class MadeUp:
    """Runs in which a promise is broken when `is_broken` says so. `made`: the options of each."""

    is_broken: Callable[[Options], bool]
    made: list[Options] = field(default_factory=list)

    def run(self, options: Options) -> Report:
        """As long as its transactions or its hours say; a line of trace for each second and each strike."""
        self.made.append(options)
        seconds = min(SECONDS_EACH * options.transactions, round(options.hours * 3600) or 10**6)
        trace = Trace()
        struck = {trouble.value: STRIKES_EACH * (trouble in options.active) for trouble in Trouble}
        came = Counter(trouble.value for trouble, _ in options.left_out)
        for _ in range(options.terminals * seconds + sum(struck.values()) - came.total()):
            trace.note(0, "till0", "something")
        findings = [PLANTED] if self.is_broken(options) else []
        return Report(options, findings, struck=struck, traded_ms=1000 * seconds, trace=trace)


@pytest.fixture
def make_up(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Options], bool]], MadeUp]:
    def made_up(is_broken: Callable[[Options], bool]) -> MadeUp:
        runs = MadeUp(is_broken)
        monkeypatch.setattr(shrink, "run", runs.run)
        return runs

    return made_up


MakeUp = Callable[[Callable[[Options], bool]], MadeUp]


def rarely(options: Options) -> bool:
    """Seed 77 only, with five transactions, 43 seconds and the third of the bank's strikes, nothing else."""
    enough = options.transactions >= 5 and not 0 < options.hours < 43 / 3600
    strikes = Trouble.BANK in options.active and (Trouble.BANK, 3) not in options.left_out
    return options.seed == 77 and enough and strikes


def test_nothing_is_left_in_a_small_run_that_it_does_not_need(make_up: MakeUp) -> None:
    runs = make_up(rarely)
    small = shrunk(runs.run(Options(77, 100, 3, all_on=True))).options
    assert (small.seed, small.terminals, small.transactions) == (77, 1, 5)
    assert small.troubles == {Trouble.BANK}
    assert small.left_out == {(Trouble.BANK, number) for number in (1, 2, 4, 5, 6)}
    assert 43 <= small.hours * 3600 < 44
    assert shrunk(runs.run(Options(77, 100, 3, all_on=True))).options == small, "the same every time"


def test_what_is_small_becomes_no_smaller(make_up: MakeUp) -> None:
    runs = make_up(rarely)
    small = shrunk(runs.run(Options(77, 100, 3, all_on=True)))
    assert shrunk(small) is small


def test_many_runs_are_no_reason_to_end_where_each_is_short(make_up: MakeUp) -> None:
    """Every second of 66 strikes is needed: each of them has to be tried by itself."""
    needed = {(trouble, number) for trouble in Trouble for number in range(1, STRIKES_EACH + 1, 2)}
    runs = make_up(lambda options: options.seed == 77 and needed <= came(options))
    notes: list[str] = []
    small = shrunk(runs.run(Options(77, 3, 1, all_on=True)), note=notes.append)
    assert came(small.options) == needed
    assert len(runs.made) > 150
    (note,) = notes
    assert note.startswith(
        f"after {len(runs.made) - 1} runs nothing can be left out any more: transactions 1, "
    )
    assert f", strikes {len(needed)}, lines " in note


def came(options: Options) -> set[tuple[Trouble, int]]:
    every = {(trouble, number) for trouble in options.active for number in range(1, STRIKES_EACH + 1)}
    return every - options.left_out


def test_another_seed_that_needs_less_is_taken(make_up: MakeUp) -> None:
    def broken(options: Options) -> bool:
        return options.transactions >= {77: 60, 5: 9, 12: 2, 13: 2}.get(options.seed, 10**9)

    runs = make_up(broken)
    small = shrunk(runs.run(Options(77, 100, 3))).options
    assert replace(small, hours=0.0) == Options(12, 2, 1).with_troubles(())


def test_another_promise_is_another_story(make_up: MakeUp, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash elsewhere, too."""
    runs = make_up(lambda options: options.transactions >= 8)

    def changed(options: Options) -> Report:
        report = runs.run(options)
        if report.findings:
            report.findings = [
                Finding("crash", f"KeyError: {options.transactions} (till.py:{where(options)})")
            ]
        return report

    def where(options: Options) -> int:
        return 7 if options.transactions >= 20 else 8

    monkeypatch.setattr(shrink, "run", changed)
    assert shrunk(changed(Options(1, 30, 1))).options.transactions == 20


def test_who_is_stopped_by_the_work_says_so(make_up: MakeUp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shrink, "WORK_LINES", 0)
    monkeypatch.setattr(shrink, "WORK_RUNS", 3)
    runs, notes = make_up(rarely), list[str]()
    found = runs.run(Options(77, 100, 3, all_on=True))
    small = shrunk(found, note=notes.append)
    (note,) = notes
    assert note.startswith(f"stopped after {len(runs.made) - 1} runs, and there may be a smaller one")
    assert f"transactions {small.options.transactions}, terminals {small.options.terminals}, " in note
    work = sum(shrink.RUN_LINES + runs.run(one).trace.lines for one in runs.made[1:-1])
    assert work <= 3 * (shrink.RUN_LINES + found.trace.lines)


def test_a_run_that_is_good_stays(make_up: MakeUp) -> None:
    runs = make_up(lambda _options: False)
    report = runs.run(Options(1))
    assert shrunk(report) is report
    assert len(runs.made) == 1


def test_a_violation_is_made_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hold that outlives its reversal shows itself in one transaction, without any fault."""
    set_hold = Ledger.set_hold

    def unless_released(ledger: Ledger, hold_id: int, state: HoldState) -> None:
        if state is not HoldState.RELEASED:
            set_hold(ledger, hold_id, state)

    monkeypatch.setattr(Ledger, "set_hold", unless_released)
    monkeypatch.setattr(shrink, "SEEDS", (13,))
    found = run(Options(3, 12, 1))
    told: list[Report] = []
    small = shrunk(found, tell=told.append)
    assert small is told[-1]
    assert small.findings[0].checker == found.findings[0].checker == "holds"
    assert small.options.transactions == 1
    assert small.options.troubles == frozenset()
    assert small.trace.told < 60
    assert run(small.options).digest == small.digest, "it can be run again"
    assert small.trace.kept[0].endswith("till0 power is on"), "all of it is kept"
    assert len([line for line in small.trace.kept if " the bank: " not in line]) == small.trace.lines
    shown = excerpt(small.trace.story, map(str, small.findings), 30)
    assert any("to the bank: 0400" in line for line in shown), "what should have released the hold"
