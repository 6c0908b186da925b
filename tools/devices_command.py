"""`posterm devices`: what is plugged in, whether it works, a profile for it, and devices in software."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from hal.profile import Profile
    from tools.devices_found import Found

Subparsers = Any  # argparse does not name the type that add_subparsers() returns

EXAMPLES = """examples:
  posterm devices list                                       what is plugged in, and how a profile names it
  posterm devices identify --ask --listen 20 -o till.toml    find out what it is, and write a profile
  posterm devices test --profile till.toml                   does each device of the profile answer?
  posterm devices test --profile till.toml --try keypad      press a key
  posterm devices emulate magstripe --pty /tmp/reader        a device in software, for any program
"""


def register(subparsers: Subparsers) -> None:
    """Add `devices` and its commands to the program's subparsers."""
    from tools import emulate_command

    parser = subparsers.add_parser(
        "devices",
        help="find, test and emulate devices",
        description="The terminal's devices: find them, test them, emulate them.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="devices_command", required=True, metavar="COMMAND")
    _add_list(commands)
    _add_identify(commands)
    _add_test(commands)
    emulate_command.register(commands)


# --- list --------------------------------------------------------------------------------------------


def _add_list(commands: Subparsers) -> None:
    parser = commands.add_parser(
        "list",
        help="show what is plugged in",
        description="Show what is plugged in. Nothing is opened; no device notices.",
        epilog="examples:\n  posterm devices list --json",
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run_list)


def run_list(args: argparse.Namespace) -> int:
    """Show everything that a terminal could use."""
    from tools.devices_found import found_devices

    found = found_devices()
    if args.json:
        print(json.dumps([device.to_json() for device in found], ensure_ascii=False, indent=2))
    elif not found:
        print("nothing is plugged in that a terminal could use")
    else:
        _print_found(found)
    return 0


def _print_found(found: Iterable[Found]) -> None:
    rows = [(device.where, _choice(device), device.identity, device.name) for device in found]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        cells = [text.ljust(width) for text, width in zip(row[:3], widths, strict=True)]
        print("  ".join([*cells, row[3]]).rstrip())


def _choice(device: Found) -> str:
    return f"{device.kind}.{device.backend}" if device.kind else "?"


# --- identify ----------------------------------------------------------------------------------------


def _add_identify(commands: Subparsers) -> None:
    parser = commands.add_parser(
        "identify",
        help="find out what is plugged in, and write a profile",
        description=(
            "Find out what is plugged in, and write a profile that chooses it. What is not found stays as in "
            "the profile that it begins with, and is named."
        ),
        epilog="examples:\n  posterm devices identify --ask --listen 20 -o till.toml",
    )
    add = parser.add_argument
    add("--ask", action="store_true", help="send a question to each serial port: printers answer it")
    add("--listen", type=float, default=0.0, metavar="S", help="wait so many seconds for keys and swipes")
    add(
        "--base",
        default="headless",
        metavar="NAME|FILE",
        help="the profile to begin with (default: headless)",
    )
    add("-o", "--output", type=Path, metavar="FILE", help="where the profile is written; without it: shown")
    parser.set_defaults(run=run_identify)


def run_identify(args: argparse.Namespace) -> int:
    """Write a profile for what is plugged in."""
    from hal.profile import load_profile
    from hal.registry import check_kinds
    from tools.devices_found import found_devices
    from tools.profile_text import profile_text

    base = load_profile(args.base)
    check_kinds(base)
    found = found_devices()
    if args.ask:
        found = _asked(found)
    if args.listen:
        found = _listened(found, args.listen)
    profile, notes = profile_of(base, found)
    text = profile_text(profile, notes)
    for kind, note in notes.items():
        print(f"{kind}: {note}", file=sys.stderr)
    if args.output is None:
        print(text, end="")
    else:
        args.output.write_text(text, "utf-8")
        print(f"wrote {args.output}; try it: posterm devices test --profile {args.output}", file=sys.stderr)
    return 0


def profile_of(base: Profile, found: Iterable[Found]) -> tuple[Profile, Mapping[str, str]]:
    """The profile for what was found, and what is to be said about each device of it.

    Of several devices of a kind none is chosen: that is for a person to do.
    """
    from dataclasses import replace

    profile = replace(base, description="written by posterm devices identify")
    notes = {}
    for kind, choice in base.devices.items():
        fitting = [device for device in found if device.kind == kind]
        if len(fitting) == 1:
            profile = profile.with_device(kind, fitting[0].backend, **fitting[0].options)
            notes[kind] = f"found: {fitting[0].name} at {fitting[0].where}"
        elif fitting:
            places = " or ".join(device.where for device in fitting)
            notes[kind] = f"several were found, choose one: {places}; until then: {choice.backend}"
        elif choice.backend == "virtual" and kind == "serial_port":
            notes[kind] = "the line to the gateway: name it with --link, or set it here"
        elif choice.backend == "virtual":
            notes[kind] = "none was found: this one is virtual, nobody can touch or see it"
    return profile, notes


def _asked(found: list[Found]) -> list[Found]:
    from rich.progress import track

    bar = track(found, "asking", console=_console(), transient=True)
    return [_answer_of(device) if not device.kind and _is_serial(device) else device for device in bar]


def _answer_of(port: Found) -> Found:
    from hal.api import DeviceMissing
    from tools.devices_asked import ask

    try:
        return ask(port)
    except DeviceMissing as error:
        print(str(error), file=sys.stderr)
        return port


def _listened(found: list[Found], seconds: float) -> list[Found]:
    from rich.progress import Progress

    from tools.devices_asked import listen

    ports = [device for device in found if not device.kind and _is_serial(device)]
    print(f"press a key or swipe a card at each device, within {seconds:g} s", file=sys.stderr, flush=True)
    with Progress(console=_console(), transient=True) as bar:
        task = bar.add_task("listening", total=seconds)
        told = listen(
            ports,
            seconds,
            tell=lambda text: print(text, file=sys.stderr),
            progress=lambda done_s: bar.update(task, completed=done_s),
        )
    return [device for device in found if device not in ports] + told


def _console() -> Console:
    """Where progress is shown: not in the profile that goes to the standard output."""
    from rich.console import Console

    return Console(stderr=True)


def _is_serial(device: Found) -> bool:
    return device.where.startswith("/dev/tty")


# --- test --------------------------------------------------------------------------------------------


def _add_test(commands: Subparsers) -> None:
    parser = commands.add_parser(
        "test",
        help="test the devices of a profile",
        description="Open each device of a profile and let it test itself: no paper, no sound.",
        epilog="examples:\n  posterm devices test --profile till.toml\n"
        "  posterm devices test --profile till.toml --try printer buzzer\n\n"
        "exit codes: 0 all well; 1 a device failed; 2 wrong usage, or a device is missing",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--profile", required=True, metavar="NAME|FILE", help="the devices")
    add(
        "--state",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="where its relative paths begin (default: .)",
    )
    add(
        "--try",
        nargs="*",
        dest="tried",
        metavar="KIND",
        help="use them: print a line, beep, wait for a key …",
    )
    add("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run_test)


def run_test(args: argparse.Namespace) -> int:
    """Test every device that reads or shows something; 0 when all are well."""
    from hal.api import DeviceMissing
    from hal.profile import ProfileError, did_you_mean, load_profile
    from hal.registry import KINDS, check_kinds

    profile = load_profile(args.profile)
    check_kinds(profile)
    for kind in args.tried or ():
        if kind not in KINDS:
            raise ProfileError(f"no device is called {kind!r}{did_you_mean(kind, KINDS)}")
    tried = KINDS if args.tried == [] else tuple(args.tried or ())
    results = []
    missing = False
    for kind in KINDS:
        try:
            ok, detail = _tested(profile, kind, args.state, tried=kind in tried)
        except DeviceMissing as error:
            ok, detail, missing = False, str(error), True
        results.append({"kind": kind, "backend": profile.devices[kind].backend, "ok": ok, "detail": detail})
        if not args.json:
            print(
                f"{kind:12} {results[-1]['backend']:10} {'ok' if ok else 'FAILED':7} {detail}".rstrip(),
                flush=True,
            )
    if args.json:
        print(json.dumps(results, ensure_ascii=False, indent=2))
    if missing:
        return 2
    return 0 if all(result["ok"] for result in results) else 1


_KEEPS_SOMETHING = frozenset({"storage", "tamper"})  # opening one anew makes a file or a key


def _tested(profile: Profile, kind: str, state: Path, *, tried: bool) -> tuple[bool, str]:
    from hal.host.clock import SystemClock
    from hal.registry import build_device
    from tools.devices_tried import TRIES, carriers_of

    if kind in _KEEPS_SOMETHING and not tried:
        return True, "not opened: it keeps the terminal's memory (--try opens it)"
    device = build_device(profile, kind, state_folder=state)
    carriers = carriers_of(device)
    with ExitStack() as stack:
        for one in (*carriers, device):
            one.open()
            stack.callback(one.close)
        failed = next((health for one in (*carriers, device) if not (health := one.self_test()).ok), None)
        if failed is not None:
            return False, failed.detail
        if tried and kind in TRIES:
            return TRIES[kind](device, SystemClock())
        return True, device.self_test().detail
