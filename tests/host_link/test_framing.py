from __future__ import annotations

import json
import random
from pathlib import Path

import crcmod.predefined
import pytest
from cobs import cobs
from hypothesis import given
from hypothesis import strategies as st

from host_link.framing import (
    FRAME_BODY_BYTES_MAX,
    FrameDecoder,
    FrameEvent,
    FrameReceived,
    NoiseReason,
    NoiseSkipped,
    crcmod_is_fast,
    encode_frame,
    frame_bytes,
    session_tag,
)

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "crc.json").read_text("utf-8"))["cases"]
CRC_32 = [case for case in VECTORS if case["inputs"].get("name") in {"CRC-32/ISO-HDLC", "CRC-32/ISCSI"}]
BODIES = st.binary(min_size=1, max_size=FRAME_BODY_BYTES_MAX)


def in_pieces(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces, begin = [], 0
    for size in sizes:
        pieces.append(data[begin : begin + size])
        begin += size
    return [*pieces, data[begin:]]


def bodies(events: list[FrameEvent]) -> list[bytes]:
    return [event.body for event in events if isinstance(event, FrameReceived)]


@pytest.mark.parametrize("case", CRC_32, ids=lambda case: str(case["id"]))
def test_checks_and_tags_are_made_with_the_catalogues_crcs(case: dict[str, dict[str, str]]) -> None:
    """Frame check: CRC-32/ISO-HDLC. Tag: CRC-32/ISCSI, known as CRC-32C."""
    data, expected = bytes.fromhex(case["inputs"]["data"]), int(case["expected"]["crc"], 16)
    if case["inputs"]["name"] == "CRC-32/ISO-HDLC":
        assert cobs.decode(encode_frame(data)[:-1]) == data + expected.to_bytes(4, "little")
    else:
        assert crcmod.predefined.mkCrcFun("crc-32c")(data) == expected


def test_the_tag_covers_direction_and_both_nonces() -> None:
    crc32c = crcmod.predefined.mkCrcFun("crc-32c")
    assert session_tag("terminal", 0x31323334, 0x35363738) == crc32c(b"T12345678")
    assert session_tag("gateway", 0x31323334, 0x35363738) == crc32c(b"G12345678")


def test_crcmod_runs_as_c_where_the_suite_runs() -> None:
    assert crcmod_is_fast()


@given(BODIES, st.integers(0, 0xFFFFFFFF))
def test_round_trip_with_and_without_tag(body: bytes, tag: int) -> None:
    assert FrameDecoder(tag).feed(encode_frame(body)) == [FrameReceived(body, in_session=False)]
    (event,) = FrameDecoder(tag).feed(encode_frame(body, tag))
    assert event == FrameReceived(body, in_session=tag != 0)
    assert len(encode_frame(body, tag)) <= frame_bytes(len(body))


@given(st.lists(BODIES, max_size=5), st.lists(st.integers(0, 700), max_size=8))
def test_pieces_of_any_size_give_the_same_frames(contents: list[bytes], sizes: list[int]) -> None:
    stream = b"".join(encode_frame(body) for body in contents)
    expected = [FrameReceived(body, in_session=False) for body in contents]
    for pieces in ([stream], [bytes([byte]) for byte in stream], in_pieces(stream, sizes)):
        decoder = FrameDecoder()
        assert [event for piece in pieces for event in decoder.feed(piece)] == expected


@pytest.mark.parametrize("kind", ["flip", "drop", "insert"])
def test_damage_anywhere_in_a_frame_costs_that_frame_only(kind: str) -> None:
    """Every byte of the frame in the middle, its boundaries too, is damaged in turn."""
    before, middle, after = (encode_frame(bytes([fill]) * 20) for fill in (1, 2, 3))
    for index in range(len(middle)):
        for value in (0x00, 0x01, 0x80, 0xFF):
            damaged = bytearray(middle)
            if kind == "flip":
                damaged[index] ^= value or 0x10
            elif kind == "drop":
                del damaged[index]
            else:
                damaged.insert(index, value)
            got = bodies(FrameDecoder().feed(before + damaged + after))
            assert got[0] == bytes([1]) * 20
            assert got[-1] == bytes([3]) * 20
            assert len(got) == 2 or got[1] == bytes([2]) * 20


def test_no_damaged_frame_is_accepted() -> None:
    rng = random.Random(7)
    tag = session_tag("gateway", 1, 2)
    decoder = FrameDecoder(tag)
    for _ in range(20_000):
        body = rng.randbytes(rng.randrange(1, 60))
        damaged = bytearray(encode_frame(body, tag))
        for _ in range(rng.randrange(1, 6)):
            damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        assert [found for found in bodies(decoder.feed(bytes(damaged) + b"\x00")) if found != body] == []


def test_a_frame_of_another_session_or_direction_is_noise() -> None:
    mine = session_tag("gateway", 1, 2)
    for other in (session_tag("terminal", 1, 2), session_tag("gateway", 1, 3), session_tag("gateway", 2, 2)):
        (event,) = FrameDecoder(mine).feed(encode_frame(b"\x02\x01\x01", other))
        assert isinstance(event, NoiseSkipped)
        assert event.reason is NoiseReason.BAD_CHECK


@given(st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF))
def test_a_new_nonce_always_means_a_new_tag(old: int, new: int, peer: int) -> None:
    for role in ("terminal", "gateway"):
        assert (session_tag(role, old, peer) == session_tag(role, new, peer)) == (old == new)
        assert (session_tag(role, peer, old) == session_tag(role, peer, new)) == (old == new)


def test_noise_is_counted_and_bounded() -> None:
    decoder = FrameDecoder()
    assert decoder.feed(b"\x03\x01\x02\x00") == [NoiseSkipped(NoiseReason.TOO_SHORT, 3)]
    assert decoder.feed(b"\x05\x01\x00")[0] == NoiseSkipped(NoiseReason.BAD_STUFFING, 2)
    for _ in range(1000):
        assert decoder.feed(b"\x55" * 1000) == []
        assert len(decoder._piece) <= 2 * frame_bytes(FRAME_BODY_BYTES_MAX)
    assert decoder.feed(b"\x00" + encode_frame(b"next")) == [
        NoiseSkipped(NoiseReason.OVERSIZE, 1_000_000),
        FrameReceived(b"next", in_session=False),
    ]


def test_the_longest_frame_fits_and_costs_under_two_percent() -> None:
    body = bytes(range(1, 256)) * 4 + b"1234"
    assert bodies(FrameDecoder().feed(encode_frame(body))) == [body]
    for size in (512, 700, 1024):
        assert frame_bytes(size) - size <= size * 0.02


def test_frames_do_not_show_their_content() -> None:
    assert "622588" not in repr(FrameReceived(b"6225880123456783", in_session=True))


# --- joined frames ------------------------------------------------------------------------------------


@given(BODIES, BODIES, st.integers(0, 7), st.sampled_from([0, 0xC463A020]))
def test_two_frames_survive_a_flipped_boundary_between_them(
    one: bytes, two: bytes, bit: int, tag: int
) -> None:
    first, second = encode_frame(one, tag), encode_frame(two, tag)
    decoder = FrameDecoder(0xC463A020)
    assert bodies(decoder.feed(first[:-1] + bytes([1 << bit]) + second)) == [one, two]


@given(BODIES, BODIES, st.integers(1, 255))
def test_two_frames_survive_a_lost_and_a_wholly_damaged_boundary(one: bytes, two: bytes, value: int) -> None:
    first, second = encode_frame(one, 5), encode_frame(two, 5)
    for joined in (first[:-1] + second, first[:-1] + bytes([value]) + second):
        assert bodies(FrameDecoder(5).feed(joined)) == [one, two]


def test_a_frame_survives_when_its_boundary_and_the_next_frame_are_damaged() -> None:
    first, second = encode_frame(b"first", 5), bytearray(encode_frame(b"second", 5))
    second[3] ^= 1
    (event, noise) = FrameDecoder(5).feed(first[:-1] + b"\x10" + bytes(second))
    assert event == FrameReceived(b"first", in_session=True)
    assert noise == NoiseSkipped(NoiseReason.BAD_CHECK, len(second) - 1)


def test_three_frames_joined_by_two_flipped_boundaries_are_three_frames() -> None:
    frames = [encode_frame(bytes([fill]) * 30, 5)[:-1] for fill in (1, 2, 3)]
    joined = b"\x40".join(frames) + b"\x00"
    assert bodies(FrameDecoder(5).feed(joined)) == [bytes([fill]) * 30 for fill in (1, 2, 3)]


def test_one_flipped_bit_anywhere_costs_at_most_one_frame() -> None:
    """Exhaustively: every bit of five frames that follow each other without a pause."""
    contents = [b"\x00\x00", b"12345", bytes(range(1, 20)), b"\xff" * 300, b"end"]
    stream = b"\x00" + b"".join(encode_frame(body, 5) for body in contents)
    for bit in range(8 * len(stream)):
        damaged = bytearray(stream)
        damaged[bit >> 3] ^= 1 << (bit & 7)
        got = bodies(FrameDecoder(5).feed(bytes(damaged) + b"\x00"))
        assert len(got) >= 4
        assert [body for body in contents if body in got] == got


@given(st.lists(st.binary(max_size=3000), max_size=10))
def test_any_bytes_are_frames_or_counted_as_noise_and_never_pile_up(pieces: list[bytes]) -> None:
    decoder = FrameDecoder(5)
    for piece in pieces:
        decoder.feed(piece)
        assert len(decoder._piece) <= 2 * frame_bytes(FRAME_BODY_BYTES_MAX)
    assert bodies(decoder.feed(b"\x00" + encode_frame(b"next", 5)))[-1] == b"next"


def test_a_frame_that_is_longer_than_allowed_is_noise_even_when_it_is_intact() -> None:
    long = encode_frame(bytes(FRAME_BODY_BYTES_MAX + 1), 5)
    (event,) = FrameDecoder(5).feed(long)
    assert isinstance(event, NoiseSkipped)


def test_the_tag_of_the_next_frame_may_be_set_between_two_frames() -> None:
    decoder, got = FrameDecoder(), []
    for event in decoder.frames(encode_frame(b"hello") + encode_frame(b"in session", 77)):
        got.append(event)
        decoder.tag = 77
    assert got == [FrameReceived(b"hello", in_session=False), FrameReceived(b"in session", in_session=True)]
