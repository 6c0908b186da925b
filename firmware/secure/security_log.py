"""The journal of refusals: what somebody asked of the secure room that it does not do.

Kept in storage, in clear: an entry is an error's code and text, and those name no key, PIN or card.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from firmware.secure.errors import SecureError
from hal.api import Delete, Put, Storage

TABLE = "security_log"
ENTRIES_MAX = 200


@dataclass(frozen=True, slots=True)
class SecurityEvent:
    """One refusal: `number` counts them, `code` is the error's."""

    number: int
    code: str
    text: str


class SecurityLog:
    """The newest refusals of one terminal."""

    __slots__ = ("_storage",)

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def note(self, error: SecureError) -> None:
        """Write the refusal down, durably. Raises StorageFailed."""
        entries = [key for key, _ in self._storage.scan(TABLE)]
        number = int(entries[-1]) + 1 if entries else 1
        value = json.dumps({"code": error.code, "text": str(error)}).encode()
        surplus = [Delete(TABLE, key) for key in entries[: max(0, len(entries) + 1 - ENTRIES_MAX)]]
        self._storage.commit([Put(TABLE, f"{number:08d}", value), *surplus])

    def events(self) -> list[SecurityEvent]:
        """The refusals, oldest first."""
        return [SecurityEvent(int(key), **json.loads(value)) for key, value in self._storage.scan(TABLE)]
