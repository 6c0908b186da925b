"""`posterm link ...`: the host link's gateway as a process of its own, between a serial port and a bank."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import signal
import sys
from datetime import datetime
from typing import Any

from host_link.errors import PortError
from host_link.gateway import Gateway, GatewaySettings
from host_link.ports import Port, open_port

Subparsers = Any  # argparse does not name the type that add_subparsers() returns

BITS_PER_S = 115_200

EXAMPLES = """examples:
  posterm link serve --port /dev/ttyUSB0 --bank 127.0.0.1:8583
  posterm link serve --port socket://10.0.0.7:4000 --bank bank.example:8583 --verbose

It runs until SIGTERM or SIGINT. A port that vanishes later is waited for.
exit codes: 0 ended on request, 2 the port or the address cannot be used
"""


def register(subparsers: Subparsers) -> None:
    """Add `link` and its one command to the program's subparsers."""
    text = "the gateway: from a serial port to the bank"
    parser = subparsers.add_parser("link", help=text, description=__doc__)
    commands = parser.add_subparsers(dest="link_command", required=True, metavar="COMMAND")
    text = "carry messages between the terminal on a serial port and the bank's TCP port"
    command = commands.add_parser(
        "serve",
        help=text,
        description=text,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "--port",
        required=True,
        metavar="DEVICE_OR_URL",
        help="/dev/tty..., socket://HOST:PORT or rfc2217://HOST:PORT",
    )
    command.add_argument("--bank", required=True, metavar="HOST:PORT", help="where the bank listens")
    command.add_argument(
        "--baud",
        type=bits_per_s,
        default=BITS_PER_S,
        metavar="N",
        help="bits/s; default: %(default)s",
    )
    command.add_argument(
        "--verbose", action="store_true", help="tell at the end what has crossed the line, in numbers"
    )
    command.set_defaults(run=serve)


def serve(args: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM; 0 then, 2 for a port or address that cannot be used."""
    try:
        host, port_number = parse_host_port(args.bank)
        port = open_port(args.port, args.baud)
    except (ValueError, PortError) as error:
        print(f"posterm link: {error}", file=sys.stderr)
        return 2
    gateway = StartedGateway(GatewaySettings(args.port, host, port_number, args.baud), port)
    asyncio.run(_run_until_stopped(gateway))
    if args.verbose:
        counters = dataclasses.asdict(gateway.session.counters)
        notice("ended: " + ", ".join(f"{name} {count}" for name, count in counters.items()))
    return 0


class StartedGateway(Gateway):
    """A gateway that is given its first port open.

    So a wrong port is an error at the start, and only a lost one is waited for. Opened on trial and again, a
    port would drop its control lines in between, and a TCP connection would end.
    """

    def __init__(self, settings: GatewaySettings, port: Port) -> None:
        super().__init__(settings, notice=notice)
        self._first_port: Port | None = port

    async def _wait_for_port(self) -> Port:
        port, self._first_port = self._first_port, None
        return port or await super()._wait_for_port()


async def _run_until_stopped(gateway: Gateway) -> None:
    task = asyncio.ensure_future(gateway.run())
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


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


def notice(text: str) -> None:
    """Tell the operator something, with the time, on stderr."""
    print(f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S} {text}", file=sys.stderr, flush=True)
