"""Capture files: every block as the format's draft draws it, every packet with right checksums."""

from __future__ import annotations

import struct

from tools.pcapng import (
    LINKTYPE_IPV4,
    OUTBOUND,
    TcpStream,
    interface,
    internet_checksum,
    packet,
    section_header,
)


def test_a_section_header_is_as_drawn() -> None:
    assert section_header("abc") == bytes.fromhex(
        "0A0D0D0A 28000000 4D3C2B1A 0100 0000 FFFFFFFFFFFFFFFF 0400 0300 61626300 0000 0000 28000000"
    )


def test_an_interface_is_as_drawn() -> None:
    assert interface(LINKTYPE_IPV4, "p") == bytes.fromhex(
        "01000000 20000000 E400 0000 00000400 0200 0100 70000000 0000 0000 20000000"
    )


def test_a_packet_is_as_drawn() -> None:
    block = packet(1, 0x0102030405060708, b"\xaa", original_bytes=9, direction=OUTBOUND, comment="hi")
    assert block == bytes.fromhex(
        "06000000 38000000 01000000 04030201 08070605 01000000 09000000 AA000000"
        "0200 0400 02000000 0100 0200 68690000 0000 0000 38000000"
    )


def test_the_checksum_is_rfc_1071_s() -> None:
    # RFC 1071, section 3: the sum of these words is ddf2.
    assert internet_checksum(bytes.fromhex("0001f203f4f5f6f7")) == (0xFFFF - 0xDDF2).to_bytes(2, "big")
    assert internet_checksum(b"\xff") == b"\x00\xff"


def test_a_stream_opens_and_counts() -> None:
    stream = TcpStream((bytes([10, 0, 1, 1]), 40_000), (bytes([10, 0, 0, 1]), 8_583))
    segments = [
        *stream.opening(),
        stream.data(0, b"ask"),
        stream.data(1, b"answer"),
        stream.data(0, b"again"),
    ]
    seen = []
    for segment in segments:
        assert internet_checksum(segment[:20]) == b"\x00\x00"
        assert struct.unpack(">H", segment[2:4])[0] == len(segment)
        pseudo = segment[12:20] + b"\x00\x06" + (len(segment) - 20).to_bytes(2, "big")
        assert internet_checksum(pseudo + segment[20:]) == b"\x00\x00"
        source, target, sequence, acknowledged, _, flags = struct.unpack(">HHIIBB", segment[20:34])
        assert {source, target} == {40_000, 8_583}
        seen.append((source, sequence, acknowledged, flags, segment[40:]))
    assert seen == [
        (40_000, 0, 0, 0x02, b""),
        (8_583, 0, 1, 0x12, b""),
        (40_000, 1, 1, 0x10, b""),
        (40_000, 1, 1, 0x18, b"ask"),
        (8_583, 1, 4, 0x18, b"answer"),
        (40_000, 4, 7, 0x18, b"again"),
    ]
