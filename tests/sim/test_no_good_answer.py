"""No good answer of the bank to what the terminal asks outside a payment: whoever waits for it is told.

A sale or a settlement that had to wait for a sign-in, or for something that is due, does not begin, and does
not stay wanted; what is due stays due, and goes when the bank is there again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bank import parameters
from bank.faults import FaultKind
from firmware.txn.terminal import State
from hal.api import Beep
from tests.sim.bad_answers import BAD_MAC, EVERY_WAY, BadAnswer, name_of
from tests.sim.shop import Purchase, Shop
from tests.sim.test_settlement import managed
from tests.sim.transaction_types import GOOD_PAN

MTI = {"signing_in": "0800", "clearing": "0220", "managing": "0820"}
CANCEL = BadAnswer("cancel", lambda shop, _mti, _count: None)
ways = pytest.mark.parametrize("way", [*EVERY_WAY, CANCEL], ids=name_of)
OFFLINE_SALE = Purchase(
    "5000",
    kind="offline_settlement",
    typed={"authorisation_code": "123456", "expiry": "3012"},
    number=GOOD_PAN,
)


def owing() -> Shop:
    """A shop with an advice to be sent, which nothing new may be sold before."""
    shop = Shop(security={"offline_kept_max": 1, "manual_entry_allowed": True})  # type: ignore[dict-item]
    shop.open()
    shop.play(replace(OFFLINE_SALE))
    assert shop.owes == ["advice"]
    return shop


def signed_out() -> Shop:
    """The same, and signed out: first of all it must sign in."""
    shop = owing()
    terminal = shop.station.terminal
    assert terminal is not None
    terminal.manage("sign_out")
    shop.station.settle()
    shop.go_on()
    return shop


def want_nothing(shop: Shop) -> None:
    shop.station.run_until(lambda: shop.state == "clearing", 60_000)


def sign_in(shop: Shop) -> None:
    shop.station.press("f3")


def want_sale(shop: Shop) -> None:
    shop.station.press("f1")


def want_settlement(shop: Shop) -> None:
    assert shop.station.terminal is not None
    shop.station.terminal.settle()
    shop.station.settle()


WANTED = {"nothing": "idle", "sale": "sale_refused", "settlement": "not_settled"}
"""Where the terminal tells that it cannot be, by what was wanted."""
ASKS: dict[tuple[str, str], tuple[Callable[[], Shop], Callable[[Shop], None]]] = {
    ("signing_in", "nothing"): (signed_out, sign_in),
    ("signing_in", "sale"): (signed_out, want_sale),
    ("signing_in", "settlement"): (signed_out, want_settlement),
    ("clearing", "nothing"): (owing, want_nothing),
    ("clearing", "sale"): (owing, want_sale),
    ("clearing", "settlement"): (owing, want_settlement),
}


def fails(shop: Shop, state: str, way: BadAnswer) -> None:
    """Let the request that is made in that state end in that way."""
    way.arm(shop, MTI[state], 1)
    if way is CANCEL:
        shop.instead[state] = lambda: shop.station.press("cancel")


@ways
@pytest.mark.parametrize(("state", "wanted"), ASKS)
def test_what_waited_for_the_bank_is_refused_and_forgotten(state: str, wanted: str, way: BadAnswer) -> None:
    prepare, ask = ASKS[state, wanted]
    shop = prepare()
    fails(shop, state, way)
    beeped_ms = shop.drive.now_ms()
    ask(shop)
    assert shop.state == state
    told: list[str] = []
    shop.on_transition = lambda step: told.append(str(step.rule.target.value))
    shop.go_on()
    assert shop.took(state, way.event)
    assert WANTED[wanted] in told
    assert shop.state == "idle"
    errors = [
        one
        for one in shop.station.devices.buzzer.played()
        if one.beep is Beep.ERROR and one.start_ms >= beeped_ms
    ]
    assert bool(errors) == (wanted != "nothing")
    assert shop.owes == ["advice"], "nothing of it was lost"
    shop.heal()
    assert shop.state == "idle"
    assert shop.station.payment is not None
    assert shop.station.payment.kind == "offline_settlement", "no sale begins that nobody waits for any more"
    assert shop.station.payment.completed


# --- what is due, refused ---------------------------------------------------------------------------------


def cleared(shop: Shop) -> list[str]:
    """Let the terminal send what it owes; the message types that it asks with."""
    before = len(shop.bank.asked)
    shop.station.run_until(lambda: not shop.owes, 600_000)
    shop.go_on()
    return [message.mti for message in shop.bank.asked[before:]]


def test_keys_that_the_bank_does_not_accept_are_renewed_before_anything_is_sent_again() -> None:
    shop = owing()
    shop.fault(FaultKind.RESPONSE_CODE, ("0220", ""), value="A0")
    assert cleared(shop) == ["0220", "0800", "0220"]
    assert shop.station.payment is not None
    assert shop.station.payment.completed


def test_a_bank_that_accepts_no_keys_is_not_asked_for_new_ones_again_and_again() -> None:
    shop = owing()
    shop.fault(FaultKind.RESPONSE_CODE, ("0220", ""), value="A0", count=None)
    before = len(shop.bank.asked)
    want_nothing(shop)
    shop.go_on()
    assert [message.mti for message in shop.bank.asked[before:]] == ["0220", "0800", "0220"]
    assert shop.owes == ["advice"]


def test_a_refusal_that_is_final_holds_up_nothing_behind_it() -> None:
    shop = Shop(security={"manual_entry_allowed": True})  # type: ignore[dict-item]
    shop.open()
    shop.station.unplug_cable()
    for _ in range(3):
        shop.play(replace(OFFLINE_SALE))
    shop.fault(FaultKind.RESPONSE_CODE, ("0220", ""), value="14")
    shop.station.plug_cable()
    began = len(shop.transitions)
    assert cleared(shop) == ["0220"] * 3
    taken = [one.rule for one in shop.transitions[began:] if one.rule.source is State.CLEARING]
    assert [(rule.event.value, rule.target) for rule in taken] == [
        ("host_declined", State.CLEARING),  # without a pause
        ("host_approved", State.CLEARING),
        ("host_approved", State.IDLE),
    ]


# --- management messages ---------------------------------------------------------------------------------


def manage(shop: Shop, name: str) -> None:
    assert shop.station.terminal is not None
    shop.station.terminal.manage(name)
    shop.station.settle()


@pytest.mark.parametrize("way", [way for way in (*EVERY_WAY, CANCEL) if way is not BAD_MAC], ids=name_of)
def test_what_was_asked_of_the_bank_in_vain_is_told_and_can_be_asked_again(way: BadAnswer) -> None:
    """A wrong MAC is no way here: the answers have none (iso8583-pos section 4)."""
    shop = Shop()
    shop.open()
    fails(shop, "managing", way)
    shop.instead["not_managed"] = lambda: told.append(shop.station.display)
    told: list[str] = []
    manage(shop, "echo")
    shop.go_on()
    assert shop.took("managing", way.event)
    assert "NOT DONE" in told[0]
    assert Beep.ERROR in [one.beep for one in shop.station.devices.buzzer.played()]
    shop.heal()
    managed(shop, "echo")


def test_parameters_that_cannot_be_read_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop()
    shop.open()
    assert shop.station.terminal is not None
    before = shop.station.terminal.parts.settings
    monkeypatch.setattr(parameters, "parameter_list", lambda _office, _terminal: b"26")  # and no value
    manage(shop, "parameters")
    shop.go_on()
    assert shop.took("managing", "host_approved")
    assert not shop.took("managed", "timeout")
    assert shop.station.terminal.parts.settings == before
    assert [message.mti for message in shop.bank.asked] == ["0800", "0800"], "no end of a download is told"
