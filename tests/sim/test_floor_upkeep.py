"""Maintenance at the terminal: self-test, cleaning, counters over a power cut, contrast and volume."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from firmware.boot import SECURE
from hal.api import Beep, Led
from tests.sim.floor import Floor, floor

LANGUAGES = ("en", "zh")


@pytest.fixture(params=LANGUAGES)
def shop(request: pytest.FixtureRequest) -> Iterator[Floor]:
    with floor(language=request.param, device_test_ms=500) as opened:
        yield opened


# --- self-test ---------------------------------------------------------------------------------------


def test_every_device_tests_itself_in_turn_and_the_report_is_printed(shop: Floor) -> None:
    kinds = [kind for kind, _ in shop.station.board.devices()] + [SECURE]
    shop.open("maintenance", "self_test")
    for kind in kinds:
        assert shop.state == "testing_devices"
        shop.station.run_for(500)
        assert kind in shop.display
        assert (shop.station.devices.leds.lit == frozenset(Led)) == (kind == "leds")
    shop.station.run_for(500)
    paper = shop.printed()
    for kind in kinds:
        assert kind in paper
    assert shop.words("report.test.failed") not in paper
    assert Beep.SUCCESS in [played.beep for played in shop.station.devices.buzzer.played()]


def test_without_paper_the_result_is_read_on_the_display(shop: Floor) -> None:
    shop.station.devices.printer.run_out_of_paper()
    shop.open("maintenance", "self_test")
    shop.station.wait_for("reading")
    words = shop.read()
    assert shop.words("report.test.failed") in words


def test_the_self_test_can_be_left_and_the_lights_go_back(shop: Floor) -> None:
    before = shop.station.devices.leds.lit
    shop.open("maintenance", "self_test")
    shop.station.run_until(lambda: shop.station.devices.leds.lit == frozenset(Led), 60_000)
    shop.station.press("cancel")
    assert shop.state == "menu"
    assert shop.station.devices.leds.lit == before


# --- cleaning ----------------------------------------------------------------------------------------


def test_cleaning_the_printer_step_by_step_resets_its_counter(shop: Floor) -> None:
    shop.sell()
    shop.open("maintenance", "clean_printer")
    for step in range(1, 5):
        assert shop.says(f"guide.printer.{step}")
        shop.station.press("enter")
    paper = shop.printed()
    assert "ABCDEFGHIJKLMNOPQRSTUVWXYZ" in paper
    assert shop.station.terminal is not None
    wear = shop.station.terminal.parts.upkeep.wear
    assert wear.slips == 3
    assert wear.slips_since == 1, "the test slip itself"


def test_cleaning_the_reader_takes_three_passes_and_a_card_that_is_read(shop: Floor) -> None:
    shop.open("maintenance", "clean_reader")
    shop.station.press("enter")
    assert shop.station.beeps == 0
    shop.station.press("enter")
    assert shop.last_beep is Beep.ERROR, "the card is waited for, not a key"
    for _ in range(3):
        assert shop.says("guide.reader.2")
        shop.station.swipe("good", "bad")
    assert shop.says("guide.reader.3")
    shop.station.press("enter")
    shop.station.swipe("good", "bad")
    assert shop.says("guide.reader.4"), "a card that is not read proves nothing"
    shop.station.press("enter")
    assert shop.says("guide.reader.4"), "nor does a key"
    assert shop.station.terminal is not None
    assert shop.station.terminal.parts.upkeep.wear.swipes_since > 0
    shop.station.swipe("good")
    assert shop.words("report.title.reader") in shop.printed()
    assert shop.station.terminal.parts.upkeep.wear.swipes_since == 0
    assert not shop.station.devices.card_reader.armed


def test_the_reader_is_disarmed_when_cleaning_is_left(shop: Floor) -> None:
    shop.open("maintenance", "clean_reader")
    shop.station.press("enter")
    assert shop.station.devices.card_reader.armed
    shop.station.press("cancel")
    assert shop.state == "menu"
    assert not shop.station.devices.card_reader.armed


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_idle_screen_asks_for_cleaning_until_it_is_done(language: str) -> None:
    with floor(language=language, clean_printer_slips=2) as shop:
        assert not shop.says("element.cleaning.printer")
        shop.sell()
        assert shop.says("element.cleaning.printer")
        shop.open("maintenance", "clean_printer")
        shop.station.press("enter", "enter", "enter", "enter")
        shop.printed()
        shop.leave()
        assert not shop.says("element.cleaning.printer")


def test_counters_outlive_a_power_cut(shop: Floor) -> None:
    shop.station.enter_amount("12.34")
    shop.station.swipe("good", "bad")
    shop.station.swipe("good")
    shop.station.enter_pin("123456")
    shop.station.finish()
    shop.station.cut_power()
    shop.station.power_on()
    assert shop.station.terminal is not None
    wear = shop.station.terminal.parts.upkeep.wear
    assert (wear.slips, wear.swipes, wear.bad_swipes) == (2, 1, 1)
    shop.open("maintenance", "counters")
    assert shop.words("report.wear.slips") in shop.read()


def test_counters_cost_no_commit_of_their_own(shop: Floor) -> None:
    storage = shop.station.board.storage
    shop.sell()
    before = storage.commits  # type: ignore[attr-defined]
    shop.sell()
    with_counters = storage.commits - before  # type: ignore[attr-defined]
    assert shop.station.terminal is not None
    shop.station.terminal.parts.upkeep.count = lambda **_used: None  # type: ignore[method-assign]
    before = storage.commits  # type: ignore[attr-defined]
    shop.sell()
    assert storage.commits - before == with_counters  # type: ignore[attr-defined]


# --- contrast, volume, language ----------------------------------------------------------------------


@pytest.mark.parametrize(("name", "device"), [("contrast", "display"), ("volume", "buzzer")])
def test_a_level_is_seen_at_once_kept_with_enter_and_outlives_a_power_cut(
    shop: Floor, name: str, device: str
) -> None:
    def in_force() -> int:
        return int(getattr(getattr(shop.station.devices, device), f"{name}_percent"))

    usual = in_force()
    shop.open("settings", name)
    shop.station.press("2")
    assert in_force() == 20
    shop.station.press("up")
    assert in_force() == 30
    shop.station.press("cancel")
    assert in_force() == usual, "cancelled"
    shop.open("settings", name)
    shop.station.press("2", "enter")
    assert shop.says(f"notices.done.{name}")
    shop.station.cut_power()
    setattr(getattr(shop.station.devices, device), f"{name}_percent", usual)  # as it is when it was made
    shop.station.power_on()
    assert in_force() == 20


def test_the_language_is_switched_from_the_menu(shop: Floor) -> None:
    before = shop.words("screen.idle.title")
    shop.open("settings", "language")
    assert shop.state == "idle"
    assert shop.words("screen.idle.title") != before
    assert shop.words("screen.idle.title") in shop.display


def test_the_idle_screen_tells_operator_and_line(shop: Floor) -> None:
    assert shop.says("element.status.signed_in", operator="01", bars="####")
    shop.station.unplug_cable()
    shop.station.run_for(60_000)
    assert shop.says("element.alert.no_link")


def test_the_version_slip_tells_what_support_asks_for_and_no_key(shop: Floor) -> None:
    shop.open("maintenance", "version")
    shop.station.press("enter")
    paper = shop.printed()
    for fact in ("0.1.0", "12345678", "898320154110001", "master-session", "491510CA"):
        assert fact in paper
    assert "11223344556677888877665544332211" not in paper
