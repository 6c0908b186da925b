"""What is typed in the open while a key is loaded: which key it is, and check values."""

from __future__ import annotations

from firmware.secure.component_entry import CHECK_VALUE_DIGITS, HexKeys
from firmware.secure.module import TMK_INDEX_MAX
from hal.api import Key


class KeyChoice:
    """Which key is loaded: a terminal master key, or with F1 a transport key, of an index 0 to 99.

    The index is two digits from the right.
    """

    def __init__(self, index: int) -> None:
        self.index = index
        self.is_transport = False
        self._typed = False

    def press(self, key: Key) -> bool:
        """Take a key; False when it means nothing here. CLEAR makes the index 0."""
        if key is Key.F1:
            self.is_transport = not self.is_transport
            return True
        if key is Key.CLEAR:
            self.index, self._typed = 0, True
            return True
        if len(key.digits) != 1:
            return False
        before = self.index if self._typed else 0  # the first digit replaces the index that was offered
        self.index, self._typed = (10 * before + int(key.digits)) % (TMK_INDEX_MAX + 1), True
        return True


class CheckValueEditor:
    """A check value of 6 or 8 hexadecimal digits. CLEAR takes the last digit back."""

    def __init__(self) -> None:
        self.digits = ""
        self._hex = HexKeys()

    def reset(self) -> None:
        """Back to nothing typed."""
        self.digits = ""
        self._hex = HexKeys()

    def press(self, key: Key) -> bool:
        """Take a key; False when it means nothing here."""
        digit = self._hex.press(key)
        if key is Key.CLEAR:
            self.digits = self.digits[:-1]
        elif digit is not None and len(self.digits) < max(CHECK_VALUE_DIGITS):
            self.digits += f"{digit:X}"
        else:
            return key is Key.POINT
        return True

    @property
    def is_complete(self) -> bool:
        """True when ENTER may be pressed."""
        return len(self.digits) in CHECK_VALUE_DIGITS

    def value(self) -> bytes:
        """The bytes; nothing while the digits are not complete."""
        return bytes.fromhex(self.digits) if self.is_complete else b""
