"""How many PINs may be entered: 120 within any hour, so that nobody tries them out by the hundred (PCI PTS).

The entries of the last hour are sealed in the vault, each by its age, before the cardholder is asked. A
restart takes the clock's count away but not theirs: they are as old again as they were at the last entry. So
the time in between, which nobody in the terminal can vouch for, shortens no wait, and switching the terminal
off and on gains nothing; an older copy of the record is an older copy of the key store, and is noticed.
"""

from __future__ import annotations

from collections import deque

from firmware.secure.errors import PinRateExceeded
from firmware.secure.key_use import KeyUse
from firmware.secure.vault import Vault

HOUR_MS = 3_600_000
ENTRIES_PER_HOUR_MAX = 120

_RECORD = "pin/entries"
_AGE_BYTES = 4  # an hour in milliseconds fits


class PinRateLimit:
    """The limit of one terminal, over restarts."""

    __slots__ = ("_begun_ms", "_vault")

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._begun_ms: deque[int] | None = None  # of the last hour, oldest first; None: not read yet

    def admit(self, *, now_ms: int) -> None:
        """Count one entry that begins now, durably.

        Raises PinRateExceeded, StorageFailed, Tampered, StoreOutdated: it does not begin and is not counted.
        """
        if self._begun_ms is None:
            self._begun_ms = self._read(now_ms)
        begun_ms = self._begun_ms
        while begun_ms and begun_ms[0] <= now_ms - HOUR_MS:
            begun_ms.popleft()
        if len(begun_ms) >= ENTRIES_PER_HOUR_MAX:
            raise PinRateExceeded(begun_ms[0] + HOUR_MS - now_ms)
        ages_ms = [now_ms - at_ms for at_ms in begun_ms]
        self._vault.commit([self._vault.sealed(_RECORD, KeyUse.PIN_ENTRIES, _encode([*ages_ms, 0]))])
        begun_ms.append(now_ms)

    def _read(self, now_ms: int) -> deque[int]:
        if not self._vault.holds(_RECORD):
            return deque()
        with self._vault.opened(_RECORD, KeyUse.PIN_ENTRIES) as record:
            return deque(now_ms - age_ms for age_ms in _decode(record))


def _encode(ages_ms: list[int]) -> bytes:
    return b"".join(age_ms.to_bytes(_AGE_BYTES, "big") for age_ms in ages_ms)


def _decode(record: bytearray) -> list[int]:
    return [int.from_bytes(record[at : at + _AGE_BYTES], "big") for at in range(0, len(record), _AGE_BYTES)]
