"""Staff, the menus that they use, and the bank's clerk: what each of them does is seen where it should be."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest

from bank.demands import DEMANDS
from firmware.operators import DEFAULT_PASSWORDS, FIRST_CASHIER, rank_of
from tools.simulate.clerk import ACTS_EVERY_MS, FORGIVES_EVERY_MS, WITHDRAWN, Clerk
from tools.simulate.habits import SHIFT, Luck
from tools.simulate.menus import way_to
from tools.simulate.options import Options
from tools.simulate.staff import CASHIERS, Staff
from tools.simulate.world import World


@pytest.fixture
def world() -> Iterator[World]:
    """One till, switched on, whose people begin nothing by themselves."""
    made = World(Options(3, terminals=1, troubles=frozenset()))
    made.tills[0].use(log_on_required=False)
    made.people[0].be_careful()
    made.clerk.rests = True
    made.tills[0].start()
    pass_time(made, 20_000)
    yield made
    made.machine.close()


def pass_time(world: World, ms: int) -> None:
    end_ms = world.now_ms + ms
    while world.now_ms < end_ms:
        assert world.moment() == []


def do_errand(world: World, name: str) -> None:
    """Let the people of the till do this at its menus, and nothing after it."""
    people = world.people[0]
    people.rests = False  # who rests goes home from a menu
    people._begin_something = lambda: None  # type: ignore[method-assign]
    people._menus.begin(name)
    world.tills[0].turn()
    pass_time(world, 40_000)


# --- staff -----------------------------------------------------------------------------------------------


def test_passwords_are_tried_newest_first_and_the_default_last() -> None:
    staff, default = Staff(Luck("staff")), DEFAULT_PASSWORDS[rank_of(FIRST_CASHIER)].decode()
    assert staff.password(FIRST_CASHIER, 1) == default
    staff.learn(FIRST_CASHIER, "1234567")
    staff.learn(FIRST_CASHIER, "7654321")
    tried = [staff.password(FIRST_CASHIER, number) for number in (1, 2, 3, 4)]
    assert tried == ["7654321", "1234567", default, "7654321"]


def test_cashiers_come_and_go_and_the_first_stays() -> None:
    staff = Staff(Luck("staff"))
    assert staff.cashiers == [FIRST_CASHIER]
    assert staff.newcomer() == CASHIERS[0]
    staff.learn(CASHIERS[0], "1234567")
    assert staff.newcomer() == CASHIERS[1]
    assert staff.leaver() == CASHIERS[0]
    staff.forget(CASHIERS[0])
    assert staff.cashiers == [FIRST_CASHIER]


def test_a_shift_has_as_many_sales_as_the_table_says() -> None:
    staff = Staff(Luck("staff"))
    staff.has_shifts = True
    ends = [number for number in range(2_000) if staff.shift_ends()]
    lengths = [after - before for before, after in pairwise(ends)]
    assert (min(lengths), max(lengths)) == (SHIFT["sales_min"], SHIFT["sales_max"])
    staff.has_shifts = False
    assert not any(staff.shift_ends() for _ in range(100))


# --- menus -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("refund", ("terminal", "idle", "sale_key", "in_transaction")),
        ("settlement", ("terminal", "idle", "settle_key", "in_settlement")),
        ("totals", ("floor", "deciding", "go_on", "reading")),
        ("volume", ("floor", "deciding", "go_on", "adjusting")),
        ("self_test", ("floor", "deciding", "go_on", "testing_devices")),
        ("change_password", ("floor", "repeating_password", "new_password_typed", "deciding")),
        ("clear_log", ("floor", "deciding", "go_on", "confirming")),
    ],
)
def test_an_errand_leads_to_what_is_wanted(world: World, name: str, rule: tuple[str, ...]) -> None:
    do_errand(world, name)
    assert any(hit[:4] == rule for hit in world.trace.hits), sorted(world.trace.hits)


def test_a_sale_that_nobody_wanted_is_cancelled(world: World) -> None:
    """Wrong keys may open one before the first customer has come: there is no amount to type."""
    till = world.tills[0]
    till.station.press("f1")
    assert till.state == "amount"
    pass_time(world, 5_000)
    assert till.state == "idle"
    assert world.people[0].begun == 0, "nobody has begun anything"


def test_what_is_in_no_menu_is_an_error() -> None:
    with pytest.raises(KeyError):
        way_to("gremlins")


def test_a_changed_password_is_the_one_that_is_typed_next(world: World) -> None:
    repeated = ("floor", "repeating_password", "new_password_typed", "deciding", "")
    for times in (1, 2):
        do_errand(world, "change_password")
        assert world.trace.hits[repeated] == times, "the second time it takes the password of the first"
    assert ("floor", "typing_password", "password_typed", "notice", "") not in world.trace.hits


def test_what_somebody_clears_from_the_log_is_still_known_to_the_checkers(world: World) -> None:
    """A pre-authorisation moves no money, so the log may be cleared while it stands."""
    people, till = world.people[0], world.tills[0]
    people.want(people.wishes.plainest("preauth", None, "1000"))
    pass_time(world, 60_000)
    do_errand(world, "clear_log")
    assert till.station.terminal is not None
    assert list(till.station.terminal.journal.payments()) == []
    assert [(one.kind, one.stands) for one in till.payments.values()] == [("preauth", True)]


# --- the clerk -------------------------------------------------------------------------------------------


def test_the_clerk_forgives_wrong_pins(world: World) -> None:
    clerk, card = Clerk(world.machine, 1), world.bank.cards.cards()[0]
    clerk.rests = True
    with world.bank.store.transaction():
        world.bank.cards.set_pin_tries_used(card, 2)
    assert clerk.turn(FORGIVES_EVERY_MS - 1) == ""
    assert world.bank.cards.cards()[0].pin_tries_used == 2
    clerk.turn(FORGIVES_EVERY_MS)
    assert world.bank.cards.cards()[0].pin_tries_used == 0


def test_everything_that_the_clerk_does_can_be_seen_at_the_bank(world: World) -> None:
    clerk, told = Clerk(world.machine, 1), []
    (terminal,) = world.bank.merchants.terminals()
    seen: set[str] = set()
    for number in range(1, 40):
        told.append(clerk.turn(number * ACTS_EVERY_MS[1]))
        seen |= set(world.bank.merchants.demands(terminal.mid, terminal.tid))
    assert seen == {DEMANDS["parameters"], DEMANDS["sign-in"], DEMANDS["status"]}
    changed = [text.split()[2] for text in told if text.startswith("the contract:")]
    assert changed
    assert set(changed) <= set(WITHDRAWN)
    last = next(text for text in reversed(told) if text.startswith("the contract:"))
    assert (changed[-1] in world.bank.merchants.qualifications(terminal.mid)) is last.endswith("on")


def test_a_clerk_who_rests_demands_nothing(world: World) -> None:
    clerk = Clerk(world.machine, 1)
    clerk.rests = True
    assert [clerk.turn(number * ACTS_EVERY_MS[1]) for number in range(1, 10)] == [""] * 9
