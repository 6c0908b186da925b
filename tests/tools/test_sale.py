"""`posterm sale`: what each card of the demo comes to, field by field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.tools.test_cli import ROOT, exit_code, refused

PIN = "123456"
AUTHORISED = ["amount", "card", "connecting", "authorising", "authorised", "pin", "verifying_pin"]
PRINTED = ["printing", "tear_off", "printing"]
FLOWS = ("authorise-first", "pin-first")


def sale(
    capsys: pytest.CaptureFixture[str],
    card: str,
    *pins: str,
    amount: str = "12.34",
    flow: str = "authorise-first",
    options: tuple[str, ...] = ("--virtual-time",),
) -> tuple[int, dict[str, Any]]:
    tries = [word for pin in pins for word in ("--pin", pin)]
    code = exit_code("sale", "--amount", amount, "--card", card, *tries, "--flow", flow, "--json", *options)
    captured = capsys.readouterr()
    assert captured.err == ""
    report = json.loads(captured.out)
    assert isinstance(report, dict)
    return code, report


def test_approved_authorising_first(capsys: pytest.CaptureFixture[str]) -> None:
    code, report = sale(capsys, "good", PIN)
    slips, ledger = report.pop("slips"), report.pop("ledger")
    assert code == 0
    assert len(report.pop("authorisation_code")) == 6
    assert len(report.pop("rrn")) == 12
    assert report == {
        "outcome": "approved",
        "response_code": "00",
        "stan": "000002",
        "batch": "000001",
        "amount_minor": 1234,
        "currency": "CNY",
        "currency_numeric": "156",
        "pan_masked": "622588******0100",
        "states": [*AUTHORISED, *PRINTED, "completing", "approved"],
        "beeps": 2,
        "flow": "authorise-first",
        "reason": "",
        "reversed": False,
        "completed": True,
    }
    assert [("MERCHANT COPY" in slip, "CARDHOLDER COPY" in slip) for slip in slips] == [
        (True, False),
        (False, True),
    ]
    (posting,) = ledger.pop("postings")
    assert ledger == {"holds_left": 0, "balanced": True}
    assert (posting["kind"], posting["amount_minor"]) == ("completion", 1234)
    assert {entry["account"]: entry["amount_minor"] for entry in posting["entries"]} == {
        "card good": -1234,
        "merchant 898320154110001": 1234,
    }


def test_approved_with_the_pin_first(capsys: pytest.CaptureFixture[str]) -> None:
    code, report = sale(capsys, "good", PIN, flow="pin-first")
    assert code == 0
    assert (report["outcome"], report["response_code"], report["beeps"]) == ("approved", "00", 2)
    assert report["states"] == [
        "amount",
        "card",
        "purchase_pin",
        "connecting",
        "purchasing",
        *PRINTED,
        "approved",
    ]
    assert [posting["kind"] for posting in report["ledger"]["postings"]] == ["purchase"]
    assert len(report["slips"]) == 2


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize(
    ("card", "code"),
    [("poor", "51"), ("expired", "54"), ("lost", "41"), ("limited", "61"), ("unknown", "14")],
)
def test_declined(card: str, code: str, flow: str, capsys: pytest.CaptureFixture[str]) -> None:
    exit_status, report = sale(capsys, card, PIN, flow=flow)
    assert exit_status == 1
    assert (report["outcome"], report["response_code"], report["reason"]) == (
        "declined",
        code,
        "bank_declined",
    )
    assert (report["slips"], report["beeps"]) == ([], 1)
    assert report["ledger"] == {"postings": [], "holds_left": 0, "balanced": True}


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize(
    ("amount", "outcome"), [("9.99", "approved"), ("10.00", "approved"), ("10.01", "declined")]
)
def test_limited(amount: str, outcome: str, flow: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert sale(capsys, "limited", PIN, amount=amount, flow=flow)[1]["outcome"] == outcome


@pytest.mark.parametrize("flow", FLOWS)
def test_a_wrong_pin_then_the_right_one(flow: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, report = sale(capsys, "good", "111111", PIN, flow=flow)
    assert code == 0
    assert (report["outcome"], report["states"].count("wrong_pin")) == ("approved", 1)
    assert [posting["amount_minor"] for posting in report["ledger"]["postings"]] == [1234]


@pytest.mark.parametrize("flow", FLOWS)
def test_three_wrong_pins(flow: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, report = sale(capsys, "good", "111111", "222222", "333333", flow=flow)
    assert code == 1
    assert (report["outcome"], report["response_code"], report["reason"]) == ("declined", "55", "pin_tries")
    assert report["reversed"] == (flow == "authorise-first")
    assert report["ledger"] == {"postings": [], "holds_left": 0, "balanced": True}


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("pins", [(), ("111111",)])
def test_cancelled_when_there_is_no_pin_left(
    pins: tuple[str, ...], flow: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, report = sale(capsys, "good", *pins, flow=flow)
    assert code == 1
    assert (report["outcome"], report["reason"]) == ("cancelled", "cancelled")
    assert report["ledger"] == {"postings": [], "holds_left": 0, "balanced": True}


def test_the_same_in_real_time(capsys: pytest.CaptureFixture[str]) -> None:
    virtual = sale(capsys, "good", PIN)[1]
    live = sale(capsys, "good", PIN, options=())[1]
    for told in (virtual, live):
        for key in ("authorisation_code", "rrn", "slips", "ledger"):
            assert told.pop(key)
    assert live == virtual


def test_text_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("sale", "--amount", "12.34", "--card", "poor", "--pin", PIN, "--virtual-time") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "DECLINED  CNY 12.34  622588******0209"
    assert "  response code       51" in lines
    assert lines[-1] == "  ledger              no postings; holds left 0; balanced"


def test_in_chinese(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--virtual-time", "--language", "zh")
    assert all("小样咖啡馆" in slip for slip in sale(capsys, "good", PIN, options=options)[1]["slips"])


def test_a_state_folder_is_remembered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--virtual-time", "--state", str(tmp_path / "till"))
    first = sale(capsys, "good", PIN, options=options)[1]
    second = sale(capsys, "good", PIN, options=options)[1]
    assert int(second["stan"]) > int(first["stan"])
    assert [len(report["slips"]) for report in (first, second)] == [2, 2]
    assert second["ledger"]["postings"][0]["posting_id"] == first["ledger"]["postings"][0]["posting_id"] + 1


def test_cards_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--virtual-time", "--bank-data", str(ROOT / "examples" / "cards.toml"))
    report = sale(capsys, "anna", PIN, options=options)[1]
    assert report["ledger"]["postings"][0]["entries"][0]["account"] == "merchant 898320154110002"


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        ("0", "more than zero"),
        ("0.00", "more than zero"),
        ("-5", "cannot be negative"),
        ("12.345", "2 decimals"),
        ("10000000000.00", "twelve digits"),
        ("12,34", "written like"),
        ("", "written like"),
    ],
)
def test_bad_amounts(amount: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = tmp_path / "till"
    line = refused(
        capsys, "sale", f"--amount={amount}", "--card", "good", "--pin", PIN, "--state", str(state)
    )
    assert line.startswith("posterm: --amount: ")
    assert said in line
    assert line.count("12.34") <= 1
    assert not state.exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--card", "god"), "there is no card 'god' (did you mean 'good'?)"),
        (("--card", "good", "--pin", "123"), "4 to 12 digits"),
        (("--card", "good", "--flow", "pin-last"), "invalid choice: 'pin-last'"),
        (("--card", "good", "--profile", "headles"), "no profile 'headles': take one of headless"),
        (("--card", "good", "--config", "/nowhere.toml"), "/nowhere.toml: No such file"),
        (("--card", "good", "--bank-data", "/nowhere.toml"), "/nowhere.toml: No such file"),
        (("--card", "good", "--seed", "many"), "--seed: invalid int value"),
        (("--card", "good", "--live", "--virtual-time"), "not allowed with"),
        ((), "required: --card"),
    ],
)
def test_bad_options(
    options: tuple[str, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "till"
    assert said in refused(capsys, "sale", "--amount", "1.00", *options, "--state", str(state))
    assert not state.exists()


def test_a_database_of_another_version(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--virtual-time", "--state", str(tmp_path))
    sale(capsys, "good", PIN, options=options)
    _set_version(tmp_path / "bank.db")
    before = (tmp_path / "bank.db").read_bytes()
    assert "version" in refused(capsys, "sale", "--amount", "1", "--card", "good", *options)
    assert (tmp_path / "bank.db").read_bytes() == before


def _set_version(path: Path) -> None:
    """Write another schema version into a database."""
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA user_version = 4711")


@pytest.mark.parametrize("flow", FLOWS)
def test_a_terminal_that_lost_its_journal_is_never_given_an_old_payments_answer(
    flow: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--virtual-time", "--state", str(tmp_path))
    reports = []
    for _ in range(2):
        code, report = sale(capsys, "good", PIN, flow=flow, options=options)
        assert (code, report["ledger"]["holds_left"], report["ledger"]["balanced"]) == (0, 0, True)
        reports.append(report)
        (tmp_path / "terminal.db").unlink()
    first, second = reports
    assert (first["stan"], first["batch"]) == ("000002", "000001")
    assert (second["stan"], second["batch"]) == ("000002", "000002")
    assert first["rrn"] != second["rrn"]
