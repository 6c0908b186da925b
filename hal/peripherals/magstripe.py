"""A magnetic-stripe reader in software: cards on one side, a swipe reader's characters on the other.

It decodes the stripe's bits as a reader's firmware does, and sends each track as text, or `E` between the
sentinels where it could not. What is sent around the tracks is set in the constructor, as in real readers
by jumpers or a setup program (MagTek, Port-Powered Swipe and Insertion Reader, "Reader to host formats").
"""

from __future__ import annotations

from collections.abc import Sequence

from wire.track import TrackError, decode_bits

SPEED_CM_PER_S_MAX = 190  # data sheets of reading heads: 3 to 75 inches a second

_START = ("%", ";", ";")


class SwipeReader:
    """A swipe reader's far side (`hal.peripherals.api.Peripheral`). What the host sends is ignored.

    `prefix`, `suffix`: sent before and after each swipe. `sends_lrc`: the check character follows each `?`.
    `has_sensor`: `1` or `0` follows the tracks, and comes alone when a card is put in or taken out; a card
    is then read on its way in. `plus_for_track3`: track 3 begins with `+` instead of `;`. `tracks`: those
    that there is a head for.
    """

    def __init__(
        self,
        *,
        prefix: str = "",
        suffix: str = "\r",
        sends_lrc: bool = False,
        has_sensor: bool = False,
        plus_for_track3: bool = True,
        tracks: Sequence[int] = (1, 2, 3),
    ) -> None:
        self._prefix = prefix
        self._suffix = suffix
        self._sends_lrc = sends_lrc
        self._has_sensor = has_sensor
        self._start = (*_START[:2], "+") if plus_for_track3 else _START
        self._heads = tuple(tracks)
        self._card_is_in = False
        self._output = bytearray()

    # --- the line ---

    def receive(self, data: bytes, now_ms: int) -> None:
        """Take nothing: such readers have no commands."""

    def take_output(self) -> bytes:
        """What the reader has sent."""
        output = bytes(self._output)
        self._output.clear()
        return output

    def deadline_ms(self) -> int | None:
        """Nothing happens by itself."""
        return None

    # --- the cardholder's hand ---

    @property
    def card_is_in(self) -> bool:
        """True while a card is in the slot."""
        return self._card_is_in

    def swipe(self, bits: Sequence[str], *, speed_cm_per_s: int = 40) -> None:
        """Pull a card through: the bits of tracks 1, 2 and 3 as `0` and `1`, and how fast."""
        self._send(self._tracks(bits, speed_cm_per_s) + ("0" if self._has_sensor else ""))

    def insert(self, bits: Sequence[str], *, speed_cm_per_s: int = 40) -> None:
        """Put a card in and leave it there. Raises ValueError: no sensor, or the slot is full."""
        if not self._has_sensor:
            raise ValueError("this reader has no slot: swipe the card")
        if self._card_is_in:
            raise ValueError("a card is in the reader: remove it first")
        self._card_is_in = True
        self._send(self._tracks(bits, speed_cm_per_s) + "1")

    def remove(self) -> None:
        """Take the card out. Raises ValueError when there is none."""
        if not self._card_is_in:
            raise ValueError("no card is in the reader: insert one first")
        self._card_is_in = False
        self._send("0")

    def _send(self, text: str) -> None:
        self._output += (self._prefix + text + self._suffix).encode("latin-1")

    def _tracks(self, bits: Sequence[str], speed_cm_per_s: int) -> str:
        text = ""
        for number, track in enumerate(bits, 1):
            if number in self._heads and "1" in track:  # a track without flux is not sent at all
                text += self._start[number - 1] + self._characters(number, track, speed_cm_per_s)
        return text

    def _characters(self, number: int, bits: str, speed_cm_per_s: int) -> str:
        if speed_cm_per_s > SPEED_CM_PER_S_MAX:
            return "E?"
        try:
            decoded = decode_bits(number, bits)
        except TrackError:
            return "E?"
        return decoded.text[1:] + (decoded.lrc if self._sends_lrc else "")
