"""What happens in a smart-card slot. The contract that these belong to is `hal.smart_card`.

A file of its own, because `hal.api` names every event of every device and the contract builds on `hal.api`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from wire.iso7816.apdu import ResponseApdu
from wire.iso7816.atr import Atr


class ChipFailure(Enum):
    """Why a reset or a command came to nothing."""

    NO_CARD = "no_card"  # the slot is empty
    NO_POWER = "no_power"  # there is a card, and it was not reset, or its power is off again
    REMOVED = "removed"  # the card was taken out meanwhile
    MUTE = "mute"  # the card did not answer in time
    BAD_ATR = "bad_atr"  # its answer to reset breaks ISO/IEC 7816-3
    UNSUPPORTED = "unsupported"  # neither T=0 nor T=1, or a command that its protocol cannot carry
    PROTOCOL = "protocol"  # the card broke the rules of T=0 or T=1, or too much was damaged on the way
    READER = "reader"  # the reader failed, vanished or says nothing


@dataclass(frozen=True, slots=True)
class ChipInserted:
    """A card is in the slot. It has no power yet."""


@dataclass(frozen=True, slots=True)
class ChipRemoved:
    """The card was taken out."""


@dataclass(frozen=True, slots=True)
class ChipReset:
    """The card has power and answered the reset. Its ATR obeys ISO/IEC 7816-3; EMV may refuse it still."""

    atr: Atr


@dataclass(frozen=True, slots=True)
class ChipResponded:
    """The card answered the command."""

    response: ResponseApdu


@dataclass(frozen=True, slots=True)
class ChipFailed:
    """The reset or the command came to nothing. `detail` is one line in English, without secrets."""

    failure: ChipFailure
    detail: str = ""


ChipEvent = ChipInserted | ChipRemoved | ChipReset | ChipResponded | ChipFailed
