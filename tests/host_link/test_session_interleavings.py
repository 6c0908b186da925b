"""Two sessions, and a line that is in the hands of an adversary: what becomes of each frame, and when.

test_session_weather.py has a line that fails by chance, byte by byte. Here each frame is passed on, lost,
given twice, damaged, cut in two or kept waiting on purpose, in any order with sending, reboots, closing and
opening.

The model is a list of what was sent. On each channel a receiver has, of what one life of the sender sent, a
run in order and without doubles. What is reported as delivered was received. What was never reported as
unconfirmed, by an end that still lives, was received in the end; and nothing is unconfirmed unless an end
went away.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from host_link.session import (
    Channel,
    LinkEvent,
    MessageDelivered,
    MessageReceived,
    MessageUnconfirmed,
    Role,
    Session,
)

ENDS = st.sampled_from(("a", "b"))
PEER = {"a": "b", "b": "a"}
ROLE = {"a": Role.TERMINAL, "b": Role.GATEWAY}
QUEUE_FRAMES_MAX = 30
FAIR_TURNS_MAX = 4000


@dataclass
class Life:
    """One end from one start to the next. `sent`: message id -> (channel, payload); `got` in order."""

    sent: dict[int, tuple[Channel, bytes]] = field(default_factory=dict)
    delivered: list[int] = field(default_factory=list)
    unconfirmed: list[int] = field(default_factory=list)
    got: list[tuple[Channel, bytes]] = field(default_factory=list)


class Adversary(RuleBasedStateMachine):
    """Frames wait in `queues` (by the end that they go to) until a rule decides about them."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ms = 0
        self.nonce = 0
        self.message_count = 0
        self.somebody_left = False
        self.is_open = {"a": True, "b": True}
        self.queues: dict[str, list[bytes]] = {"a": [], "b": []}
        self.sessions: dict[str, Session] = {}
        self.lives: dict[str, list[Life]] = {"a": [], "b": []}
        for name in "ab":
            self._boot(name)

    def _boot(self, name: str) -> None:
        self.nonce += 0x01010101
        self.sessions[name] = Session(ROLE[name], nonce=self.nonce)
        self.sessions[name].open(now_ms=self.now_ms)
        self.is_open[name] = True
        self.lives[name].append(Life())

    def _crank(self, name: str) -> None:
        session = self.sessions[name]
        session.on_deadline(now_ms=self.now_ms)
        while event := session.next_event():
            self._note(self.lives[name][-1], event)
        frames = re.findall(rb"\0*[^\0]+\0", session.bytes_to_send(now_ms=self.now_ms))
        queue = self.queues[PEER[name]]
        queue += frames[: QUEUE_FRAMES_MAX - len(queue)]
        deadline_ms = session.deadline_ms()
        assert deadline_ms is None or deadline_ms > self.now_ms

    @staticmethod
    def _note(life: Life, event: LinkEvent) -> None:
        match event:
            case MessageReceived(channel, payload):
                life.got.append((channel, payload))
            case MessageDelivered(message_id):
                life.delivered.append(message_id)
            case MessageUnconfirmed(message_id):
                life.unconfirmed.append(message_id)

    def _pass_on(self, name: str) -> None:
        self.sessions[name].receive(self.queues[name].pop(0), now_ms=self.now_ms)
        self._crank(name)

    # --- the users ---

    @rule(
        name=ENDS,
        channel=st.sampled_from((Channel.CONTROL, Channel.HOST, Channel.FILE)),
        size=st.sampled_from((16, 16, 150, 3000, 40_000)),
    )
    def send(self, name: str, channel: Channel, size: int) -> None:
        if self.is_open[name]:
            self.message_count += 1
            payload = f"{self.message_count:06}".encode().ljust(size, b"\0")
            message_id = self.sessions[name].send(channel, payload, now_ms=self.now_ms)
            self.lives[name][-1].sent[message_id] = channel, payload
            self._crank(name)

    @rule(name=ENDS)
    def reboot(self, name: str) -> None:
        self.somebody_left = True
        self._boot(name)
        self._crank(name)

    @rule(name=ENDS)
    def close_or_open(self, name: str) -> None:
        self.somebody_left = True
        if self.is_open[name]:
            self.sessions[name].close(now_ms=self.now_ms)
        else:
            self.sessions[name].open(now_ms=self.now_ms)
        self.is_open[name] = not self.is_open[name]
        self._crank(name)

    # --- the line ---

    @rule(duration_ms=st.sampled_from((1, 5, 12, 60, 300, 3000)))
    def wait(self, duration_ms: int) -> None:
        self.now_ms += duration_ms
        for name in "ab":
            self._crank(name)

    @rule(turns=st.integers(1, 20), duration_ms=st.sampled_from((1, 5, 15)))
    def fair_weather(self, turns: int, duration_ms: int) -> None:
        for _ in range(turns):
            self._turn(duration_ms)

    @rule(duration_ms=st.sampled_from((100, 3000)))
    def outage(self, duration_ms: int) -> None:
        for _ in range(duration_ms // 50):
            self.now_ms += 50
            for name in "ab":
                self.queues[name].clear()
                self._crank(name)

    @precondition(lambda self: self.queues["a"] or self.queues["b"])
    @rule(name=ENDS, count=st.integers(1, 4))
    def pass_on(self, name: str, count: int) -> None:
        for _ in range(min(count, len(self.queues[name]))):
            self._pass_on(name)

    @precondition(lambda self: self.queues["a"] or self.queues["b"])
    @rule(name=ENDS, count=st.integers(1, 3))
    def lose(self, name: str, count: int) -> None:
        del self.queues[name][:count]

    @precondition(lambda self: self.queues["a"] or self.queues["b"])
    @rule(name=ENDS)
    def give_twice(self, name: str) -> None:
        self.queues[name][:0] = self.queues[name][:1]

    @precondition(lambda self: self.queues["a"] or self.queues["b"])
    @rule(name=ENDS, position=st.integers(0, 1 << 16), bit=st.integers(0, 7))
    def damage(self, name: str, position: int, bit: int) -> None:
        for frame in self.queues[name][:1]:
            damaged = bytearray(frame)
            damaged[position % len(frame)] ^= 1 << bit
            self.queues[name][0] = bytes(damaged)

    @precondition(lambda self: self.queues["a"] or self.queues["b"])
    @rule(name=ENDS, position=st.integers(0, 1 << 16))
    def cut_in_two(self, name: str, position: int) -> None:
        for frame in self.queues[name][:1]:
            at = position % len(frame)
            self.queues[name][:1] = [piece for piece in (frame[:at], frame[at:]) if piece]

    # --- what holds ---

    @invariant()
    def nothing_comes_twice_or_out_of_order(self) -> None:
        for name in "ab":
            for life in self.lives[name]:
                for channel in (Channel.CONTROL, Channel.HOST, Channel.FILE):
                    payloads = [payload for where, payload in life.got if where is channel]
                    assert payloads == sorted(set(payloads))

    @invariant()
    def every_report_is_made_once_and_true(self) -> None:
        for name in "ab":
            got = [one for life in self.lives[PEER[name]] for one in life.got]
            for life in self.lives[name]:
                reported = life.delivered + life.unconfirmed
                assert len(set(reported)) == len(reported)
                assert set(reported) <= set(life.sent)
                assert all(life.sent[message_id] in got for message_id in life.delivered)
            assert self.somebody_left or not self.lives[name][-1].unconfirmed

    def teardown(self) -> None:
        """The weather turns fair, and everything is told."""
        for name in "ab":
            if not self.is_open[name]:
                self.sessions[name].open(now_ms=self.now_ms)
        for _ in range(FAIR_TURNS_MAX):
            if self._all_is_told():
                break
            self._turn(10)
        assert self._all_is_told(), "traffic does not flow again"
        self.nothing_comes_twice_or_out_of_order()
        self.every_report_is_made_once_and_true()
        if not self.somebody_left:
            for name in "ab":
                assert sorted(self.lives[PEER[name]][-1].got) == sorted(self.lives[name][-1].sent.values())

    def _all_is_told(self) -> bool:
        lives = [self.lives[name][-1] for name in "ab"]
        is_told = all(len(life.delivered + life.unconfirmed) == len(life.sent) for life in lives)
        return is_told and all(session.is_up for session in self.sessions.values())

    def _turn(self, duration_ms: int) -> None:
        self.now_ms += duration_ms
        for name in "ab":
            self._crank(name)
        for name in "ab":
            while self.queues[name]:
                self._pass_on(name)


Adversary.TestCase.settings = settings(
    max_examples=120, stateful_step_count=40, derandomize=True, deadline=None, database=None
)
test_any_interleaving_of_faults = Adversary.TestCase
