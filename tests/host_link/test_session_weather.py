"""Any weather: flipped, lost and inserted bytes, latency, outages and silent reboots, in virtual time.

The model: on each channel a receiver sees, of the messages of one sender's life to one receiver's life, a run
without doubles and in order. Every message is reported exactly once. Delivered means that it was received.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from host_link.session import (
    Channel,
    LinkEvent,
    MessageDelivered,
    MessageReceived,
    MessageUnconfirmed,
    PeerRestarted,
)
from tests.host_link.virtual_link import VirtualLink

CHANNELS = [Channel.CONTROL, Channel.HOST, Channel.FILE]


@dataclass
class Life:
    """One end between two reboots."""

    name: str
    number: int
    sent: dict[int, bytes] = field(default_factory=dict)  # message id -> payload
    reports: list[tuple[int, bool]] = field(default_factory=list)
    got: list[tuple[Channel, bytes]] = field(default_factory=list)


class Weather:
    def __init__(self, seed: int, **options: Any) -> None:
        self.link = VirtualLink(seed, **options)
        self.link.on_event = self.on_event
        self.lives = {name: Life(name, 0) for name in "ab"}
        self.past: list[Life] = []
        self.sent_count = 0

    def on_event(self, name: str, event: LinkEvent) -> None:
        life = self.lives[name]
        match event:
            case MessageReceived(channel, payload):
                life.got.append((channel, payload))
            case MessageDelivered(message_id):
                life.reports.append((message_id, True))
                everything = [p for past in [*self.past, *self.lives.values()] for _, p in past.got]
                assert life.sent[message_id] in everything
            case MessageUnconfirmed(message_id):
                life.reports.append((message_id, False))

    def send(self, name: str, size: int) -> None:
        channel = CHANNELS[self.sent_count % len(CHANNELS)]
        self.sent_count += 1
        payload = f"{name}{self.lives[name].number}:{self.sent_count:06}:".encode().ljust(size, b"\0")
        message_id = self.link.sessions[name].send(channel, payload, now_ms=self.link.now_ms)
        self.lives[name].sent[message_id] = payload

    def reboot(self, name: str) -> None:
        self.past.append(self.lives[name])
        self.lives[name] = Life(name, self.lives[name].number + 1)
        self.link.boot(name)

    def judge(self) -> None:
        """After fair weather: all that is alive is reported once, and nothing came twice or out of order."""
        for life in self.lives.values():
            assert [message_id for message_id, _ in sorted(life.reports)] == list(life.sent)
        for life in [*self.past, *self.lives.values()]:
            for channel in CHANNELS:
                payloads = [payload for where, payload in life.got if where is channel]
                assert payloads == sorted(set(payloads))


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.sampled_from("ab"), st.sampled_from([10, 150, 1200, 5000])),
        st.tuples(st.just("wait"), st.just(""), st.integers(1, 300)),
        st.tuples(st.just("cut"), st.just(""), st.integers(1, 4000)),
        st.tuples(st.just("reboot"), st.sampled_from("ab"), st.just(0)),
    ),
    max_size=25,
)
RATES = st.sampled_from([0.0, 0.0, 1e-4, 1e-3])


@settings(max_examples=60, deadline=None)
@given(
    STEPS,
    st.integers(0, 1 << 16),
    st.fixed_dictionaries(
        {
            "bit_error_rate": RATES,
            "drop_rate": RATES,
            "insert_rate": RATES,
            "burst_rate": st.sampled_from([0.0, 0.0, 1e-4]),
            "slip_rate": RATES,
            "framing_error_rate": RATES,
            "block_ms": st.sampled_from([1, 1, 16]),
            "jitter_ms": st.sampled_from([0, 0, 5]),
        }
    ),
    st.sampled_from([0, 1, 16]),
    st.sampled_from([(None, None), (460_800, 921_600)]),
)
def test_nothing_is_lost_doubled_or_reordered(
    steps: list[tuple[str, str, int]],
    seed: int,
    faults: dict[str, float],
    latency_ms: int,
    most: tuple[int | None, int | None],
) -> None:
    weather = Weather(seed, latency_ms=latency_ms, max_bits_per_s=most, **faults)
    for kind, name, amount in steps:
        match kind:
            case "send":
                weather.send(name, amount)
            case "wait":
                weather.link.run_until(weather.link.now_ms + amount)
            case "cut":
                weather.link.line.cut(weather.link.now_ms)
                weather.link.run_until(weather.link.now_ms + amount)
                weather.link.line.mend(weather.link.now_ms)
            case "reboot":
                weather.reboot(name)
    weather.link.run_until(weather.link.now_ms + 60_000, stop=lambda: all_reported(weather))
    weather.judge()
    if not any(kind == "reboot" for kind, _, _ in steps):
        for sender, receiver in (("a", "b"), ("b", "a")):
            assert sorted(p for _, p in weather.lives[receiver].got) == sorted(
                weather.lives[sender].sent.values()
            )
            assert PeerRestarted() not in weather.link.events[sender]
            assert all(delivered for _, delivered in weather.lives[sender].reports)


def all_reported(weather: Weather) -> bool:
    return all(len(life.reports) == len(life.sent) for life in weather.lives.values())


def test_the_same_seed_gives_the_same_run() -> None:
    runs = []
    for _ in range(2):
        weather = Weather(99, bit_error_rate=1e-3, drop_rate=1e-3)
        for _ in range(20):
            weather.send("a", 700)
        weather.link.run_until(20_000)
        runs.append((weather.link.times, weather.link.sessions["a"].counters))
    assert runs[0] == runs[1]


def test_the_two_sums_for_a_display_are_those_of_the_counters() -> None:
    weather = Weather(99, bit_error_rate=1e-3, drop_rate=1e-3)
    for _ in range(20):
        weather.send("a", 700)
    weather.link.run_until(20_000)
    session = weather.link.sessions["a"]
    counters = session.counters
    assert counters.ranges_resent > 0
    assert counters.noise_pieces > 0
    assert session.spoilt_and_good_frames == (counters.spoilt_frames, counters.good_frames)
