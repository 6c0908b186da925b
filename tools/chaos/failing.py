"""Calls to the disk that fail, one after the other, in the real processes of terminal and bank, by strace.

A life of a part has people who pay, and one of its calls fails: the first write, the second, and so on until
a life has no more of them; once, or from then on for the rest of this life. The call is not carried out. The
part goes on, or ends with the code and the words of one that cannot be used. Afterwards it is started anew,
what is owed is sent, the batch is settled, and bank, journal and paper are compared, as after kills.
"""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.chaos import strace
from tools.chaos.line import null_modem
from tools.chaos.parts import Part
from tools.chaos.run import BANK, FILES, GATEWAY, READY, REFUSES, TERMINAL, Chaos
from tools.simulate.checkers.finding import Finding, crashed

CANNOT_BE_USED = 2  # exit code
ERRORS: Mapping[str, Sequence[str]] = {
    "pwrite64": ("EIO", "ENOSPC", "EROFS"),
    "fdatasync": ("EIO", "ENOSPC"),
    "fsync": ("EIO",),
    "write": ("EIO", "ENOSPC"),
    "ftruncate": ("EIO",),
    "openat": ("EIO", "ENOSPC"),
    "unlink": ("EIO",),
    "rename": ("EIO", "ENOSPC"),
}
"""The calls of SQLite and of the device key's file, and how each may fail."""
PAYMENTS_A_LIFE: Mapping[str, int] = {TERMINAL: 2, BANK: 6}  # of many the bank never hears
NUMBER_MAX = 1_000
LIFE_MAX_S, AFTERMATH_S = 60.0, 0.4
POLL_S = 0.02
INJECTED = "(INJECTED)"
OUT_OF_SERVICE, ENDED = "-> out_of_service", "terminal: in_transaction -> "


@dataclass(frozen=True, slots=True)
class Strike:
    """What fails: the `number`th of such calls in a life; `lasting`: and all after it."""

    part: str
    call: str
    error: str
    number: int
    lasting: bool

    def __str__(self) -> str:
        after = " and all after it" if self.lasting else ""
        return f"{self.part}: {self.call} {self.number}{after} fails with {self.error}"


@dataclass
class FailingReport:
    """What was tried, and what came of it."""

    strikes: Counter[str] = field(default_factory=Counter)  # by part and call
    outcomes: Counter[str] = field(default_factory=Counter)
    transactions: int = 0
    findings: list[Finding] = field(default_factory=list)
    duration_s: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether every promise was kept, and something was tried."""
        return not self.findings and self.strikes.total() > 0

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain values."""
        return {
            "ok": self.ok,
            "findings": [str(finding) for finding in self.findings],
            "strikes": dict(sorted(self.strikes.items())),
            "outcomes": dict(sorted(self.outcomes.items())),
            "transactions": self.transactions,
            "duration_s": round(self.duration_s, 1),
        }


def run_failing(
    folder: Path,
    seed: int,
    *,
    calls: Mapping[str, Sequence[str]] = ERRORS,
    parts: Sequence[str] = (TERMINAL, BANK),
    numbers: Sequence[int] = range(1, NUMBER_MAX),
    tell: Callable[[int], None] = lambda _done: None,
    report: FailingReport | None = None,
) -> FailingReport:
    """Let calls fail one by one, those with these numbers in a life; in an empty folder, in real time.

    `calls`: which, and each with which errors. What it cannot go on with is a finding. `report`: an empty one
    to write into, for who may stop it.
    """
    report = FailingReport() if report is None else report
    began_s = time.monotonic()
    for part in parts:
        for call, errors in calls.items():
            place = folder / f"{part}-{call}"
            place.mkdir(parents=True)
            try:
                with ExitStack() as leftovers:
                    world = FailingWorld(place, seed, leftovers.enter_context(null_modem()), report)
                    leftovers.callback(world.end)
                    world.strike_all(part, call, errors, numbers, tell)
            except Exception as error:  # noqa: BLE001 - whatever it is, its traces are in the folder
                report.findings.append(Finding("crash", f"{place.name}: {crashed(error).text}"))
    report.duration_s = time.monotonic() - began_s
    return report


class FailingWorld:
    """Three parts, of which one has calls that fail."""

    def __init__(self, folder: Path, seed: int, line: tuple[str, str], report: FailingReport) -> None:
        self.chaos = Chaos(folder, seed, line)
        self._report = report
        self._idle_before = 0

    def end(self) -> None:
        """Nothing is left running."""
        self.chaos.end()

    def strike_all(
        self,
        part: str,
        call: str,
        errors: Sequence[str],
        numbers: Sequence[int],
        tell: Callable[[int], None],
    ) -> None:
        """One life for each call that can fail, then peace."""
        others = [name for name in (BANK, GATEWAY, TERMINAL) if name != part]
        for name in others:
            self.chaos.start(name)
        for error in errors:
            for number in numbers:
                lives = [Strike(part, call, error, number, lasting) for lasting in (False, True)]
                hit = [self.live(strike) for strike in lives]
                tell(self._report.strikes.total())
                if not all(hit) or self._report.findings:
                    break
        self.chaos.start(part)
        self.chaos.wait_until_ready()
        self.chaos.peace()
        self._report.transactions += self.chaos.report.outcomes.total()
        self._report.findings += [
            Finding(one.checker, f"{part}, {call}: {one.text}") for one in self.chaos.report.findings
        ]

    def live(self, strike: Strike) -> bool:
        """One life with this strike; whether it came to it."""
        part = self.chaos.parts[strike.part]
        trace = part.folder / "strace.log"
        trace.unlink(missing_ok=True)
        part.start(*self._options(part), under=_under(strike, part.folder, trace))
        self._wait(part, lambda: _works(part))
        ended_before = 0 if strike.part == TERMINAL else self._ended()  # while a slow bank started, some do
        enough = ended_before + PAYMENTS_A_LIFE[strike.part]
        self._wait(part, lambda: _was_hit(trace) or self._ended() >= enough)
        if hit := _was_hit(trace):
            time.sleep(AFTERMATH_S)
        self._judge(strike, part, hit=hit)
        return hit

    def _wait(self, part: Part, until: Callable[[], bool]) -> None:
        """For this, for the part's end, or for a long time."""
        end_s = time.monotonic() + LIFE_MAX_S
        while part.is_running and not until() and time.monotonic() < end_s:
            time.sleep(POLL_S)

    def _options(self, part: Part) -> Sequence[str]:
        return ("--start", str(part.starts)) if part.name == TERMINAL else ()

    def _ended(self) -> int:
        """How many transactions have ended at the till, in this life of it."""
        return sum(ENDED in line for line in self.chaos.parts[TERMINAL].lines)

    def _judge(self, strike: Strike, part: Part, *, hit: bool) -> None:
        """It goes on until it is asked to end, or it has said that it cannot be used."""
        try:
            if refuses := _refuses(part):
                self._wait(part, lambda: False)  # it is about to end
            ended_by_itself = not part.is_running
            code = part.terminate()
        except subprocess.TimeoutExpired:
            self._find("end", f"{strike}: it does not end when it is asked to")
            part.kill()
            return
        refused = code == CANNOT_BE_USED and refuses
        if not refused and (ended_by_itself or code != 0):
            self._find("end", f"{strike}: ended with {code}: {part.lines[-20:]}")
        if hit:
            self._report.strikes[f"{strike.part} {strike.call}"] += 1
            self._report.outcomes["refused to be used" if refused else "went on"] += 1

    def _find(self, checker: str, text: str) -> None:
        self._report.findings.append(Finding(checker, text))


def _under(strike: Strike, folder: Path, log: Path) -> list[str]:
    files = [folder / name for name in FILES[strike.part]]
    when = f"{strike.number}+" if strike.lasting else str(strike.number)
    return strace.starting(log, strace.options(strike.call, strike.error, when, files))


def _works(part: Part) -> bool:
    """Whether it has started, though it may not like what it found."""
    return any(READY[part.name] in line or OUT_OF_SERVICE in line for line in part.lines)


def _refuses(part: Part) -> bool:
    return any(REFUSES[part.name] in line for line in part.lines[-1:])


def _was_hit(trace: Path) -> bool:
    return trace.exists() and INJECTED in trace.read_text("ascii", "replace")
