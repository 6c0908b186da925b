"""What a terminal counts of its own wear, and how loud and dark its owner wants it.

Counts travel with the next commit of the journal: they cost no write of their own, and a power cut loses at
most those of the rule that it interrupted.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, TypeVar

from firmware.journal import damaged
from firmware.records import Record
from firmware.settings import TerminalSettings
from hal.api import Change, Put, Storage

TABLE = "upkeep"
BAD_SWIPES_MIN = 20
"""So many swipes before a share of bad ones says anything about the head."""


@dataclass(frozen=True)
class Wear(Record):
    """What was used since the terminal was new, and how much of it when each head was last cleaned."""

    slips: int = 0  # printed to their end, reports included
    swipes: int = 0  # cards that were read
    bad_swipes: int = 0  # cards that were not
    slips_at_cleaning: int = 0
    swipes_at_cleaning: int = 0
    bad_swipes_at_cleaning: int = 0
    printer_cleaned_at: str = ""  # by the terminal's clock, ISO 8601 without zone
    reader_cleaned_at: str = ""

    @property
    def slips_since(self) -> int:
        """Slips since the printer's head was cleaned."""
        return self.slips - self.slips_at_cleaning

    @property
    def swipes_since(self) -> int:
        """Swipes, good and bad, since the reader was cleaned."""
        return self.swipes + self.bad_swipes - self.swipes_at_cleaning - self.bad_swipes_at_cleaning

    @property
    def bad_swipes_since(self) -> int:
        """Bad swipes since the reader was cleaned."""
        return self.bad_swipes - self.bad_swipes_at_cleaning

    def printer_cleaned(self, now: str) -> Wear:
        """The same, with a clean printing head."""
        return self.changed(slips_at_cleaning=self.slips, printer_cleaned_at=now)

    def reader_cleaned(self, now: str) -> Wear:
        """The same, with a clean reading head."""
        return self.changed(
            swipes_at_cleaning=self.swipes,
            bad_swipes_at_cleaning=self.bad_swipes,
            reader_cleaned_at=now,
        )


@dataclass(frozen=True)
class Levels(Record):
    """How the display and the buzzer are set, in percent."""

    contrast: int = 50
    volume: int = 100


class Upkeep:
    """Wear and levels as they are, and as they were stored last. Raises JournalDamaged, StorageFailed."""

    def __init__(self, storage: Storage) -> None:
        self.wear = _read(storage, "wear", Wear())
        self.levels = _read(storage, "levels", Levels())
        self._stored: tuple[Wear, Levels] = (self.wear, self.levels)

    def count(self, *, slips: int = 0, swipes: int = 0, bad_swipes: int = 0) -> None:
        """Count what was used just now."""
        wear = self.wear
        self.wear = wear.changed(
            slips=wear.slips + slips,
            swipes=wear.swipes + swipes,
            bad_swipes=wear.bad_swipes + bad_swipes,
        )

    def changes(self) -> list[Change]:
        """What a commit must write."""
        if (self.wear, self.levels) == self._stored:
            return []
        wear, levels = self._stored
        changes: list[Change] = [] if wear == self.wear else [_put("wear", self.wear)]
        return changes if levels == self.levels else [*changes, _put("levels", self.levels)]

    def committed(self) -> None:
        """It is written."""
        self._stored = (self.wear, self.levels)


def heads_due(wear: Wear, settings: TerminalSettings) -> tuple[str, ...]:
    """The heads that are due to be cleaned: "printer", "reader"."""
    due = []
    if 0 < settings.clean_printer_slips <= wear.slips_since:
        due.append("printer")
    if _reader_is_due(wear, settings.clean_reader_swipes, settings.clean_reader_bad_percent):
        due.append("reader")
    return tuple(due)


def _reader_is_due(wear: Wear, swipes_max: int, bad_percent_max: int) -> bool:
    """After so many swipes, or when too many of them were bad. 0: never."""
    if 0 < swipes_max <= wear.swipes_since:
        return True
    too_many = wear.bad_swipes_since * 100 >= bad_percent_max * wear.swipes_since
    return bool(bad_percent_max) and wear.swipes_since >= BAD_SWIPES_MIN and too_many


R = TypeVar("R", Wear, Levels)
_USUAL = {"wear": Wear().to_json(), "levels": Levels().to_json()}
_to_text = json.JSONEncoder(separators=(",", ":")).encode


def _put(key: str, record: Wear | Levels) -> Put:
    """What differs from a new terminal's: it is written with every slip and swipe, and should be short."""
    usual = _USUAL[key]
    told = {name: value for name, value in record.to_json().items() if value != usual[name]}
    return Put(TABLE, key, _to_text(told).encode())


def _read(storage: Storage, key: str, default: R) -> R:
    stored = storage.get(TABLE, key)
    if stored is None:
        return default
    try:
        values: dict[str, Any] = json.loads(stored)
        record = default.changed(**values)
    except (ValueError, TypeError):
        raise damaged(TABLE, key) from None
    if any(type(value) is not type(getattr(default, name)) for name, value in record.to_json().items()):
        raise damaged(TABLE, key)
    return record
