"""`posterm service`: the terminal as a service of systemd, watched and locked in.

The unit is made from `posterm.service.in` beside this file; what is not asked for stays as it is there.
Where a system has no systemd the unit can still be shown, and written with --root into an image.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any

from hal.profile import load_profile
from hal.registry import check_kinds
from tools.link_command import BITS_PER_S, bits_per_s
from tools.toml_table import ConfigError

Subparsers = Any  # argparse does not name the type that add_subparsers() returns

UNIT = "posterm.service"
_UNIT_FOLDER = Path("etc/systemd/system")
_GROUPS = ("dialout", "input", "gpio", "i2c", "spi", "video", "lp", "plugdev")
"""Who may use ports, keypads, readers, pins, displays, printers. systemd refuses one that is not there."""

_HOMES = ("/home", "/root")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")

EXAMPLES = """examples:
  posterm service install --profile /etc/posterm/till.toml --link /dev/ttyAMA0
  posterm service show --profile pi --link socket://10.0.0.7:4000        the unit, nothing is written
  posterm service install --profile pi --link /dev/ttyAMA0 --root image   into an image that is mounted there
"""


def register(subparsers: Subparsers) -> None:
    """Add `service` and its commands to the program's subparsers."""
    text = "the terminal as a systemd service"
    parser = subparsers.add_parser("service", help=text, description=f"{text.capitalize()}.", epilog=EXAMPLES)
    commands = parser.add_subparsers(dest="service_command", required=True, metavar="COMMAND")
    install = commands.add_parser(
        "install",
        help="write the unit and start it",
        description="Write the unit, and start it now and at every boot. Needs root.",
        epilog="examples:\n  posterm service install --profile /etc/posterm/till.toml --link /dev/ttyAMA0",
    )
    show = commands.add_parser(
        "show",
        help="print the unit",
        description="Print the unit; nothing is written.",
        epilog="examples:\n  posterm service show --profile pi --link /dev/ttyAMA0",
    )
    for command in (install, show):
        _add_options(command)
    install.add_argument(
        "--root", type=Path, default=Path("/"), metavar="DIR", help="root of an image to install into"
    )
    install.set_defaults(run=run_install)
    show.set_defaults(run=run_show)


def _add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--profile", required=True, metavar="NAME|FILE", help="the terminal's devices")
    add("--link", metavar="DEVICE_OR_URL", help="the line to the gateway, where the profile names none")
    add("--baud", type=bits_per_s, default=BITS_PER_S, metavar="N", help="its bits per second")
    add("--config", type=Path, metavar="FILE", help="settings of the terminal")
    add(
        "--user", default="posterm", metavar="NAME", help="who it runs as; made if missing (default: posterm)"
    )


def run_show(args: argparse.Namespace) -> int:
    """Print the unit."""
    print(unit_of(args), end="")
    return 0


def run_install(args: argparse.Namespace) -> int:
    """Write the unit; on the running system also make the user and start the service."""
    unit = unit_of(args)
    is_live = args.root == Path("/")
    if is_live and os.geteuid() != 0:
        raise ConfigError("service install: only root may write units: sudo posterm service install ...")
    if is_live and shutil.which("systemctl") is None:
        raise ConfigError(
            "service install: no systemd here: use --root for an image, or posterm service show"
        )
    path = args.root / _UNIT_FOLDER / UNIT
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(unit, "utf-8")
    print(f"wrote {path}")
    if is_live:
        _start(args.user)
    else:
        print(f"in the image: adduser --system --group {args.user}; systemctl enable {UNIT}")
    return 0


def unit_of(args: argparse.Namespace) -> str:
    """The unit's text. Raises ConfigError or HalError for what no terminal could run with."""
    if not _USER.fullmatch(args.user):
        raise ConfigError(f"--user {args.user}: not a name of a system user")
    profile = load_profile(args.profile)
    check_kinds(profile)
    if args.link is None and profile.devices["serial_port"].backend == "virtual":
        raise ConfigError(
            "service: where is the gateway? Name the serial port to it with --link DEVICE_OR_URL"
        )
    words = [sys.executable, "-m", "tools.cli", "terminal", "--profile", _absolute(args.profile)]
    words += ["--state", "/var/lib/posterm"]
    if args.link is not None:
        words += ["--link", args.link, "--baud", str(args.baud)]
    if args.config is not None:
        words += ["--config", str(args.config.absolute())]
    template = (resources.files("tools") / "posterm.service.in").read_text("utf-8")
    in_home = any(Path(word).is_relative_to(home) for word in words for home in _HOMES)
    values = {
        "@COMMAND@": " ".join(map(_quoted, words)),
        "@USER@": args.user,
        "@GROUPS@": " ".join(name for name in _GROUPS if name in _groups_of(args)),
        "@HOME@": "read-only" if in_home else "yes",  # a program or profile that lives there must be read
    }
    for mark, value in values.items():
        template = template.replace(mark, value)
    return template


def _groups_of(args: argparse.Namespace) -> set[str]:
    """The groups of the system that the unit is for."""
    try:
        text = (getattr(args, "root", Path("/")) / "etc/group").read_text("utf-8")
    except OSError:
        return set()
    return {line.partition(":")[0] for line in text.splitlines()}


def _absolute(profile: str) -> str:
    return str(Path(profile).absolute()) if profile.endswith(".toml") else profile


def _quoted(word: str) -> str:
    """A word of ExecStart= (systemd.service(5), "Command lines"). Raises ConfigError for a line break."""
    if any(ord(character) < 0x20 for character in word):
        raise ConfigError("service: a unit's command has no control characters")
    word = word.replace("%", "%%").replace("$", "$$").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{word}"' if " " in word or '"' in word else word


def _start(user: str) -> None:
    commands = [
        ["adduser", "--system", "--group", "--quiet", user],
        ["systemctl", "daemon-reload"],
        ["systemctl", "enable", "--now", UNIT],
    ]
    for command in commands:
        done = subprocess.run(command, check=False)
        if done.returncode != 0:
            raise ConfigError(f"service install: {' '.join(command)} failed: the unit is written, see above")
    print(f"started; see systemctl status {UNIT} and journalctl -u {UNIT}")
