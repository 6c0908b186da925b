"""Magnetic stripe: the published vectors, then what they leave out."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.pan import Pan
from wire.track import (
    Direction,
    ServiceCode,
    Track1,
    Track2,
    Track3,
    TrackError,
    decode_bits,
    encode_bits,
    lrc,
)

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "magstripe.json").read_text(encoding="utf-8"))
TRACK2 = "6225880123456783=30122011234500000"


def answer(kind: str, inputs: dict[str, Any]) -> dict[str, Any]:
    match kind:
        case "magstripe_track1":
            track1 = Track1.parse(inputs["text"])
            return {"format_code": track1.format_code, "name": track1.name} | parts(track1)
        case "magstripe_track2":
            return parts(Track2.parse(inputs["text"]))
        case "magstripe_lrc":
            return {"lrc": lrc(**inputs)}
        case "magstripe_bits":
            return {"bits": encode_bits(**inputs)}
        case "magstripe_decode":
            decoded = decode_bits(**inputs)
            return {"text": decoded.text, "lrc": decoded.lrc, "direction": decoded.direction.value}
        case "service_code":
            code = ServiceCode.parse(inputs["code"])
            return {name: getattr(code, name) for name in code.__slots__}
    raise AssertionError(kind)


def parts(track: Track1 | Track2) -> dict[str, str]:
    return {
        "pan": track.pan.reveal(),
        "expiry": track.expiry_yymm,
        "service_code": track.service_code,
        "discretionary": track.discretionary,
    }


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: f"{case['id']}-{case['kind']}")
def test_vectors(case: dict[str, Any]) -> None:
    if "reject" in case["expected"]:
        with pytest.raises(TrackError) as caught:
            answer(case["kind"], case["inputs"])
        assert caught.value.reason == case["expected"]["reject"]
    else:
        assert answer(case["kind"], case["inputs"]) == case["expected"]


def test_sentinels_and_check_character_are_optional() -> None:
    framed = f";{TRACK2}?"
    same = [TRACK2, framed, framed + lrc(2, framed), TRACK2.replace("=", "D")]
    assert {Track2.parse(text) for text in same} == {Track2.parse(TRACK2)}
    with pytest.raises(TrackError) as caught:
        Track2.parse(framed + "12")
    assert caught.value.reason == "trailing_data"


def test_track2_parts_text_and_nibbles() -> None:
    track = Track2.build(Pan("6225880123456783"), "3012", "201", "1234500000")
    assert track.reveal() == TRACK2
    assert track.nibbles() == "6225880123456783D30122011234500000"
    assert track == Track2.parse(TRACK2)


@pytest.mark.parametrize(
    ("expiry_yymm", "service_code", "discretionary", "reason"),
    [
        ("3013", "201", "", "bad_date"),
        ("301", "20", "", "truncated"),
        ("30A2", "201", "", "bad_character"),
        ("3012", "201", "1" * 14, "bad_length"),
        ("3012", "201", "１", "bad_character"),
    ],
)
def test_track2_build_refuses(expiry_yymm: str, service_code: str, discretionary: str, reason: str) -> None:
    with pytest.raises(TrackError) as caught:
        Track2.build(Pan("6225880123456783"), expiry_yymm, service_code, discretionary)
    assert caught.value.reason == reason


def test_track1_name_without_fill() -> None:
    track = Track1.parse("%B6225880123456783^ZHANG/SAN                 ^3012201?")
    assert track.cardholder == "ZHANG/SAN"
    assert track.name == "ZHANG/SAN                 "
    with pytest.raises(TrackError) as caught:
        Track1.parse("%B6225880123456783^Zhang/San^3012201?")
    assert caught.value.reason == "bad_character"


def test_track3_with_and_without_a_card_number() -> None:
    track = Track3.parse(";016225880123456783==1561234500000000?")
    assert track.pan == Pan("6225880123456783")
    assert track.nibbles() == "016225880123456783DD1561234500000000"
    assert Track3.parse("0112=34").pan is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [(";?", "bad_format"), ("A1", "bad_character"), ("1" * 105, "bad_length"), ("0162=A", "bad_character")],
)
def test_track3_refuses(text: str, reason: str) -> None:
    with pytest.raises(TrackError) as caught:
        Track3.parse(text)
    assert caught.value.reason == reason


def test_tracks_do_not_print_themselves() -> None:
    tracks = [
        Track1.parse("B6225880123456783^ZHANG/SAN^30122011234500000"),
        Track2.parse(TRACK2),
        Track3.parse("016225880123456783==1561234500000000"),
    ]
    for shown in (str(tracks), repr(tracks), f"{tracks[0]} {tracks[1]} {tracks[2]}"):
        assert "0123456" not in shown
        assert "3012" not in shown
        assert "ZHANG" not in shown
        assert "12345" not in shown


def test_decoded_bits_do_not_print_the_track() -> None:
    assert "6225" not in repr(decode_bits(2, encode_bits(2, f";{TRACK2}?")))


def test_a_stripe_that_stops_before_its_end_sentinel() -> None:
    bits = encode_bits(2, ";1234?", leading_zeros=0, trailing_zeros=0)
    with pytest.raises(TrackError) as caught:
        decode_bits(2, bits[:22])
    assert caught.value.reason == "no_end_sentinel"


@given(
    track=st.sampled_from([2, 3]),
    text=st.text(alphabet="0123456789=", max_size=37),
    backward=st.booleans(),
    zeros=st.integers(0, 40),
)
def test_bits_are_read_back_in_both_directions(track: int, text: str, backward: bool, zeros: int) -> None:
    bits = encode_bits(track, f";{text}?", leading_zeros=zeros, trailing_zeros=zeros)
    decoded = decode_bits(track, bits[::-1] if backward else bits)
    assert decoded.text == f";{text}?"
    assert decoded.direction is (Direction.BACKWARD if backward else Direction.FORWARD)


def test_a_short_text_hidden_in_a_stripe_read_the_wrong_way_round() -> None:
    # Backwards, the check character reads `;`, the end sentinel `?`, and the 4 is the right check of these.
    decoded = decode_bits(2, encode_bits(2, ";284?")[::-1])
    assert decoded.text == ";284?"


@given(track=st.sampled_from([1, 2, 3]), bits=st.text(alphabet="01", max_size=200))
def test_any_bits_give_a_track_or_a_reason(track: int, bits: str) -> None:
    try:
        decoded = decode_bits(track, bits)
    except TrackError:
        return
    assert decoded.text.endswith("?")


@given(st.text(max_size=60))
def test_any_text_gives_a_track_or_a_reason(text: str) -> None:
    for kind in (Track1, Track2, Track3):
        try:
            track = kind.parse(text)
        except TrackError:
            continue
        assert kind.parse(track.reveal()) == track
