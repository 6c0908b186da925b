"""VirtualCardReader beyond the contract: the published stripes, damage of every kind, and the slot."""

import json
from pathlib import Path

import pytest

from hal.api import CardRead, CardReadFailed, ReadFailure, TrackData
from hal.virtual.card_reader import MagneticCard, StripePass, Swipe, VirtualCardReader
from wire.pan import Pan
from wire.track import Track1, Track2, Track3, TrackError, encode_bits

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "magstripe.json").read_text("utf-8"))["cases"]
DECODE = [case for case in VECTORS if case["kind"] == "magstripe_decode"]
REASONS = {
    "no_data": ReadFailure.NO_DATA,
    "no_start_sentinel": ReadFailure.NO_DATA,
    "no_end_sentinel": ReadFailure.INCOMPLETE,
    "truncated": ReadFailure.INCOMPLETE,
    "bad_parity": ReadFailure.PARITY,
    "bad_lrc": ReadFailure.LRC,
}

PAN = "6225880123456783"
CARD = MagneticCard.from_fields(PAN, "3012", "LI/MEI", "201", "1234500000")
TRACK3 = "99" + PAN + "=156156" + "0" * 20
GOOD1 = encode_bits(1, f"%{CARD.track1}?")
GOOD2 = encode_bits(2, f";{CARD.track2}?")
GOOD3 = encode_bits(3, f";{TRACK3}?")
BAD1 = MagneticCard(track1=CARD.track1).swipe(Swipe.BAD).bits[0]
BAD2 = MagneticCard(track2=CARD.track2).swipe(Swipe.BAD).bits[1]


@pytest.fixture
def reader() -> VirtualCardReader:
    reader = VirtualCardReader()
    reader.open()
    reader.arm()
    return reader


def _event(reader: VirtualCardReader, stripe: StripePass) -> object:
    reader.pass_stripe(stripe)
    (event,) = reader.poll()
    return event


@pytest.mark.parametrize("case", DECODE, ids=lambda case: case["id"])
def test_published_stripes(reader: VirtualCardReader, case: dict[str, dict[str, str]]) -> None:
    number = int(case["inputs"]["track"])
    bits = ["", "", ""]
    bits[number - 1] = case["inputs"]["bits"]
    event = _event(reader, StripePass((bits[0], bits[1], bits[2])))
    if "reject" in case["expected"]:
        assert event == CardReadFailed(REASONS[case["expected"]["reject"]])
    else:
        text = case["expected"]["text"]
        tracks = TrackData(Track1.parse(text), None) if number == 1 else TrackData(None, Track2.parse(text))
        assert event == CardRead(tracks)


def test_a_card_made_from_fields_reads_back(reader: VirtualCardReader) -> None:
    reader.swipe(CARD)
    (event,) = reader.poll()
    assert isinstance(event, CardRead)
    track1, track2 = event.tracks.track1, event.tracks.track2
    assert track1 is not None
    assert track2 is not None
    assert track1.reveal() == "B6225880123456783^LI/MEI^30122011234500000"
    assert track2.reveal() == "6225880123456783=30122011234500000"
    assert (track1.pan, track1.name, track2.service_code) == (Pan(PAN), "LI/MEI", "201")
    assert event.tracks.track3 is None


def test_texts_with_and_without_sentinels_are_the_same_stripe() -> None:
    bare = MagneticCard(track1=CARD.track1, track2=CARD.track2, track3=TRACK3)
    dressed = MagneticCard(track1=f"%{CARD.track1}?", track2=f";{CARD.track2}?3", track3=f";{TRACK3}?")
    assert bare.swipe() == dressed.swipe() == StripePass((GOOD1, GOOD2, GOOD3))


@pytest.mark.parametrize(
    ("bits", "has_tracks"),
    [
        ((GOOD1, GOOD2, GOOD3), (True, True, True)),
        ((BAD1, GOOD2, ""), (False, True, False)),
        (("", GOOD2, ""), (False, True, False)),
        ((GOOD1, "", ""), (True, False, False)),
        (("", "000", GOOD3), (False, False, True)),
    ],
)
def test_track_2_is_enough_and_without_one_another(
    reader: VirtualCardReader, bits: tuple[str, str, str], has_tracks: tuple[bool, bool, bool]
) -> None:
    event = _event(reader, StripePass(bits))
    assert isinstance(event, CardRead)
    tracks = (event.tracks.track1, event.tracks.track2, event.tracks.track3)
    assert tuple(track is not None for track in tracks) == has_tracks
    expected = (Track1.parse(CARD.track1 or ""), Track2.parse(CARD.track2 or ""), Track3.parse(TRACK3))
    assert all(track in {None, wanted} for track, wanted in zip(tracks, expected, strict=True))


@pytest.mark.parametrize(
    ("bits", "reason"),
    [
        (("", "", ""), ReadFailure.NO_DATA),
        (("0" * 50, "0" * 50, ""), ReadFailure.NO_DATA),
        ((GOOD1, BAD2, GOOD3), ReadFailure.PARITY),
        ((BAD1, "", ""), ReadFailure.PARITY),
        (("", GOOD2[: len(GOOD2) // 2], ""), ReadFailure.INCOMPLETE),
        (("", encode_bits(2, ";0123?"), ""), ReadFailure.FORMAT),
        ((encode_bits(1, "%AMEMBER 4711?"), "", ""), ReadFailure.FORMAT),
    ],
)
def test_a_bad_track_2_fails_the_card(
    reader: VirtualCardReader, bits: tuple[str, str, str], reason: ReadFailure
) -> None:
    assert _event(reader, StripePass(bits)) == CardReadFailed(reason)


@pytest.mark.parametrize("position", range(0, len(GOOD2), 7))
def test_no_single_wrong_bit_changes_what_is_read(reader: VirtualCardReader, position: int) -> None:
    flipped = "10"[int(GOOD2[position])]
    event = _event(reader, StripePass(("", GOOD2[:position] + flipped + GOOD2[position + 1 :], "")))
    assert isinstance(event, CardReadFailed) or event == CardRead(
        TrackData(None, Track2.parse(CARD.track2 or ""))
    )


def test_speed_decides_about_too_fast(reader: VirtualCardReader) -> None:
    good = CARD.swipe().bits
    assert isinstance(_event(reader, StripePass(good, speed_cm_per_s=190)), CardRead)
    assert _event(reader, StripePass(good, speed_cm_per_s=191)) == CardReadFailed(ReadFailure.TOO_FAST)


def test_a_card_refuses_what_a_stripe_cannot_hold() -> None:
    with pytest.raises(TrackError) as caught:
        MagneticCard(track2="6225880123456783=3012ABC")
    assert caught.value.reason == "bad_character"
    with pytest.raises(TrackError):
        MagneticCard.from_fields(PAN, "3013", "LI/MEI", "201")


def test_cards_and_passes_show_nothing_when_printed() -> None:
    shown = f"{CARD!r} {CARD.swipe()!r}"
    assert PAN[6:12] not in shown
    assert "LI/MEI" not in shown
    assert GOOD2[25:45] not in shown


def test_the_slot_holds_one_card(reader: VirtualCardReader) -> None:
    with pytest.raises(ValueError, match=r"insert\(\) one first"):
        reader.remove()
    reader.insert(CARD)
    with pytest.raises(ValueError, match=r"remove\(\) it first"):
        reader.insert(CARD)
    with pytest.raises(ValueError, match=r"remove\(\) it first"):
        reader.swipe(CARD)
    assert len(reader.poll()) == 1


def test_a_closed_reader_sees_nothing(reader: VirtualCardReader) -> None:
    reader.insert(CARD)
    reader.close()
    reader.remove()
    reader.swipe(CARD)
    reader.open()
    assert reader.poll() == []
    assert not reader.armed
