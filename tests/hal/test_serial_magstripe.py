"""The serial swipe reader against one in software, over a line with its rate, its noise and its cable."""

import pytest

from hal.api import CardRead, CardReadFailed, CardRemoved, TrackData
from hal.peripherals.magstripe import SwipeReader
from hal.serial.magstripe import SerialMagstripeReader
from hal.virtual.card import MagneticCard
from tests.hal.serial_bench import URL, Bench, connect
from wire.track import Track1, Track2

CARD = MagneticCard.from_fields("6225880123456783", "3012", "LI/MEI", "201", "1234500000")
READ = CardRead(TrackData(Track1.parse(CARD.track1 or ""), Track2.parse(CARD.track2 or "")))
BITS = CARD.swipe().bits


def reader_on(
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    *,
    suffix: str = "\r",
    has_lrc: bool = False,
    has_sensor: bool = False,
) -> SerialMagstripeReader:
    connect(monkeypatch, bench)
    reader = SerialMagstripeReader(URL, bench.clock, suffix=suffix, has_lrc=has_lrc, has_sensor=has_sensor)
    reader.open()
    reader.arm()
    return reader


@pytest.mark.parametrize("rate", [1_200, 9_600, 921_600])
def test_a_swipe_takes_as_long_as_its_characters(monkeypatch: pytest.MonkeyPatch, rate: int) -> None:
    far = SwipeReader()
    bench = Bench(far, bits_per_s=rate)
    reader = reader_on(bench, monkeypatch)
    far.swipe(BITS)
    characters = len(CARD.track1 or "") + len(CARD.track2 or "") + len("%?;?\r")
    line_ms = characters * 10 * 1000 // rate
    assert bench.run(reader, line_ms - 1 if line_ms > 1 else 0) == []
    assert bench.run(reader, 3) == [READ]


def test_without_a_suffix_silence_ends_the_swipe(monkeypatch: pytest.MonkeyPatch) -> None:
    far = SwipeReader(suffix="")
    bench = Bench(far)
    reader = reader_on(bench, monkeypatch, suffix="")
    far.swipe(BITS)
    assert bench.run(reader, 200) == []
    assert bench.run(reader, 200) == [READ]


def test_two_swipes_at_once_are_two(monkeypatch: pytest.MonkeyPatch) -> None:
    far = SwipeReader(suffix="")
    bench = Bench(far)
    reader = reader_on(bench, monkeypatch, suffix="")
    far.swipe(BITS)
    far.swipe(BITS)
    assert bench.run(reader, 1_000) == [READ, READ]


def test_the_cable_pulled_in_a_swipe_leaves_nothing_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    far = SwipeReader()
    bench = Bench(far)
    reader = reader_on(bench, monkeypatch)
    far.swipe(BITS)
    assert bench.run(reader, 60) == []
    bench.unplug()
    assert bench.run(reader, 1_000) == []
    assert not reader.self_test().ok
    bench.plug()
    assert bench.run(reader, 10_000) == []
    assert reader.self_test().ok
    far.swipe(BITS)
    assert bench.run(reader, 1_000) == [READ]


def test_a_held_card_counts_as_removed_when_its_reader_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    far = SwipeReader(has_sensor=True)
    bench = Bench(far)
    reader = reader_on(bench, monkeypatch, has_sensor=True)
    far.insert(BITS)
    assert bench.run(reader, 1_000) == [CardRead(READ.tracks, held=True)]
    assert reader.card_present
    bench.unplug()
    assert bench.run(reader, 10) == [CardRemoved()]
    assert not reader.card_present


def test_on_a_noisy_line_every_swipe_is_read_or_said_to_have_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    far = SwipeReader(sends_lrc=True)
    bench = Bench(far, bits_per_s=115_200, noise={"bit_error_rate": 0.0005, "drop_rate": 0.0005})
    reader = reader_on(bench, monkeypatch, has_lrc=True)
    seen = []
    for _ in range(200):
        far.swipe(BITS)
        seen += bench.run(reader, 400)
    good = [event for event in seen if isinstance(event, CardRead) and event.tracks.track2]
    failed = [event for event in seen if isinstance(event, CardReadFailed)]
    assert len(seen) >= 200
    assert len(good) > 120
    assert len(failed) > 10


# --- the reader in software --------------------------------------------------------------------------


def test_it_sends_what_a_reader_sends() -> None:
    far = SwipeReader(prefix="\x02", suffix="\r\x03", sends_lrc=True)
    far.swipe(MagneticCard(track2="6225880123456783=3012201").swipe().bits)
    assert far.take_output() == b"\x02;6225880123456783=3012201?2\r\x03"
    far.swipe(BITS, speed_cm_per_s=300)
    assert far.take_output() == b"\x02%E?;E?\r\x03"


def test_heads_and_third_tracks() -> None:
    card = MagneticCard(track2="6225880123456783=3012201", track3="996225880123456783=156")
    far = SwipeReader(tracks=(2,))
    far.swipe(card.swipe().bits)
    assert far.take_output() == b";6225880123456783=3012201?\r"
    for plus, start in ((True, b"+"), (False, b";")):
        far = SwipeReader(plus_for_track3=plus)
        far.swipe(card.swipe().bits)
        assert far.take_output().endswith(b"?" + start + b"996225880123456783=156?\r")


def test_a_slot_holds_one_card() -> None:
    with pytest.raises(ValueError, match="no slot"):
        SwipeReader().insert(BITS)
    far = SwipeReader(has_sensor=True)
    with pytest.raises(ValueError, match="insert one first"):
        far.remove()
    far.insert(BITS)
    assert far.card_is_in
    with pytest.raises(ValueError, match="remove it first"):
        far.insert(BITS)
    far.remove()
    assert far.take_output().endswith(b"?1\r0\r")
