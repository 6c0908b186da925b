"""One terminal: how long it takes to come up, and how much memory it needs."""

from __future__ import annotations

import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

from bank.provision import load_provision
from firmware.app import Terminal
from firmware.settings import TerminalSettings
from hal.profile import load_profile
from hal.registry import build_board
from tools.bench import measure as rounds
from tools.bench.measure import Measurement
from tools.runtime import StationPlan, build_station, settings_of

POWER_ON_GOAL_MS = 150.0
MEMORY_GOAL_KIB = 200.0
TERMINALS = 20
_COLD = "import posterm; posterm.start().close()"


def measure() -> list[Measurement]:
    """Power-on to idle, warm and in a new process; memory of each terminal beyond the first."""
    return [_power_on(), _cold_start(), _memory()]


def _power_on() -> Measurement:
    """From the power switch to the idle screen: self-tests, journal, link, sign-in. Processor time."""
    milliseconds = []
    for _ in range(rounds.ROUNDS + 1):
        station = build_station(StationPlan())
        began_s = time.process_time()
        station.power_on()
        milliseconds.append(1e3 * (time.process_time() - began_s))
        assert station.state == "idle"
        station.close()
    best, *_, worst = sorted(milliseconds[1:])
    goal = {"goal": POWER_ON_GOAL_MS}
    return Measurement("power-on to idle", best, "ms", 1 - best / worst, references=goal)


def _cold_start() -> Measurement:
    """A new interpreter, all imports, a new bank, terminal and line, until idle; by the wall's clock."""
    root = Path(__file__).parents[2]
    milliseconds = []
    for _ in range(rounds.ROUNDS):
        began_s = time.perf_counter()
        subprocess.run([sys.executable, "-c", _COLD], cwd=root, check=True)
        milliseconds.append(1e3 * (time.perf_counter() - began_s))
    return Measurement("new process to idle, bank included", min(milliseconds), "ms")


def _memory() -> Measurement:
    """What Python allocates for a board and a terminal that is on, each beyond the first."""
    settings = settings_of(load_provision())
    held = [_terminal(settings)]
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    held += [_terminal(settings) for _ in range(TERMINALS)]
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(held) == TERMINALS + 1
    kibibytes = (after - before) / TERMINALS / 1024
    return Measurement("memory of a terminal", kibibytes, "KiB", references={"goal": MEMORY_GOAL_KIB})


def _terminal(settings: TerminalSettings) -> Terminal:
    terminal = Terminal(build_board(load_profile("virtual")), settings)
    terminal.power_on()
    return terminal
