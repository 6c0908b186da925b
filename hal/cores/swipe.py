"""Characters of a swipe reader, as they come over any line, and what a swipe's tracks amount to.

Readers with a serial port, and those that type like a keyboard, send the tracks as text: `%`, track 1, `?`;
`;`, track 2, `?`; for track 3 `;` again, or `+`. A track that could not be decoded is sent as `%E?`, `;E?`
or `+E?`. Around them comes what each maker adds, set here in `SwipeFormat`: a prefix, a suffix, the check
character behind `?`, a digit that says whether a card is in the slot (MagTek, Port-Powered Swipe and
Insertion Reader, reference manuals, "Reader to host formats").

`SwipeStream` cuts the characters into swipes: partial reads, lost and damaged characters, two swipes glued
together are its daily work. `outcome` judges a swipe.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeVar

from hal.api import CardRead, CardReadFailed, ReadFailure, TrackData
from wire.track import Track1, Track2, Track3, TrackError, lrc

TRACK_CHARACTERS_MAX = {1: 76, 2: 37, 3: 104}  # between the sentinels (ISO/IEC 7811-6)
_START = {"%": 1, ";": 2, "+": 3}
_END = "?"
_ERROR_MARK = "E"
_BETWEEN_CHARACTERS_MAX = 64
END_OF_SWIPE_MS = 150
"""Silence after which a swipe is over: 144 characters at 9600 bit/s, many times a reader's own pauses."""


@dataclass(frozen=True, slots=True)
class SwipeFormat:
    """What a reader sends around its tracks."""

    prefix: str = ""  # before each swipe
    suffix: str = ""  # after each swipe: with it an end of a swipe is known at once
    has_lrc: bool = False  # the check character of ISO/IEC 7811-6 follows each end sentinel
    has_sensor: bool = False  # a digit after the tracks, and alone: 1 a card is in the slot, 0 it is not


@dataclass(frozen=True, slots=True)
class Swipe:
    """The tracks of one swipe: the text between the sentinels, or why there is none. `held`: see CardRead."""

    tracks: Mapping[int, str | ReadFailure] = field(repr=False)
    held: bool = False


class Sensor(Enum):
    """What the sensor in the slot says."""

    CARD_IN = "1"
    CARD_OUT = "0"


class _Place(Enum):
    BETWEEN = 1
    IN_TRACK = 2
    AT_LRC = 3


class SwipeStream:
    """From characters and moments to swipes. Takes any bytes; its memory is bounded.

    With `has_sensor` a Sensor comes before the Swipe whose digit it is.
    """

    def __init__(self, form: SwipeFormat, *, end_of_swipe_ms: int = END_OF_SWIPE_MS) -> None:
        self._form = form
        self._end_of_swipe_ms = end_of_swipe_ms
        self._out: list[Swipe | Sensor] = []
        self.reset()

    def reset(self) -> None:
        """Forget everything that was heard."""
        self._out.clear()
        self._tracks: dict[int, str | ReadFailure] = {}
        self._place = _Place.BETWEEN
        self._track = 0
        self._text = ""
        self._between = ""
        self._ends_at_ms: int | None = None

    def feed(self, data: bytes, now_ms: int) -> None:
        """Take what the reader sent up to `now_ms`."""
        self.settle(now_ms)
        for character in data.decode("latin-1"):
            self._take(character)
        if data:
            unfinished = bool(self._tracks) or self._place is not _Place.BETWEEN
            self._ends_at_ms = now_ms + self._end_of_swipe_ms if unfinished else None
            if not unfinished and not self._form.suffix:
                self._between = ""

    def settle(self, now_ms: int) -> None:
        """End a swipe after which nothing has come for long enough."""
        if self._ends_at_ms is not None and now_ms >= self._ends_at_ms:
            self._end_swipe()

    def deadline_ms(self) -> int | None:
        """When to call `settle`."""
        return self._ends_at_ms

    def take(self) -> list[Swipe | Sensor]:
        """What was complete since the last call, in order."""
        out, self._out = self._out, []
        return out

    # --- character by character ---

    def _take(self, character: str) -> None:
        if self._place is _Place.AT_LRC:
            self._check(character)
        elif self._place is _Place.BETWEEN:
            self._take_between(character)
        elif character == _END:
            self._end_track()
        elif character in _START and not (character == "+" and self._track == 1):
            # No bank card has a start sentinel inside: the end sentinel was lost.
            self._tracks[self._track] = ReadFailure.INCOMPLETE
            self._begin_track(character)
        elif len(self._text) <= TRACK_CHARACTERS_MAX[self._track]:
            self._text += character

    def _take_between(self, character: str) -> None:
        if character in _START:
            self._begin_track(character)
            return
        if self._form.has_sensor and character in "01" and self._is_framing(self._between):
            sensor = Sensor(character)
            self._out.append(sensor)
            self._end_swipe(held=sensor is Sensor.CARD_IN)
            return
        self._between = (self._between + character)[-_BETWEEN_CHARACTERS_MAX:]
        marks = [mark for mark in (self._form.suffix, self._form.prefix) if mark]
        if any(self._between.endswith(mark) for mark in marks):
            self._end_swipe()

    def _is_framing(self, text: str) -> bool:
        """Whether a reader sends this before a sensor's digit; it may be the rest of a damaged track."""
        return text == self._form.prefix or all(character < " " for character in text)

    def _begin_track(self, start: str) -> None:
        number = _START[start]
        if number == 2 and 2 in self._tracks and 3 not in self._tracks:
            number = 3  # so it seems: its end will tell
        elif any(number <= read for read in self._tracks):
            self._end_swipe()  # two swipes glued together
        self._place, self._track, self._text, self._between = _Place.IN_TRACK, number, "", ""

    def _end_track(self) -> None:
        if self._track == 3 and _is_track2(self._text):
            self._place = _Place.BETWEEN
            self._end_swipe()  # the second of two swipes of which only track 2 is sent
            self._track = 2
        failure = None
        if self._text == _ERROR_MARK:
            failure = ReadFailure.UNREADABLE
        elif len(self._text) > TRACK_CHARACTERS_MAX[self._track]:
            failure = ReadFailure.FORMAT
        elif not self._text:
            failure = ReadFailure.NO_DATA
        self._tracks[self._track] = failure or self._text
        self._place = _Place.AT_LRC if self._form.has_lrc and failure is None else _Place.BETWEEN

    def _check(self, character: str) -> None:
        self._place = _Place.BETWEEN
        start = "%" if self._track == 1 else ";"
        try:
            good = lrc(min(self._track, 2), f"{start}{self._text}{_END}") == character
        except TrackError:  # damaged: no such character is on a track
            good = False
        if good:
            return
        self._tracks[self._track] = ReadFailure.LRC
        if character in _START:  # the check character was lost
            self._begin_track(character)

    def _end_swipe(self, *, held: bool = False) -> None:
        if self._place is _Place.IN_TRACK:
            self._tracks[self._track] = ReadFailure.INCOMPLETE
        elif self._place is _Place.AT_LRC:
            self._tracks[self._track] = ReadFailure.LRC
        if self._tracks:
            self._out.append(Swipe(self._tracks, held=held))
        self._tracks, self._place, self._between, self._ends_at_ms = {}, _Place.BETWEEN, "", None


# --- what a swipe amounts to -------------------------------------------------------------------------

_T = TypeVar("_T", Track1, Track2, Track3)


def outcome(tracks: Mapping[int, str | ReadFailure], *, held: bool) -> CardRead | CardReadFailed:
    """Judge the tracks of a swipe by number. Track 2 decides; without one, track 1 or 3 is enough.

    A track that could not be read, or has not the layout of a bank card's, is None in the result.
    """
    track1, track2, track3 = (
        _parsed(tracks, 1, Track1),
        _parsed(tracks, 2, Track2),
        _parsed(tracks, 3, Track3),
    )
    data = TrackData(_good(track1), _good(track2), _good(track3))
    readable = data.track2 is not None or (
        track2 is ReadFailure.NO_DATA and (data.track1, data.track3) != (None, None)
    )
    if readable:
        return CardRead(data, held=held)
    failures = [track for track in (track2, track1, track3) if isinstance(track, ReadFailure)]
    return CardReadFailed(_first_telling(failures))


def _is_track2(text: str) -> bool:
    """Whether this is the text of a track 2, and of no track 3 (whose country code is no month)."""
    try:
        Track2.parse(text)
    except TrackError:
        return False
    return len(text) <= TRACK_CHARACTERS_MAX[2]


def _first_telling(failures: Sequence[ReadFailure]) -> ReadFailure:
    return next((failure for failure in failures if failure is not ReadFailure.NO_DATA), ReadFailure.NO_DATA)


def _parsed(tracks: Mapping[int, str | ReadFailure], number: int, kind: type[_T]) -> _T | ReadFailure:
    text = tracks.get(number, ReadFailure.NO_DATA)
    if isinstance(text, ReadFailure):
        return text
    try:
        return kind.parse(text)
    except TrackError:
        return ReadFailure.FORMAT


def _good(track: _T | ReadFailure) -> _T | None:
    return None if isinstance(track, ReadFailure) else track
