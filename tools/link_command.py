"""`posterm link ...`: the host link's gateway as a process of its own, and what shows what it does."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from typing import Any

Subparsers = Any  # argparse does not name the type that add_subparsers() returns

BITS_PER_S = 115_200


def register(subparsers: Subparsers) -> None:
    """Add `link` and its commands to the program's subparsers."""
    from tools import link_pair, link_pcapng, link_recording, link_serve, link_stats

    text = "the gateway: from a serial port to the bank"
    parser = subparsers.add_parser(
        "link", help=text, description="The gateway as a process of its own, and what shows what it does."
    )
    commands = parser.add_subparsers(dest="link_command", required=True, metavar="COMMAND")
    for module in (link_serve, link_stats, link_recording, link_pcapng, link_pair):
        module.register(commands)


def parse_host_port(text: str) -> tuple[str, int]:
    """Host and port of "host:port" or "[IPv6 address]:port". Raises ValueError."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not (port.isascii() and port.isdigit()) or not 0 < int(port) <= 65_535:
        raise ValueError(f'--bank: "{text}" is no HOST:PORT: write it as 127.0.0.1:8583')
    try:
        host.encode("idna")
    except UnicodeError:
        raise ValueError(f'--bank: "{host}" is no host name or address') from None
    return host, int(port)


def bits_per_s(text: str) -> int:
    """A line rate. Raises ArgumentTypeError."""
    if not (text.isascii() and text.isdigit()) or int(text) == 0:
        raise argparse.ArgumentTypeError(f'"{text}" is no line rate: give bits/s, such as {BITS_PER_S}')
    return int(text)


def add_max_baud_option(command: argparse.ArgumentParser) -> None:
    """Add `--max-baud`."""
    command.add_argument(
        "--max-baud",
        type=bits_per_s,
        metavar="N",
        help="go up to N bits/s when the other end can and it works; default: stay at --baud",
    )


def add_half_duplex_option(command: argparse.ArgumentParser) -> None:
    """Add `--half-duplex`."""
    command.add_argument(
        "--half-duplex",
        action="store_true",
        help="the line carries one direction at a time (two-wire RS-485): take turns; both ends need it",
    )


def notice(text: str) -> None:
    """Tell the operator something, with the time, on stderr."""
    print(f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S} {text}", file=sys.stderr, flush=True)
