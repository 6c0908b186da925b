from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_link.errors import ProtocolViolation
from host_link.frames import (
    HISTORY_BITS,
    PIGGYBACK_BITS,
    Ack,
    AckBlock,
    Body,
    Close,
    Data,
    Hello,
    Ping,
    Rate,
    RateStep,
    Turn,
    decode_body,
    encode_body,
)
from host_link.framing import FrameDecoder, FrameReceived, encode_frame, session_tag

TERMINAL, GATEWAY = 0x01020304, 0xA0B0C0D0
ALL = (1 << HISTORY_BITS) - 1
ROW = re.compile(r"^\| (?P<name>[^|]+) \| `(?P<body>[0-9A-F ]+)` \| `(?P<line>[0-9A-F ]+)` \|$", re.MULTILINE)
PAGE = (Path(__file__).parents[2] / "docs" / "link-protocol.md").read_text("utf-8")


def hello(nonce: int, peer_nonce: int, *, from_gateway: bool) -> Hello:
    return Hello(nonce, peer_nonce, from_gateway, answer_wanted=True, version_max=1, version_min=1,
                 body_bytes_max=1024, window_bytes=16384)  # fmt: skip


MEANT: list[Body] = [
    hello(TERMINAL, 0, from_gateway=False),
    hello(GATEWAY, TERMINAL, from_gateway=True),
    Data(1, 0, 0, b"\x05HELLO", prompt=True, short=True),
    Data(1, 0x85, 0x1234, b"\x05HELLO", prompt=True),
    Ack(AckBlock(1, 0xFF, 8)),
    Data(1, 0, 0, b"\x02OK", prompt=True, ack=AckBlock(1, 0xFF, PIGGYBACK_BITS), short=True),
    Ping(1, 1),
    Ack(AckBlock(1, ALL, HISTORY_BITS), echo=1),
    Ack(AckBlock(6, 0b11101101, 8)),
    Close(1),
    Rate(RateStep.PROPOSE, 921_600),
    Rate(RateStep.AGREE, 921_600),
    Turn(from_gateway=True),
    Turn(from_gateway=False),
]


def crc(data: bytes, polynomial: int) -> int:
    """A reflected 32-bit CRC bit by bit, as a second opinion."""
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (polynomial if register & 1 else 0)
    return register ^ 0xFFFFFFFF


def unstuff(stuffed: bytes) -> bytes:
    """COBS by its definition: a code byte, code - 1 bytes; a zero between, not after 255 nor at the end."""
    out, index = bytearray(), 0
    while index < len(stuffed):
        code = stuffed[index]
        out += stuffed[index + 1 : index + code]
        index += code
        if code < 0xFF and index < len(stuffed):
            out.append(0)
    return bytes(out)


@pytest.mark.parametrize(("row", "meant"), list(zip(ROW.finditer(PAGE), MEANT, strict=True)))
def test_the_pages_examples_are_what_is_built(row: re.Match[str], meant: Body) -> None:
    body, line = bytes.fromhex(row["body"]), bytes.fromhex(row["line"])
    sender = "gateway" if "of the gateway" in row["name"] else "terminal"
    tag = 0 if isinstance(meant, Hello | Turn) else session_tag(sender, TERMINAL, GATEWAY)
    assert encode_body(meant) == body
    assert decode_body(body) == meant
    assert encode_frame(body, tag) == line
    assert FrameDecoder(tag).feed(line) == [FrameReceived(body, in_session=tag != 0)]


@pytest.mark.parametrize("row", list(ROW.finditer(PAGE)))
def test_the_pages_examples_agree_with_the_page_alone(row: re.Match[str]) -> None:
    """Computed again from the page's formulas, without the link's code or its libraries."""
    body, line = bytes.fromhex(row["body"]), bytes.fromhex(row["line"])
    direction = b"G" if "of the gateway" in row["name"] else b"T"
    nonces = TERMINAL.to_bytes(4, "big") + GATEWAY.to_bytes(4, "big")
    tag = 0 if row["name"].startswith(("HELLO", "TURN")) else crc(direction + nonces, 0x82F63B78)
    check = crc(body, 0xEDB88320) ^ tag
    assert (line.count(0), line[-1]) == (1, 0)
    assert unstuff(line[:-1]) == body + check.to_bytes(4, "little")


def test_the_page_names_the_tags() -> None:
    for sender in ("terminal", "gateway"):
        assert f"{session_tag(sender, TERMINAL, GATEWAY):08X}" in PAGE


BLOCKS = st.builds(AckBlock, st.integers(0, 255), st.integers(0, ALL), st.just(HISTORY_BITS))


@given(BLOCKS, st.integers(1, 255))
def test_an_answer_to_a_ping_tells_the_whole_history(block: AckBlock, echo: int) -> None:
    assert decode_body(encode_body(Ack(block, echo))) == Ack(block, echo)


@given(BLOCKS)
def test_an_ack_that_nobody_asked_for_tells_at_least_eight_bits_and_nothing_wrong(block: AckBlock) -> None:
    got = decode_body(encode_body(Ack(block)))
    assert isinstance(got, Ack)
    assert 8 <= got.block.bits_known <= 32
    assert got.block.received == block.received & ((1 << got.block.bits_known) - 1)


@given(
    st.integers(0, 7), st.integers(0, 255), st.integers(0, 0xFFFF), st.binary(max_size=40), st.booleans(),
    st.booleans(),
    st.none() | st.builds(AckBlock, st.integers(0, 255), st.integers(0, 255), st.just(8)),
)  # fmt: skip
def test_data_round_trip(
    channel: int, number: int, offset: int, payload: bytes, prompt: bool, short: bool, ack: AckBlock | None
) -> None:
    data = Data(channel, number, offset, payload, prompt, ack, short)
    told = replace(data, number=number & 0x3F, offset=offset & 0xFFF) if short else data
    assert decode_body(encode_body(data)) == told
    assert (told.number_bits, told.offset_bits) == ((6, 12) if short else (8, 16))
    assert repr(payload) not in repr(data) or not payload


@given(st.binary(min_size=1, max_size=30))
def test_any_body_is_read_ignored_or_refused(body: bytes) -> None:
    try:
        read = decode_body(body)
    except ProtocolViolation as error:
        assert "ends too early" in str(error)  # noqa: PT017 - one of three outcomes
    else:
        is_known = body[0] in {1, 2, 3, 4} or body[0] >= 0x40
        is_known |= (body[0] == 5 and body[1] in range(1, 6)) or (body[0] == 6 and body[1] in b"GT")
        assert (read is not None) == is_known


@pytest.mark.parametrize(
    "body",
    [
        "01",
        "0100",
        "02",
        "0201",
        "04",
        "05",
        "0501000E10",
        "06",
        "03" + "01" * 16,
        "80",
        "8000",
        "C0000001",
        "40",
        "400001",
        "6000000001",
    ],
)
def test_bodies_that_end_too_early_are_violations(body: str) -> None:
    with pytest.raises(ProtocolViolation, match="ends too early"):
        decode_body(bytes.fromhex(body))
