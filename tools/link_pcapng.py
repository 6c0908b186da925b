"""`posterm link pcapng`: a recording as a capture file for Wireshark and its kin, masked.

Each port becomes two interfaces. One has the frames of the link (link type USER0), without byte stuffing. The
other has the ISO 8583 messages as if terminal and bank had spoken TCP: two length bytes and the message. What
must not be seen is written as zeros, so lengths and positions stay right.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from host_link.errors import RecordingUnusable
from host_link.recording import Record
from host_link.session import Channel
from tools.link_pair import add_key_option, key_of
from tools.link_recording import frames
from tools.pcapng import (
    INBOUND,
    LINKTYPE_IPV4,
    LINKTYPE_USER0,
    OUTBOUND,
    TcpStream,
    interface,
    packet,
    section_header,
)
from tools.wire_log import TERMINAL, LoggedFrame

BANK_PORT = 8583
_BANK_ADDRESS = bytes([10, 0, 0, 1])
_FIRST_CLIENT_PORT = 40_000


def register(commands: Any) -> None:
    """Add `pcapng`."""
    text = "write a recording as a masked capture file for Wireshark"
    command = commands.add_parser(
        "pcapng",
        help=text,
        description=text,
        epilog="example:\n  posterm link pcapng line.ptlr -o line.pcapng",
    )
    command.add_argument("file", type=Path, metavar="FILE", help="made by link serve --record")
    command.add_argument("-o", "--output", required=True, type=Path, metavar="FILE", help="the capture file")
    add_key_option(command)
    command.set_defaults(run=export)


def export(args: argparse.Namespace) -> int:
    """Write the capture file. Raises RecordingUnusable."""
    if args.output.exists() and args.output.samefile(args.file):
        raise RecordingUnusable(f"{args.output} is the recording itself: give another name")
    packets = 0
    with args.output.open("wb") as out:
        for block in capture(args.file, key_of(args)):
            packets += block.startswith(b"\x06")
            out.write(block)
    print(f"wrote {packets} packets, masked, to {args.output}")
    return 0


def capture(path: Path, pairing_key: bytes | None = None) -> Iterator[bytes]:
    """The blocks of the capture file. Raises RecordingUnusable."""
    yield section_header("posterm")
    dialogues: dict[int, _Dialogue] = {}
    for header, record, frame in frames(path, pairing_key):
        if not dialogues:
            for number, name in enumerate(header.ports):
                dialogues[number] = _Dialogue(number)
                yield interface(LINKTYPE_USER0, f"{name} link")
                yield interface(LINKTYPE_IPV4, f"{name} messages")
        yield from dialogues[record.port].packets(header.started_us + record.at_us, record, frame)


class _Dialogue:
    """What one port's frames become."""

    def __init__(self, number: int) -> None:
        self._link, self._messages = 2 * number, 2 * number + 1
        client = bytes([10, 0, 1, number % 255 + 1])
        self._tcp = TcpStream((client, _FIRST_CLIENT_PORT + number), (_BANK_ADDRESS, BANK_PORT))
        self._opened = False

    def packets(self, at_us: int, record: Record, frame: LoggedFrame) -> Iterator[bytes]:
        """The frame, and the messages that it completes."""
        sender = 0 if record.side == TERMINAL else 1
        direction = (INBOUND, OUTBOUND)[sender]  # as the gateway, which has recorded it, sees it
        comment = f"{frame.side}: {frame.kind.value} {frame.detail}".strip()
        shown = zeroed(frame.hex_masked)
        yield packet(
            self._link, at_us, shown, original_bytes=frame.byte_count, direction=direction, comment=comment
        )
        for message in frame.messages:
            if message.channel != Channel.HOST or not (data := zeroed(message.hex_masked)):
                continue
            if not self._opened:
                self._opened = True
                for segment in self._tcp.opening():
                    yield packet(self._messages, at_us, segment)
            segment = self._tcp.data(sender, len(data).to_bytes(2, "big") + data)
            yield packet(
                self._messages, at_us, segment, direction=direction, comment=f"{message.name.value}, masked"
            )


def zeroed(hex_masked: str) -> bytes:
    """The bytes of masked hex, zeros for stars; none where nothing but a count is shown."""
    text = hex_masked.replace(" ", "").replace("*", "0")
    return b"" if "<" in text else bytes.fromhex(text)
