"""Screens that only tell something: result, refusal, what was done. Nobody has to wait for them to go.

A key means on them what it means on the idle screen, and nobody gets by a log-on because something is shown.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest

from firmware.app import Transition
from firmware.operators import DEFAULT_PASSWORDS, Rank
from firmware.txn.terminal import State
from tests.sim.shop import PATIENCE_MS, Purchase, Shop
from tests.sim.test_settlement import settle
from tests.sim.test_tamper import SCENES

INFORMING = (
    *(State.RESULT, State.SALE_REFUSED, State.NOTHING_TO_REPRINT, State.BATCH_CLOSED, State.NOT_SETTLED),
    *(State.MANAGED, State.NOT_MANAGED),
)
screens = pytest.mark.parametrize("screen", INFORMING, ids=lambda state: state.value)


def press(*keys: str) -> Callable[[Shop], None]:
    """Keys, in the very moment in which the screen appears."""
    return lambda shop: shop.station.devices.keypad.press(*keys)


def ask_to_settle(shop: Shop) -> None:
    assert shop.station.terminal is not None
    shop.station.terminal.settle()


def ask_for_an_echo(shop: Shop) -> None:
    assert shop.station.terminal is not None
    shop.station.terminal.manage("echo")


KEYS: dict[str, Callable[[Shop], None]] = {
    "sale_key": press("f1"),
    "reprint_key": press("f2"),
    "sign_in_key": press("f3"),
    "language_key": press("f4"),
    "menu_key": press("down"),
    "settle_key": ask_to_settle,
    "manage_key": ask_for_an_echo,
}


class _SeenError(Exception):
    """Enough was seen."""


def steps_after(shop: Shop, screen: State, then: Callable[[Shop], None], enough: int) -> list[Transition]:
    """Bring the screen up, do something on it, and so many rules that the terminal took after that."""
    steps: list[Transition] = []

    def on_transition(step: Transition) -> None:
        if steps or step.rule.target is screen:
            steps.append(step)
        if len(steps) == 1:
            then(shop)
        if len(steps) > enough:
            raise _SeenError

    shop.on_transition = on_transition
    with contextlib.suppress(_SeenError):
        SCENES[screen](shop)
        shop.station.run_for(PATIENCE_MS)
    assert len(steps) > enough, "the scene does not lead there"
    return steps[1:]


@screens
@pytest.mark.parametrize("key", KEYS)
def test_a_key_does_at_once_what_it_does_on_the_idle_screen(shop: Shop, screen: State, key: str) -> None:
    steps = steps_after(shop, screen, KEYS[key], 3)
    ways = [(str(step.rule.source.value), str(step.rule.event.value)) for step in steps]
    at = ways.index((screen.value, key))
    assert ways[at + 1] == ("idle", key)


@screens
@pytest.mark.parametrize(("key", "event"), [("enter", "confirm"), ("cancel", "cancel"), ("", "timeout")])
def test_it_goes_by_a_key_or_by_itself(shop: Shop, screen: State, key: str, event: str) -> None:
    steps = steps_after(shop, screen, press(key) if key else lambda _shop: None, 2)
    (left,) = [step for step in steps if step.rule.source is screen]
    assert (left.rule.event.value, left.rule.target) == (event, State.IDLE)


def test_a_digit_opens_the_next_sale_and_is_not_lost(shop: Shop) -> None:
    shown: list[str] = []

    def on_transition(step: Transition) -> None:
        if step.rule.target is State.RESULT and not shown:
            shop.instead["amount"] = lambda: shown.append(shop.station.display)
            press("7")(shop)

    shop.on_transition = on_transition
    shop.play(Purchase())
    assert "0.07" in shown[0]


def test_what_is_shown_after_the_power_came_back_gets_nobody_past_the_log_on() -> None:
    """A settlement that the power cut off ends by itself; then somebody must still log on before a sale."""
    shop = Shop(security={"log_on_required": True})  # type: ignore[dict-item]
    shop.open()
    shop.station.press("f1", "0", "1", "enter", *DEFAULT_PASSWORDS[Rank.CASHIER].decode(), "enter")
    shop.station.settle()
    shop.go_on()
    shop.instead["totalling"] = shop.power_cycle
    shop.on_transition = lambda step: press("f1")(shop) if step.rule.target is State.BATCH_CLOSED else None
    settle(shop)
    assert shop.took("batch_closed", "sale_key")
    assert shop.took("typing_number", "timeout"), (
        "whoever wants to sell is asked for the number, and nobody came"
    )
    assert shop.station.payment is None
