"""Numbers, codes and dates as a cashier types them: what is accepted and shown, and when it is complete."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from hal.api import Key
from wire.pan import DIGITS_MAX as PAN_DIGITS_MAX
from wire.pan import DIGITS_MIN as PAN_DIGITS_MIN
from wire.pan import luhn_valid

CLEAR_PAN_DIGITS = 6  # of a card number while it is typed; the rest is starred
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Entry:
    """What is typed in one state: `event` follows when ENTER ends an entry that `is_complete` accepts."""

    event: str
    length_max: int
    is_complete: Callable[[str], bool]
    letters: bool = False  # UP and DOWN turn the last character into a letter
    secret: bool = False  # shown with stars behind the first digits


def _is_voucher(text: str) -> bool:
    return text.strip("0") != ""


def _is_card_number(text: str) -> bool:
    return PAN_DIGITS_MIN <= len(text) <= PAN_DIGITS_MAX and luhn_valid(text)


def is_date_mmdd(text: str) -> bool:
    """Whether it is a day of some year: `0229` is."""
    try:
        date(2000, int(text[:2]), int(text[2:]))
    except ValueError:
        return False
    return len(text) == 4


def is_expiry_yymm(text: str) -> bool:
    """Whether it ends in a month."""
    return len(text) == 4 and "01" <= text[2:] <= "12"


ENTRIES: Mapping[str, Entry] = {
    "original": Entry("original_typed", 6, _is_voucher),
    "reference": Entry("reference_typed", 12, lambda text: len(text) == 12),
    "authorisation_code": Entry("code_typed", 6, lambda text: text != "", letters=True),
    "original_date": Entry("date_typed", 4, is_date_mmdd),
    "card_number": Entry("number_typed", PAN_DIGITS_MAX, _is_card_number, secret=True),
    "expiry": Entry("expiry_typed", 4, lambda text: text == "" or is_expiry_yymm(text)),
}
"""By the state of the transaction table. Sources: iso8583-pos sections 2.1 and 7.4 to 7.7."""


class NumberEditor:
    """What has been typed so far. CLEAR takes the last character back."""

    def __init__(self) -> None:
        self.text = ""

    def reset(self) -> None:
        """Nothing is typed."""
        self.text = ""

    def press(self, key: Key, entry: Entry) -> bool:
        """Take a key; False when it means nothing here (a beep tells the cashier)."""
        if key is Key.CLEAR:
            self.text = self.text[:-1]
            return True
        if key in (Key.UP, Key.DOWN) and entry.letters and self.text:
            self.text = self.text[:-1] + _turned(self.text[-1], 1 if key is Key.UP else -1)
            return True
        if not key.digits or len(self.text) + len(key.digits) > entry.length_max:
            return False
        self.text += key.digits
        return True

    def shown(self, entry: Entry) -> str:
        """What the display may show of it."""
        if not entry.secret:
            return self.text
        return self.text[:CLEAR_PAN_DIGITS] + "*" * (len(self.text) - CLEAR_PAN_DIGITS)


def _turned(character: str, step: int) -> str:
    """The next letter; the first or the last one behind a digit."""
    if character not in _LETTERS:
        return _LETTERS[0 if step > 0 else -1]
    return _LETTERS[(_LETTERS.index(character) + step) % len(_LETTERS)]
