"""`posterm keys`: the keys of a terminal that is switched off, in its state folder.

Keys come in by prompt, by standard input or from a file, and never as arguments: those stand in the shell's
history and in the list of processes. Nothing that is shown is a key: names and check values only.
"""

from __future__ import annotations

import argparse
import getpass
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.toml_table import ConfigError

if TYPE_CHECKING:
    from firmware.secure.key_loading import KeyKind
    from firmware.secure.module import SecureModule
    from firmware.settings import TerminalSettings
    from hal.board import Board

Subparsers = Any  # argparse does not name the type that add_subparsers() returns

EXAMPLES = """examples:
  posterm keys show --state till-1 --json
  posterm keys load-components --state till-1 --index 1     two custodians, one after the other
  posterm keys load-components --state till-1 --config dukpt.toml --ksn FFFF9876543210E00000
  posterm keys load-tmk --state till-1 --index 1 --file tmk.hex
  posterm keys load-key-block --state till-1 < block.txt    a TR-31 block under the transport key
  posterm keys wipe --state till-1
  posterm keys service-reset --state till-1                 after a tamper alarm; then load keys again

Where standard input is no terminal, it has one line for each thing that would be asked for: a key or a
component with its check value behind it, separated by a space (the check value may be left out for a key).
The terminal must be switched off. A folder that does not exist yet is made by the commands that load a key.
exit codes: 0 done; 1 refused (a wrong check value, a tampered terminal); 2 wrong usage, nothing was changed
"""


@dataclass(frozen=True)
class OpenRoom:
    """A secure room whose terminal is off."""

    secure: SecureModule
    board: Board
    settings: TerminalSettings


def register(subparsers: Subparsers) -> None:
    """Add `keys` and its commands to the program's subparsers."""
    parser = subparsers.add_parser(
        "keys",
        help="a terminal's keys: load, show as check values, wipe",
        description="Load, show (as check values) and wipe the keys of a terminal that is switched off.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="keys_command", required=True, metavar="COMMAND")
    load = _command(
        commands, "load-components", "a key from the components of two or three custodians", load_components
    )
    load.add_argument("--count", type=int, choices=(2, 3), default=2, help="how many components; default: 2")
    load.add_argument(
        "--ksn",
        metavar="HEX",
        help="the initial key of DUKPT with this serial number: 20 digits, AES 24 or 16",
    )
    _add_which(load)
    load = _command(
        commands, "load-tmk", "a terminal master key, or with --transport a transport key", load_key
    )
    _add_which(load)
    _add_file(load)
    load = _command(commands, "load-key-block", "the key of a TR-31 key block", load_key_block)
    load.add_argument(
        "--index", type=int, metavar="N", help="where a master key goes; default: the one in use"
    )
    load.add_argument("--transport-index", type=int, default=1, metavar="N", help="default: 1")
    _add_file(load)
    show = _command(commands, "show", "which keys there are, and their check values", show_keys)
    show.add_argument("--json", action="store_true", help="one JSON object instead of text")
    _command(commands, "wipe", "erase every key", wipe_keys)
    _command(
        commands,
        "service-reset",
        "close the case after a tamper alarm: a new device key, no keys",
        service_reset,
    )


def _command(
    commands: Subparsers, name: str, text: str, run: Callable[[argparse.Namespace], int]
) -> argparse.ArgumentParser:
    examples = [line for line in EXAMPLES.splitlines() if line.startswith(f"  posterm keys {name} ")]
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        epilog="\n".join(["examples:", *examples]),
    )
    parser.add_argument(
        "--state", type=Path, required=True, metavar="DIR", help="the terminal's state folder"
    )
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="its settings (key scheme, index), as TOML"
    )
    parser.set_defaults(run=run)
    return parser


def _add_which(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--index", type=int, metavar="N", help="0 to 99; default: the one in use")
    parser.add_argument("--transport", action="store_true", help="a transport key, not a master key")


def _add_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--file", type=Path, metavar="FILE", help="read it from this file instead of asking")


# --- the commands ------------------------------------------------------------------------------------


def load_components(args: argparse.Namespace) -> int:
    """Ask each custodian for a component and its check value, and store the key they make."""
    from firmware.secure.key_loading import KeyComponent

    with _opened(args, create=True) as room:
        kind = _kind(args, room)
        components = []
        for number in range(1, args.count + 1):
            value, check_value = _ask_key(f"component {number}", needs_check_value=True)
            components.append(KeyComponent(value, check_value))
        _tell_loaded(kind.name, room.secure.load_components(kind, components))
    return 0


def load_key(args: argparse.Namespace) -> int:
    """Store one whole key."""
    with _opened(args, create=True) as room:
        kind = _kind(args, room)
        value, check_value = (
            _key_of(args.file.read_text("ascii"), kind.name) if args.file else _ask_key(kind.name)
        )
        _tell_loaded(kind.name, room.secure.load_key(kind, value, check_value))
    return 0


def load_key_block(args: argparse.Namespace) -> int:
    """Store the key of a key block."""
    with _opened(args) as room:
        block = args.file.read_text("ascii") if args.file else _ask("key block")
        kind, check_value = room.secure.load_key_block(
            block.strip(), index=args.index, transport_index=args.transport_index
        )
        _tell_loaded(kind.name, check_value)
    return 0


def show_keys(args: argparse.Namespace) -> int:
    """Tell the state of the secure room."""
    with _opened(args) as room:
        secure, tripped = room.secure, room.board.tamper.tripped
        state = {
            "tampered": tripped,
            "ready": secure.has_root_key and secure.self_test().ok,
            "signed_in_keys": not tripped and secure.has_working_keys,
            "serial_number": "" if tripped else secure.serial_number().hex().upper(),
            "check_values": {} if tripped else secure.check_values(),
            "refusals": [{"code": event.code, "text": event.text} for event in secure.security_log()],
        }
    print(json.dumps(state) if args.json else _as_text(state))
    return 0


def wipe_keys(args: argparse.Namespace) -> int:
    """Erase every key; the device key stays."""
    with _opened(args) as room:
        room.secure.wipe()
    print("all keys are erased")
    return 0


def service_reset(args: argparse.Namespace) -> int:
    """After a tamper alarm: what the old device key sealed is erased, and a new device key made."""
    from hal.virtual.tamper import VirtualTamper

    with _opened(args) as room:
        if not isinstance(room.board.tamper, VirtualTamper):
            raise ConfigError("service-reset: this terminal's tamper device is real: its maker resets it")
        room.secure.wipe()
        room.board.tamper.service_reset()
    print("the case is closed: a new device key, and no keys; load them with posterm keys load-components")
    return 0


# --- the secure room ---------------------------------------------------------------------------------


@contextmanager
def _opened(args: argparse.Namespace, *, create: bool = False) -> Iterator[OpenRoom]:
    """The secure room of the state folder. Raises ConfigError, HalError: nothing was changed."""
    from firmware.secure.module import SecureModule
    from firmware.settings import TerminalSettings
    from hal.profile import load_profile
    from hal.registry import build_board
    from tools.config import load_config
    from tools.state_folder import taken
    from tools.terminal_board import REAL_TIME_PROFILE

    settings = TerminalSettings(**(load_config(args.config).settings if args.config else {}))
    if not create and not args.state.is_dir():
        raise ConfigError(f"--state {args.state}: there is no such folder: name a terminal's state folder")
    board = build_board(load_profile(REAL_TIME_PROFILE), state_folder=args.state)
    with taken(args.state), closing(board):
        _open_devices(board)
        secure = SecureModule(
            board.storage,
            board.tamper,
            board.rng,
            master_key_index=settings.master_key_index,
            security=settings.security,
        )
        yield OpenRoom(secure, board, settings)


def _open_devices(board: Board) -> None:
    """Those that the secure room needs. Raises ConfigError: nothing was changed."""
    from hal.api import HalError

    try:
        for device in (board.storage, board.rng, board.tamper):
            device.open()
    except HalError as error:
        raise ConfigError(str(error)) from None


def _kind(args: argparse.Namespace, room: OpenRoom) -> KeyKind:
    from firmware.secure.key_use import KeyUse

    if ksn := getattr(args, "ksn", None):
        return _initial_key_kind(room, args, ksn)
    if args.transport:
        return room.secure.kind_of_key(KeyUse.TRANSPORT, 1 if args.index is None else args.index)
    index = room.settings.master_key_index if args.index is None else args.index
    return room.secure.kind_of_key(KeyUse.TMK, index)


def _initial_key_kind(room: OpenRoom, args: argparse.Namespace, ksn: str) -> KeyKind:
    from firmware.secure.component_entry import SERIAL_NUMBER_DIGITS
    from firmware.secure.key_use import KeyUse

    scheme = room.secure.security
    if not scheme.is_dukpt:
        raise ConfigError(
            f"--ksn: the key scheme is {scheme.key_scheme.value}: choose a DUKPT one with --config"
        )
    if args.transport or args.index is not None:
        raise ConfigError("--ksn: an initial key has no index and is no transport key: leave the others out")
    algorithm = room.secure.kind_of_key(KeyUse.DUKPT).algorithm
    lengths = SERIAL_NUMBER_DIGITS[algorithm]
    try:
        serial_number = bytes.fromhex(ksn)
    except ValueError:
        serial_number = b""
    if 2 * len(serial_number) not in lengths:
        words = " or ".join(map(str, lengths))
        raise ConfigError(f"--ksn: with {scheme.key_scheme.value} it has {words} hexadecimal digits")
    return room.secure.kind_of_key(KeyUse.DUKPT, ksn=serial_number.ljust(lengths[-1] // 2, b"\0"))


# --- asking and telling ------------------------------------------------------------------------------


def _ask(what: str) -> str:
    """One line, unseen when a person types it. Raises ConfigError when there is none."""
    line = getpass.getpass(f"{what}: ") if sys.stdin.isatty() else sys.stdin.readline()
    if not line.strip():
        raise ConfigError(f"{what}: nothing was given: type it, or send one line for it to standard input")
    return line


def _ask_key(what: str, *, needs_check_value: bool = False) -> tuple[bytes, bytes | None]:
    line = _ask(f"{what} (hex)")
    if sys.stdin.isatty():
        check_value = input(f"check value of {what} (hex{'' if needs_check_value else ', ENTER for none'}): ")
        line = f"{line.strip()} {check_value}"
    value, check = _key_of(line, what)
    if needs_check_value and check is None:
        raise ConfigError(f"{what}: its check value is missing: give it behind the component")
    return value, check


def _key_of(text: str, what: str) -> tuple[bytes, bytes | None]:
    """A key and its check value out of "HEX" or "HEX HEX". Raises ConfigError, which tells neither."""
    try:
        parts = [bytes.fromhex(part) for part in text.split()]
    except ValueError:
        parts = []
    if not 1 <= len(parts) <= 2:
        raise ConfigError(f"{what}: it must be hexadecimal digits, with its check value behind a space")
    return parts[0], parts[1] if len(parts) == 2 else None


def _tell_loaded(name: str, check_value: bytes) -> None:
    print(f"loaded {name}, check value {check_value[:4].hex().upper()}")


def _as_text(state: dict[str, Any]) -> str:
    lines = [f"{name:<14} {value}" for name, value in sorted(state["check_values"].items())]
    if state["serial_number"]:
        lines.append(f"{'dukpt':<14} {state['serial_number']} (serial number of the newest message)")
    lines = lines or ["no master or transport key"]
    if state["tampered"]:
        lines = ["TAMPERED: all keys are gone; posterm keys service-reset, then load keys again"]
    lines.append(f"ready: {'yes' if state['ready'] else 'no'}")
    lines.append(f"working keys of a sign-in: {'yes' if state['signed_in_keys'] else 'no'}")
    lines += [f"refused: {event['code']} {event['text']}" for event in state["refusals"]]
    return "\n".join(lines)
