"""A magnetic-stripe reader that takes virtual cards.

Two halves. The slot: cards are swiped, inserted and removed, and become bits (`hal.virtual.card`). The
driver: bits become tracks again, with all the checks that a reader's firmware makes, or a reason why not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hal.api import CardRead, CardReadFailed, CardRemoved, DeviceEvent, ReadFailure
from hal.cores.swipe import outcome
from hal.device import QuietDevice
from hal.virtual.card import MagneticCard, StripePass, Swipe, VirtualCard
from wire.track import TrackError, decode_bits

__all__ = ["MagneticCard", "StripePass", "Swipe", "VirtualCard", "VirtualCardReader"]

SPEED_CM_PER_S_MAX = 190  # data sheets of reading heads: 3 to 75 inches a second

_FAILURES = {  # the reasons of wire.track.decode_bits; every other reason is a matter of format
    "no_data": ReadFailure.NO_DATA,
    "no_start_sentinel": ReadFailure.NO_DATA,
    "no_end_sentinel": ReadFailure.INCOMPLETE,
    "truncated": ReadFailure.INCOMPLETE,
    "bad_parity": ReadFailure.PARITY,
    "bad_lrc": ReadFailure.LRC,
}


class VirtualCardReader(QuietDevice):
    """One slot for swiping and inserting. An inserted card is read on its way in.

    A card inserted while the reader is disarmed is not read later: it must come out and in again.
    Not modelled: chips, jitter of the hand's speed, cards that get stuck, several cards at once.
    """

    def __init__(self) -> None:
        super().__init__()
        self._armed = False
        self._card_present = False
        self._events: list[DeviceEvent] = []

    # --- the terminal's side ---

    def arm(self) -> None:
        """From now on a card makes events."""
        self._armed = True

    def disarm(self) -> None:
        """From now on none does, and what was read but not polled is forgotten. CardRemoved still comes."""
        self._armed = False
        self._events = [event for event in self._events if isinstance(event, CardRemoved)]

    @property
    def armed(self) -> bool:
        """True while a card makes events: for the yellow light, and for scripts that wait to swipe."""
        return self._armed

    @property
    def card_present(self) -> bool:
        """True while an inserted card is in the reader."""
        return self._card_present

    def poll(self) -> Sequence[DeviceEvent]:
        """Return what the slot has seen since the last call."""
        events, self._events = self._events, []
        return events

    def close(self) -> None:
        """Disarm and forget everything but the card that is in the slot."""
        self.disarm()
        self._events.clear()
        super().close()

    # --- the cardholder's hand ---

    def swipe(self, card: VirtualCard, *, quality: Swipe = Swipe.GOOD, chip_failed: bool = False) -> None:
        """Pull a card through. Raises ValueError while another is in the slot."""
        self._require_empty_slot()
        self.pass_stripe(card.swipe(quality), chip_failed=chip_failed)

    def insert(self, card: VirtualCard, *, quality: Swipe = Swipe.GOOD) -> None:
        """Put a card in and leave it there. Raises ValueError while another is in the slot."""
        self._require_empty_slot()
        self._card_present = True
        self.pass_stripe(card.swipe(quality), held=True)

    def remove(self) -> None:
        """Take the inserted card out. Raises ValueError when there is none."""
        if not self._card_present:
            raise ValueError("no card is in the reader: insert() one first")
        self._card_present = False
        if self._is_open:
            self._events.append(CardRemoved())

    def pass_stripe(self, stripe: StripePass, *, held: bool = False, chip_failed: bool = False) -> None:
        """Let the head see these bits: for damage that Swipe has no name for."""
        if self._is_open and self._armed:
            self._events.append(_read_stripe(stripe, held=held, chip_failed=chip_failed))

    def _require_empty_slot(self) -> None:
        if self._card_present:
            raise ValueError("a card is in the reader: remove() it first")


def _read_stripe(stripe: StripePass, *, held: bool, chip_failed: bool) -> CardRead | CardReadFailed:
    """Read what the head saw: the tracks decide (`outcome`), unless the card was too fast for the head."""
    if stripe.speed_cm_per_s > SPEED_CM_PER_S_MAX:
        return CardReadFailed(ReadFailure.TOO_FAST)
    tracks = {number: _decoded(number, bits) for number, bits in enumerate(stripe.bits, 1)}
    read = outcome(tracks, held=held)
    return replace(read, chip_failed=chip_failed) if isinstance(read, CardRead) else read


def _decoded(number: int, bits: str) -> str | ReadFailure:
    try:
        return decode_bits(number, bits).text
    except TrackError as error:
        return _FAILURES.get(error.reason, ReadFailure.FORMAT)
