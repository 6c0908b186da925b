"""`posterm terminal`: the terminal alone, over a serial port to a gateway in another process or machine.

Everything that the command line, the config file and the script say is read before anything is opened. Then
the terminal is used by a script, by a person in the terminal window, or by nobody: then it works on what it
owes the bank, and with its real devices if it has any.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from bank.errors import BankError
from bank.provision import CardSpec, parse_tmk
from firmware.app import Terminal, Transition
from firmware.secure.errors import SecureError
from firmware.secure.module import TMK_INDEX_MAX
from firmware.terminal_work import LANGUAGES
from hal.api import HalError
from hal.board import Board
from hal.profile import Profile, load_profile
from hal.registry import check_kinds
from hal.virtual.keypad import VirtualKeypad
from host_link.errors import LinkError
from tools.config import FLOWS, Choices, ConfigError, check_settings, load_config
from tools.drive_terminal import TerminalDrive
from tools.link_command import BITS_PER_S, add_half_duplex_option, add_max_baud_option, bits_per_s, notice
from tools.link_pair import add_key_option, key_of
from tools.runtime import plan_of
from tools.scenario import Scenario, ScenarioError, load_scenario
from tools.scenario_run import line_of, run_scenario
from tools.shipped_examples import file_or_example
from tools.state_folder import taken
from tools.station import Station, StationError
from tools.terminal_board import REAL_TIME_PROFILE, TerminalPlan, open_board
from tools.watchdog import Watchdog

Subparsers = Any  # argparse does not name the type that add_subparsers() returns

ELSEWHERE = frozenset({"cable", "gateway", "bank", "bank_fault", "postings", "holds", "balanced", "balance"})
"""What a scenario can do to line, gateway and bank, and expect of the bank."""

EXAMPLES = f"""examples:
  posterm terminal --link /dev/ttyUSB0                        in the terminal window
  posterm terminal --link socket://10.0.0.7:4000 --script sale.toml
  posterm terminal --link /dev/ttyS1 --tmk-file tmk.hex --tmk-index 2 --state /var/lib/posterm/till-2

With neither a script nor a terminal window it runs until SIGTERM and sends what it owes to the bank.
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
    add_max_baud_option(parser)
    add_half_duplex_option(parser)
    add("--profile", metavar="NAME|FILE", help="its devices: virtual (the default), or a .toml file")
    add("--state", type=Path, metavar="DIR", help="where journal and keys are kept; see below")
    add("--config", type=file_or_example, metavar="FILE", help="settings of the terminal (example:posterm)")
    add("--bank-data", type=file_or_example, metavar="FILE", help="cards and terminals; default: the demo's")
    add("--tmk-file", type=Path, metavar="FILE", help="load the master key in it (32 hex digits)")
    add("--tmk-index", type=int, metavar="N", help=f"which master key is used, 0 to {TMK_INDEX_MAX}")
    add("--flow", choices=FLOWS, help="the order of PIN and authorisation")
    add("--language", choices=LANGUAGES, help="of display and slips")
    add_key_option(parser)
    add("--script", type=file_or_example, metavar="FILE", help="a scenario (see posterm run --help)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the terminal; returns the exit code."""
    with ExitStack() as leftovers:
        try:
            plan, script = _asked_for(args)
            leftovers.enter_context(taken(plan.state_folder))
            board = open_board(plan)
        except (HalError, SecureError, StationError, BankError, ConfigError, LinkError) as error:
            print(f"posterm terminal: {error}", file=sys.stderr)
            return 2
        leftovers.callback(board.close)
        return _use(plan, board, script)


def _asked_for(args: argparse.Namespace) -> tuple[TerminalPlan, Scenario | None]:
    over = choices_of_arguments(args)
    choices = (load_config(args.config) if args.config is not None else Choices()).overlaid(over)
    script = load_script(args.script, choices) if args.script is not None else None
    if script is not None:
        choices = script.choices.overlaid(over)
    return plan_of_arguments(args, choices, extra_cards=script.cards if script else ()), script


# --- what is asked for -------------------------------------------------------------------------------


def default_state_folder(environment: Mapping[str, str]) -> Path:
    """Where a terminal's memory is kept when nobody says where (XDG base directories: state)."""
    base = environment.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "posterm" / "terminal"


def choices_of_arguments(args: argparse.Namespace) -> Choices:
    """What the command line says; it goes over every file. Raises ConfigError."""
    settings = {"language": args.language, "flow": args.flow, "master_key_index": args.tmk_index}
    said = {name: value for name, value in settings.items() if value is not None}
    said |= {"half_duplex": True} if args.half_duplex else {}
    return Choices(check_settings("command line", said), args.profile, args.bank_data, args.state)


def plan_of_arguments(
    args: argparse.Namespace, choices: Choices, *, extra_cards: Sequence[CardSpec] = ()
) -> TerminalPlan:
    """The plan for a terminal as chosen. `extra_cards`: a script's own.

    Raises HalError, BankError, StationError or PairingKeyUnusable; nothing was made.
    """
    station = plan_of(replace(choices, profile=None), extra_cards=extra_cards)
    assert station.settings is not None
    assert station.provision is not None
    return TerminalPlan(
        _profile(choices.profile or "virtual", args.link, args.baud, args.max_baud),
        replace(station.settings, pairing_key=key_of(args)),
        station.provision,
        choices.state or default_state_folder(os.environ),
        _read_master_key(args.tmk_file) if args.tmk_file is not None else None,
        is_demo=choices.bank_data is None,
    )


def _profile(name: str, link: str | None, rate: int | None, max_rate: int | None) -> Profile:
    profile = load_profile(REAL_TIME_PROFILE if name == "virtual" else name)
    most = {} if max_rate is None else {"max_bits_per_s": max_rate}
    if link is not None:
        return profile.with_device("serial_port", "serial", url=link, bits_per_s=rate or BITS_PER_S, **most)
    check_kinds(profile)
    if profile.devices["serial_port"].backend == "virtual":
        raise StationError("where is the gateway? Name the serial port to it with --link DEVICE_OR_URL")
    return profile.with_options("serial_port", **({} if rate is None else {"bits_per_s": rate}), **most)


def _read_master_key(path: Path) -> bytes:
    try:
        return parse_tmk(path.read_text("ascii").strip())
    except OSError as error:
        raise StationError(f"--tmk-file {path}: {error.strerror}: name a file that can be read") from None
    except ValueError:
        raise StationError(f"--tmk-file {path}: it must hold the key as 32 hex digits") from None


# --- who uses it -------------------------------------------------------------------------------------


def _use(plan: TerminalPlan, board: Board, script: Scenario | None) -> int:
    if script is not None:
        with Station(board, plan.settings, TerminalDrive(), plan.provision.cards) as station:
            return run_script(script, station)
    if sys.stdin.isatty() and isinstance(board.keypad, VirtualKeypad):
        from tools.window import run_window

        with Station(board, plan.settings, TerminalDrive(), plan.provision.cards) as station:
            return run_window(station)
    run_unattended(Terminal(board, plan.settings, observer=tell_transition))
    return 0


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
    """Switch the terminal on and run a scenario, telling each step; returns the exit code."""
    station.power_on()
    print(scenario.title, flush=True)
    result = run_scenario(scenario, station, lambda step: print(line_of(step), flush=True))
    print(f"{sum(step.ok for step in result.steps)} of {result.steps_in_all} steps as expected", flush=True)
    return 0 if result.ok else 1


def run_unattended(terminal: Terminal) -> None:
    """Let the terminal work until SIGTERM or SIGINT; whoever stands before its real devices uses it."""
    drive = TerminalDrive()
    stopping: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _frame: stopping.append(received))
    notice("no window and no script: running until SIGTERM")
    watchdog = Watchdog()
    terminal.power_on()
    watchdog.ready()
    while not stopping:
        drive.pump(terminal)
        watchdog.pet(drive.now_ms(), status=terminal.state)
        drive.wait(terminal, drive.now_ms() + min(1000, watchdog.every_ms or 1000))
    watchdog.stopping()


def tell_transition(transition: Transition) -> None:
    """One line for each step of the two state machines."""
    rule = transition.rule
    why = f": {transition.why}" if transition.why else ""
    notice(f"{transition.machine}: {rule.source.value} -> {rule.target.value} ({rule.event.value}){why}")
