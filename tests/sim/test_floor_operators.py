"""Operators at the terminal: log-on, approval, new passwords, and the lock that no power cut opens."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from hal.api import Beep, Put
from tests.sim.floor import ADMINISTRATOR, CASHIER, SUPERVISOR, Floor, floor

LOCK_MS = 30 * 60_000


@pytest.fixture
def shop() -> Iterator[Floor]:
    """For tests that need nothing special; one terminal each."""
    with floor() as opened:
        yield opened


def log_on(shop: Floor, number: str, password: str) -> None:
    shop.open("operators", "log_on")
    shop.type(number)
    shop.type(password)


def stored_operator(shop: Floor, number: str) -> dict[str, object]:
    stored = shop.station.board.storage.get("operator", number)
    assert stored is not None
    record: dict[str, object] = json.loads(stored)
    return record


# --- log-on ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "zh"])
def test_where_a_log_on_is_required_nothing_else_works_before(language: str) -> None:
    with floor(log_on_required=True, language=language) as shop:
        assert shop.words("screen.logged_off.title") in shop.display
        for key in ("5", "f2", "down"):
            shop.station.press(key)
            assert shop.state == "typing_number", "whatever is pressed, the operator's number comes first"
            shop.station.press("cancel")
            assert shop.state == "idle"
        shop.station.press("5")
        shop.type("1")
        assert shop.says("ask.password_of_cashier", number="01")
        shop.type(CASHIER)
        assert shop.says("notices.done.log_on")
        shop.station.press("enter")
        assert shop.words("screen.idle.title") in shop.display
        shop.sell()
        assert shop.station.payment is not None
        assert shop.station.payment.outcome is not None
        assert shop.station.payment.operator == "01"


def test_a_power_cut_logs_off() -> None:
    with floor(log_on_required=True) as shop:
        shop.station.press("5")
        shop.type("01")
        shop.type(CASHIER)
        shop.station.cut_power()
        shop.station.power_on()
        assert "Log on" in shop.display


def test_the_operator_s_number_is_on_the_slip(shop: Floor) -> None:
    shop.open("operators", "add_cashier")
    shop.type(SUPERVISOR)
    shop.type("7")
    shop.type("4711")
    shop.type("4711")
    log_on(shop, "7", "4711")
    assert shop.says("notices.done.log_on")
    shop.leave()
    shop.sell()
    assert "OPERATOR NO.                  07" in shop.station.slips[-1]
    shop.open("operators", "log_off")
    shop.leave()
    shop.sell()
    assert "OPERATOR NO.                  01" in shop.station.slips[-1], "without one, the settings' operator"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_unknown_operator_is_told_so(language: str) -> None:
    with floor(language=language) as shop:
        shop.open("operators", "log_on")
        shop.type("42")
        assert shop.says("notices.refused.unknown_operator")


def test_nobody_waits_for_ever(shop: Floor) -> None:
    shop.open("operators", "log_on")
    shop.type("01")
    shop.station.run_for(61_000)
    assert shop.state == "menu", "the password was not typed: back to the menu"
    shop.station.run_for(61_000)
    assert shop.state == "idle"


# --- wrong passwords ---------------------------------------------------------------------------------


def test_wrong_passwords_are_counted_and_shown_and_then_lock(shop: Floor) -> None:
    shop.open("operators", "add_cashier")
    for left in (4, 3, 2, 1):
        shop.type("999999")
        assert f"Tries: {left}" in shop.display
        assert shop.last_beep is Beep.ERROR
    shop.type("999999")
    assert shop.says("notices.refused.locked_out")
    shop.open("operators", "add_cashier")
    assert shop.says("notices.refused.locked_out"), "not even the right one is asked for"
    shop.station.run_for(LOCK_MS)
    shop.open("operators", "add_cashier")
    shop.type(SUPERVISOR)
    assert shop.state == "typing_number"


def test_the_right_password_makes_the_wrong_ones_before_it_forgotten(shop: Floor) -> None:
    for _ in range(2):
        shop.open("operators", "add_cashier")
        for _ in range(4):
            shop.type("999999")
        shop.type(SUPERVISOR)
        assert shop.state == "typing_number"
        assert stored_operator(shop, "00")["wrong_tries"] == 0
        shop.leave()


def test_no_power_cut_gives_further_tries(shop: Floor) -> None:
    for tries in range(1, 6):
        shop.open("operators", "log_on")
        shop.type("01")
        shop.type("9999")
        shop.station.cut_power()
        shop.station.power_on()
        assert stored_operator(shop, "01")["wrong_tries"] == tries
    shop.open("operators", "log_on")
    shop.type("01")
    assert shop.says("notices.refused.locked_out")


def test_a_wrong_try_is_durable_before_it_is_told(shop: Floor) -> None:
    """The storage fails at the commit that counts it: the terminal says nothing about the password."""
    storage = shop.station.board.storage
    shop.open("operators", "log_on")
    shop.type("01")
    storage.fail_at(storage.commits + 1)  # type: ignore[attr-defined]
    shop.type("9999")
    assert shop.state == "out_of_service"
    assert "Tries" not in shop.display


def test_a_damaged_operator_takes_the_terminal_out_of_service(shop: Floor) -> None:
    """Not taken for one that is gone, nor for one with the default password; and nothing crashes."""
    shop.open("operators", "log_on")
    shop.type("01")
    assert shop.state == "typing_password"
    shop.station.board.storage.commit([Put("operator", "01", b"{}")])
    shop.station.press("1")
    assert shop.state == "typing_password", "the display reads nothing from the storage"
    shop.station.press("enter")
    assert shop.state == "out_of_service"


def test_a_supervisor_lets_a_locked_cashier_in_again(shop: Floor) -> None:
    shop.open("operators", "log_on")
    shop.type("01")
    for _ in range(5):
        shop.type("9999")
    shop.open("operators", "reset_cashier")
    shop.type(SUPERVISOR)
    shop.type("01")
    shop.type("2580")
    shop.type("2580")
    assert shop.says("notices.done.set_password")
    log_on(shop, "01", "2580")
    assert shop.says("notices.done.log_on")


# --- new passwords -----------------------------------------------------------------------------------


def test_a_password_is_changed_by_its_owner_who_types_it_twice(shop: Floor) -> None:
    shop.open("operators", "change_password")
    shop.type("00")
    shop.type(SUPERVISOR)
    shop.station.press("1", "2", "3", "enter")
    assert shop.state == "typing_new_password", "too short for a supervisor"
    shop.station.press(*"456", "enter")
    assert shop.state == "typing_new_password", "everybody knows 123456"
    shop.type("314159")
    shop.type("314158")
    assert shop.state == "typing_new_password", "not the same twice"
    assert shop.last_beep is Beep.ERROR
    shop.type("314159")
    shop.type("314159")
    assert shop.state == "notice"
    shop.open("operators", "add_cashier")
    shop.type(SUPERVISOR)
    assert "Tries" in shop.display, "the old one does not do any more"
    shop.type("314159")
    assert shop.state == "typing_number"


def test_an_approval_ends_with_the_visit(shop: Floor) -> None:
    shop.open("operators", "operator_list")
    shop.type(SUPERVISOR)
    assert "still the default" in shop.read().replace("\n", " ")
    shop.station.press("cancel")
    assert shop.state == "menu"
    number = "4"  # add cashier: approved already
    shop.station.press(number)
    assert shop.state == "typing_number"
    shop.open("operators", "add_cashier")
    assert shop.state == "typing_password", "a new visit is approved anew"


def test_the_operator_at_work_cannot_be_deleted_and_no_supervisor_can(shop: Floor) -> None:
    shop.open("operators", "delete_cashier")
    shop.type(SUPERVISOR)
    shop.type("01")
    assert shop.says("notices.refused.at_work")
    shop.open("operators", "delete_cashier")
    shop.type(SUPERVISOR)
    shop.type("99")
    assert shop.says("notices.refused.no_cashier")


def test_a_deleted_cashier_is_gone(shop: Floor) -> None:
    shop.open("operators", "add_cashier")
    shop.type(SUPERVISOR)
    shop.type("2")
    shop.type("4711")
    shop.type("4711")
    shop.station.press("enter")
    shop.open("operators", "delete_cashier")
    shop.type(SUPERVISOR)
    shop.type("2")
    assert shop.state == "confirming"
    shop.station.press("enter")
    shop.open("operators", "log_on")
    shop.type("2")
    assert shop.says("notices.refused.unknown_operator")


def test_no_digit_of_a_password_is_shown_or_stored(shop: Floor) -> None:
    shop.open("operators", "reset_supervisor")
    for password in (ADMINISTRATOR, "864209", "864209"):
        shop.station.press(*password)
        assert f"{'*' * len(password)}_" in shop.display
        assert password not in shop.display.replace("TID 12345678", "")
        shop.station.press("enter")
    assert shop.says("notices.done.set_supervisor_password")
    shown = "\n".join(screen.text for _at_ms, screen in shop.station.devices.display.history)
    stored = b"".join(value for _, value in shop.station.board.storage.scan("operator"))
    assert "864209" not in shown
    assert b"864209" not in stored


# --- key loading -------------------------------------------------------------------------------------


def test_key_loading_asks_for_the_administrator_once_there_is_a_password(shop: Floor) -> None:
    shop.station.press("up")
    assert shop.state == "choosing_key", "a new terminal: split knowledge is enough"
    shop.leave()
    shop.open("operators", "change_password")
    shop.type("99")
    shop.type(ADMINISTRATOR)
    shop.type("271828")
    shop.type("271828")
    shop.leave()
    shop.station.press("up")
    assert shop.state == "typing_password"
    shop.type("000001")
    assert "Tries" in shop.display
    shop.type("271828")
    assert shop.state == "choosing_key"
    shop.leave()
    shop.station.press("up")
    assert shop.state == "typing_password", "once approved is once loaded"


# --- power cuts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_power_cut_leaves_the_old_password_or_the_new_one(shop: Floor, when: str) -> None:
    storage = shop.station.board.storage
    shop.open("operators", "change_password")
    shop.type("00")
    shop.type(SUPERVISOR)
    shop.type("314159")
    storage.power_cut_at(storage.commits + 1, when)  # type: ignore[attr-defined]
    shop.type("314159")
    assert not shop.station.is_on
    shop.station.power_on()
    shop.open("operators", "operator_list")
    shop.type(SUPERVISOR if when == "before" else "314159")
    assert shop.state == "reading"
    assert [line[:2] for line in shop.read().splitlines() if line[:2].isdigit()] == ["00", "01", "99"]
