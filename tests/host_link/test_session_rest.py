"""The link rests: what it says when nobody answers, and how soon it is back when somebody does."""

from __future__ import annotations

import pytest

from host_link.handshake import Role
from host_link.session import Channel, LinkUp, MessageReceived, Session
from tests.host_link.virtual_link import VirtualLink


def said_at(session: Session, start_ms: int, end_ms: int) -> list[int]:
    """When the session has something for a line that nobody answers on."""
    moments = []
    now_ms = start_ms
    while now_ms < end_ms:
        session.on_deadline(now_ms=now_ms)
        if session.bytes_to_send(now_ms=now_ms):
            moments.append(now_ms)
        deadline_ms = session.deadline_ms()
        now_ms = end_ms if deadline_ms is None else deadline_ms
    return moments


@pytest.fixture
def lonely() -> Session:
    session = Session(Role.GATEWAY, nonce=1)
    session.open(now_ms=0)
    return session


def test_an_end_without_a_peer_says_hello_often_at_first_and_then_once_a_second(lonely: Session) -> None:
    assert len(said_at(lonely, 0, 3_000)) >= 50
    said_at(lonely, 3_000, 10_000)
    assert len(said_at(lonely, 10_000, 70_000)) <= 61


@pytest.mark.parametrize("sign", ["noise", "port"])
def test_a_sign_of_life_makes_it_say_hello_often_again(lonely: Session, sign: str) -> None:
    said_at(lonely, 0, 20_100)
    if sign == "noise":
        lonely.receive(b"login:\0", now_ms=20_100)
    else:
        lonely.line_returned(now_ms=20_100)
    moments = said_at(lonely, 20_100, 23_000)
    assert moments[0] <= 20_100 + 55
    assert len(moments) >= 50


def test_hearing_itself_is_no_sign_of_life(lonely: Session) -> None:
    said_at(lonely, 0, 20_000)
    lonely.line_returned(now_ms=20_000)
    hello = lonely.bytes_to_send(now_ms=20_000)
    said_at(lonely, 20_001, 40_000)
    lonely.receive(hello, now_ms=40_000)
    assert lonely.counters.reflections == 1
    assert len(said_at(lonely, 40_000, 50_000)) <= 11


def test_a_peer_that_comes_late_is_found_at_once() -> None:
    link = VirtualLink()
    del link.sessions["a"]
    link.run_until(60_000)
    link.boot("a")
    link.run_until(61_000, stop=lambda: LinkUp() in link.events["a"])
    assert link.now_ms <= 60_020


@pytest.mark.parametrize("latency_ms", [0, 5, 10, 12, 15, 30, 60])
@pytest.mark.parametrize("outage_ms", [3_000, 3_023, 3_041, 3_067])
def test_on_a_cut_line_it_asks_as_seldom_as_lets_traffic_flow_again_in_time(
    latency_ms: int, outage_ms: int
) -> None:
    """Issue 3 of the link's goals: 0.1 s, or four round trips where that is longer."""
    link = VirtualLink(latency_ms=latency_ms)
    link.run_until(2_000)
    link.sessions["a"].send(Channel.HOST, bytes(40), now_ms=2_000)
    link.run_until(2_001)
    link.line.cut(2_001)
    link.run_until(2_001 + outage_ms)
    asked = writes(link, 1_000)
    assert asked <= (25 if latency_ms else 15)
    link.line.mend(link.now_ms)
    began = link.now_ms
    link.run_until(began + 2_000, stop=lambda: any(isinstance(e, MessageReceived) for e in link.events["b"]))
    round_trip_ms = 2 * latency_ms + 6
    assert link.now_ms - began <= max(100, 4 * round_trip_ms)


def writes(link: VirtualLink, duration_ms: int) -> int:
    """How often the terminal writes to the cut line in that time."""
    session, count = link.sessions["a"], 0
    send = session.bytes_to_send

    def counted(*, now_ms: int) -> bytes:
        nonlocal count
        data = send(now_ms=now_ms)
        count += bool(data)
        return data

    session.bytes_to_send = counted  # type: ignore[method-assign]
    link.run_until(link.now_ms + duration_ms)
    del session.bytes_to_send
    return count
