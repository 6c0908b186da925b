"""What goes wrong, and when: each active class of faults strikes by random numbers of its own."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from bank.faults import Fault, FaultKind
from host_link.line import Line
from tools.simulate.options import Options, Trouble
from tools.simulate.till import FASTER_BITS_PER_S, HURRIED, Till
from tools.simulate.trace import Trace
from tools.virtual_bank import BankMachine
from tools.virtual_tcp import Toward

MEAN_MS: Mapping[Trouble, int] = {
    Trouble.OUTAGE: 60_000,
    Trouble.GATEWAY: 90_000,
    Trouble.BANK: 15_000,
    Trouble.BANK_DOWN: 120_000,
    Trouble.PRINTER: 60_000,
    Trouble.STORAGE: 120_000,
    Trouble.POWER: 30_000,
    Trouble.CLOCK: 120_000,
    Trouble.TCP: 20_000,
    Trouble.BANK_POWER: 40_000,
}
"""How long it is quiet between two strikes of a class, on average; noise is there all the time."""
BANK_KINDS = (
    FaultKind.SILENT_BEFORE_POSTING,
    FaultKind.SILENT_AFTER_POSTING,
    FaultKind.CLOSE_BEFORE_POSTING,
    FaultKind.CLOSE_AFTER_POSTING,
    FaultKind.WRONG_MAC,
    FaultKind.WRONG_TRACE,
    FaultKind.DELAY,
    FaultKind.DUPLICATE,
    FaultKind.RESPONSE_CODE,
    FaultKind.HEADER_DIGIT,
    FaultKind.REFUSE_CONNECTION,
)
REQUEST_BYTES = 250
"""About as long as a request and its answer: a reset after fewer bytes is one in the middle of a message."""


@dataclass(order=True)
class _Later:
    at_ms: int
    number: int
    do: Callable[[], None]


class Troubles:
    """The faults of one run."""

    def __init__(self, options: Options, tills: Sequence[Till], machine: BankMachine, trace: Trace) -> None:
        self._tills = tills
        self._machine = machine
        self._trace = trace
        self._options = options
        self._active = options.active
        self._rng = {trouble: random.Random(f"{trouble.value} {options.seed}") for trouble in Trouble}
        self._later: list[_Later] = []  # a heap
        self._number = 0
        self.struck = dict.fromkeys(Trouble, 0)
        strikes = {
            Trouble.OUTAGE: self._outage,
            Trouble.GATEWAY: self._gateway,
            Trouble.BANK: self._bank_fault,
            Trouble.BANK_DOWN: self._bank_down,
            Trouble.PRINTER: self._printer,
            Trouble.STORAGE: self._storage,
            Trouble.POWER: self._power,
            Trouble.CLOCK: self._clock,
            Trouble.TCP: self._tcp,
            Trouble.BANK_POWER: self._bank_power,
        }
        if Trouble.NOISE in self._active:
            self._noise()
        if Trouble.CLOCK in self._active:
            self._drift()
        for trouble, strike in strikes.items():
            if trouble in self._active:
                self._schedule(trouble, strike, 0)

    def deadline_ms(self) -> int | None:
        """When the next thing goes wrong, or right again."""
        return self._later[0].at_ms if self._later else None

    def turn(self, now_ms: int) -> bool:
        """Let happen what is due; whether anything was."""
        happened = False
        while self._later and self._later[0].at_ms <= now_ms:
            heapq.heappop(self._later).do()
            happened = True
        return happened

    def end(self) -> None:
        """Nothing goes wrong any more, and what is wrong is put right."""
        self._later.clear()
        self._machine.bank.faults.clear()
        self._machine.start_server()
        self._machine.restore_power()
        for till in self._tills:
            till.drive.network.calm()
            till.drive.restore_gateway_power()
            till.drive.mend_line()
            till.storage.forget_script()

    def _schedule(self, trouble: Trouble, strike: Callable[[random.Random, Till], str], now_ms: int) -> None:
        rng = self._rng[trouble]
        at_ms = now_ms + 1 + int(rng.expovariate(1 / MEAN_MS[trouble]))

        def happen() -> None:
            self.struck[trouble] += 1
            number = self.struck[trouble]
            if (trouble, number) not in self._options.left_out:
                own = random.Random(f"{trouble.value} {self._options.seed} {number}")  # whatever came before
                till = own.choice(self._tills)
                self._trace.note(at_ms, till.name, f"trouble: {trouble.value} {number}: {strike(own, till)}")
            self._schedule(trouble, strike, at_ms)

        self._at(at_ms, happen)

    def _at(self, at_ms: int, do: Callable[[], None]) -> None:
        self._number += 1
        heapq.heappush(self._later, _Later(at_ms, self._number, do))

    # --- the strikes --------------------------------------------------------------------------------

    def _noise(self) -> None:
        rng = self._rng[Trouble.NOISE]
        for till in self._tills:
            rate = 10 ** rng.uniform(-5.5, -3.5)
            ways = [
                Line(
                    random.Random(f"{till.name} {way} {rng.random()}"),
                    bit_error_rate=rate,
                    drop_rate=rng.choice([0.0, rate]),
                    insert_rate=rng.choice([0.0, rate]),
                    slip_rate=rng.choice([0.0, rate / 4]),
                    burst_rate=rng.choice([0.0, rate / 50]),
                    framing_error_rate=rng.choice([0.0, rate]),
                    latency_ms=rng.choice([0, 1, 16]),
                    jitter_ms=rng.choice([0, 4]),
                    block_ms=rng.choice([1, 1, 4, 16]),
                    bits_per_s_max=rng.choice([None, FASTER_BITS_PER_S // 2]),  # the fastest then fails
                )
                for way in ("there", "back")
            ]
            self.struck[Trouble.NOISE] += 1
            number = self.struck[Trouble.NOISE]
            if (Trouble.NOISE, number) not in self._options.left_out:
                till.use_lines(*ways)
                self._trace.note(0, till.name, f"trouble: noise {number}: bit error rate {rate:.2g}")

    def _outage(self, rng: random.Random, till: Till) -> str:
        duration_ms = int(10 ** rng.uniform(2, 4.5))
        till.drive.cut_line()
        self._at(till.clock.monotonic_ms() + duration_ms, till.drive.mend_line)
        return f"the line is out for {duration_ms} ms"

    def _gateway(self, rng: random.Random, till: Till) -> str:
        if rng.random() < 0.5:
            till.drive.restart_gateway()
            return "the gateway starts again"
        duration_ms = int(10 ** rng.uniform(2, 4.5))
        till.drive.cut_gateway_power()
        self._at(till.clock.monotonic_ms() + duration_ms, till.drive.restore_gateway_power)
        return f"the gateway is off for {duration_ms} ms"

    def _bank_fault(self, rng: random.Random, _till: Till) -> str:
        kind = rng.choice(BANK_KINDS)
        value = {  # never 94, by which a bank says that it has the message: this one would lie
            FaultKind.RESPONSE_CODE: rng.choice(["91", "96", "05", "68"]),
            FaultKind.HEADER_DIGIT: rng.choice("123"),
        }
        patience_ms = HURRIED.response_timeout_ms
        delay_ms = rng.choice([200, patience_ms - 10, patience_ms + 2_000])
        self._machine.bank.faults.add(
            Fault(kind, value=value.get(kind, ""), delay_ms=delay_ms, skip=rng.randrange(3))
        )
        return kind.value

    def _bank_down(self, rng: random.Random, _till: Till) -> str:
        duration_ms = int(10 ** rng.uniform(2, 4.3))
        self._machine.stop_server()
        self._at(self._tills[0].clock.monotonic_ms() + duration_ms, self._machine.start_server)
        return f"the bank is away for {duration_ms} ms"

    def _bank_power(self, rng: random.Random, till: Till) -> str:
        off_ms = int(10 ** rng.uniform(1, 4.3))
        if rng.random() < 0.3:
            self._machine.cut_power(till.clock.monotonic_ms(), off_ms)
            return f"the bank has no power for {off_ms} ms"
        commit, when = rng.randint(1, 4), rng.choice(("before", "after"))
        self._machine.cut_power_at(commit, "before" if when == "before" else "after", off_ms)
        return f"the bank will have no power for {off_ms} ms, {when} its commit {commit} from now"

    def _tcp(self, rng: random.Random, till: Till) -> str:
        network, duration_ms = till.drive.network, int(10 ** rng.uniform(2, 4.3))
        kind = rng.choice(["stalls", "resets", "is rough", "parts", "swallows", "crosses"])
        if kind == "stalls":
            network.stall(duration_ms)
        elif kind == "resets":
            network.reset_after(rng.choice(list(Toward)), rng.randrange(2 * REQUEST_BYTES))
        elif kind == "is rough":
            network.roughen(3 * duration_ms, piece_bytes_max=rng.choice([1, 7, 100]), delay_ms_max=40)
        elif kind == "parts":
            network.part_at_next_request(duration_ms)
        elif kind == "crosses":
            network.hang_up_at_next_request()
        else:
            network.swallow()
        return f"the network {kind} ({duration_ms} ms)"

    def _printer(self, rng: random.Random, till: Till) -> str:
        printer = till.station.devices.printer
        name = rng.choice(["run_out_of_paper", "open_cover", "jam", "set_overheated", "unplug"])
        getattr(printer, name)()
        return name

    def _storage(self, rng: random.Random, till: Till) -> str:
        number = till.storage.commits + 1 + rng.randrange(4)
        till.storage.fail_at(number)
        return f"commit {number} will fail"

    def _power(self, rng: random.Random, till: Till) -> str:
        if rng.random() < 0.5:
            till.cut_power(rng.randint(500, 20_000))
            return "the plug is pulled"
        number, when = till.storage.commits + 1 + rng.randrange(4), rng.choice(("before", "after"))
        till.storage.power_cut_at(number, "before" if when == "before" else "after")
        return f"the power will go {when} commit {number}"

    def _drift(self) -> None:
        rng = self._rng[Trouble.CLOCK]
        for till in self._tills:
            ppm = int(rng.choice([1, -1]) * 10 ** rng.uniform(1, 4.5))
            till.clock.drift(ppm)
            self._trace.note(0, till.name, f"trouble: clock: it runs {ppm} ppm fast")

    def _clock(self, rng: random.Random, till: Till) -> str:
        jump = timedelta(seconds=int(rng.choice([1, -1]) * 10 ** rng.uniform(1, 5.5)))
        till.clock.set_wall(till.clock.wall() + jump)
        return f"the terminal's clock jumps by {jump}"
