"""What a key is for. A key has one use, is stored with it, and opens for nothing else (PCI PIN, 19)."""

from __future__ import annotations

from enum import Enum


class KeyUse(Enum):
    """The uses, by the name that people see; `number` is how a use is stored."""

    PIK = "PIK"  # PIN blocks
    MAK = "MAK"  # message authentication
    TDK = "TDK"  # track data
    TMK = "TMK"  # deciphers working keys
    TRANSPORT = "transport key"  # opens key blocks
    WORKING = "key bundle"  # the cryptograms of a sign-in, as the bank sent them
    DUKPT = "DUKPT register"  # the keys of transactions to come
    PIN_ENTRIES = "count of PIN entries"  # no key: when the last ones were
    STORE = "store generation"  # no key: the date of the store

    @property
    def number(self) -> int:
        """The byte that says so in a sealed record; never changed once given out."""
        return _NUMBERS[self]

    @classmethod
    def numbered(cls, number: int) -> KeyUse:
        """The use that is stored as `number`; STORE for one that no key has."""
        return next((use for use, one in _NUMBERS.items() if one == number), cls.STORE)


_NUMBERS = {
    KeyUse.STORE: 0,
    KeyUse.TMK: 1,
    KeyUse.TRANSPORT: 2,
    KeyUse.WORKING: 3,
    KeyUse.DUKPT: 4,
    KeyUse.PIK: 5,
    KeyUse.MAK: 6,
    KeyUse.TDK: 7,
    KeyUse.PIN_ENTRIES: 8,
}
