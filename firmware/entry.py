"""The amount as it is typed: digits come in from the right, as on every payment terminal."""

from __future__ import annotations

from hal.api import Key

AMOUNT_MINOR_MAX = 10**12 - 1  # F4 is n12
DECIMALS = 2


class AmountEditor:
    """`1 2 3 4` reads 12.34; whoever types the point is understood too: `1 2 . 3` reads 12.30.

    CLEAR takes the last digit back.
    """

    def __init__(self) -> None:
        self._typed = ""

    def reset(self) -> None:
        """Back to zero."""
        self._typed = ""

    @property
    def amount_minor(self) -> int:
        """The amount so far, in minor units."""
        return _minor_units(self._typed)

    def press(self, key: Key) -> bool:
        """Take a key; False when it means nothing here (a beep tells the cashier)."""
        if key is Key.CLEAR:
            self._typed = self._typed[:-1]
            return True
        typed = self._typed + ("." if key is Key.POINT else key.digits)
        if typed == self._typed or not _is_amount(typed):
            return False
        self._typed = typed if "." in typed else typed.lstrip("0")
        return True


def _is_amount(typed: str) -> bool:
    _, _, decimals = typed.partition(".")
    is_decimal = len(decimals) <= DECIMALS and "." not in decimals
    return is_decimal and _minor_units(typed) <= AMOUNT_MINOR_MAX


def _minor_units(typed: str) -> int:
    whole, point, decimals = typed.partition(".")
    return int(f"{whole}{decimals.ljust(DECIMALS, '0') if point else ''}" or "0")
