"""`posterm link decode` and `posterm link replay`: what a recording of the line holds.

Whatever is printed is masked; only `replay --port` gives out the bytes as they are, to the port.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from host_link.errors import RecordingUnusable
from host_link.ports import open_port
from host_link.recording import Record, RecordingHeader, read_header, read_records
from tools.link_command import BITS_PER_S, bits_per_s
from tools.link_pair import add_key_option, key_of
from tools.wire_log import GATEWAY, TERMINAL, LoggedFrame, LoggedMessage, WireLog

_ARROWS = {TERMINAL: "-->", GATEWAY: "<--"}

DECODE_EXAMPLES = """examples:
  posterm link decode line.ptlr
  posterm link decode line.ptlr --json
"""
REPLAY_EXAMPLES = """examples:
  posterm link replay line.ptlr --speed 10
  posterm link replay line.ptlr --port /dev/ttyUSB0 --side terminal
"""


def register(commands: Any) -> None:
    """Add `decode` and `replay`."""
    text = "show a recording frame by frame, with the ISO 8583 messages inside, masked"
    command = commands.add_parser("decode", help=text, description=text, epilog=DECODE_EXAMPLES)
    command.add_argument("file", type=Path, metavar="FILE", help="made by link serve --record")
    command.add_argument("--json", action="store_true", help="one JSON object a frame")
    add_key_option(command)
    command.set_defaults(run=decode)

    text = "play a recording at the speed at which it was made: print it, or send one side into a port"
    command = commands.add_parser("replay", help=text, description=text, epilog=REPLAY_EXAMPLES)
    command.add_argument("file", type=Path, metavar="FILE", help="made by link serve --record")
    command.add_argument("--port", metavar="DEVICE_OR_URL", help="send the bytes there instead of printing")
    command.add_argument("--side", choices=[TERMINAL, GATEWAY], default=TERMINAL, help="whose bytes to send")
    command.add_argument(
        "--line", type=int, default=0, metavar="N", help="which port of the recording, from 0"
    )
    command.add_argument("--baud", type=bits_per_s, default=BITS_PER_S, metavar="N", help="of --port")
    command.add_argument(
        "--speed", type=_speed, default=1.0, metavar="X", help="2: twice as fast; 0: without waiting"
    )
    add_key_option(command)
    command.set_defaults(run=replay)


# --- decode ------------------------------------------------------------------------------------------


def decode(args: argparse.Namespace) -> int:
    """Print every frame. Raises RecordingUnusable, after what could be read, and PairingKeyUnusable."""
    for header, record, frame in frames(args.file, key_of(args)):
        if args.json:
            print(json.dumps(_as_json(record, frame), ensure_ascii=False))
        else:
            print("\n".join(_as_text(header, record, frame)))
    return 0


def frames(
    path: Path, pairing_key: bytes | None = None
) -> Iterator[tuple[RecordingHeader, Record, LoggedFrame]]:
    """The frames of a recording, each with the record that completed it. Raises RecordingUnusable."""
    with path.open("rb") as file:
        header = read_header(file)
        found: list[LoggedFrame] = []
        logs = [WireLog(frames_max=1, on_frame=found.append, pairing_key=pairing_key) for _ in header.ports]
        for record in read_records(file):
            if record.port >= len(logs):
                raise RecordingUnusable(f"{path} is damaged: it names a port that its header does not have")
            logs[record.port].feed(record.at_us // 1000, record.side, record.data)
            yield from ((header, record, frame) for frame in found)
            found.clear()


def _as_json(record: Record, frame: LoggedFrame) -> dict[str, Any]:
    shown = asdict(frame) | {"kind": frame.kind.value, "port": record.port, "at_us": record.at_us}
    del shown["at_ms"]
    return shown | {"messages": [_message_json(message) for message in frame.messages]}


def _message_json(message: LoggedMessage) -> dict[str, Any]:
    return asdict(message) | {"name": message.name.value}


def _as_text(header: RecordingHeader, record: Record, frame: LoggedFrame) -> Iterator[str]:
    port = f"[{header.ports[record.port]}] " if len(header.ports) > 1 else ""
    start = f"{record.at_us / 1_000_000:12.6f} {port}{_ARROWS[frame.side]} {frame.kind.value.upper():<7}"
    yield f"{start} {frame.byte_count:>5}  {frame.detail}"
    yield f"{'':13}{frame.hex_masked}"
    for message in frame.messages:
        yield f"{'':13}{message.name.value} {message.mti} ({message.byte_count} bytes)"
        for view in message.fields:
            number = "" if view.number is None else f"{view.number:>3}"
            yield f"{'':17}{number:>3} {view.name}: {view.value_masked}"


# --- replay ------------------------------------------------------------------------------------------


def replay(args: argparse.Namespace, *, sleep: Callable[[float], None] = time.sleep) -> int:
    """Print the frames, or send one side's bytes, in time. Raises RecordingUnusable and PortError."""
    if args.port is None:
        return _print_in_time(args, sleep)
    with args.file.open("rb") as file:
        header = read_header(file)
        if not 0 <= args.line < len(header.ports):
            raise RecordingUnusable(
                f"--line {args.line}: the recording has {len(header.ports)} port(s), from 0"
            )
        records = (one for one in read_records(file) if (one.side, one.port) == (args.side, args.line))
        port = open_port(args.port, args.baud)
        try:
            byte_count = 0
            for wait_s, record in paced(records, args.speed):
                sleep(wait_s)
                port.write(record.data)
                byte_count += len(record.data)
        finally:
            port.close()
    print(f"sent what the {args.side} had sent: {byte_count} bytes")
    return 0


def paced(records: Iterable[Record], speed: float) -> Iterator[tuple[float, Record]]:
    """Each record and how many seconds to wait before it; at the beginning there is no wait."""
    before: Record | None = None
    for record in records:
        yield _wait_s(before, record, speed), record
        before = record


def _print_in_time(args: argparse.Namespace, sleep: Callable[[float], None]) -> int:
    before: Record | None = None
    for header, record, frame in frames(args.file, key_of(args)):
        if before is None:
            started = datetime.fromtimestamp(header.started_us / 1_000_000).astimezone()
            print(f"recorded {started:%Y-%m-%d %H:%M:%S %z} at {header.bits_per_s} bits/s")
        sleep(_wait_s(before, record, args.speed))
        before = record
        print("\n".join(_as_text(header, record, frame)), flush=True)
    return 0


def _wait_s(before: Record | None, record: Record, speed: float) -> float:
    gap_us = 0 if before is None else max(0, record.at_us - before.at_us)
    return gap_us / 1_000_000 / speed if speed else 0.0


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = -1.0
    if not 0 <= speed < float("inf"):
        raise argparse.ArgumentTypeError(
            f'"{text}" is no speed: 1 as recorded, 2 twice as fast, 0 without waiting'
        )
    return speed
