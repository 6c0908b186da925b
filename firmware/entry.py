"""The amount as it is typed: digits come in from the right, as on every payment terminal."""

from __future__ import annotations

from hal.api import Key

AMOUNT_DIGITS_MAX = 12  # F4 is n12


class AmountEditor:
    """`1 2 3 4` reads 12.34. CLEAR takes the last digit back."""

    def __init__(self) -> None:
        self.amount_minor = 0

    def reset(self) -> None:
        """Back to zero."""
        self.amount_minor = 0

    def press(self, key: Key) -> bool:
        """Take a key; False when it means nothing here (a beep tells the cashier)."""
        if key is Key.CLEAR:
            self.amount_minor //= 10
            return True
        digits = key.digits
        typed = int(f"{self.amount_minor}{digits}") if digits else -1
        if not 0 <= typed < 10**AMOUNT_DIGITS_MAX:
            return False
        self.amount_minor = typed
        return True
