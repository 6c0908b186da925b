"""A line that carries one direction at a time: the ends take turns, and all is as on any other line."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host_link.frames import Turn, encode_body
from host_link.framing import encode_frame
from host_link.half_duplex import ANSWER_MS, POLL_MS, HalfDuplexSession
from host_link.handshake import Role
from host_link.session import Channel, DownReason, LinkDown, MessageReceived, PeerRestarted, Session
from tests.host_link.virtual_link import VirtualLink


class OneWire(VirtualLink):
    """Two ends that take turns on one wire; counts how often both have sent at once."""

    def __init__(self, seed: int = 1, **options: Any) -> None:
        super().__init__(seed, half_duplex=True, takes_turns=True, **options)
        self.collisions = 0
        for line in (self.line.a_to_b, self.line.b_to_a):
            line._collide = self._counting(line._collide, line)  # type: ignore[method-assign]

    def _counting(self, collide: Any, line: Any) -> Any:
        def counted() -> None:
            collide()
            self.collisions += len(line._collisions)

        return counted


def received(link: VirtualLink, name: str) -> list[bytes]:
    return [event.payload for event in link.events[name] if isinstance(event, MessageReceived)]


def exchange_ms(link: VirtualLink, *, patience_ms: int = 60_000) -> int:
    began = link.now_ms
    for sender, receiver, size in (("a", "b", 150), ("b", "a", 120)):
        count = len(received(link, receiver))
        link.sessions[sender].send(Channel.HOST, bytes(size), now_ms=link.now_ms)
        link.run_until(
            began + patience_ms,
            stop=lambda r=receiver, n=count: len(received(link, r)) > n,  # type: ignore[misc]
        )
    return link.now_ms - began


@pytest.mark.parametrize(("bits_per_s", "most_ms"), [(115_200, 60), (9_600, 500)])
def test_the_ends_find_each_other_and_never_send_at_once(bits_per_s: int, most_ms: int) -> None:
    link = OneWire(bits_per_s=bits_per_s)
    link.run_until(1_000)
    assert all(session.is_up for session in link.sessions.values())
    for pause_ms in range(20):
        assert exchange_ms(link) <= most_ms
        link.run_until(link.now_ms + pause_ms)
    assert link.collisions == 0


def test_both_directions_share_what_the_line_has() -> None:
    link = OneWire()
    link.run_until(1_000)
    for name in "ab":
        link.sessions[name].send(Channel.FILE, bytes(30_000), now_ms=link.now_ms)
    began = link.now_ms
    link.run_until(60_000, stop=lambda: all(received(link, name) for name in "ab"))
    assert link.now_ms - began < 60_000 / 11_520 * 1000 * 1.1
    assert link.collisions == 0


def test_an_urgent_message_does_not_wait_for_the_end_of_a_download() -> None:
    link = OneWire()
    link.run_until(1_000)
    link.sessions["b"].send(Channel.FILE, bytes(60_000), now_ms=link.now_ms)
    link.run_until(1_500)
    began = link.now_ms
    link.sessions["a"].send(Channel.HOST, b"authorise", now_ms=began)
    link.run_until(10_000, stop=lambda: b"authorise" in received(link, "b"))
    assert link.now_ms - began <= 250


@pytest.mark.parametrize("name", ["a", "b"])
def test_a_silent_reboot_is_noticed_at_the_first_frame_that_comes_through(name: str) -> None:
    link = OneWire()
    link.run_until(1_000)
    peer = "b" if name == "a" else "a"
    link.boot(name)
    link.run_until(3_000, stop=lambda: PeerRestarted() in link.events[peer])
    assert link.now_ms - 1_000 <= POLL_MS + 2 * ANSWER_MS
    exchange_ms(link, patience_ms=1_000)


@pytest.mark.parametrize("outage_ms", [50, 1_000, 10_000])
def test_after_an_outage_traffic_flows_again_soon(outage_ms: int) -> None:
    link = OneWire()
    link.run_until(1_000)
    link.line.cut(link.now_ms)
    link.run_until(link.now_ms + outage_ms)
    link.line.mend(link.now_ms)
    assert exchange_ms(link) <= 300


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("send"), st.sampled_from("ab"), st.sampled_from([10, 150, 5000])),
            st.tuples(st.just("wait"), st.just(""), st.integers(1, 300)),
            st.tuples(st.just("reboot"), st.sampled_from("ab"), st.just(0)),
        ),
        max_size=10,
    ),
    st.integers(0, 1 << 16),
    st.sampled_from([0.0, 1e-4, 1e-3]),
    st.sampled_from([0, 1, 16]),
)
def test_each_message_arrives_once_or_is_told_of(
    steps: list[tuple[str, str, int]], seed: int, rate: float, latency_ms: int
) -> None:
    link = OneWire(seed, latency_ms=latency_ms, bit_error_rate=rate, drop_rate=rate, insert_rate=rate)
    sent: dict[str, list[bytes]] = {"a": [], "b": []}
    rebooted = False
    for kind, name, amount in steps:
        if kind == "send":
            payload = f"{name}{len(sent[name]):06}".encode().ljust(amount, b"\0")
            sent[name].append(payload)
            link.sessions[name].send(Channel.HOST, payload, now_ms=link.now_ms)
        elif kind == "wait":
            link.run_until(link.now_ms + amount)
        else:
            rebooted = True
            link.boot(name)
    peer = {"a": "b", "b": "a"}
    link.run_until(
        link.now_ms + (5_000 if rebooted else 60_000),
        stop=lambda: not rebooted and all(received(link, peer[name]) == sent[name] for name in "ab"),
    )
    for name in "ab":
        got = received(link, peer[name])
        assert got == sorted(set(got))
        assert rebooted or got == sent[name]


def test_an_end_that_does_not_take_turns_ignores_them() -> None:
    session = Session(Role.TERMINAL, nonce=1)
    session.open(now_ms=0)
    session.bytes_to_send(now_ms=0)
    session.receive(encode_frame(encode_body(Turn(from_gateway=True))), now_ms=1)
    assert session.next_event() is None
    assert session.bytes_to_send(now_ms=1) == b""


def test_a_terminal_says_nothing_before_it_is_asked() -> None:
    terminal = HalfDuplexSession(Role.TERMINAL, nonce=1)
    own, gateways = (encode_frame(encode_body(Turn(from_gateway=gateway))) for gateway in (False, True))
    terminal.open(now_ms=0)
    for now_ms in range(0, 10_000, 50):
        terminal.on_deadline(now_ms=now_ms)
        assert terminal.bytes_to_send(now_ms=now_ms) == b""
    terminal.receive(own, now_ms=10_000)  # the wire brings it back
    assert terminal.bytes_to_send(now_ms=10_000) == b""
    terminal.receive(gateways, now_ms=10_001)
    assert terminal.bytes_to_send(now_ms=10_001).endswith(own)
    assert terminal.bytes_to_send(now_ms=10_002) == b""


def test_an_end_that_is_closed_says_so_and_then_nothing() -> None:
    link = OneWire()
    link.run_until(1_000)
    link.sessions["b"].close(now_ms=link.now_ms)
    link.run_until(1_100)
    assert LinkDown(DownReason.PEER_CLOSED) in link.events["a"]
    sent = link.sessions["b"].counters.frames_sent
    link.run_until(5_000)
    assert link.sessions["b"].counters.frames_sent == sent
    link.sessions["b"].open(now_ms=link.now_ms)
    exchange_ms(link, patience_ms=1_000)
