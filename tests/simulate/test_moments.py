"""Which moments a run goes to: those at which something is due, each till turned only when it is its turn."""

from __future__ import annotations

from collections import Counter

import pytest

from tools.simulate.intents import Intent
from tools.simulate.options import Options, Trouble
from tools.simulate.people import People
from tools.simulate.till import Till
from tools.simulate.world import World


def calm_world(terminals: int = 1) -> World:
    """A world without faults, in which everybody has come to rest."""
    world = World(Options(1, terminals=terminals, troubles=frozenset()))
    for till in world.tills:
        till.start()
    for people in world.people:
        people.be_careful()
    run_to(world, 20_000)
    return world


def run_to(world: World, end_ms: int) -> list[int]:
    """Every moment until then."""
    moments = []
    while world.now_ms < end_ms:
        assert world.moment() == []
        moments.append(world.now_ms)
    return moments


def test_while_a_till_has_no_power_nobody_waits_for_it_millisecond_by_millisecond() -> None:
    world = calm_world()
    till, people = world.tills[0], world.people[0]
    people.act_ms = world.now_ms + 10
    till.cut_power(5_000)
    moments = run_to(world, till.power_back_ms or 0)
    assert len(moments) < 500  # the gateway asks who is there
    assert moments[-1] == till.clock.monotonic_ms()
    assert till.station.is_on


def test_a_till_is_turned_only_when_something_is_due_there(monkeypatch: pytest.MonkeyPatch) -> None:
    world = calm_world(terminals=2)
    world.tills[1].cut_power(1_137)  # or both would ask for signs of life at the same moments
    turned: list[tuple[str, int | None]] = []
    turn = Till.turn

    def noted(till: Till) -> None:
        turned.append((till.name, till.deadline_ms()))
        turn(till)

    monkeypatch.setattr(Till, "turn", noted)
    moments = run_to(world, world.now_ms + 10_000)
    assert {at_ms for _, at_ms in turned} <= set(moments)
    assert len(turned) < 2 * len(moments)


def test_people_look_at_a_till_only_where_something_was_done(monkeypatch: pytest.MonkeyPatch) -> None:
    world = calm_world(terminals=2)
    world.tills[1].cut_power(1_137)  # or both would ask for signs of life at the same moments
    looks: Counter[People] = Counter()
    turn = People.turn

    def noted(people: People, now_ms: int) -> bool:
        looks[people] += 1
        return turn(people, now_ms)

    monkeypatch.setattr(People, "turn", noted)
    moments = run_to(world, world.now_ms + 10_000)
    assert all(0 < looks[people] < len(moments) for people in world.people)


def test_what_is_done_from_outside_is_seen_at_the_next_moment() -> None:
    world = calm_world()
    till, people = world.tills[0], world.people[0]
    while (till.deadline_ms() or 0) < world.now_ms + 100:
        world.moment()
    assert people.act_ms is None
    people.want(Intent("purchase", ["100"]))
    world.at(world.now_ms + 1, lambda: None)
    world.moment()
    assert (till.deadline_ms() or 0) > world.now_ms, "nothing was due at the till"
    assert people.act_ms is not None


def test_the_time_of_a_run_is_that_of_the_shop_and_not_the_month_after_it() -> None:
    report = World(Options(1, transactions=2, terminals=1, troubles=frozenset())).run()
    assert report.ok
    assert 1_000 < report.virtual_ms < 600_000


def test_what_is_known_of_a_deadline_ends_when_something_is_done_to_a_till() -> None:
    world = calm_world()
    till = world.tills[0]
    before_ms = till.deadline_ms()
    assert before_ms is not None
    till.station.devices.printer.open_cover()
    till.station.devices.printer.close_cover()  # it has something to tell at once
    till.touched()
    assert (till.deadline_ms() or 0) < before_ms
    till.station.settle()
    assert (till.deadline_ms() or 0) >= before_ms


@pytest.mark.parametrize("trouble", [Trouble.PRINTER, Trouble.OUTAGE, Trouble.BANK_DOWN])
def test_after_a_strike_every_till_is_turned(trouble: Trouble) -> None:
    world = World(Options(1, terminals=2, troubles=frozenset({trouble}), all_on=True))
    for till in world.tills:
        till.start()
    while not world.troubles.struck[trouble]:
        assert world.moment() == []
    assert all(till.drive.now_ms() == world.now_ms for till in world.tills)
    assert all((till.deadline_ms() or world.now_ms + 1) > world.now_ms for till in world.tills)


def test_what_reaches_a_till_without_power_is_lost() -> None:
    """It came while the till was off, and nobody went to that moment; afterwards it must not be there."""
    world = calm_world()
    till = world.tills[0]
    till.cut_power(5_000)
    heard: list[int] = []
    feed = till.station.board.serial_port.feed  # type: ignore[attr-defined]

    def noted(data: bytes) -> None:
        heard.append(world.now_ms)
        feed(data)

    till.station.board.serial_port.feed = noted  # type: ignore[attr-defined]
    back_ms = till.power_back_ms or 0
    run_to(world, back_ms)
    assert heard.count(back_ms) == 0
    run_to(world, back_ms + 500)
    assert till.station.is_on
    assert heard[-1] > back_ms, "the link is made anew"
