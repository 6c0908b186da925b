"""Counters of wear: what they count, when a head is due, and how they are stored."""

from __future__ import annotations

from dataclasses import replace

import pytest

from firmware.journal import JournalDamaged
from firmware.link_quality import WINDOW_MS, LinkQuality, bars_of
from firmware.settings import TerminalSettings
from firmware.upkeep import BAD_SWIPES_MIN, Levels, Upkeep, Wear, heads_due
from hal.api import Put
from hal.virtual.storage import MemoryStorage

SETTINGS = TerminalSettings(clean_printer_slips=10, clean_reader_swipes=100, clean_reader_bad_percent=25)
NOW = "2026-01-02T09:00:00"


@pytest.fixture
def storage() -> MemoryStorage:
    memory = MemoryStorage()
    memory.open()
    return memory


@pytest.mark.parametrize(
    ("wear", "due"),
    [
        (Wear(), ()),
        (Wear(slips=9), ()),
        (Wear(slips=10), ("printer",)),
        (Wear(slips=19, slips_at_cleaning=10), ()),
        (Wear(swipes=90, bad_swipes=9), ()),
        (Wear(swipes=90, bad_swipes=10), ("reader",)),
        (Wear(swipes=BAD_SWIPES_MIN - 6, bad_swipes=5), ()),
        (Wear(swipes=BAD_SWIPES_MIN - 5, bad_swipes=5), ("reader",)),
        (Wear(slips=10, swipes=100), ("printer", "reader")),
    ],
)
def test_a_head_is_due_after_so_much_use_or_so_many_failures(wear: Wear, due: tuple[str, ...]) -> None:
    assert heads_due(wear, SETTINGS) == due


def test_zero_means_never() -> None:
    never = replace(SETTINGS, clean_printer_slips=0, clean_reader_swipes=0, clean_reader_bad_percent=0)
    assert heads_due(Wear(slips=10**6, swipes=10**6, bad_swipes=10**6), never) == ()


def test_cleaning_begins_anew_and_forgets_no_total() -> None:
    worn = Wear(slips=50, swipes=60, bad_swipes=70)
    assert heads_due(worn, SETTINGS) == ("printer", "reader")
    clean = worn.printer_cleaned(NOW).reader_cleaned(NOW)
    assert heads_due(clean, SETTINGS) == ()
    assert (clean.slips, clean.swipes, clean.bad_swipes) == (50, 60, 70)
    assert (clean.slips_since, clean.swipes_since, clean.bad_swipes_since) == (0, 0, 0)


def test_counts_and_levels_are_stored_once_and_found_again(storage: MemoryStorage) -> None:
    upkeep = Upkeep(storage)
    assert upkeep.changes() == []
    upkeep.count(slips=1, swipes=2, bad_swipes=3)
    upkeep.levels = Levels(contrast=70)
    storage.commit(upkeep.changes())
    upkeep.committed()
    assert upkeep.changes() == []
    again = Upkeep(storage)
    assert again.wear == Wear(slips=1, swipes=2, bad_swipes=3)
    assert again.levels == Levels(contrast=70)


@pytest.mark.parametrize("stored", [b"", b"[]", b'{"slips":"1"}', b'{"hats":1}', b'{"slips":true}'])
def test_a_damaged_record_is_named(storage: MemoryStorage, stored: bytes) -> None:
    storage.commit([Put("upkeep", "wear", stored)])
    with pytest.raises(JournalDamaged, match="upkeep/wear"):
        Upkeep(storage)


# --- the line ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frames", "spoilt", "bars"), [(0, 0, 4), (1000, 9, 4), (100, 4, 3), (100, 15, 2), (10, 10, 1), (0, 5, 1)]
)
def test_bars_by_the_share_of_spoilt_frames(frames: int, spoilt: int, bars: int) -> None:
    assert bars_of(frames, spoilt) == bars


def test_a_line_that_is_down_has_no_bars_and_old_trouble_is_forgotten() -> None:
    quality = LinkQuality()
    assert quality.bars(10, 10, is_up=False, now_ms=0) == 0
    assert quality.bars(10, 10, is_up=True, now_ms=10) == 1
    for now_ms in (WINDOW_MS, 2 * WINDOW_MS):
        quality.bars(10, 500, is_up=True, now_ms=now_ms)
    assert quality.bars(10, 600, is_up=True, now_ms=2 * WINDOW_MS + 10) == 4
    assert quality.bars(20, 20, is_up=True, now_ms=2 * WINDOW_MS + 20) == 1, "a new session counts anew"
