"""`posterm terminal`: the terminal alone, over a serial port to a gateway in another process or machine.

The plan. Settings, profile and master key are read first, so that a mistake changes nothing. Then the serial
port is taken, then the terminal's memory; one that is in use or of another version is refused as it is. Only
then is a missing master key loaded and the terminal switched on. From then on a script uses it, or a person
in the terminal window, or nobody: then it works on its outbox, and with its real devices if it has any.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bank.authoriser import Bank
from bank.entropy import SystemEntropy
from bank.errors import BankError
from bank.provision import DEMO_MASTER_KEY, CardSpec, Provision, parse_tmk
from bank.store import MEMORY
from firmware.app import Terminal, Transition
from firmware.journal import Journal
from firmware.secure.errors import SecureError
from firmware.secure.module import TMK_INDEX_MAX, SecureModule
from firmware.settings import TerminalSettings
from firmware.terminal_work import LANGUAGES
from hal.api import HalError
from hal.board import Board
from hal.profile import Profile, load_profile
from hal.registry import build_board, check_kinds
from hal.virtual.clock import VirtualClock
from tools.config import FLOWS, Choices, ConfigError, check_settings, load_config
from tools.drive import T
from tools.drive_terminal import TerminalDrive
from tools.link_command import BITS_PER_S, bits_per_s, notice
from tools.runtime import plan_of
from tools.scenario import Scenario, ScenarioError, load_scenario
from tools.scenario_run import line_of, run_scenario
from tools.station import Station, StationError

Subparsers = Any  # argparse does not name the type that add_subparsers() returns

REAL_TIME_PROFILE = "headless"
"""What `--profile virtual` means here: the same virtual devices, but a real line needs a real clock."""

ELSEWHERE = frozenset({"cable", "gateway", "bank", "bank_fault", "postings", "holds", "balanced", "balance"})
"""What a scenario can do to line, gateway and bank, and expect of the bank."""

EXAMPLES = f"""examples:
  posterm terminal --link /dev/ttyUSB0                        in the terminal window
  posterm terminal --link socket://10.0.0.7:4000 --script sale.toml
  posterm terminal --link /dev/ttyS1 --tmk-file tmk.hex --tmk-index 2 --state /var/lib/posterm/till-2

With neither a script nor a keyboard it runs until SIGTERM and sends what it owes to the bank.
Without --state, journal and keys are kept in $XDG_STATE_HOME/posterm/terminal, or ~/.local/state/... .
--profile virtual is --profile {REAL_TIME_PROFILE} here: a real line needs a real clock.
exit codes: 0 done, 1 the script's expectations were not met, 2 wrong usage or configuration
"""


def register(subparsers: Subparsers) -> None:
    """Add `terminal` to the program's subparsers."""
    parser = subparsers.add_parser(
        "terminal",
        help="the terminal alone, over a serial port",
        description="Run the terminal alone: its gateway (posterm link) and its bank are elsewhere.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--link", metavar="DEVICE_OR_URL", help="the line to the gateway: /dev/tty... or socket://HOST:PORT")
    add("--baud", type=bits_per_s, metavar="N", help=f"bits per second of a device; default: {BITS_PER_S}")
    add("--profile", metavar="NAME|FILE", help="its devices: virtual (the default), or a .toml file")
    add("--state", type=Path, metavar="DIR", help="where journal and keys are kept; see below")
    add("--config", type=Path, metavar="FILE", help="settings of the terminal, as TOML")
    add("--bank-data", type=Path, metavar="FILE", help="cards and terminals, as TOML; default: the demo's")
    add(
        "--tmk-file",
        type=Path,
        metavar="FILE",
        help="load the master key in it (32 hex digits)",
    )
    add("--tmk-index", type=int, metavar="N", help=f"which master key is used, 0 to {TMK_INDEX_MAX}")
    add("--flow", choices=FLOWS, help="the order of PIN and authorisation")
    add("--language", choices=LANGUAGES, help="of display and slips")
    add("--script", type=Path, metavar="FILE", help="a scenario of presses, cards and expectations, as TOML")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the terminal; returns the exit code."""
    try:
        base = load_config(args.config) if args.config is not None else Choices()
        script = load_script(args.script, base) if args.script is not None else None
        plan = plan_of_arguments(args, script.choices if script else base, script.cards if script else ())
        board = open_board(plan)
    except (HalError, SecureError, StationError, BankError, ConfigError) as error:
        print(f"posterm terminal: {error}", file=sys.stderr)
        return 2
    try:
        return _use(plan, board, script)
    finally:
        board.close()


# --- what is asked for -------------------------------------------------------------------------------


@dataclass(frozen=True)
class TerminalPlan:
    """One terminal, before anything of it is opened."""

    profile: Profile
    settings: TerminalSettings
    provision: Provision
    state_folder: Path
    master_key: bytes | None  # None: the one of the bank's data, if none is loaded yet
    is_demo: bool

    def __repr__(self) -> str:
        return f"TerminalPlan({self.profile.name!r}, {self.settings.terminal_id!r})"


def default_state_folder(environment: Mapping[str, str]) -> Path:
    """Where a terminal's memory is kept when nobody says where (XDG base directories: state)."""
    base = environment.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "posterm" / "terminal"


def plan_of_arguments(
    args: argparse.Namespace, base: Choices, extra_cards: Sequence[CardSpec] = ()
) -> TerminalPlan:
    """The plan for a terminal as the command line says, over the choices of config file and script.

    Raises ConfigError, ProfileError, RecordError or StationError; nothing was made.
    """
    settings = {"language": args.language, "flow": args.flow, "master_key_index": args.tmk_index}
    said = {name: value for name, value in settings.items() if value is not None}
    over = Choices(check_settings("command line", said), args.profile, args.bank_data, args.state)
    choices = base.overlaid(over)
    station = plan_of(replace(choices, profile=None), extra_cards=extra_cards)
    assert station.settings is not None
    assert station.provision is not None
    return TerminalPlan(
        _profile(choices.profile or "virtual", args.link, args.baud),
        station.settings,
        station.provision,
        choices.state or default_state_folder(os.environ),
        _read_master_key(args.tmk_file) if args.tmk_file is not None else None,
        is_demo=choices.bank_data is None,
    )


def _profile(name: str, link: str | None, rate: int | None) -> Profile:
    profile = load_profile(REAL_TIME_PROFILE if name == "virtual" else name)
    if link is not None:
        return profile.with_device("serial_port", "serial", url=link, bits_per_s=rate or BITS_PER_S)
    check_kinds(profile)
    if profile.devices["serial_port"].backend == "virtual":
        raise StationError("where is the gateway? Name the serial port to it with --link DEVICE_OR_URL")
    return profile if rate is None else profile.with_options("serial_port", bits_per_s=rate)


def _read_master_key(path: Path) -> bytes:
    try:
        return parse_tmk(path.read_text("ascii").strip())
    except OSError as error:
        raise StationError(f"--tmk-file {path}: {error.strerror}: name a file that can be read") from None
    except ValueError:
        raise StationError(f"--tmk-file {path}: it must hold the key as 32 hex digits") from None


# --- the board ---------------------------------------------------------------------------------------


def open_board(plan: TerminalPlan) -> Board:
    """Take the line, then the memory, then the other devices; load the master key. The board is open.

    Raises HalError, SecureError or StationError: nothing is open then, and nothing was changed in a memory
    that cannot be used.
    """
    board = build_board(plan.profile, state_folder=plan.state_folder)
    if isinstance(board.clock, VirtualClock):
        raise StationError(
            f"profile {plan.profile.name}: its clock is virtual, and a real line needs a real one: "
            f"set devices.clock to the backend host, or take the profile {REAL_TIME_PROFILE}"
        )
    try:
        board.clock.open()
        board.serial_port.open()
        _make_folder(plan.state_folder)
        board.storage.open()
        Journal(board.storage).load()  # refuses another version before anything is written
        board.open()
        _load_master_key(board, plan)
    except BaseException:
        board.close()
        raise
    return board


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StationError(f"state folder {path}: {error.strerror}: name another one with --state") from None


def _load_master_key(board: Board, plan: TerminalPlan) -> None:
    """What a key-loading ceremony does before a terminal is delivered. A tampered terminal is left alone."""
    index = plan.settings.master_key_index
    secure = SecureModule(board.storage, board.tamper, board.rng, master_key_index=index)
    if board.tamper.tripped:
        return
    if plan.master_key is not None:
        secure.load_tmk(index, plan.master_key)
    elif not secure.has_tmk:
        secure.load_tmk(index, _master_key_of_data(plan))
        if plan.is_demo:
            notice(f"loaded the demo's published master key (index {index}): for tests only, see --tmk-file")


def _master_key_of_data(plan: TerminalPlan) -> bytes:
    settings = plan.settings
    for merchant in plan.provision.merchants:
        for terminal in merchant.terminals:
            if (terminal.tid, merchant.mid) == (settings.terminal_id, settings.merchant_id):
                return terminal.tmk
    raise StationError(
        f"no master key for terminal {settings.terminal_id} of merchant {settings.merchant_id}: "
        "load one with --tmk-file, or name the bank's data with --bank-data"
    )


# --- who uses it -------------------------------------------------------------------------------------


def _use(plan: TerminalPlan, board: Board, script: Scenario | None) -> int:
    if script is None and not sys.stdin.isatty():
        run_unattended(Terminal(board, plan.settings, observer=tell_transition))
        return 0
    drive = TerminalDrive() if script is None else ScriptDrive()
    with Station(board, plan.settings, drive, plan.provision.cards) as station:
        station.power_on()
        if script is not None:
            return run_script(script, station)
        from tools.window import run_window

        return run_window(station)


def load_script(path: Path, base: Choices) -> Scenario:
    """Read a scenario for a terminal alone. Raises ScenarioError, also for what is about line or bank."""
    scenario = load_scenario(path, base)
    for step in scenario.steps:
        asked = {step.kind, *(expectation.name for expectation in step.expectations)}
        for name in sorted(asked & ELSEWHERE):
            raise ScenarioError(
                f"{path}: step {step.number}: {name}: line, gateway and bank are not in this process: "
                "leave it out, or use posterm run"
            )
    return scenario


def run_script(scenario: Scenario, station: Station) -> int:
    """Run a scenario, telling each step; returns the exit code."""
    print(scenario.title, flush=True)
    result = run_scenario(scenario, station, lambda step: print(line_of(step), flush=True))
    print(f"{sum(step.ok for step in result.steps)} of {result.steps_in_all} steps as expected", flush=True)
    return 0 if result.ok else 1


class ScriptDrive(TerminalDrive):
    """For a script: what it asks the bank is answered by an empty one.

    A scenario counts the bank's postings before its first step, even when none of its steps looks at them.
    One that does was refused by `load_script`, so the answer is never used.
    """

    def ask_bank(self, question: Callable[[Bank], T]) -> T:
        """Ask an empty bank."""
        with closing(Bank.open(MEMORY, DEMO_MASTER_KEY, entropy=SystemEntropy())) as bank:
            return question(bank)


def run_unattended(terminal: Terminal) -> None:
    """Let the terminal work until SIGTERM or SIGINT."""
    drive = TerminalDrive()
    stopping: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _frame: stopping.append(received))
    notice("nobody is at the keyboard: running until SIGTERM")
    terminal.power_on()
    while not stopping:
        drive.pump(terminal)
        drive.wait(terminal, drive.now_ms() + 1000)


def tell_transition(transition: Transition) -> None:
    """One line for each step of the two state machines."""
    rule = transition.rule
    notice(f"{transition.machine}: {rule.source.value} -> {rule.target.value} ({rule.event.value})")
