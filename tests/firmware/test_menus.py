"""The menus' data: whole, with words in both languages, and nothing that only some keypads can reach."""

from __future__ import annotations

import pytest

from firmware.menus import (
    DIGITS_MAX,
    DOOR,
    DOORS,
    ENTRIES_MAX,
    GUIDES,
    MAIN,
    MENUS,
    NUMBERS,
    Ask,
    Entry,
    Verb,
    Wait,
)
from firmware.operators import Rank
from firmware.texts import LANGUAGES, catalogue
from firmware.texts.cells import columns_of
from firmware.txn import terminal

ENTRIES = [entry for entries in MENUS.values() for entry in entries]
NAME_COLUMNS_MAX = 13


def ids(entry: Entry) -> str:
    return entry.name


def test_every_menu_fits_the_digits_and_can_be_reached() -> None:
    assert all(0 < len(entries) <= ENTRIES_MAX for entries in MENUS.values())
    reached, front = {MAIN}, [MAIN]
    while front:
        opened = {entry.what for entry in MENUS[front.pop()] if entry.verb is Verb.OPEN}
        front += opened - reached
        reached |= opened
    assert reached == MENUS.keys() - {DOORS}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_entry_and_menu_has_its_words(language: str) -> None:
    words = catalogue(language)
    keys = {f"screen.entry.{entry.name}" for entry in ENTRIES}
    keys |= {f"screen.menu_title.{name}" for name in MENUS if name != DOORS}
    keys |= {f"screen.ask.{ask.value}.{form}" for ask in NUMBERS for form in ("brief", "full")}
    keys |= {
        f"screen.notices.done.{entry.what}.{form}"
        for entry in ENTRIES
        if entry.verb is Verb.DO
        for form in ("brief", "full")
    }
    keys |= {f"report.title.{entry.what}" for entry in ENTRIES if entry.verb is Verb.SHOW}
    assert keys - words.keys() == set()
    wide = {
        key
        for key in words
        if key.startswith(("screen.entry.", "screen.menu_title."))
        and columns_of(words[key]) > NAME_COLUMNS_MAX
    }
    assert wide == set(), "a line of a menu must fit 16 columns with its mark and digit"


def test_names_are_unique_so_that_each_has_its_own_words() -> None:
    names = [entry.name for entry in ENTRIES]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("entry", [entry for entry in ENTRIES if entry.verb is Verb.POST], ids=ids)
def test_what_is_posted_is_an_event_of_the_terminal_table(entry: Entry) -> None:
    assert entry.what in {event.value for event in terminal.Event}


def test_whoever_gives_a_password_proves_something_first() -> None:
    """A new password needs the old one of its owner, or the approval of a higher rank."""
    givers = [entry for entry in ENTRIES if Ask.NEW_PASSWORD in entry.asks]
    assert givers
    for entry in givers:
        assert Ask.PASSWORD in entry.asks or entry.rank > Rank.CASHIER, entry.name


def test_keys_are_loaded_by_the_administrator() -> None:
    assert DOOR["key_loading"].rank is Rank.ADMINISTRATOR


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_step_of_a_guide_has_its_words_and_the_last_is_no_mere_pass(language: str) -> None:
    for name, steps in GUIDES.items():
        for number in range(1, len(steps) + 1):
            assert f"screen.guide.{name}.{number}.full" in catalogue(language)
        assert steps[-1].wait is not Wait.PASSES, "what is done must be proven at the end"


def test_numbers_have_their_digits() -> None:
    assert DIGITS_MAX.keys() == NUMBERS
