"""What a person has typed so far for a menu entry, and the editors in which it is typed."""

from __future__ import annotations

from dataclasses import dataclass, field

from firmware.menus import Ask
from firmware.operators import PASSWORD_DIGITS_MAX
from firmware.secure.memory import wipe
from hal.api import Key


class NumberEditor:
    """A number of at most `digits_max` digits. CLEAR takes the last digit back."""

    def __init__(self, digits_max: int) -> None:
        self.digits = ""
        self._digits_max = digits_max

    def press(self, key: Key) -> bool:
        """Take a key; False when it means nothing here."""
        if key is Key.CLEAR:
            self.digits = self.digits[:-1]
        elif key.digits and len(self.digits + key.digits) <= self._digits_max:
            self.digits += key.digits
        else:
            return False
        return True

    def value(self) -> str:
        """The number with all its digits, zeros in front."""
        return self.digits.zfill(self._digits_max)


class PasswordEditor:
    """A password, of which only the number of digits is shown. CLEAR takes the last digit back."""

    def __init__(self) -> None:
        self._digits = bytearray()

    def __len__(self) -> int:
        return len(self._digits)

    def press(self, key: Key) -> bool:
        """Take a key; False when it means nothing here."""
        if key is Key.CLEAR:
            del self._digits[-1:]
        elif key.digits and len(self) + len(key.digits) <= PASSWORD_DIGITS_MAX:
            self._digits += key.digits.encode()
        else:
            return False
        return True

    def take(self) -> bytearray:
        """The password; the caller wipes it. Nothing is left here."""
        digits, self._digits = self._digits, bytearray()
        return digits

    def reset(self) -> None:
        """Wipe what is typed."""
        wipe(self._digits)
        self._digits = bytearray()


@dataclass
class Answers:
    """What was answered for the entry at hand. A password itself is kept only while it is a new one."""

    given: set[Ask] = field(default_factory=set)
    operator: str = ""
    voucher: str = ""
    new_password: bytearray = field(default_factory=bytearray, repr=False)
    confirmed: bool = False

    def wipe(self) -> None:
        """Forget the new password."""
        wipe(self.new_password)
        self.new_password = bytearray()
