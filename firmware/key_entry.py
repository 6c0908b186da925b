"""What is typed in the open while a key is loaded: which key it is, its serial number, and check values."""

from __future__ import annotations

from firmware.secure.component_entry import HexKeys
from firmware.secure.key_use import KeyUse
from firmware.secure.module import TMK_INDEX_MAX
from hal.api import Key


class KeyChoice:
    """Which key is loaded: the one that the scheme begins with (`first`), or with F1 a transport key.

    Master and transport keys have an index, 0 to 99, two digits from the right; the initial key of DUKPT has
    none, and gets a serial number.
    """

    def __init__(self, first: KeyUse, index: int) -> None:
        self.use = first
        self.index = index
        self._first = first
        self._typed = False

    def press(self, key: Key) -> bool:
        """Take a key; False when it means nothing here. CLEAR makes the index 0."""
        if key is Key.F1:
            self.use = self._first if self.use is KeyUse.TRANSPORT else KeyUse.TRANSPORT
            return True
        if self.use is KeyUse.DUKPT:
            return False
        if key is Key.CLEAR:
            self.index, self._typed = 0, True
            return True
        if len(key.digits) != 1:
            return False
        before = self.index if self._typed else 0  # the first digit replaces the index that was offered
        self.index, self._typed = (10 * before + int(key.digits)) % (TMK_INDEX_MAX + 1), True
        return True


class HexEditor:
    """Hexadecimal digits, as many as one of `lengths`. CLEAR takes the last digit back."""

    def __init__(self, lengths: tuple[int, ...]) -> None:
        self.digits = ""
        self._lengths = lengths
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
        elif digit is not None and len(self.digits) < max(self._lengths):
            self.digits += f"{digit:X}"
        else:
            return key is Key.POINT
        return True

    @property
    def is_complete(self) -> bool:
        """True when ENTER may be pressed."""
        return len(self.digits) in self._lengths

    def value(self) -> bytes:
        """The bytes; nothing while the digits are not complete."""
        return bytes.fromhex(self.digits) if self.is_complete else b""
