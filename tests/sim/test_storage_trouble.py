"""The terminal's memory fills up, becomes read-only, fails: at every commit, until somebody makes room.

The terminal goes out of service and says why, in the language of the shop; nothing leaves it; and when the
memory works again everything that was promised is kept.
"""

from __future__ import annotations

from typing import Any

import pytest

from firmware.records import Flow
from firmware.texts import catalogue
from firmware.waking import wake
from firmware.work import Parts
from hal.api import StorageFailed, StorageTrouble
from tests.sim.cases import flows, opened
from tests.sim.invariants import check
from tests.sim.shop import Shop

troubles = pytest.mark.parametrize("trouble", list(StorageTrouble), ids=lambda trouble: trouble.value)


def words(language: str, trouble: StorageTrouble) -> str:
    """What the display says of it."""
    return catalogue(language)[f"screen.memory.{trouble.value}.brief"]


@flows
@troubles
def test_at_every_commit(flow: Flow, trouble: StorageTrouble) -> None:
    plain = opened(flow)
    before = plain.storage.commits
    plain.play()
    count = plain.storage.commits - before
    assert count >= 5
    for number in range(count):
        shop = opened(flow)
        shop.power_or_paper_trouble = True
        stored = shop.storage.commits + number
        shop.storage.break_down(trouble, after_commits=number)
        shop.play()
        assert shop.state == "out_of_service", number
        assert words("en", trouble) in shop.station.display
        assert shop.storage.commits == stored + 1, "one commit was tried, and no more"
        check(shop, next_sale=number % 5 == 0)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_it_says_so_in_both_languages_and_the_log_says_why(language: str) -> None:
    shop = Shop(security={"language": language})
    shop.open()
    shop.storage.break_down(StorageTrouble.FULL)
    shop.play()
    assert words(language, StorageTrouble.FULL) in shop.station.display
    last = shop.transitions[-1]
    assert (last.rule.target.value, last.why) == (
        "out_of_service",
        "scripted trouble (full): nothing was stored",
    )


def test_it_comes_back_by_itself_when_there_is_room() -> None:
    shop = opened(Flow.AUTHORISE_FIRST)
    shop.storage.break_down(StorageTrouble.FULL)
    shop.play()
    settings = shop.station.settings
    shop.station.run_for(3 * settings.service_retry_ms)
    assert shop.state == "out_of_service"
    shop.storage.mend()
    assert shop.station.run_until(lambda: shop.state == "idle", 2 * settings.service_retry_ms)
    check(shop)


def test_a_memory_that_is_full_at_power_on_is_told_of_at_once() -> None:
    shop = Shop()
    shop.storage.break_down(StorageTrouble.READ_ONLY)
    shop.open()
    assert shop.state == "out_of_service"
    assert words("en", StorageTrouble.READ_ONLY) in shop.station.display
    check(shop)


@pytest.mark.parametrize("table", ["terminal", "keys"])
def test_a_memory_that_dies_while_the_terminal_comes_on_is_told_of(
    table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind the journal come what the bank has set, and every key."""
    shop = Shop()
    shop.open()
    shop.station.cut_power()

    def wakes_and_dies(*given: Any) -> Parts:
        parts = wake(*given)
        shop.storage.break_down(StorageTrouble.FAILED, unreadable=True)
        return parts

    monkeypatch.setattr("firmware.app.wake", wakes_and_dies)
    if table == "keys":
        monkeypatch.setattr("firmware.management_work.stored_parameters", lambda _storage: {})
    with pytest.raises(StorageFailed):
        shop.station.power_on()
    assert words("en", StorageTrouble.FAILED) in shop.station.display
