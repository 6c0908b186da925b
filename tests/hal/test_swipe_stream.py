"""Characters of swipe readers: every frame around the tracks, pieces of any size, damage, glued swipes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.api import CardRead, CardReadFailed, ReadFailure, TrackData
from hal.cores.swipe import END_OF_SWIPE_MS, Sensor, Swipe, SwipeFormat, SwipeStream, outcome
from wire.track import Track1, Track2, Track3, lrc

B1 = "B6225880123456783^LI/MEI^30122010000000000000000123000000"
B2 = "6225880123456783=30122011234500000"
# ISO 4909: format 99, PAN, country and currency 156, then the issuer's own
B3 = "996225880123456783=1561560000000000000000000000000000000000000000==00000000000000000000"
OTHER2 = "6216910123456780=29022010000000000"

PLAIN = SwipeFormat()
FORMATS = {
    "bare": PLAIN,
    "suffix": SwipeFormat(suffix="\r"),
    "framed": SwipeFormat(prefix="\x02\x1b", suffix="\r\x03"),
    "lrc": SwipeFormat(suffix="\r\n", has_lrc=True),
    "sensor": SwipeFormat(suffix="\r", has_sensor=True),
}


def sent(form: SwipeFormat, tracks: dict[int, str], start3: str = "+") -> bytes:
    """What a reader of that format sends, written down here once more from the manuals."""
    text = form.prefix
    for number, body in tracks.items():
        start = {1: "%", 2: ";", 3: start3}[number]
        check = lrc(min(number, 2), f"{'%' if number == 1 else ';'}{body}?")
        text += f"{start}{body}?" + (check if form.has_lrc and body != "E" else "")
    return (text + ("0" if form.has_sensor else "") + form.suffix).encode("latin-1")


def swipes_of(form: SwipeFormat, *pieces: bytes, between_ms: int = 0) -> list[Swipe | Sensor]:
    stream, now_ms = SwipeStream(form), 0
    for piece in pieces:
        stream.feed(piece, now_ms)
        now_ms += between_ms
    stream.settle(now_ms + END_OF_SWIPE_MS)
    assert stream.deadline_ms() is None
    return [item for item in stream.take() if isinstance(item, Swipe)]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("start3", "+;")
@pytest.mark.parametrize("numbers", [(1, 2, 3), (1, 2), (2, 3), (2,), (1,)], ids=str)
def test_every_format_gives_its_tracks(name: str, start3: str, numbers: tuple[int, ...]) -> None:
    tracks = {number: {1: B1, 2: B2, 3: B3}[number] for number in numbers}
    assert swipes_of(FORMATS[name], sent(FORMATS[name], tracks, start3)) == [Swipe(tracks)]


@pytest.mark.parametrize("name", FORMATS)
def test_pieces_of_any_size_make_the_same_swipe(name: str) -> None:
    data = sent(FORMATS[name], {1: B1, 2: B2})
    for size in (1, 2, 7, 50):
        pieces = [data[at : at + size] for at in range(0, len(data), size)]
        assert swipes_of(FORMATS[name], *pieces, between_ms=20) == [Swipe({1: B1, 2: B2})]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("tracks", [{1: B1, 2: B2}, {1: B1, 2: B2, 3: B3}, {2: B2}, {2: B2, 3: B3}], ids=str)
def test_two_swipes_glued_together_are_two(name: str, tracks: dict[int, str]) -> None:
    data = sent(FORMATS[name], tracks)
    other = sent(FORMATS[name], {**tracks, 2: OTHER2})
    assert swipes_of(FORMATS[name], data + other) == [Swipe(tracks), Swipe({**tracks, 2: OTHER2})]


def test_a_suffix_ends_a_swipe_at_once_and_silence_ends_any() -> None:
    stream = SwipeStream(SwipeFormat(suffix="\r"))
    stream.feed(sent(PLAIN, {2: B2}), 1_000)
    assert stream.take() == []
    assert stream.deadline_ms() == 1_000 + END_OF_SWIPE_MS
    stream.feed(b"\r", 1_001)
    assert stream.take() == [Swipe({2: B2})]
    stream.feed(b"%B62258801", 2_000)
    stream.settle(2_000 + END_OF_SWIPE_MS - 1)
    assert stream.take() == []
    stream.settle(2_000 + END_OF_SWIPE_MS)
    assert stream.take() == [Swipe({1: ReadFailure.INCOMPLETE})]


@pytest.mark.parametrize(
    ("data", "tracks"),
    [
        (b"%E?;" + B2.encode() + b"?", {1: ReadFailure.UNREADABLE, 2: B2}),
        (b"%E?;E?", {1: ReadFailure.UNREADABLE, 2: ReadFailure.UNREADABLE}),
        (b"%E?;E?+E?", dict.fromkeys((1, 2, 3), ReadFailure.UNREADABLE)),
        (b"%?;?", {1: ReadFailure.NO_DATA, 2: ReadFailure.NO_DATA}),
        # an end sentinel lost to noise: the next start tells
        (b"%" + B1.encode() + b";" + B2.encode() + b"?", {1: ReadFailure.INCOMPLETE, 2: B2}),
        (b";" + b"1" * 38 + b"?", {2: ReadFailure.FORMAT}),
        (b";" + b"1" * 100_000 + b"?", {2: ReadFailure.FORMAT}),
        (b"noise\xff\x00%" + B1.encode() + b"?", {1: B1}),
    ],
)
def test_error_marks_and_damage(data: bytes, tracks: dict[int, object]) -> None:
    assert swipes_of(PLAIN, data) == [Swipe(tracks)]  # type: ignore[arg-type]


def test_a_wrong_check_character_is_found_where_one_is_sent() -> None:
    form = FORMATS["lrc"]
    good = sent(form, {1: B1, 2: B2})
    wrong = good.replace(b"=3012", b"=3013")  # one digit changed by the line: only the check character tells
    assert swipes_of(form, wrong) == [Swipe({1: B1, 2: ReadFailure.LRC})]
    assert swipes_of(form, good.replace(B2[-5:].encode() + b"?", B2[-5:].encode() + b"?\xe9")) != []


def test_a_lost_check_character_fails_its_own_track_only() -> None:
    form = FORMATS["lrc"]
    data = sent(form, {1: B1, 2: B2})
    end = data.index(b"?") + 1
    assert swipes_of(form, data[:end] + data[end + 1 :]) == [Swipe({1: ReadFailure.LRC, 2: B2})]
    assert swipes_of(form, data[: data.rindex(b"?") + 1]) == [Swipe({1: B1, 2: ReadFailure.LRC})]


def test_digits_of_a_damaged_track_are_no_sensor() -> None:
    stream = SwipeStream(FORMATS["sensor"])
    stream.feed(b"6225880123456783=3012201?0\r", 0)  # its start sentinel was lost
    stream.settle(1_000)
    assert stream.take() == []
    stream.feed(b"\x021\r", 2_000)
    assert stream.take() == [Sensor.CARD_IN]


def test_no_single_bit_error_makes_another_card_where_check_characters_are_sent() -> None:
    """Every bit of a swipe, flipped alone: track 2 is read as it is, or not read."""
    form = FORMATS["lrc"]
    good = sent(form, {1: B1, 2: B2})
    for bit in range(8 * len(good)):
        damaged = bytearray(good)
        damaged[bit // 8] ^= 1 << bit % 8
        for swipe in swipes_of(form, bytes(damaged)):
            assert isinstance(swipe, Swipe)
            event = outcome(swipe.tracks, held=False)
            track2 = event.tracks.track2 if isinstance(event, CardRead) else None
            assert track2 in {None, Track2.parse(B2)}


def test_the_sensor_speaks_with_the_tracks_and_alone() -> None:
    stream = SwipeStream(FORMATS["sensor"])
    stream.feed(b"%" + B1.encode() + b"?;" + B2.encode() + b"?1\r0\r", 0)
    assert stream.take() == [Sensor.CARD_IN, Swipe({1: B1, 2: B2}, held=True), Sensor.CARD_OUT]


# --- what a swipe amounts to -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tracks", "expected"),
    [
        ({1: B1, 2: B2, 3: B3}, TrackData(Track1.parse(B1), Track2.parse(B2), Track3.parse(B3))),
        ({1: ReadFailure.UNREADABLE, 2: B2}, TrackData(None, Track2.parse(B2))),
        ({1: B1}, TrackData(Track1.parse(B1), None)),
        ({1: B1, 2: ReadFailure.UNREADABLE}, ReadFailure.UNREADABLE),
        ({2: "4711"}, ReadFailure.FORMAT),
        ({}, ReadFailure.NO_DATA),
    ],
)
def test_track_2_decides(tracks: dict[int, str | ReadFailure], expected: TrackData | ReadFailure) -> None:
    event = CardRead(expected) if isinstance(expected, TrackData) else CardReadFailed(expected)
    assert outcome(tracks, held=False) == event


def test_a_swipe_shows_no_card_data_when_printed() -> None:
    assert "622588" not in repr(Swipe({2: B2}))


# --- anything ----------------------------------------------------------------------------------------

digits = st.text("0123456789", min_size=16, max_size=16)
track2s = st.builds(lambda pan, tail: f"{pan}=3012201{tail}", digits, st.text("0123456789", max_size=13))


@given(st.lists(track2s, min_size=1, max_size=4), st.sampled_from(sorted(FORMATS)), st.data())
def test_any_row_of_swipes_comes_out_whole_however_it_is_cut(
    tracks: list[str], name: str, data: st.DataObject
) -> None:
    stream = b"".join(sent(FORMATS[name], {1: B1, 2: track}) for track in tracks)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=5)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert swipes_of(FORMATS[name], *pieces) == [Swipe({1: B1, 2: track}) for track in tracks]


@given(st.lists(st.binary(max_size=60), max_size=6), st.sampled_from(sorted(FORMATS)))
def test_foreign_bytes_do_no_harm_and_a_swipe_after_them_is_read(pieces: list[bytes], name: str) -> None:
    stream, now_ms = SwipeStream(FORMATS[name]), 0
    for piece in pieces:
        stream.feed(piece, now_ms)
        now_ms += 10
    stream.settle(now_ms + END_OF_SWIPE_MS)
    for item in stream.take():
        if isinstance(item, Swipe):
            outcome(item.tracks, held=item.held)
    stream.feed(sent(FORMATS[name], {2: B2}), now_ms + 1_000)
    stream.settle(now_ms + 2_000)
    assert [item for item in stream.take() if isinstance(item, Swipe)][-1:] == [Swipe({2: B2})]
