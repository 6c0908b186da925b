"""A buzzer that writes down what it plays, and can be listened to as a WAV file.

The patterns (`hal.api.Beep`) are data; this file decides only when each one starts, and how a tone looks as
samples: a sine with a short attack and decay, because a tone that starts at full strength clicks.
"""

from __future__ import annotations

import math
import sys
import wave
from array import array
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from hal.api import Beep, Clock, Tone
from hal.device import QuietDevice

_SAMPLES_PER_S = 22_050
_AMPLITUDE = 16_000  # about half of 16 bits
_RAMP_MS = 2
_SILENCE_MS_MAX = 2_000  # longer silences are cut to this in a WAV file: nobody listens to an idle hour
_GAP_MS = 100  # between two patterns, so that a person can tell them apart


@dataclass(frozen=True, slots=True)
class PlayedBeep:
    """A pattern and when it started, in the clock's monotonic milliseconds."""

    start_ms: int
    beep: Beep
    volume_percent: int = 100


class VirtualBuzzer(QuietDevice):
    """A beeper with one voice: a pattern that comes while another plays waits for its end.

    Its volume can be set. Not modelled: the sound of a real piezo (square waves, resonance).
    """

    def __init__(self, clock: Clock, *, history_max: int = 10_000) -> None:
        super().__init__()
        self.beep_count = 0
        """How many single beeps a person has counted, over all patterns started or queued so far."""
        self._clock = clock
        self._busy_until_ms = 0
        self.volume_percent = 100
        self._played: deque[PlayedBeep] = deque(maxlen=history_max)

    def set_volume(self, percent: int) -> None:
        """From now on sound as loud as this, in percent; at 0 nobody hears anything."""
        self.volume_percent = percent

    def sound(self, beep: Beep) -> None:
        """Play the pattern, at once or after those that were asked for before."""
        start_ms = max(self._clock.monotonic_ms(), self._busy_until_ms)
        self._played.append(PlayedBeep(start_ms, beep, self.volume_percent))
        self._busy_until_ms = start_ms + beep.duration_ms + _GAP_MS
        self.beep_count += beep.beep_count if self.volume_percent else 0

    @property
    def heard_beeps(self) -> int:
        """How many single beeps a person has heard, key clicks apart (of the last `history_max` patterns)."""
        return sum(played.beep.beep_count for played in self._played if played.beep is not Beep.KEY)

    def played(self) -> tuple[PlayedBeep, ...]:
        """Every pattern so far (the last `history_max`), oldest first."""
        return tuple(self._played)

    def write_wav(self, path: Path | str) -> None:
        """Write what was played as 16-bit mono at 22050 Hz, from the start of the first pattern on.

        Silence between patterns is kept up to 2 s. Nothing played gives an empty, valid file.
        """
        samples = array("h")
        end_ms: int | None = None
        for played in self._played:
            if end_ms is not None:
                silence_ms = min(played.start_ms - end_ms, _SILENCE_MS_MAX)
                samples.extend(_samples(Tone(0, silence_ms)))
            for tone in played.beep.value:
                samples.extend(_samples(tone, _AMPLITUDE * played.volume_percent // 100))
            end_ms = played.start_ms + played.beep.duration_ms
        if sys.byteorder == "big":
            samples.byteswap()  # WAV is little-endian
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(_SAMPLES_PER_S)
            file.writeframes(samples.tobytes())


def _samples(tone: Tone, amplitude: int = 0) -> array[int]:
    count = tone.duration_ms * _SAMPLES_PER_S // 1000
    if not tone.frequency_hz:
        return array("h", bytes(2 * count))
    ramp = _RAMP_MS * _SAMPLES_PER_S // 1000
    step = 2 * math.pi * tone.frequency_hz / _SAMPLES_PER_S
    return array(
        "h",
        (int(amplitude * min(1.0, n / ramp, (count - n) / ramp) * math.sin(step * n)) for n in range(count)),
    )
