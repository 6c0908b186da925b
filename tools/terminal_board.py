"""A terminal before it is switched on: what it is made of, its board opened, its master key loaded.

The order matters. The serial port is taken first, then the memory is looked at, and only then is anything
written: so whatever cannot be used is refused as it is. The caller has taken the state folder before.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bank.provision import Provision, TerminalSpec
from firmware.secure.module import SecureModule
from firmware.settings import TerminalSettings
from hal.api import DeviceFault
from hal.board import Board
from hal.profile import Profile
from hal.registry import build_board
from hal.virtual.clock import VirtualClock
from tools.key_ceremony import load_first_keys, matching
from tools.link_command import notice
from tools.state_folder import check_memory, is_new
from tools.station import StationError

REAL_TIME_PROFILE = "headless"
"""The profile of virtual devices with a real clock."""


@dataclass(frozen=True)
class TerminalPlan:
    """What one terminal is made of."""

    profile: Profile
    settings: TerminalSettings
    provision: Provision
    state_folder: Path
    master_key: bytes | None = None  # to be loaded; None: the one of `provision`, if none is loaded yet
    is_demo: bool = False  # `provision` is the demo's

    def __repr__(self) -> str:
        return f"TerminalPlan({self.profile.name!r}, {self.settings.terminal_id!r})"


def open_board(plan: TerminalPlan) -> Board:
    """The terminal's board, open and with a master key: ready for a Terminal to be switched on.

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
        check_memory(plan.profile, plan.state_folder, keys_are_loaded_anew=plan.master_key is not None)
        if plan.master_key is None and is_new(plan.profile, plan.state_folder):
            _terminal_of_data(plan)  # the first keys: known before anything is made
        board.open()
        _load_master_key(board, plan)
    except DeviceFault as error:  # at work it would be a failure; here it is a folder that cannot be used
        board.close()
        raise StationError(str(error)) from None
    except BaseException:
        board.close()
        raise
    return board


def _load_master_key(board: Board, plan: TerminalPlan) -> None:
    """What a key-loading ceremony does before a terminal is delivered. A tampered terminal is left alone."""
    settings, index = plan.settings, plan.settings.master_key_index
    secure = SecureModule(
        board.storage, board.tamper, board.rng, master_key_index=index, security=settings.security
    )
    if board.tamper.tripped:
        return
    if plan.master_key is not None:
        secure.load_tmk(index, plan.master_key)
    elif not secure.has_root_key:
        load_first_keys(secure, settings, _terminal_of_data(plan))
        if plan.is_demo:
            notice(f"loaded the demo's published master key (index {index}): for tests only, see --tmk-file")


def _terminal_of_data(plan: TerminalPlan) -> TerminalSpec:
    settings = plan.settings
    for merchant in matching(plan.provision, settings).merchants:
        for terminal in merchant.terminals:
            if (terminal.tid, merchant.mid) == (settings.terminal_id, settings.merchant_id):
                return terminal
    raise StationError(
        f"no master key for terminal {settings.terminal_id} of merchant {settings.merchant_id}: "
        "load one with --tmk-file, or name the bank's data with --bank-data"
    )
