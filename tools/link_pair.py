"""`posterm link pair`: the key that a terminal and its gateway share, in a file for each of them."""

from __future__ import annotations

import argparse
import os
import secrets
import stat
from pathlib import Path
from typing import Any

from host_link.errors import PairingKeyUnusable
from host_link.pairing import PAIRING_KEY_BYTES

EXAMPLES = """example:
  posterm link pair till-1.key
  posterm link serve --port /dev/ttyUSB0 --bank 127.0.0.1:8583 --pairing-key-file till-1.key
  posterm terminal --link /dev/ttyUSB0 --pairing-key-file till-1.key

Carry the file to the other machine in a way that nobody else can read, and keep it readable for one user.
"""


def register(commands: Any) -> None:
    """Add `pair`."""
    text = "make a pairing key: both ends prove that they have it, and what crosses the line is enciphered"
    command = commands.add_parser(
        "pair",
        help="make a pairing key for a terminal and its gateway",
        description=text,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("file", type=Path, metavar="FILE", help="is made, for its user only (mode 0600)")
    command.set_defaults(run=pair)


def pair(args: argparse.Namespace) -> int:
    """Make the file. Raises PairingKeyUnusable."""
    write_pairing_key(args.file, secrets.token_bytes(PAIRING_KEY_BYTES))
    print(f"{args.file}: a new pairing key; give it to both ends with --pairing-key-file")
    return 0


def add_key_option(command: argparse.ArgumentParser) -> None:
    """Add `--pairing-key-file`."""
    command.add_argument(
        "--pairing-key-file", type=Path, metavar="FILE", help="the key of paired ends, from posterm link pair"
    )


def key_of(args: argparse.Namespace) -> bytes | None:
    """The key that the options name. Raises PairingKeyUnusable."""
    return None if args.pairing_key_file is None else read_pairing_key(args.pairing_key_file)


def write_pairing_key(path: Path, key: bytes) -> None:
    """Write a key to a file that must not exist. Raises PairingKeyUnusable."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise PairingKeyUnusable(f"{path} exists: it may hold a key in use; name another file") from None
    except OSError as error:
        raise PairingKeyUnusable(f"{path} cannot be made: {error.strerror}") from None
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(key.hex() + "\n")


def read_pairing_key(path: Path) -> bytes:
    """Read a key from a file that only its user can open. Raises PairingKeyUnusable."""
    try:
        mode = path.stat().st_mode
        text = path.read_bytes()
    except OSError as error:
        raise PairingKeyUnusable(f"{path} cannot be read: {error.strerror}") from None
    if stat.S_ISREG(mode) and mode & 0o077:
        raise PairingKeyUnusable(f"{path} can be read by others: chmod 600 it, or make a new key") from None
    try:
        key = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        key = b""
    if len(key) != PAIRING_KEY_BYTES:
        raise PairingKeyUnusable(f"{path} holds no pairing key: make one with posterm link pair")
    return key
