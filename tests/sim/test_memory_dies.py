"""The memory dies in each state of the terminal, for writing and for reading, and whoever is there goes on.

Sooner or later something touches it: the terminal goes out of service, says so, and sends nothing any more.
When it works again, so does the terminal, and everything that was promised is kept.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from firmware.app import Transition
from firmware.records import Flow
from firmware.txn.terminal import TABLE, Event, State
from hal.api import StorageTrouble
from tests.sim.bad_answers import DECLINED
from tests.sim.custodians import LOADING, Custodians, service_visit
from tests.sim.invariants import check
from tests.sim.shop import Shop
from tests.sim.test_no_good_answer import manage, owing, want_sale, want_settlement
from tests.sim.test_storage_trouble import words
from tests.sim.test_tamper import SCENES

TOUCHED_BY = {  # the key that somebody presses, where nothing happens by itself that needs the memory
    State.IDLE: "f1",
    State.NO_KEYS: "f4",
    State.CHOOSING_KEY: "cancel",
    State.TYPING_SERIAL_NUMBER: "cancel",
    State.COMPONENT_REFUSED: "cancel",
    State.NOTHING_TO_REPRINT: "f1",
}
RETRIES_MS = 400_000


def bare_shop() -> Shop:
    shop = Shop()
    shop.open()
    service_visit(shop)
    return shop


def dukpt_shop() -> Shop:
    shop = Shop(Flow.PIN_FIRST, security={"key_scheme": "dukpt-tdes", "encrypt_track": "dukpt"})
    shop.open()
    service_visit(shop)
    return shop


def plain_shop() -> Shop:
    shop = Shop()
    shop.open()
    return shop


def loading(state: State) -> Callable[[Shop], None]:
    return lambda shop: Custodians(shop).go_to(state.value)


ELSEWHERE = {State.OUT_OF_SERVICE, State.MANAGING, State.MANAGED, State.SALE_REFUSED, State.NOT_SETTLED}
WAYS: dict[State, tuple[Callable[[], Shop], Callable[[Shop], None]]] = {
    **{state: (plain_shop, scene) for state, scene in SCENES.items() if state not in ELSEWHERE},
    **{State(state): (bare_shop, loading(State(state))) for state in LOADING},
    State.NO_KEYS: (bare_shop, lambda shop: shop.station.press("up", "cancel")),
    State.CHOOSING_KEY: (bare_shop, lambda shop: shop.station.press("up")),
    State.TYPING_SERIAL_NUMBER: (dukpt_shop, lambda shop: shop.station.press("up", "enter")),
}


def dies_in(shop: Shop, state: State, *, after_commits: int = 0, unreadable: bool = True) -> None:
    """From the moment on in which the terminal comes into that state."""

    def on_transition(step: Transition) -> None:
        if step.rule.target is state and not died:
            died.append(state)
            shop.storage.break_down(StorageTrouble.FAILED, after_commits=after_commits, unreadable=unreadable)
            shop.station.devices.keypad.press(*([TOUCHED_BY[state]] if state in TOUCHED_BY else []))

    died: list[State] = []
    shop.on_transition = on_transition


def assert_out_of_service(shop: Shop, state: State) -> None:
    assert shop.station.run_until(lambda: shop.state == "out_of_service", RETRIES_MS)
    assert words("en", StorageTrouble.FAILED) in shop.station.display
    asked = len(shop.bank.asked)
    shop.station.run_for(2 * shop.station.settings.service_retry_ms)
    assert shop.state == "out_of_service", "time mends nothing"
    assert len(shop.bank.asked) == asked
    told = next(step.rule.source for step in shop.transitions if step.rule.event is Event.STORAGE_FAILED)
    assert (told is state) == ((state, Event.STORAGE_FAILED) in TABLE.by_pair)
    shop.on_transition = lambda _step: None
    shop.storage.mend()


@pytest.mark.parametrize("state", WAYS, ids=lambda state: state.value)
def test_wherever_it_is_noticed_the_terminal_goes_out_of_service_until_it_works_again(state: State) -> None:
    prepare, scene = WAYS[state]
    shop = prepare()
    shop.power_or_paper_trouble = True
    dies_in(shop, state)
    scene(shop)
    assert_out_of_service(shop, state)
    assert shop.station.run_until(lambda: shop.state in {"idle", "no_keys"}, RETRIES_MS)
    if shop.state == "idle":
        check(shop, next_sale=False)


# --- where only the commit on the way there can fail ------------------------------------------------------


@pytest.mark.parametrize(("state", "after_commits"), [(State.MANAGING, 0), (State.MANAGED, 1)])
def test_while_the_terminal_signs_out(state: State, after_commits: int) -> None:
    """Its first commit is the trace of the message, the second what the bank has answered.

    Once it has left nobody knows whether the bank still takes the keys: the next sale signs in first.
    """
    shop = plain_shop()
    dies_in(shop, State.MANAGING, after_commits=after_commits)
    manage(shop, "sign_out")
    assert_out_of_service(shop, state)
    check(shop)


@pytest.mark.parametrize(
    ("state", "ask"), [(State.SALE_REFUSED, want_sale), (State.NOT_SETTLED, want_settlement)]
)
def test_while_what_is_due_is_refused_before_a_sale_or_a_settlement(
    state: State, ask: Callable[[Shop], None]
) -> None:
    """The refusal cannot be counted, so the message is sent again as if it had not been."""
    shop = owing()
    DECLINED.arm(shop, "0220", 1)
    dies_in(shop, State.CLEARING, unreadable=False)
    ask(shop)
    assert_out_of_service(shop, state)
    assert shop.owes == ["advice"]
    shop.heal()
    assert shop.owes == []
