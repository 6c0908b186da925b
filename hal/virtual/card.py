"""Cards with a magnetic stripe, and what a reading head sees of them when they pass.

A card holds the texts of its tracks. A pass turns them into bits (ISO/IEC 7811-6) at a speed; a bad pass
damages the bits as dirt, a nervous hand or a card turned round would. The reader's driver gets only the pass.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Self

from wire.pan import Pan
from wire.track import Track2, encode_bits

TRACK_NUMBERS = (1, 2, 3)
_START = {1: "%", 2: ";", 3: ";"}
_NORMAL_CM_PER_S = 40
_FAST_CM_PER_S = 300


class Swipe(Enum):
    """How a card goes through the reader. The value is the name used in scripts."""

    GOOD = "good"
    BAD = "bad"  # dirt: one bit in the middle of each track is wrong
    HALF = "half"  # stopped half way: the second half of each track is missing
    TOO_FAST = "too_fast"
    BACKWARDS = "backwards"  # readable: readers find the start sentinel from either end


@dataclass(frozen=True, slots=True)
class StripePass:
    """What the head saw: the bits of tracks 1, 2 and 3 as `0` and `1` (empty: nothing), and how fast."""

    bits: tuple[str, str, str] = field(repr=False)
    speed_cm_per_s: int = _NORMAL_CM_PER_S


@dataclass(frozen=True, slots=True)
class MagneticCard:
    """A card: the texts of its tracks, with or without sentinels, or None where nothing is encoded.

    The texts may be nonsense (a loyalty card), but only of characters that the track can carry: TrackError.
    """

    track1: str | None = field(default=None, repr=False)
    track2: str | None = field(default=None, repr=False)
    track3: str | None = field(default=None, repr=False)
    _bits: list[str] = field(init=False, repr=False, compare=False)  # of the tracks

    def __post_init__(self) -> None:
        texts = (self.track1, self.track2, self.track3)
        bits = [_encode(number, text) for number, text in zip(TRACK_NUMBERS, texts, strict=True)]
        object.__setattr__(self, "_bits", bits)

    @classmethod
    def from_fields(
        cls, pan: Pan | str, expiry_yymm: str, name: str, service_code: str, discretionary: str = ""
    ) -> Self:
        """Make a bank card (ISO/IEC 7813), tracks 1 and 2. Raises TrackError or PanError for bad fields.

        `name`: SURNAME/GIVEN, 2 to 26 characters; `discretionary`: digits, the same on both tracks.
        """
        number = pan if isinstance(pan, Pan) else Pan(pan)
        tail = f"{expiry_yymm}{service_code}{discretionary}"
        return cls(
            track1=f"B{number.reveal()}^{name}^{tail}",
            track2=Track2.build(number, expiry_yymm, service_code, discretionary).reveal(),
        )

    def swipe(self, quality: Swipe = Swipe.GOOD) -> StripePass:
        """What a head sees when this card passes."""
        bits = self._bits
        if quality is Swipe.TOO_FAST:
            return _pass(bits, _FAST_CM_PER_S)
        if quality is Swipe.BAD:
            return _pass([_flip_middle_bit(track) for track in bits])
        if quality is Swipe.HALF:
            return _pass([track[: len(track) // 2] for track in bits])
        if quality is Swipe.BACKWARDS:
            return _pass([track[::-1] for track in bits])
        return _pass(bits)


def _pass(bits: list[str], speed_cm_per_s: int = _NORMAL_CM_PER_S) -> StripePass:
    track1, track2, track3 = bits
    return StripePass((track1, track2, track3), speed_cm_per_s)


def _encode(number: int, text: str | None) -> str:
    if text is None:
        return ""
    start = _START[number]
    return encode_bits(number, start + text.removeprefix(start).partition("?")[0] + "?")


def _flip_middle_bit(bits: str) -> str:
    middle = len(bits) // 2
    return bits[:middle] + {"0": "1", "1": "0"}[bits[middle]] + bits[middle + 1 :] if bits else ""


VirtualCard = MagneticCard
"""What the virtual reader takes. Chip cards will make this a union."""
