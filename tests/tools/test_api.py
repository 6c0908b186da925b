"""The API for scripts, as its docstrings and the README show it."""

from __future__ import annotations

import doctest
from pathlib import Path
from types import ModuleType

import pytest

import posterm
from tools import runtime


@pytest.mark.parametrize("module", [posterm, runtime], ids=lambda module: module.__name__)
def test_the_examples_run(module: ModuleType) -> None:
    failed, tried = doctest.testmod(module)
    assert (failed, tried > 0) == (0, True)


def test_everything_announced_is_there() -> None:
    assert all(hasattr(posterm, name) for name in posterm.__all__)
    assert posterm.__all__ == sorted(posterm.__all__)


def test_settings_by_their_names() -> None:
    with posterm.start(flow="pin-first", language="zh", slip_copies=1, merchant_name_zh="街角书店") as pos:
        assert posterm.sell(pos, "6.50", "good", ["123456"]).states[2] == "purchase_pin"
        assert ["街角书店" in slip for slip in pos.slips] == [True]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"flow": "pin-frist"}, "start: flow: there is no 'pin-frist' (did you mean 'pin-first'?)"),
        ({"languag": "en"}, "start: unknown key 'languag' (did you mean 'language'?)"),
        ({"pin_tries": 0}, "start: pin_tries: must be a whole number from 1 to 9"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, object], said: str) -> None:
    with pytest.raises(posterm.ConfigError) as caught:
        posterm.start(**settings)  # type: ignore[arg-type]
    assert str(caught.value).startswith(said)


def test_a_second_sale_follows_the_first_at_once() -> None:
    with posterm.start() as pos:
        reports = [posterm.sell(pos, amount, "good", ["123456"]) for amount in ("1", "2.50")]
        assert [report.amount_minor for report in reports] == [100, 250]
        assert [report.beeps for report in reports] == [2, 2]
        assert [len(report.slips) for report in reports] == [2, 2]
        assert reports[0].stan != reports[1].stan


def test_an_amount_that_is_none_presses_nothing() -> None:
    with posterm.start() as pos:
        for amount in ("0", "1.234", "-1", "x"):
            with pytest.raises(ValueError, match=r"amount|decimals"):
                pos.enter_amount(amount)
        assert pos.state == "idle"


def test_a_sale_waits_for_the_sign_in() -> None:
    with posterm.build_station(posterm.StationPlan()) as pos:
        pos.drive.stop_bank()
        pos.power_on()
        assert (pos.state, "Not signed in" in pos.display) == ("idle", True)
        with pytest.raises(posterm.StationError, match=r"in 'sale_refused' and shows: .*Not signed in"):
            pos.enter_amount("12.34")
        assert pos.state == "sale_refused"
        pos.drive.start_bank()
        pos.enter_amount("12.34")
        assert (pos.state, pos.payment and pos.payment.amount_minor) == ("card", 1234)


def test_waiting_for_what_cannot_come() -> None:
    with posterm.start() as pos:
        with pytest.raises(posterm.StationError, match=r"there is no state 'pim'.*did you mean 'pin'"):
            pos.wait_for("pim")
        pos.enter_amount("12.34")
        pos.swipe("poor")
        with pytest.raises(
            posterm.StationError, match="waited for pin or purchase_pin, but the terminal is in 'result'"
        ):
            pos.enter_pin("123456")
        assert pos.wait_for("declined") == "result"
        assert pos.wait_for("idle") == "idle"
        pos.cut_power()
        with pytest.raises(posterm.StationError, match="is in 'off'"):
            pos.wait_for("pin")


def test_a_terminal_that_cannot_sell_says_so() -> None:
    with posterm.start() as pos:
        pos.devices.tamper.trip()
        pos.settle()
        with pytest.raises(posterm.StationError, match="it is in 'tampered' and shows: "):
            pos.enter_amount("12.34")
        report = posterm.sell(pos, "12.34", "good", ["123456"])
        assert (report.outcome, report.reason, report.states) == ("failed", "tampered", [])
        assert report.ledger == {"postings": [], "holds_left": 0, "balanced": True}


def test_a_live_station_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with posterm.start(live=True) as pos:
        assert pos.state == "idle"
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []
