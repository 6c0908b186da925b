"""Card numbers that mask themselves (ISO/IEC 7812-1).

A card number travels through the program as `Pan`, never as `str`: whatever prints it, on purpose or by
mistake, shows the first six and the last four digits. Only `reveal()` gives the digits, so that the places
that need them can be found by searching for that word.
"""

from __future__ import annotations

from wire.errors import PanError

DIGITS_MIN = 12
DIGITS_MAX = 19

_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)  # twice the digit, its two digits added


class Pan:
    """A card number (primary account number), 12 to 19 digits. Every way of printing it is masked."""

    __slots__ = ("_digits",)

    def __init__(self, digits: str) -> None:
        """Take `digits` without spaces. Raises PanError: bad_character, bad_length."""
        _require_digits(digits)
        if not DIGITS_MIN <= len(digits) <= DIGITS_MAX:
            raise PanError("bad_length", f"a card number has {DIGITS_MIN} to {DIGITS_MAX} digits")
        self._digits = digits

    def reveal(self) -> str:
        """All digits, in clear. Never print, log or store what this returns."""
        return self._digits

    @property
    def masked(self) -> str:
        """First six and last four digits, a star for each one between: `622588******6783`."""
        return mask_digits(self._digits)

    @property
    def luhn_valid(self) -> bool:
        """True when the last digit is the Luhn check digit of the others."""
        return luhn_valid(self._digits)

    def __str__(self) -> str:
        return self.masked

    def __repr__(self) -> str:
        return f"Pan({self.masked})"

    def __eq__(self, other: object) -> bool:
        return self._digits == other._digits if isinstance(other, Pan) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._digits)


def mask_digits(digits: str) -> str:
    """Star everything but the first six and last four characters; all of it when there are ten or fewer."""
    if len(digits) <= 10:
        return "*" * len(digits)
    return digits[:6] + "*" * (len(digits) - 10) + digits[-4:]


def luhn_check_digit(digits: str) -> str:
    """Return the check digit that belongs behind `digits` (ISO/IEC 7812-1 annex B). Raises PanError.

    >>> luhn_check_digit("622588012345678")
    '3'
    """
    _require_digits(digits)
    odd_places = sum(_DOUBLED[int(digit)] for digit in digits[::-1][0::2])
    even_places = sum(int(digit) for digit in digits[::-1][1::2])
    return str(-(odd_places + even_places) % 10)


def luhn_valid(number: str) -> bool:
    """Say whether the last digit of `number` is right for the others. Raises PanError: bad_character."""
    _require_digits(number)
    return number != "" and luhn_check_digit(number[:-1]) == number[-1]


def _require_digits(text: str) -> None:
    # isdigit() alone also accepts the digits of other scripts.
    if text and not (text.isascii() and text.isdigit()):
        raise PanError("bad_character", "a card number has digits only, without spaces")
