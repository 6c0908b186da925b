"""VirtualBuzzer: when patterns start, and that the WAV file sounds as they say.

The file is judged as an ear would: loudness over windows of 10 ms gives the times of the beeps, the zero
crossings between them give the pitch.
"""

from __future__ import annotations

import math
import wave
from array import array
from itertools import pairwise
from pathlib import Path

import pytest

from hal.api import Beep
from hal.virtual.buzzer import PlayedBeep, VirtualBuzzer
from hal.virtual.clock import VirtualClock

WINDOW_MS = 10


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def buzzer(clock: VirtualClock) -> VirtualBuzzer:
    buzzer = VirtualBuzzer(clock)
    buzzer.open()
    return buzzer


def _read_wav(path: Path) -> tuple[int, array[int]]:
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 22_050)
        samples = array("h")
        samples.frombytes(file.readframes(file.getnframes()))
        return file.getframerate(), samples


def _sounding_ms(rate: int, samples: array[int]) -> list[tuple[int, int]]:
    """The (start, end) of each beep, to a window of 10 ms."""
    windows = len(samples) * 1000 // (rate * WINDOW_MS)
    loud = [False]
    for index in range(windows):
        part = samples[index * WINDOW_MS * rate // 1000 : (index + 1) * WINDOW_MS * rate // 1000]
        loud.append(math.sqrt(sum(s * s for s in part) / len(part)) > 1000)
    edges = [n * WINDOW_MS for n, (a, b) in enumerate(pairwise([*loud, False])) if a != b]
    return list(zip(edges[0::2], edges[1::2], strict=True))


def _pitch_hz(rate: int, samples: array[int]) -> float:
    """The pitch of one tone, from its interpolated rising zero crossings."""
    crossings = [n + a / (a - b) for n, (a, b) in enumerate(pairwise(samples)) if a < 0 <= b]
    return rate * (len(crossings) - 1) / (crossings[-1] - crossings[0])


def _part(rate: int, samples: array[int], start_ms: int, end_ms: int) -> array[int]:
    return samples[start_ms * rate // 1000 : end_ms * rate // 1000]


def test_authorised_is_two_short_beeps_of_2700_hz(buzzer: VirtualBuzzer, tmp_path: Path) -> None:
    buzzer.sound(Beep.AUTHORISED)
    buzzer.write_wav(tmp_path / "beep.wav")
    rate, samples = _read_wav(tmp_path / "beep.wav")
    assert _sounding_ms(rate, samples) == [(0, 120), (200, 320)]
    assert _pitch_hz(rate, _part(rate, samples, 5, 115)) == pytest.approx(2700, abs=1)
    assert _pitch_hz(rate, _part(rate, samples, 205, 315)) == pytest.approx(2700, abs=1)


@pytest.mark.parametrize("beep", Beep)
def test_a_person_hears_as_many_beeps_as_the_pattern_has(
    buzzer: VirtualBuzzer, beep: Beep, tmp_path: Path
) -> None:
    buzzer.sound(beep)
    buzzer.write_wav(tmp_path / "beep.wav")
    assert len(_sounding_ms(*_read_wav(tmp_path / "beep.wav"))) == beep.beep_count == buzzer.beep_count


def test_tones_start_and_end_without_a_click(buzzer: VirtualBuzzer, tmp_path: Path) -> None:
    buzzer.sound(Beep.SUCCESS)
    buzzer.write_wav(tmp_path / "beep.wav")
    rate, samples = _read_wav(tmp_path / "beep.wav")
    ms = rate // 1000
    peak = max(abs(s) for s in samples)
    assert max(abs(s) for s in samples[: ms // 2]) < peak / 2
    assert max(abs(s) for s in samples[-ms // 2 :]) < peak / 2
    assert peak < 32_000  # and is not cut off at the top


def test_patterns_that_overlap_play_one_after_the_other(buzzer: VirtualBuzzer, clock: VirtualClock) -> None:
    clock.advance(1_000)
    buzzer.sound(Beep.AUTHORISED)  # 320 ms, and 100 ms until the next may start
    clock.advance(100)
    buzzer.sound(Beep.SUCCESS)
    clock.advance(10_000)
    buzzer.sound(Beep.KEY)
    assert buzzer.played() == (
        PlayedBeep(1_000, Beep.AUTHORISED),
        PlayedBeep(1_420, Beep.SUCCESS),
        PlayedBeep(11_100, Beep.KEY),
    )
    assert buzzer.beep_count == 4


def test_the_file_keeps_pauses_up_to_two_seconds(
    buzzer: VirtualBuzzer, clock: VirtualClock, tmp_path: Path
) -> None:
    buzzer.sound(Beep.SUCCESS)
    clock.advance(1_300)
    buzzer.sound(Beep.SUCCESS)
    clock.advance(3_600_000)
    buzzer.sound(Beep.SUCCESS)
    buzzer.write_wav(tmp_path / "beep.wav")
    assert _sounding_ms(*_read_wav(tmp_path / "beep.wav")) == [(0, 300), (1_300, 1_600), (3_600, 3_900)]


def test_nothing_played_is_an_empty_file(buzzer: VirtualBuzzer, tmp_path: Path) -> None:
    buzzer.write_wav(tmp_path / "beep.wav")
    assert len(_read_wav(tmp_path / "beep.wav")[1]) == 0
    assert buzzer.beep_count == 0


def test_keeps_the_last_patterns_and_counts_all(clock: VirtualClock) -> None:
    buzzer = VirtualBuzzer(clock, history_max=2)
    for beep in (Beep.KEY, Beep.ERROR, Beep.SUCCESS):
        buzzer.sound(beep)
    assert [played.beep for played in buzzer.played()] == [Beep.ERROR, Beep.SUCCESS]
    assert buzzer.beep_count == 3


def test_the_volume_is_heard_and_silence_is_no_beep(buzzer: VirtualBuzzer, tmp_path: Path) -> None:
    peaks = []
    for percent in (100, 50, 0):
        buzzer.set_volume(percent)
        buzzer.sound(Beep.SUCCESS)
        buzzer.write_wav(tmp_path / "beep.wav")
        rate, samples = _read_wav(tmp_path / "beep.wav")
        peaks.append(max(map(abs, _part(rate, samples, len(samples) * 1000 // rate - 300, 10**6))))
    assert peaks[0] == pytest.approx(2 * peaks[1], rel=0.01)
    assert peaks[2] == 0
    assert buzzer.beep_count == 2
