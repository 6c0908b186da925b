"""`posterm link stats`: the counters of a running gateway."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from host_link.control_socket import ask_stats

LABELS = {
    "bytes_sent": "bytes sent",
    "bytes_received": "bytes received",
    "frames_received": "frames received",
    "noise_pieces": "pieces of noise",
    "noise_bytes": "bytes skipped",
    "reflections": "own frames heard",
    "ranges_resent": "retransmissions",
    "messages_sent": "messages sent",
    "messages_received": "messages received",
    "messages_delivered": "messages delivered",
    "messages_unconfirmed": "messages unconfirmed",
    "outages": "outages",
    "peer_restarts": "restarts of the peer",
    "round_trip_us": "round trip, us",
    "payload_bytes": "frame payload now, bytes",
    "frames_refused": "frames refused (pairing)",
    "frames_sent": "frames sent",
    "bits_per_s": "line rate now, bits/s",
    "rate_raises": "rate: agreed on a faster one",
    "rate_fall_backs": "rate: back to the first",
    "check_errors": "of the noise: CRC errors",
    "answers_unroutable": "answers for nobody",
}
"""What people read; a counter without a line here is shown by its name."""

EXAMPLES = """examples:
  posterm link stats --control link.sock
  posterm link stats --control link.sock --peer --json
"""


def register(commands: Any) -> None:
    """Add `stats`."""
    text = "the counters of a gateway that runs with --control"
    command = commands.add_parser("stats", help=text, description=text, epilog=EXAMPLES)
    command.add_argument("--control", required=True, type=Path, metavar="PATH", help="as given to link serve")
    command.add_argument("--peer", action="store_true", help="ask the terminals for their counters too")
    command.add_argument("--json", action="store_true", help="as one JSON object")
    command.set_defaults(run=show)


def show(args: argparse.Namespace) -> int:
    """Print the counters. Raises ControlUnusable."""
    answer = ask_stats(args.control, peers=args.peer)
    if args.json:
        print(json.dumps(answer, indent=2))
    else:
        print("\n".join(line for gateway in answer["gateways"] for line in _lines(gateway)))
    return 0


def _lines(gateway: Mapping[str, Any]) -> Iterator[str]:
    for link in gateway["links"]:
        state = "up" if link["up"] else "waiting for the terminal" if link["port_open"] else "port is gone"
        yield f"{link['port']}  {link['bits_per_s']} bits/s  {state}"
        yield from _table(link["counters"], link.get("peer"))
        if "peer" in link and link["peer"] is None:
            yield "  (the terminal did not tell its counters)"
    bank = gateway["bank"]
    yield f"bank {bank['address']}  {bank['state']}"
    yield from _table(bank["counters"], None)


def _table(counters: Mapping[str, int], peer: Mapping[str, int] | None) -> Iterator[str]:
    """One line a counter; with a peer two columns."""
    if peer is not None:
        yield f"  {'':<26}{'gateway':>14}{'terminal':>14}"
    for name in [*counters, *(name for name in peer or () if name not in counters)]:
        columns = [counters.get(name)] if peer is None else [counters.get(name), peer.get(name)]
        label = LABELS.get(name, name.replace("_", " "))
        yield f"  {label:<26}" + "".join(f"{'' if value is None else value:>14}" for value in columns)
