"""`posterm link serve`: carries messages between terminals on serial ports and the bank's TCP port."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from host_link.bank_connection import TlsSettings
from host_link.control_socket import control_socket
from host_link.errors import LinkError
from host_link.framing import crcmod_is_fast
from host_link.gateway import Gateway, GatewaySettings
from host_link.port_holder import Holder, holders
from host_link.ports import Port, open_port
from host_link.spy import Spy
from tools.link_command import (
    BITS_PER_S,
    add_half_duplex_option,
    add_max_baud_option,
    bits_per_s,
    notice,
    parse_host_port,
)
from tools.link_pair import add_key_option, key_of

EXAMPLES = """examples:
  posterm link serve --port /dev/ttyUSB0 --bank 127.0.0.1:8583
  posterm link serve --port socket://10.0.0.7:4000 --bank bank.example:8583 --verbose
  posterm link serve --port /dev/ttyUSB0 --port /dev/ttyUSB1 --multiplex tpdu --bank 127.0.0.1:8583
  posterm link serve --port /dev/ttyUSB0 --bank bank.example:8584 --tls --ca bank-ca.pem \\
      --cert gateway.pem --key gateway-key.pem
  posterm link serve --port /dev/ttyUSB0 --bank 127.0.0.1:8583 --pairing-key-file till-1.key
  posterm link serve --port /dev/ttyUSB0 --bank 127.0.0.1:8583 --max-baud 921600
  posterm link serve --port /dev/ttyUSB0 --bank 127.0.0.1:8583 --record line.ptlr --control link.sock

It runs until SIGTERM or SIGINT. A port that vanishes later is waited for.
exit codes: 0 ended on request, 2 a port, a file or the address cannot be used
"""


def register(commands: Any) -> None:
    """Add `serve`."""
    text = "carry messages between terminals on serial ports and the bank's TCP port"
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
        action="append",
        metavar="DEVICE_OR_URL",
        help="/dev/tty..., socket://HOST:PORT, rfc2217://HOST:PORT, unix:///PATH; once for each terminal",
    )
    command.add_argument("--bank", required=True, metavar="HOST:PORT", help="where the bank listens")
    command.add_argument(
        "--baud", type=bits_per_s, default=BITS_PER_S, metavar="N", help="bits/s; default: %(default)s"
    )
    add_max_baud_option(command)
    add_half_duplex_option(command)
    command.add_argument(
        "--multiplex",
        choices=["tpdu"],
        help="all ports share one connection to the bank, told apart by TPDU address; default: one each",
    )
    _add_tls_options(command)
    command.add_argument(
        "--record", type=Path, metavar="FILE", help="write down all that crosses the lines, unmasked"
    )
    command.add_argument(
        "--control", type=Path, metavar="PATH", help="a Unix socket on which posterm link stats asks"
    )
    command.add_argument(
        "--verbose", action="store_true", help="tell at the end what has crossed the line, in numbers"
    )
    add_key_option(command)
    command.set_defaults(run=serve)


def _add_tls_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--tls", action="store_true", help="talk to the bank over TLS; needs --ca")
    command.add_argument("--ca", type=Path, metavar="FILE", help="the only authority to believe (PEM)")
    command.add_argument("--cert", type=Path, metavar="FILE", help="the gateway's own certificate (PEM)")
    command.add_argument("--key", type=Path, metavar="FILE", help="its key (PEM), if not in --cert")
    command.add_argument(
        "--server-name", metavar="NAME", help="the name in the bank's certificate; default: the host's"
    )


def serve(args: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM; 0 then, 2 for a port, file or address that cannot be used."""
    with contextlib.ExitStack() as leftovers:
        try:
            gateways = list(_gateways(args, leftovers))
            asyncio.run(_run_until_stopped(gateways, args.control))
        except (ValueError, LinkError) as error:
            print(f"posterm link: {error}", file=sys.stderr)
            return 2
    if args.verbose:
        for line in (line for gateway in gateways for line in gateway.lines):
            counters = asdict(line.session.counters)
            name = f"{line.port_name} " if len(args.port) > 1 else ""
            notice(f"{name}ended: " + ", ".join(f"{key} {count}" for key, count in counters.items()))
    return 0


def _gateways(args: argparse.Namespace, leftovers: contextlib.ExitStack) -> Iterator[Gateway]:
    """A gateway for each connection to the bank. Raises ValueError and LinkError."""
    host, port_number = parse_host_port(args.bank)
    tls = _tls(args)
    if len(set(args.port)) < len(args.port):
        raise ValueError("--port: the same port twice: each terminal has its own")
    # Opened here, so a wrong port is an error at the start, and only a lost one is waited for. Opened on
    # trial and again, a port would drop its control lines in between, and a TCP connection would end.
    ports = [_opened(name, args.baud, leftovers) for name in args.port]
    pairing_key = key_of(args)
    spy = _spy(args, leftovers)
    if not crcmod_is_fast():
        notice("crcmod runs without its C extension: the link needs more processor time (reinstall crcmod)")
    groups = (
        [range(len(ports))] if args.multiplex else [range(number, number + 1) for number in range(len(ports))]
    )
    for group in groups:
        names = tuple(args.port[number] for number in group)
        settings = GatewaySettings(
            names,
            host,
            port_number,
            args.baud,
            args.max_baud,
            tls=tls,
            pairing_key=pairing_key,
            half_duplex=args.half_duplex,
        )
        yield Gateway(
            settings,
            notice=notice if len(groups) == 1 else _notice_of(names[0]),
            open_ports=[ports[number] for number in group],
            tap=_tap_of(spy, group.start),
        )


def _tls(args: argparse.Namespace) -> TlsSettings | None:
    if not args.tls:
        if any((args.ca, args.cert, args.key, args.server_name)):
            raise ValueError("--ca, --cert, --key and --server-name need --tls")
        return None
    if args.ca is None:
        raise ValueError("--tls: name with --ca the authority that has signed the bank's certificate")
    if args.key and not args.cert:
        raise ValueError("--key: give the certificate that belongs to it with --cert")
    return TlsSettings(args.ca, args.cert, args.key, args.server_name)


def _opened(name: str, rate: int, leftovers: contextlib.ExitStack) -> Port:
    port = open_port(name, rate)
    leftovers.callback(port.close)
    for holder in _listeners(name):
        notice(f"{name} is also open in {holder}: bytes that it reads are lost to the link")
    return port


def _listeners(name: str) -> list[Holder]:
    """Others that have the device open without having locked it. A pseudo-terminal's maker may well do so."""
    device = Path(name).resolve()
    if not device.is_char_device() or device.is_relative_to("/dev/pts"):
        return []
    return [holder for holder in holders(str(device)) if holder.pid != os.getpid()]


def _spy(args: argparse.Namespace, leftovers: contextlib.ExitStack) -> Spy | None:
    if args.record is None:
        return None
    spy = Spy(args.record, tuple(args.port), args.baud, failed=notice)
    leftovers.callback(spy.close)
    notice(f"recording to {args.record}: the file holds card data as it crosses the line; protect it")
    return spy


def _tap_of(spy: Spy | None, first: int) -> Callable[[int, str, bytes], None] | None:
    """The tap of a gateway whose first port has this number in the recording."""
    return None if spy is None else lambda number, side, data: spy.tap(first + number, side, data)


def _notice_of(port: str) -> Callable[[str], None]:
    """With several gateways each notice names its port."""
    return lambda text: notice(text if port in text else f"{port}: {text}")


async def _run_until_stopped(gateways: Sequence[Gateway], control: Path | None) -> None:
    task = asyncio.ensure_future(_run_all(gateways, control))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _run_all(gateways: Sequence[Gateway], control: Path | None) -> None:
    async def stats(peers: bool) -> list[dict[str, Any]]:
        return await asyncio.gather(*(gateway.stats(ask_peers=peers) for gateway in gateways))

    async with contextlib.AsyncExitStack() as stack:
        if control is not None:
            await stack.enter_async_context(control_socket(control, stats))
        async with asyncio.TaskGroup() as group:
            for gateway in gateways:
                group.create_task(gateway.run())
