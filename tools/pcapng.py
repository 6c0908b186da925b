"""The capture file format pcapng (draft-ietf-opsawg-pcapng), as much of it as is written here.

Little-endian; a section header, interface descriptions, enhanced packets with microseconds since 1970.
"""

from __future__ import annotations

import struct

LINKTYPE_USER0 = 147
LINKTYPE_IPV4 = 228
SNAP_BYTES = 0x40000
_OPT_COMMENT, _OPT_IF_NAME, _OPT_FLAGS = 1, 2, 2
INBOUND, OUTBOUND = 1, 2


def section_header(application: str) -> bytes:
    """The first block of a file. `application`: who has written it."""
    body = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + _option(4, application.encode()) + _END
    return _block(0x0A0D0D0A, body)


def interface(link_type: int, name: str) -> bytes:
    """An interface; the first one that is written is number 0. Its times are microseconds."""
    return _block(
        1, struct.pack("<HHI", link_type, 0, SNAP_BYTES) + _option(_OPT_IF_NAME, name.encode()) + _END
    )


def packet(
    interface_number: int,
    at_us: int,
    data: bytes,
    *,
    original_bytes: int | None = None,
    direction: int = 0,
    comment: str = "",
) -> bytes:
    """A packet. `original_bytes`: its length on the line, if another; `direction`: INBOUND or OUTBOUND."""
    length = len(data) if original_bytes is None else original_bytes
    body = struct.pack("<IIIII", interface_number, at_us >> 32, at_us & 0xFFFFFFFF, len(data), length)
    body += _padded(data) + _option(_OPT_FLAGS, struct.pack("<I", direction))
    body += _option(_OPT_COMMENT, comment.encode()) if comment else b""
    return _block(6, body + _END)


_END = struct.pack("<HH", 0, 0)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _block(kind: int, body: bytes) -> bytes:
    length = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", kind) + length + body + length


class TcpStream:
    """A TCP connection that never was, as IPv4 packets: a dialogue between two ends for a protocol analyser.

    `client` and `server`: IPv4 address as four bytes, and port.
    """

    def __init__(self, client: tuple[bytes, int], server: tuple[bytes, int]) -> None:
        self._ends = (client, server)
        self._sent = [1, 1]  # the next sequence number of each end

    def opening(self) -> list[bytes]:
        """The three packets with which a connection begins."""
        syn, ack = 0x02, 0x10
        return [
            self._segment(0, b"", syn, sequence=0, acknowledged=0),
            self._segment(1, b"", syn | ack, sequence=0, acknowledged=1),
            self._segment(0, b"", ack),
        ]

    def data(self, sender: int, payload: bytes) -> bytes:
        """Bytes from the client (0) or the server (1), up to 65495."""
        segment = self._segment(sender, payload, 0x18)
        self._sent[sender] += len(payload)
        return segment

    def _segment(
        self,
        sender: int,
        payload: bytes,
        flags: int,
        *,
        sequence: int | None = None,
        acknowledged: int | None = None,
    ) -> bytes:
        (source, source_port), (target, target_port) = self._ends[sender], self._ends[1 - sender]
        sequence = self._sent[sender] if sequence is None else sequence
        acknowledged = self._sent[1 - sender] if acknowledged is None else acknowledged
        numbers = (sequence & 0xFFFFFFFF, acknowledged & 0xFFFFFFFF)
        header = struct.pack(">HHIIBBHHH", source_port, target_port, *numbers, 5 << 4, flags, 0xFFFF, 0, 0)
        pseudo = source + target + struct.pack(">BBH", 0, 6, len(header) + len(payload))
        header = header[:16] + internet_checksum(pseudo + header + payload) + header[18:]
        return _ipv4(source, target, header + payload)


def _ipv4(source: bytes, target: bytes, content: bytes) -> bytes:
    header = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(content), 0, 0x4000, 64, 6, 0) + source + target
    return header[:10] + internet_checksum(header) + header[12:] + content


def internet_checksum(data: bytes) -> bytes:
    """RFC 1071, two bytes."""
    padded = data + bytes(len(data) % 2)
    total = sum(struct.unpack(f">{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack(">H", ~total & 0xFFFF)
