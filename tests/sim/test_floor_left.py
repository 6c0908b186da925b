"""Every way out of what a person does at the menus: by cancel, by waiting, because something is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from firmware.app import Transition
from hal.api import PrinterStatus
from tests.sim.bad_answers import BAD_MAC, EVERY_WAY, SILENT, BadAnswer, name_of
from tests.sim.custodians import Custodians, service_visit
from tests.sim.floor import ADMINISTRATOR, Floor, floor
from tests.sim.shop import Shop

PATIENCE_MS = 200_000


@pytest.fixture
def hands() -> Iterator[Floor]:
    with floor(device_test_ms=500, report_timeout_ms=60_000, guide_timeout_ms=60_000) as opened:
        yield opened


def open_(*names: str) -> Callable[[Floor], None]:
    return lambda shop: shop.open(*names)


def _type_new_password(shop: Floor) -> None:
    shop.open("operators", "reset_supervisor")
    shop.type(ADMINISTRATOR)


def _repeat_new_password(shop: Floor) -> None:
    _type_new_password(shop)
    shop.type("864209")


def _type_password(shop: Floor) -> None:
    shop.open("operators", "log_on")
    shop.type("01")
    shop.station.press("4", "7")


def _print(shop: Floor) -> None:
    shop.station.devices.printer._speed_mm_per_s = 1
    shop.open("reprints", "totals_slip")


def _print_without_paper(shop: Floor) -> None:
    shop.station.devices.printer.fail_after_items(1, PrinterStatus.PAPER_OUT)
    shop.open("reprints", "totals_slip")
    shop.station.run_until(lambda: shop.state == "report_stopped", 60_000)


def _adjust(shop: Floor) -> None:
    shop.open("settings", "contrast")
    shop.station.press("3")


def _ask_bank(shop: Floor) -> None:
    shop.station.run_for(3_000)
    shop.open("maintenance", "line")


SCENES: dict[str, Callable[[Floor], None]] = {
    "typing_number": open_("operators", "log_on"),
    "typing_password": _type_password,
    "typing_new_password": _type_new_password,
    "repeating_password": _repeat_new_password,
    "confirming": open_("settlement"),
    "reading": open_("enquiries", "totals"),
    "report_printing": _print,
    "report_stopped": _print_without_paper,
    "notice": open_("operators", "log_off"),
    "adjusting": _adjust,
    "guiding": open_("maintenance", "clean_printer"),
    "testing_devices": open_("maintenance", "self_test"),
    "asking_bank": _ask_bank,
}


WAYS_OUT = [
    (state, event)
    for state in SCENES
    for event in ("cancel", "timeout")
    if event == "cancel" or state not in {"testing_devices", "asking_bank"}  # which go on with time
]


@pytest.mark.parametrize(("state", "event"), WAYS_OUT)
def test_an_entry_that_is_left_changes_nothing_and_its_menu_is_there_again(
    hands: Floor, state: str, event: str
) -> None:
    contrast = hands.station.devices.display.contrast_percent
    SCENES[state](hands)
    assert hands.state == state
    before = hands.station.board.storage.snapshot()  # type: ignore[attr-defined]
    taken: list[Transition] = []
    hands.station.observers.append(taken.append)
    if event == "cancel":
        hands.station.press("cancel")
    else:
        hands.station.run_until(lambda: bool(taken), PATIENCE_MS)
    assert [one.rule.event.value for one in taken] == [event, "go_on"]
    assert hands.state == "menu", "at once"
    assert hands.station.terminal is not None
    floor_work = hands.station.terminal._floor
    assert hands.station.devices.display.contrast_percent == contrast
    assert (floor_work.entry, floor_work.answers.given, len(floor_work.password)) == (None, set(), 0)
    assert hands.station.board.storage.snapshot() == before  # type: ignore[attr-defined]
    hands.station.run_for(10_000)  # the line that is under way is printed
    slips = hands.station.slips
    hands.station.run_for(20_000)
    assert hands.station.slips == slips, "no paper comes any more"
    assert hands.station.run_until(lambda: hands.state == "idle", PATIENCE_MS), (
        "nor is the menu open for ever"
    )


def test_a_cleaning_card_may_be_one_that_is_read(hands: Floor) -> None:
    """The passes count whether anything is read or not."""
    hands.open("maintenance", "clean_reader")
    hands.station.press("enter")
    for left in (2, 1):
        hands.station.swipe("good")
        assert hands.says("guide.reader.2"), f"{left} to come"
    hands.station.swipe("good")
    assert hands.says("guide.reader.3")


@pytest.mark.parametrize("way", [way for way in EVERY_WAY if way is not BAD_MAC], ids=name_of)
def test_the_communication_test_tells_that_the_bank_does_not_answer(way: BadAnswer) -> None:
    shop = Shop()
    shop.open()
    hands = Floor(shop.station)
    way.arm(shop, "0820", 1)
    hands.open("maintenance", "line")
    assert shop.state == "asking_bank"
    shop.station.run_until(lambda: shop.state == "reading", 60_000)
    assert shop.took("asking_bank", way.event)
    name = "silence" if way is SILENT else way.event.removeprefix("host_")
    assert hands.words(f"report.line.echo.{name}") in hands.read()


# --- without a master key --------------------------------------------------------------------------------


def test_without_keys_the_menu_opens_and_nothing_more_works_after_it(bare: Shop) -> None:
    hands = Floor(bare.station)
    bare.station.press("down", "3", "4")
    assert bare.state == "reading", "the parameters"
    assert hands.read()
    bare.station.press("cancel", "cancel", "cancel")
    assert bare.state == "no_keys"
    bare.station.press("f1", "5")
    assert bare.state == "no_keys"


def test_without_keys_the_administrator_must_approve_once_there_is_a_password(shop: Shop) -> None:
    hands = Floor(shop.station)
    hands.open("operators", "change_password")
    for digits in ("99", ADMINISTRATOR, "271828", "271828"):
        hands.type(digits)
    service_visit(shop)
    shop.station.press("up")
    assert shop.state == "typing_password"
    hands.type("271828")
    assert shop.state == "choosing_key"
    assert "TMK" in Custodians(shop).display
