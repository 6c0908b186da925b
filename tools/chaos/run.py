"""A chaos run: whom to kill and when, then peace, and what must be true in the end.

While it lasts, people pay at the terminal. Every part is killed with SIGKILL at moments that the seed chooses
and started again a moment later; now and then two at once, now and then a part's disk is full or fails
for a while, and now and then a clock is set back while a part is off. Then nothing is killed any more:
whatever is owed must be sent, the batch settled, and bank, journal and paper compared by the checkers of
`tools.simulate`.
"""

from __future__ import annotations

import contextlib
import random
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from firmware.records import OutgoingState
from tools.chaos import strace
from tools.chaos.leaks import contents, leaks, secrets_of
from tools.chaos.line import null_modem
from tools.chaos.parts import Part
from tools.chaos.till import RealTill, open_till, slips_in
from tools.chaos.town import forgive_wrong_pins, make_bank, open_books, plan_of, provision_of
from tools.simulate.checkers.finding import Finding, crashed
from tools.simulate.checkers.in_the_end import of_one_till
from tools.station import StationError

TERMINAL, GATEWAY, BANK = "terminal", "gateway", "bank"
WEIGHTS: Mapping[str, int] = {TERMINAL: 4, GATEWAY: 2, BANK: 3}
"""How often each part is the one to be killed."""
READY: Mapping[str, str] = {TERMINAL: "-> idle", GATEWAY: "serving", BANK: "listening on"}
"""What each has written when it has started."""
REFUSES: Mapping[str, str] = {TERMINAL: "cannot be used", BANK: "bank database"}
"""What each writes when it will not start, for it cannot write to its disk."""
FILES: Mapping[str, tuple[str, ...]] = {
    TERMINAL: (
        *("till", "till/terminal.db", "till/terminal.db-wal"),
        *("till/device-key.json", "till/device-key.json.new"),
    ),
    BANK: ("bank.db", "bank.db-wal"),
}
"""What each keeps on disk: the folder, too, for it is synced when a file in it gets its name."""
READY_SHARE = 0.85  # so often all parts are ready before the next strike; else it may hit a part that starts
READY_MAX_S = 60.0
BETWEEN_S = (0.02, 0.8)
OFF_S = (0.0, 0.2)
FULL_S = (0.1, 0.8)
BOTH_SHARE, FULL_SHARE, FAILING_SHARE, CLOCK_SHARE = 0.15, 0.05, 0.05, 0.1
FAILING_CALLS = ("pwrite64", "fdatasync", "pwrite64,fdatasync,fsync,write,rename,unlink,ftruncate")
FAILING_ERRORS, FAILING_EVERY_MAX = ("EIO", "ENOSPC"), 5
CLOCK_BACK_MAX_S = 3 * 86_400
FULL_BYTES = 4_096  # less than any of the files has: none may grow
FORGIVEN_EVERY = 5
CALM_MS = 120_000
PATIENCE_MS = 20_000
POLL_S = 0.02
ARROW = " -> "
LOOPBACK, PORTS = "127.0.0.1", 8_000
EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
FAKETIME = "/usr/lib/*/faketime/libfaketime.so.1"


@dataclass
class Report:
    """What was done, and what came of it."""

    seed: int
    kills: Counter[str] = field(default_factory=Counter)
    full_disks: Counter[str] = field(default_factory=Counter)
    failing_disks: Counter[str] = field(default_factory=Counter)
    refused_starts: Counter[str] = field(default_factory=Counter)  # for its disk was full or failed just then
    clocks_back: Counter[str] = field(default_factory=Counter)
    killed_in: Counter[str] = field(default_factory=Counter)  # the terminal's states
    outcomes: Counter[str] = field(default_factory=Counter)
    slips: int = 0
    findings: list[Finding] = field(default_factory=list)
    duration_s: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether every promise was kept."""
        return not self.findings

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain values."""
        counted = ("kills", "full_disks", "failing_disks", "refused_starts", "clocks_back", "killed_in")
        return {
            "seed": self.seed,
            "ok": self.ok,
            "findings": [str(finding) for finding in self.findings],
            **{name: dict(sorted(getattr(self, name).items())) for name in (*counted, "outcomes")},
            "transactions": self.outcomes.total(),
            "slips": self.slips,
            "duration_s": round(self.duration_s, 1),
        }


class Chaos:
    """Three parts in a folder, on a line. What they write is in `*.log` there.

    Writes what it does into `report`, so that whoever stops it knows how far it came.
    """

    def __init__(self, folder: Path, seed: int, line: tuple[str, str], report: Report | None = None) -> None:
        self.report = Report(seed) if report is None else report
        self.folder, self.seed, self.line = folder, seed, line
        self._rng = random.Random(f"chaos {seed}")
        self.db, self.state = folder / "bank.db", folder / "till"
        address = f"{LOOPBACK}:{_free_port(random.SystemRandom())}"
        command = ("-m", "tools.cli")
        till = ("-m", "tools.chaos.till", "--seed", str(seed), "--state", str(self.state))
        self.parts = {
            BANK: Part(BANK, folder, (*command, "bank", "serve", "--db", str(self.db), "--listen", address)),
            GATEWAY: Part(GATEWAY, folder, (*command, "link", "serve", "--port", line[1], "--bank", address)),
            TERMINAL: Part(TERMINAL, folder, (*till, "--link", line[0])),
        }
        self._starters: Mapping[str, Callable[[], None]] = {
            BANK: self._start_bank,
            GATEWAY: self.parts[GATEWAY].start,
            TERMINAL: self._start_terminal,
        }
        self._cannot_fail = strace.why_not_attached()
        make_bank(self.db, seed)

    # --- trouble ------------------------------------------------------------------------------------

    def trouble(self, kills: int, tell: Callable[[int], None]) -> None:
        """Kill as often as that, while people pay. `tell` is given the number of kills so far."""
        self.start_all()
        while self.report.kills.total() < kills and self.report.ok:
            if self._rng.random() < READY_SHARE:
                self.wait_until_ready()
            time.sleep(self._rng.uniform(*BETWEEN_S))
            strike = self._rng.random()
            if strike < FULL_SHARE:
                self.fill_disk(self._rng.choice((TERMINAL, BANK)))
            elif strike < FULL_SHARE + FAILING_SHARE:
                self.fail_disk(self._rng.choice((TERMINAL, BANK)))
            else:
                self._kill_some()
            tell(min(self.report.kills.total(), kills))

    def start_all(self) -> None:
        """Bank, gateway, terminal."""
        for name in self._starters:
            self.start(name)

    def start(self, name: str) -> None:
        """One part, for the first time or again."""
        self._starters[name]()

    def wait_until_ready(self) -> None:
        """Until every part that runs has started."""
        end_s = time.monotonic() + READY_MAX_S
        for name, part in self.parts.items():
            while not self._is_ready(name) and part.is_running:
                if time.monotonic() > end_s:
                    self._find("ready", f"{name} is not ready after a long time: {part.lines[-5:]}")
                    return
                time.sleep(POLL_S)

    def _is_ready(self, name: str) -> bool:
        return any(READY[name] in line for line in self.parts[name].lines)

    def _kill_some(self) -> None:
        names = list(WEIGHTS)
        victims = set(self._rng.choices(names, list(WEIGHTS.values()), k=1))
        if self._rng.random() < BOTH_SHARE:
            victims |= {self._rng.choice(names)}
        for name in sorted(victims):
            self.kill(name)
        if BANK in victims and self.report.kills[BANK] % FORGIVEN_EVERY == 0:
            forgive_wrong_pins(self.db)
        for name in self._rng.sample(sorted(victims), len(victims)):
            time.sleep(self._rng.uniform(*OFF_S))
            self.start(name)

    def kill(self, name: str) -> None:
        """SIGKILL to one part, which should be running."""
        self._look_at(name)
        self.parts[name].kill()
        self.report.kills[name] += 1

    def _look_at(self, name: str) -> None:
        """Before it is killed: it should run; and what is it doing."""
        part = self.parts[name]
        if not part.is_running:
            part.read_to_the_end()
            self._find("ended", f"{name} ended by itself: {part.lines[-5:]}")
        elif name == TERMINAL:
            lines = [line for line in part.lines if ARROW in line]
            self.report.killed_in[lines[-1].rpartition(" ")[2] if lines else "starting"] += 1

    def fill_disk(self, name: str) -> None:
        """There is no room for a while. One that runs goes on; one that starts may say so and end."""
        starts = not self._is_ready(name)
        self.report.full_disks[name] += 1
        self.parts[name].limit_files(FULL_BYTES)
        time.sleep(self._rng.uniform(*FULL_S))
        self.parts[name].unlimit_files()
        if starts:
            self.start_again_if_refused(name)

    def fail_disk(self, name: str) -> None:
        """Now and then a call to the disk fails, for a while. Nothing where strace may not attach."""
        calls, error = self._rng.choice(FAILING_CALLS), self._rng.choice(FAILING_ERRORS)
        when, lasts_s = f"1+{self._rng.randint(1, FAILING_EVERY_MAX)}", self._rng.uniform(*FULL_S)
        process_id, starts = self.parts[name].process_id, not self._is_ready(name)
        if self._cannot_fail or process_id is None:
            return
        self.report.failing_disks[name] += 1
        files = [self.folder / file for file in FILES[name]]
        with strace.failing(process_id, strace.options(calls, error, when, files)):
            time.sleep(lasts_s)
        if starts:
            self.start_again_if_refused(name)

    def start_again_if_refused(self, name: str) -> None:
        """Start one that has ended and said that it cannot write, now that it can."""
        self.wait_until_ready()
        part = self.parts[name]
        if part.is_running:
            return
        part.read_to_the_end()
        if REFUSES[name] in "".join(part.lines[-1:]):
            self.report.refused_starts[name] += 1
            self.start(name)

    def _start_terminal(self) -> None:
        """With new people."""
        part = self.parts[TERMINAL]
        part.start("--start", str(part.starts), "--clock-back-s", str(self._clock_back_s(TERMINAL)))

    def _start_bank(self) -> None:
        library = next(iter(sorted(Path("/").glob(FAKETIME.removeprefix("/")))), None)
        back_s = self._clock_back_s(BANK) if library is not None else 0
        environment = {"LD_PRELOAD": str(library), "FAKETIME": f"-{back_s}", "DONT_FAKE_MONOTONIC": "1"}
        self.parts[BANK].start(environment=environment if back_s else None)

    def _clock_back_s(self, name: str) -> int:
        """Seconds by which its clock is behind in this life; 0 most of the time."""
        if self._rng.random() >= CLOCK_SHARE:
            return 0
        self.report.clocks_back[name] += 1
        return self._rng.randint(1, CLOCK_BACK_MAX_S)

    # --- peace --------------------------------------------------------------------------------------

    def peace(self) -> None:
        """Everything runs; the terminal sends what it owes, settles, and all is compared."""
        self.parts[TERMINAL].terminate()
        for name in (BANK, GATEWAY):
            self.parts[name].kill()
        killed = contents(self.folder)  # with what the databases forget when they are closed in order
        for name in (BANK, GATEWAY):
            self.parts[name].start()
        self.wait_until_ready()
        plan = plan_of(self.seed, self.state, self.line[0], patience_ms=PATIENCE_MS)
        with open_till(plan, slips_in(self.parts[TERMINAL].log)) as till:
            self._come_to_rest(till)
            for name in (GATEWAY, BANK):
                if (code := self.parts[name].terminate()) != 0:
                    self._find("end", f"{name} ended with {code} when it was asked to")
            self._compare(till)
        self.report.findings += self.crashes()
        self.report.findings += self.leaks(killed)

    def _come_to_rest(self, till: RealTill) -> None:
        station = till.station
        station.power_on()
        if not station.run_until(lambda: _is_at_rest(till), CALM_MS):
            self._find("rest", f"with everything mended it does not come to rest: {till.state}")
            return
        till.remember_payments()
        try:
            station.settle_batch()
        except StationError as error:
            self._find("settlement", str(error))
        till.remember_payments()

    def _compare(self, till: RealTill) -> None:
        bank = open_books(self.db)
        try:
            self.report.findings += of_one_till(till, bank)
        finally:
            bank.close()
        self.report.outcomes = Counter(
            one.outcome.value if one.outcome else "none" for one in till.payments.values()
        )
        self.report.slips = len(till.slips)

    def crashes(self) -> Iterator[Finding]:
        """What the logs tell of."""
        for part in self.parts.values():
            text = part.log.read_text("utf-8", "replace")
            if "Traceback" in text:
                yield Finding("crash", f"{part.name}: {text[text.index('Traceback') :][:2000]}")

    def leaks(self, earlier: Mapping[str, bytes] | None = None) -> Sequence[Finding]:
        """The secrets in the files as they are, and as they were; each once."""
        files = [*(earlier or {}).items(), *contents(self.folder).items()]
        bank = open_books(self.db)
        try:
            search = secrets_of(provision_of(self.seed), bank, self.state)
        finally:
            bank.close()
        return list(dict.fromkeys(leaks(search, files)))

    def _find(self, checker: str, text: str) -> None:
        self.report.findings.append(Finding(checker, text))

    def end(self) -> None:
        """Nothing is left running."""
        for part in self.parts.values():
            part.kill()


def _is_at_rest(till: RealTill) -> bool:
    terminal = till.station.terminal
    assert terminal is not None
    owed = (one for one in terminal.journal.outbox.values() if one.state is not OutgoingState.REFUSED)
    return till.state == "idle" and not any(owed)


def _free_port(rng: random.Random) -> int:
    """A port that the system gives to nobody while the bank is dead, not even to who calls the bank then."""
    first, _last = map(int, EPHEMERAL.read_text("ascii").split()) if EPHEMERAL.exists() else (49_152, 65_535)
    while True:
        port = rng.randrange(first - PORTS, first)
        with contextlib.suppress(OSError), socket.create_server((LOOPBACK, port)):
            return port


def run(
    folder: Path,
    seed: int,
    kills: int,
    tell: Callable[[int], None] = lambda _done: None,
    report: Report | None = None,
) -> Report:
    """A whole run in an empty folder, in real time. Every process that it started has ended afterwards.

    What it cannot go on with is a finding. `report`: an empty one to write into, for who may stop it.
    """
    report = Report(seed) if report is None else report
    began_s = time.monotonic()
    try:
        with ExitStack() as leftovers:
            chaos = Chaos(folder, seed, leftovers.enter_context(null_modem()), report)
            leftovers.callback(chaos.end)
            chaos.trouble(kills, tell)
            if report.ok:
                chaos.peace()
    except Exception as error:  # noqa: BLE001 - whatever it is, its traces are in the folder
        report.findings.append(crashed(error))
    report.duration_s = time.monotonic() - began_s
    return report
