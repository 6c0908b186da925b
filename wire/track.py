"""Magnetic stripe tracks: their text (ISO/IEC 7813, ISO 4909) and their bits (ISO/IEC 7811-6).

The plan of this file. A track's text comes from a reader as characters, with or without sentinels and check
character; `Track1`, `Track2` and `Track3` take it apart and mask themselves whenever they are printed. The
same text lies on the stripe as bits, which a virtual card and a raw reader need: `encode_bits`,
`decode_bits`. The meaning of the service code stands at the end.

A character on the stripe is its data bits, least significant first, and an odd parity bit: six data bits on
track 1 (counted from 20 hex), four on tracks 2 and 3 (from 30 hex).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Self

from wire.errors import TrackError
from wire.pan import Pan

__all__ = [
    "DecodedTrack",
    "Direction",
    "ServiceCode",
    "Track1",
    "Track2",
    "Track3",
    "TrackError",
    "decode_bits",
    "encode_bits",
    "lrc",
]

PAN_DIGITS_MAX = 19
NAME_CHARACTERS_MIN, NAME_CHARACTERS_MAX = 2, 26

# --- the text of a track -----------------------------------------------------------------------------


class _Track:
    """What the three tracks share: the text without sentinels, shown to nobody who does not ask."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The track's text in clear, without sentinels and check character. Never print, log or store it."""
        return self._text

    def __eq__(self, other: object) -> bool:
        return self._text == other._text if isinstance(other, type(self)) else NotImplemented

    def __hash__(self) -> int:
        return hash((type(self), self._text))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(<{len(self._text)} characters>)"


class Track1(_Track):
    """Track 1, format B: card number, holder's name, expiry, service code (ISO/IEC 7813)."""

    __slots__ = ("discretionary", "expiry_yymm", "name", "pan", "service_code")

    pan: Pan
    name: str  # as encoded, fill at the right included
    expiry_yymm: str
    service_code: str
    discretionary: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Take apart `text`, with or without `%`, `?` and check character. Raises TrackError."""
        text = _strip_sentinels(text, "%")
        _require_length(text, length_max=76)
        parts = text[1:].split("^", 2)
        if text[:1] != "B" or len(parts) != 3:
            raise TrackError("bad_format", "track 1 is not of format B with its two separators")
        _require_characters(text, _FORMATS[1].alphabet)
        track = cls(text)
        track.pan = _pan(parts[0])
        track.name = parts[1]
        if not NAME_CHARACTERS_MIN <= len(track.name) <= NAME_CHARACTERS_MAX:
            raise TrackError("bad_length", "the name on track 1 has 2 to 26 characters")
        track.expiry_yymm, track.service_code, track.discretionary = _expiry_and_service_code(parts[2])
        return track

    @property
    def format_code(self) -> str:
        """Always "B": the layout of bank cards."""
        return self._text[:1]

    @property
    def cardholder(self) -> str:
        """The holder's name without fill: `DOE/JOHN`."""
        return self.name.strip()

    def __repr__(self) -> str:
        return f"Track1({self.pan.masked}^…)"


class Track2(_Track):
    """Track 2: card number, expiry, service code, issuer's own data (ISO/IEC 7813)."""

    __slots__ = ("discretionary", "expiry_yymm", "pan", "service_code")

    pan: Pan
    expiry_yymm: str
    service_code: str
    discretionary: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Take apart `text`, with or without sentinels; the separator is `=` or `D`. Raises TrackError."""
        text = _strip_sentinels(text, ";").replace("D", "=").replace("d", "=")
        _require_length(text, length_max=37)
        digits, separator, rest = text.partition("=")
        if not separator:
            raise TrackError("bad_format", "track 2 has no separator")
        track = cls(text)
        track.pan = _pan(digits)
        track.expiry_yymm, track.service_code, track.discretionary = _expiry_and_service_code(rest)
        if track.discretionary and not _is_digits(track.discretionary):
            raise TrackError("bad_character", "track 2 has digits only after its separator")
        return track

    @classmethod
    def build(cls, pan: Pan, expiry_yymm: str, service_code: str, discretionary: str = "") -> Self:
        """Make a track out of its parts. Raises TrackError where they make no valid track."""
        return cls.parse(f"{pan.reveal()}={expiry_yymm}{service_code}{discretionary}")

    def nibbles(self) -> str:
        """The text as messages and chips carry it: hex digits with `D` for the separator. In clear."""
        return self._text.replace("=", "D")

    def __repr__(self) -> str:
        return f"Track2({self.pan.masked}=…)"


class Track3(_Track):
    """Track 3 (ISO 4909): format code, card number, then data that only the issuer reads."""

    __slots__ = ("pan",)

    pan: Pan | None  # None where the issuer's layout has none in the standard's place

    @classmethod
    def parse(cls, text: str) -> Self:
        """Take `text`, with or without sentinels; separators are `=` or `D`. Raises TrackError."""
        text = _strip_sentinels(text, ";").replace("D", "=").replace("d", "=")
        if not text:
            raise TrackError("bad_format", "track 3 is empty")
        _require_length(text, length_max=104)
        _require_characters(text, "0123456789=")
        track = cls(text)
        try:
            track.pan = _pan(text[2:].partition("=")[0])
        except TrackError:
            track.pan = None
        return track

    def nibbles(self) -> str:
        """The text as messages carry it: hex digits with `D` for each separator. In clear."""
        return self._text.replace("=", "D")


def _strip_sentinels(text: str, start: str) -> str:
    body, end, check_character = text.removeprefix(start).partition("?")
    if end and len(check_character) > 1:
        raise TrackError("trailing_data", "the track goes on after its check character")
    return body


def _require_length(text: str, *, length_max: int) -> None:
    if len(text) > length_max:
        raise TrackError("bad_length", f"the track has at most {length_max} characters between its sentinels")


def _require_characters(text: str, alphabet: str) -> None:
    if not set(text) <= set(alphabet):
        raise TrackError("bad_character", "the track holds a character that it cannot carry")


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _pan(digits: str) -> Pan:
    if not digits or len(digits) > PAN_DIGITS_MAX:
        raise TrackError("bad_length", "the card number on the track has no digits, or more than 19")
    if not _is_digits(digits):
        raise TrackError("bad_character", "the card number on the track is not all digits")
    try:
        return Pan(digits)
    except ValueError:
        raise TrackError("bad_length", "the card number on the track has fewer than 12 digits") from None


def _expiry_and_service_code(text: str) -> tuple[str, str, str]:
    expiry_yymm, service_code, discretionary = text[:4], text[4:7], text[7:]
    if len(text) < 7:
        raise TrackError("truncated", "the track ends before its service code does")
    if not _is_digits(expiry_yymm + service_code):
        raise TrackError("bad_character", "expiry and service code are not all digits")
    if not "01" <= expiry_yymm[2:] <= "12":
        raise TrackError("bad_date", "the month of expiry is not 01 to 12")
    return expiry_yymm, service_code, discretionary


# --- the bits of a track -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Format:
    """How one track lies on the stripe."""

    offset: int
    start: str
    alphabet: str
    codes: tuple[str, ...]  # the bits of each value, the lowest first, with their parity
    values: Mapping[str, int]  # and back

    @property
    def size_bits(self) -> int:
        """Bits of a character."""
        return len(self.codes[0])


def _format(data_bits: int, offset: int, start: str) -> _Format:
    codes = tuple(_character_bits(value, data_bits) for value in range(1 << data_bits))
    alphabet = "".join(chr(offset + value) for value in range(len(codes)))
    return _Format(offset, start, alphabet, codes, {code: value for value, code in enumerate(codes)})


def _character_bits(value: int, data_bits: int) -> str:
    data = f"{value:0{data_bits}b}"[::-1]
    return data + str((data.count("1") + 1) % 2)


_FORMATS = {1: _format(6, 0x20, "%"), 2: _format(4, 0x30, ";"), 3: _format(4, 0x30, ";")}


class Direction(Enum):
    """Which way the card went through the slot."""

    FORWARD = "forward"
    BACKWARD = "backward"


@dataclass(frozen=True, slots=True)
class DecodedTrack:
    """A track read off its bits. `text` includes both sentinels; it is in clear."""

    text: str = field(repr=False)
    lrc: str = field(repr=False)
    direction: Direction


def lrc(track: int, text: str) -> str:
    """Return the check character of `text` (sentinels included) on track 1, 2 or 3.

    It makes every column of data bits even; its own parity is that of any character (ISO/IEC 7811-6).
    Raises TrackError: bad_character.
    """
    stripe = _FORMATS[track]
    check = 0
    for value in _values(stripe, text):
        check ^= value
    return chr(check + stripe.offset)


def encode_bits(track: int, text: str, *, leading_zeros: int = 25, trailing_zeros: int = 25) -> str:
    """Return the stripe as a string of `0` and `1`: clocking zeros, `text`, its check character, zeros.

    `text` includes both sentinels. Raises TrackError: bad_character.
    """
    stripe = _FORMATS[track]
    values = [*_values(stripe, text), ord(lrc(track, text)) - stripe.offset]
    bits = "".join([stripe.codes[value] for value in values])
    return "0" * leading_zeros + bits + "0" * trailing_zeros


def decode_bits(track: int, bits: str) -> DecodedTrack:
    """Read a stripe's bits, swiped in either direction.

    Raises TrackError: no_data, no_start_sentinel, no_end_sentinel, truncated, trailing_data, bad_parity,
    bad_lrc, bad_character (neither 0 nor 1). When both ends look like a start sentinel and neither reads, the
    reason is that of the backward attempt.
    """
    if not set(bits) <= {"0", "1"}:
        raise TrackError("bad_character", "bits are written as 0 and 1")
    if "1" not in bits:
        raise TrackError("no_data", "the stripe is empty")
    failure = TrackError("no_start_sentinel", "no start sentinel at either end of the stripe")
    for direction, ordered in ((Direction.FORWARD, bits), (Direction.BACKWARD, bits[::-1])):
        try:
            text, check_character = _read(_FORMATS[track], ordered.lstrip("0"))
        except TrackError as error:
            if error.reason != "no_start_sentinel":
                failure = error
        else:
            return DecodedTrack(text, check_character, direction)
    raise failure


def _read(stripe: _Format, bits: str) -> tuple[str, str]:
    size = stripe.size_bits
    if bits[:size] != stripe.codes[ord(stripe.start) - stripe.offset]:
        raise TrackError("no_start_sentinel")
    text, check = "", 0
    for index in range(0, len(bits), size):
        value = _value(stripe, bits[index : index + size], whole_text=text.endswith("?"))
        if text.endswith("?"):
            if value != check:
                raise TrackError("bad_lrc", "the check character of the track is wrong")
            if (
                "1" in bits[index + size :]
            ):  # as when a short text is found in a stripe read the wrong way round
                raise TrackError("trailing_data", "the stripe goes on after its check character")
            return text, chr(value + stripe.offset)
        text += chr(value + stripe.offset)
        check ^= value
    raise TrackError("truncated" if text.endswith("?") else "no_end_sentinel", "the stripe ends too early")


def _value(stripe: _Format, bits: str, *, whole_text: bool) -> int:
    value = stripe.values.get(bits)
    if value is not None:
        return value
    if len(bits) < stripe.size_bits:
        raise TrackError("truncated" if whole_text else "no_end_sentinel", "the stripe ends too early")
    raise TrackError("bad_parity", "a character of the track has wrong parity")


def _values(stripe: _Format, text: str) -> list[int]:
    if not set(text) <= set(stripe.alphabet):
        raise TrackError("bad_character", "the text holds a character that this track cannot carry")
    return [ord(character) - stripe.offset for character in text]


# --- the service code --------------------------------------------------------------------------------

_INTERCHANGE = {
    "1": "international",
    "2": "international",
    "5": "national",
    "6": "national",
    "7": "private",
    "9": "test",
}
_AUTHORISATION = {"0": "normal", "2": "issuer online", "4": "issuer online unless agreed"}


@dataclass(frozen=True, slots=True)
class ServiceCode:
    """What a service code says: where the card is valid, how it is authorised, and the PIN (ISO/IEC 7813)."""

    interchange: str  # international, national, private, test, rfu
    chip: bool  # the card has a chip, which is to be used where it can be
    authorisation: str  # normal, issuer online, issuer online unless agreed, rfu
    pin_required: bool
    pin_if_possible: bool

    @classmethod
    def parse(cls, code: str) -> Self:
        """Take apart three digits. Raises TrackError: bad_length, bad_character."""
        if len(code) != 3:
            raise TrackError("bad_length", "a service code has three digits")
        if not _is_digits(code):
            raise TrackError("bad_character", "a service code has digits only")
        return cls(
            interchange=_INTERCHANGE.get(code[0], "rfu"),
            chip=code[0] in "26",
            authorisation=_AUTHORISATION.get(code[1], "rfu"),
            pin_required=code[2] in "035",
            pin_if_possible=code[2] in "67",
        )
