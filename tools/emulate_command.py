"""`posterm devices emulate`: a device in software on a pseudo-terminal or a TCP port, for any program.

Its hands are words on the standard input, one action a line; what it has to tell (a slip, what a display
shows) goes to the standard output. It runs until SIGINT or SIGTERM.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hal.peripherals.printer_service import PrinterService
    from hal.peripherals.shell import Shell
    from tools.emulation import Emulated

Subparsers = Any  # argparse does not name the type that add_subparsers() returns

_WAIT_MAX_S = 1.0

EXAMPLES = """examples:
  posterm devices emulate printer --pty /tmp/printer --out /tmp/slips --set model=58mm
  posterm devices emulate vfd --pty /tmp/display --set command_set=epson --baud 9600
  posterm devices emulate magstripe --listen 4001 --set suffix=\\\\r        then type: swipe good
  posterm devices emulate keypad --pty /tmp/keys                         then type: press 1 2 enter
  posterm devices emulate ccid --pty /tmp/chip                           then type: insert t1
  posterm devices emulate phoenix --rfc2217 4002                         then type: insert
"""


def register(subparsers: Subparsers) -> None:
    """Add `emulate` to the parser of `devices`."""
    from tools.emulation import KINDS

    parser = subparsers.add_parser(
        "emulate",
        help="a device in software, for any program",
        description="A device in software at the far end of a serial line. It runs until Ctrl-C.",
        epilog="\n".join(
            [
                EXAMPLES,
                "what can be typed while it runs:",
                *(f"  {name:10} {kind.words}" for name, kind in KINDS.items()),
            ]
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("kind", choices=sorted(KINDS), metavar="KIND", help=", ".join(sorted(KINDS)))
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--pty", type=Path, metavar="LINK", help="make a pseudo-terminal, and this link to it")
    where.add_argument(
        "--listen", type=int, metavar="PORT", help="wait for a TCP connection on 127.0.0.1:PORT"
    )
    where.add_argument(
        "--rfc2217",
        type=int,
        metavar="PORT",
        help="the same with control lines: programs on pyserial open rfc2217://127.0.0.1:PORT",
    )
    add("--baud", type=int, metavar="N", help="pace its bytes as a line of N bits/s does")
    add(
        "--set",
        action="append",
        default=[],
        dest="options",
        metavar="NAME=VALUE",
        help="an option of the device",
    )
    add("--out", type=Path, metavar="DIR", help="of a printer: where each slip is written, as PNG and text")
    add("--json", action="store_true", help="each line that it tells as a JSON object")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Make the device and turn it until a signal comes."""
    from hal.peripherals.network_shell import NetworkShell
    from hal.peripherals.pacing import Paced
    from hal.peripherals.shell import PtyShell, SocketShell
    from tools.emulation import KINDS, emulated
    from tools.toml_table import ConfigError

    pairs = [text.partition("=") for text in args.options]
    for name, equals, _ in pairs:
        if not name or not equals:
            raise ConfigError("--set takes NAME=VALUE")
    device = emulated(args.kind, {name: value for name, _, value in pairs})
    if args.baud is not None and args.baud <= 0:
        raise ConfigError("--baud takes a rate in bits/s, such as 9600")
    if KINDS[args.kind].needs_lines and args.rfc2217 is None:
        raise ConfigError(f"{args.kind} needs control lines, which only --rfc2217 PORT has")
    if args.baud and args.rfc2217 is not None:
        raise ConfigError("--rfc2217 has no pace: leave --baud out")
    service = None if args.out is None else _slips_to(args.out, device.peripheral, as_json=args.json)
    peripheral = service or device.peripheral
    if args.baud:
        peripheral = Paced(peripheral, args.baud)
    shell: Shell
    try:
        if args.pty is not None:
            shell = PtyShell(peripheral, link=args.pty)
        elif args.listen is not None:
            shell = SocketShell(peripheral, args.listen)
        else:
            shell = NetworkShell(peripheral, port=args.rfc2217)
    except FileExistsError:
        raise ConfigError(f"--pty {args.pty}: there is a file of that name: choose another") from None
    with contextlib.closing(shell):
        print(f"{args.kind} on {args.pty or shell.path}", file=sys.stderr, flush=True)
        _serve(device, shell, as_json=args.json)
        if service is not None:
            service.finish()
    return 0


def _slips_to(folder: Path, peripheral: object, *, as_json: bool) -> PrinterService:
    from hal.peripherals.printer import SoftwarePrinter
    from hal.peripherals.printer_service import PrinterService
    from tools.toml_table import ConfigError

    if not isinstance(peripheral, SoftwarePrinter):
        raise ConfigError("--out: only a printer has slips to write")
    return PrinterService(peripheral, folder, notify=lambda line: _tell(line, as_json=as_json))


def _tell(line: str, *, as_json: bool) -> None:
    print(json.dumps({"told": line}, ensure_ascii=False) if as_json else line, flush=True)


def _serve(device: Emulated, shell: Shell, *, as_json: bool) -> None:
    stopping: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _frame: stopping.append(received))
    heard, listens = b"", True
    while not stopping:
        now_ms = time.monotonic_ns() // 1_000_000
        shell.turn(now_ms)
        for line in device.news():
            _tell(line, as_json=as_json)
        deadline_ms = shell.deadline_ms()
        wait_s = _WAIT_MAX_S if deadline_ms is None else min(max(deadline_ms - now_ms, 0) / 1000, _WAIT_MAX_S)
        files = [*shell.filenos(), *([sys.stdin.fileno()] if listens else [])]
        ready, _, _ = select.select(files, [], [], wait_s)
        if listens and sys.stdin.fileno() in ready:
            data = os.read(sys.stdin.fileno(), 4096)
            listens = bool(data)  # nobody types any more: the device stays
            *lines, heard = (heard + data).split(b"\n")
            for text in lines:
                obey(device, text.decode("utf-8", "replace").split())


def obey(device: Emulated, words: list[str]) -> None:
    """Do what was typed; what cannot be done is said in one line."""
    if not words:
        return
    action = device.words.get(words[0])
    if action is None:
        print(f"cannot: no such word; say one of: {' '.join(device.words)}", file=sys.stderr, flush=True)
        return
    try:
        action(words[1:])
    except (ValueError, OSError) as error:
        print(f"cannot: {error}", file=sys.stderr, flush=True)
