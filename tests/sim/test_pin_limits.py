"""PIN entry at the terminal and its limits: lengths, clear, cancel, bypass, time, entries an hour.

The limits are those of ISO 9564-1 (4 to 12 digits) and PCI PTS (120 entries an hour); the times are
the terminal's settings, at their defaults.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest

from bank.authoriser import Bank, Reply
from bank.provision import load_provision
from firmware.records import Flow, Outcome, Reason
from tests.arch.house import ROOT
from tools.runtime import start
from tools.station import Station
from wire.iso8583 import IsoMessage, dialect

PIN_STATE = {Flow.AUTHORISE_FIRST: "pin", Flow.PIN_FIRST: "purchase_pin"}
MERCHANT = (ROOT / "bank" / "demo.toml").read_text("utf-8").split("[[card]]")[0]
CARDS = (("short", "1357"), ("long", "135792468013"), ("free", "135792"))


@dataclass
class Listener:
    """What the bank was asked."""

    requests: list[IsoMessage] = field(default_factory=list)


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Listener:
    heard, handle = Listener(), Bank.handle

    def listen(bank: Bank, message: bytes, *, now: datetime) -> list[Reply]:
        heard.requests.append(dialect("unionpay").decode(message))
        return handle(bank, message, now=now)

    monkeypatch.setattr(Bank, "handle", listen)
    return heard


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The demo's merchant, and cards with PINs of several lengths; "free" may pay without one."""
    numbers = [card.plastic.pan.reveal() for card in load_provision().cards]
    cards = [
        f'[[card]]\nname = "{name}"\npan = "{number}"\nexpiry = "3012"\npin = "{pin}"\nbalance = "900.00"\n'
        f"pin_required = {str(name != 'free').lower()}\n"
        for (name, pin), number in zip(CARDS, numbers[: len(CARDS)], strict=True)
    ]
    path = tmp_path / "cards.toml"
    path.write_text(MERCHANT + "\n".join(cards), "utf-8")
    return path


@contextmanager
def asked_for_pin(
    data: Path, flow: Flow, card: str = "short", *, bypass: bool = False, result_ms: int = 3_000
) -> Iterator[Station]:
    with start(bank_data=data, flow=flow.value, pin_bypass_allowed=bypass, result_ms=result_ms) as station:
        station.enter_amount("5.00")
        station.swipe(card)
        station.wait_for(PIN_STATE[flow])
        yield station


def outcome(station: Station) -> Outcome | None:
    payment = station.finish()
    assert payment is not None
    return payment.outcome


flows = pytest.mark.parametrize("flow", list(Flow), ids=lambda flow: flow.value)

# --- digits ----------------------------------------------------------------------------------------------


@flows
@pytest.mark.parametrize(("card", "pin"), CARDS[:2])
def test_four_and_twelve_digits(data: Path, flow: Flow, card: str, pin: str) -> None:
    with asked_for_pin(data, flow, card) as station:
        station.press(*pin, "enter")
        assert outcome(station) is Outcome.APPROVED


@flows
def test_three_digits_are_too_few_and_a_thirteenth_is_not_taken(data: Path, flow: Flow) -> None:
    with asked_for_pin(data, flow, "long") as station:
        station.press("1", "3", "5", "enter")
        assert station.state == PIN_STATE[flow]
        station.press(*"7924680137")
        assert "*" * 12 in station.display
        assert "*" * 13 not in station.display
        station.press("enter")
        assert outcome(station) is Outcome.APPROVED, "the first twelve count"


@flows
def test_clear_begins_again(data: Path, flow: Flow) -> None:
    with asked_for_pin(data, flow) as station:
        station.press("9", "9", "9", "9", "clear")
        assert "*" not in station.display
        station.press(*"1357", "enter")
        assert outcome(station) is Outcome.APPROVED


@flows
def test_cancel_ends_it(data: Path, flow: Flow) -> None:
    with asked_for_pin(data, flow) as station:
        station.press("1", "3", "cancel")
        assert outcome(station) is Outcome.CANCELLED


# --- bypass ----------------------------------------------------------------------------------------------


def test_a_purchase_without_a_pin_where_it_is_allowed(data: Path, listener: Listener) -> None:
    with asked_for_pin(data, Flow.PIN_FIRST, "free", bypass=True) as station:
        station.press("enter")
        assert outcome(station) is Outcome.APPROVED
    purchase = next(one for one in listener.requests if one.mti == "0200")
    assert purchase.fields[22] == "022", "the last digit: no PIN (iso8583-pos section 2.3)"
    assert {26, 52, 53}.isdisjoint(purchase.fields)
    assert 35 in purchase.fields


def test_the_bank_may_still_ask_for_the_pin_and_then_there_is_no_way_around_it(data: Path) -> None:
    with asked_for_pin(data, Flow.PIN_FIRST, "short", bypass=True) as station:
        station.press("enter")
        station.wait_for("wrong_pin")
        station.wait_for("purchase_pin")
        station.press("enter")
        assert station.state == "purchase_pin"
        station.press(*"1357", "enter")
        assert outcome(station) is Outcome.APPROVED


@pytest.mark.parametrize(
    ("flow", "bypass"),
    [(Flow.PIN_FIRST, False), (Flow.AUTHORISE_FIRST, False), (Flow.AUTHORISE_FIRST, True)],
    ids=["not-allowed", "authorise-first", "authorise-first-never"],
)
def test_enter_alone_is_no_pin(data: Path, flow: Flow, *, bypass: bool) -> None:
    with asked_for_pin(data, flow, "free", bypass=bypass) as station:
        station.press("enter")
        station.run_for(1_000)
        assert station.state == PIN_STATE[flow]


# --- time ------------------------------------------------------------------------------------------------


@flows
def test_thirty_seconds_without_a_key(data: Path, flow: Flow) -> None:
    with asked_for_pin(data, flow) as station:
        begun_ms = station.drive.now_ms()
        assert station.run_until(lambda: station.state != PIN_STATE[flow])
        assert 29_000 <= station.drive.now_ms() - begun_ms <= 30_000
        assert outcome(station) is Outcome.TIMED_OUT


@flows
def test_sixty_seconds_in_all_however_busy(data: Path, flow: Flow) -> None:
    with asked_for_pin(data, flow) as station:
        begun_ms = station.drive.now_ms()
        while station.state == PIN_STATE[flow]:
            station.press("1", "clear")
            station.run_for(5_000)
            assert station.drive.now_ms() - begun_ms < 70_000
        assert outcome(station) is Outcome.TIMED_OUT
        assert station.payment is not None
        assert station.payment.reason is Reason.OPERATOR_TIMEOUT


# --- entries an hour -------------------------------------------------------------------------------------


def test_the_hundred_and_twenty_first_entry_of_an_hour_is_refused(data: Path) -> None:
    with asked_for_pin(data, Flow.PIN_FIRST, result_ms=500) as station:
        for _ in range(119):
            station.press("cancel")
            station.finish()
            station.enter_amount("1")
            station.swipe("short")
            assert station.state == "purchase_pin"
        station.press("cancel")
        station.finish()
        station.enter_amount("1")
        station.swipe("short")
        assert outcome(station) is Outcome.FAILED
        assert station.payment is not None
        assert station.payment.reason is Reason.PIN_UNAVAILABLE
        station.run_for(3_600_000)
        station.enter_amount("5")
        station.swipe("short")
        station.enter_pin("1357")
        assert outcome(station) is Outcome.APPROVED
