"""Serial frames: the published ones, there and back for anything, and damage."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.errors import FrameError
from wire.serial_frames import FRAMINGS

PATH = Path(__file__).parents[1] / "vectors" / "serial_framing.json"
CASES = json.loads(PATH.read_text(encoding="utf-8"))["cases"]


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CASES])
def test_published_frame(case: dict[str, Any]) -> None:
    framing, frame = FRAMINGS[case["inputs"]["framing"]], bytes.fromhex(case["inputs"]["frame"])
    if "reject" in case["expected"]:
        with pytest.raises(FrameError) as caught:
            framing.decode(frame)
        assert caught.value.reason == case["expected"]["reject"]
        return
    payload = bytes.fromhex(case["expected"]["payload"])
    assert framing.decode(frame) == payload
    if case["id"] != "serial-framing-021":  # a sender that escapes more than it has to
        assert framing.encode(payload) == frame


@pytest.mark.parametrize("name", ["cobs", "slip", "hdlc-fcs16"])
@given(payload=st.binary(max_size=600) | st.lists(st.sampled_from([0, 0x7D, 0x7E, 0xC0, 0xDB])).map(bytes))
def test_there_and_back(name: str, payload: bytes) -> None:
    frame = FRAMINGS[name].encode(payload)
    assert FRAMINGS[name].decode(frame) == payload
    assert name != "cobs" or 0 not in frame


@pytest.mark.parametrize("size", [0, 1, 253, 254, 255, 508, 509])
@pytest.mark.parametrize("tail", [b"", b"\0", b"\0\0"])
def test_cobs_at_the_edges_of_its_blocks(size: int, tail: bytes) -> None:
    payload = b"A" * size + tail
    frame = FRAMINGS["cobs"].encode(payload)
    assert FRAMINGS["cobs"].decode(frame) == payload
    assert len(frame) <= len(payload) + 1 + len(payload) // 254


@given(text=st.binary(max_size=60).filter(lambda data: not {2, 3} & set(data)))
def test_stx_etx_there_and_back(text: bytes) -> None:
    assert FRAMINGS["stx-etx-lrc"].decode(FRAMINGS["stx-etx-lrc"].encode(text)) == text


def test_text_that_would_end_its_own_frame() -> None:
    with pytest.raises(FrameError) as caught:
        FRAMINGS["stx-etx-lrc"].encode(b"a\x03b")
    assert caught.value.reason == "bad_character"


@pytest.mark.parametrize(
    ("name", "frame", "reason"),
    [
        ("hdlc-fcs16", "7E417D7E", "aborted"),
        ("hdlc-fcs16", "7E7D7D417E", "bad_format"),
        ("hdlc-fcs16", "7E417E427E", "bad_format"),
        ("cobs", "00", "bad_format"),
        ("cobs", "034100", "bad_format"),
        ("slip", "C041C042C0", "bad_format"),
        ("slip", "41DB", "bad_format"),
    ],
)
def test_damage(name: str, frame: str, reason: str) -> None:
    with pytest.raises(FrameError) as caught:
        FRAMINGS[name].decode(bytes.fromhex(frame))
    assert caught.value.reason == reason
