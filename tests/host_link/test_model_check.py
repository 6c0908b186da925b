"""The handshake and the reset in every state that two ends can reach, by a model that is the code."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import pytest

from host_link.frames import Close, Hello, Ping, decode_body, encode_body
from host_link.framing import FrameDecoder, FrameReceived, encode_frame
from host_link.handshake import Handshake, HelloOutcome, Role
from host_link.pairing import PAIRING_KEY_BYTES, SEAL_BYTES_USUAL, Pairing, Protection, SessionIds
from host_link.session import Session
from tests.host_link.handshake_model import (
    ROLES,
    SALTS,
    START,
    Action,
    End,
    Frame,
    Ghost,
    Model,
    Search,
    State,
    as_hello,
    both_up,
    named,
    together,
)

FAIR_STEPS_MAX = 30
SEALED_CLOSE_BYTES = 2 + SEAL_BYTES_USUAL
"""Of a paired end's frames here CLOSE alone is so long: what else it sends is PING and ACK."""


@pytest.fixture(scope="module", params=[False, True], ids=["unpaired", "paired"])
def search(request: pytest.FixtureRequest) -> Search:
    return Search(Model(2, paired=request.param)).run()


# --- what holds in every state -----------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("paired", [False, True])
def test_no_state_is_a_dead_end_and_none_holds_a_ghost(paired: bool) -> None:
    search = Search(Model(3, paired=paired)).run()  # raises Ghost
    assert (len(search.states), search.step_count) == (42462, 306746), (
        "the model sees more or less than it did"
    )
    assert search.dead_ends() == []


def test_from_every_state_fair_weather_brings_the_ends_together_soon(search: Search) -> None:
    assert search.fair_steps(search.states, FAIR_STEPS_MAX) < FAIR_STEPS_MAX


@pytest.mark.slow
@pytest.mark.parametrize("paired", [False, True])
def test_frames_given_again_late_part_the_ends_for_a_while_only(paired: bool) -> None:
    """Such as a HELLO of before a reboot after the first one of after it. No traffic is taken wrongly."""
    search = Search(Model(3, late_doubles=True, paired=paired, closes=False)).run()
    apart = [state for state in search.states if both_up(state) and not together(state)]
    assert apart
    assert search.dead_ends() == []
    assert search.dead_ends(without="ask"), "it is asking that brings them together again"
    assert search.fair_steps(apart, FAIR_STEPS_MAX) < FAIR_STEPS_MAX


# --- the check itself can fail -----------------------------------------------------------------------


class KeepsItsNonce(Handshake):
    """Notices a restart but goes on under its old nonce."""

    def renew(self) -> None:
        self.peer_nonce, self.established = 0, False


class BelievesAnyHello(Handshake):
    """Is established by any HELLO, whether it has its own nonce or not."""

    def accept(self, hello: Hello) -> HelloOutcome:
        outcome = super().accept(hello)
        self.established = self.peer_nonce != 0
        return outcome


class MissesRestarts(Handshake):
    """Stays in the session when the peer comes with another nonce."""

    def accept(self, hello: Hello) -> HelloOutcome:
        return HelloOutcome.NOTHING if self.established else super().accept(hello)


@pytest.mark.parametrize("broken", [KeepsItsNonce, BelievesAnyHello])
def test_a_broken_rule_lets_a_ghost_pass(broken: type[Handshake]) -> None:
    with pytest.raises(Ghost):
        Search(Model(2, handshake=broken)).run()


def test_a_missing_rule_is_a_dead_end() -> None:
    assert Search(Model(2, handshake=MissesRestarts)).run().dead_ends()


# --- the model is the code ---------------------------------------------------------------------------


class RealEnd:
    """A Session, driven as the model drives an end: only what the model sends goes out."""

    def __init__(self, role: Role, nonce: int, key: bytes | None, seal_numbers: Iterator[int]) -> None:
        self.role = role
        self._pairing = Pairing(key, SALTS[role.peer]) if key else None
        self._seal_numbers = seal_numbers
        self.session = Session(role, nonce=nonce, pairing_key=key, pairing_salt=SALTS[role])
        self.now_ms = 0
        self.farewell: tuple[int, int] | None = None
        self.session.open(now_ms=0)

    @property
    def nonces(self) -> tuple[int, int]:
        handshake = self.session._handshake
        return handshake.nonce, handshake.peer_nonce

    @property
    def end(self) -> End:
        handshake = self.session._handshake
        established = handshake.established
        assert self.session._in_session == established
        assert established or not self.session.is_up
        while self.session.next_event():
            pass
        return End(self.session._open, *self.nonces, established, self.nonces[0], self.farewell)

    def sent(self, nonces: tuple[int, int]) -> list[Frame]:
        """The HELLO and CLOSE frames that go out now; the session of a CLOSE is that of `nonces`."""
        handshake = Handshake(self.role, nonces[0])
        handshake.peer_nonce = nonces[1]
        decoder = FrameDecoder(handshake.tag(self.role))
        found = []
        for event in decoder.feed(self.session.bytes_to_send(now_ms=self.now_ms)):
            if not isinstance(event, FrameReceived):
                continue
            body = None if event.in_session and self._pairing else decode_body(event.body)
            if isinstance(body, Hello):
                found.append(Frame("hello", body.nonce, body.peer_nonce, body.answer_wanted))
            elif isinstance(body, Close) or (event.in_session and len(event.body) == SEALED_CLOSE_BYTES):
                found.append(Frame("close", *nonces))
        return found

    def receive(self, frame: Frame) -> list[Frame]:
        before = self.farewell or self.nonces
        sender = Handshake(self.role.peer, frame.nonce)
        sender.peer_nonce = frame.peer_nonce
        match frame.kind:
            case "hello":
                data = encode_frame(self._hello(frame))
            case "close":
                data = encode_frame(self._sealed(encode_body(Close(1)), frame), sender.tag(sender.role))
            case _:
                data = encode_frame(self._sealed(encode_body(Ping(1, 0)), frame), sender.tag(sender.role))
        self.session.receive(data, now_ms=self.now_ms)
        return self.sent(before)

    def _hello(self, frame: Frame) -> bytes:
        hello = as_hello(self.role.peer, frame, paired=self._pairing is not None)
        if self._pairing:
            hello = replace(hello, proof=self._pairing.proof(encode_body(hello)))
        return encode_body(hello)

    def _sealed(self, body: bytes, frame: Frame) -> bytes:
        """As the peer seals it in the frame's session, under a number that it has not used yet."""
        if self._pairing is None:
            return body
        sender, receiver = (frame.nonce, SALTS[self.role.peer]), (frame.peer_nonce, SALTS[self.role])
        is_terminal = self.role is Role.GATEWAY
        ids = SessionIds(*sender, *receiver) if is_terminal else SessionIds(*receiver, *sender)
        sealer = Protection.of(self._pairing.key, ids, is_terminal=is_terminal).sealer
        sealer.count = next(self._seal_numbers)
        return sealer.seal(body)

    def send(self) -> list[Frame]:
        self.now_ms += 100  # the timer of HELLO has come
        if self.session._handshake.established:
            return [Frame("traffic", *self.nonces, traffic=self.nonces[0])]
        return self.sent(self.nonces)

    def ask(self) -> list[Frame]:
        for _ in range(2):  # the link is down, and then nothing was heard for long enough once more
            self.now_ms += 3000
            self.session.on_deadline(now_ms=self.now_ms)
        return self.sent(self.nonces)

    def close(self) -> list[Frame]:
        session = self.nonces
        self.session.close(now_ms=self.now_ms)
        self.farewell = session if session[1] else None
        return self.sent(session)

    def open(self) -> list[Frame]:
        self.farewell = None
        self.session.open(now_ms=self.now_ms)
        return self.sent(self.nonces)


class RealLink:
    """Two sessions that do what the model's actions say."""

    def __init__(self, in_flight_max: int, key: bytes | None) -> None:
        self._in_flight_max = in_flight_max
        self._key = key
        self._seal_numbers = count(1000)
        self._rng = random.Random(1)
        self._ends = [self._boot(role) for role in ROLES]
        for end in self._ends:
            end.sent(end.nonces)  # the model begins when these first two HELLOs are lost
        self._queues: list[list[Frame]] = [[], []]

    def _boot(self, role: Role) -> RealEnd:
        return RealEnd(role, self._rng.getrandbits(32), self._key, self._seal_numbers)

    def do(self, action: Action) -> None:
        queue, end = self._queues[action.end], self._ends[action.end]
        there = self._queues[1 - action.end]
        sent: list[Frame] = []
        match action.name:
            case "deliver":
                sent = end.receive(queue.pop(0))
            case "lose":
                del queue[0]
            case "double":
                queue.insert(0, queue[0])
            case "reboot":
                self._ends[action.end] = end = self._boot(ROLES[action.end])
                sent = end.sent(end.nonces)
            case name:
                sent = getattr(end, name)()
        there += sent[: self._in_flight_max - len(queue) - len(there)]

    @property
    def state(self) -> State:
        terminal, gateway = self._ends
        queues = (tuple(self._queues[0]), tuple(self._queues[1]))
        return named(State((terminal.end, gateway.end), queues, frozenset()))


def test_two_sessions_do_whatever_the_model_does(search: Search) -> None:
    """Each different thing that can happen to an end happens to a real one, on the way that leads there."""
    steps = search.different_steps()
    assert len(steps) > 200
    for state, action in steps:
        link = RealLink(2, bytes(PAIRING_KEY_BYTES) if search.model.paired else None)
        assert link.state == START
        for done, expected in [*search.way_to(state), (action, search.model.after(state, action))]:
            link.do(done)
            assert link.state == named(expected._replace(taken=frozenset())), (
                f"{search.told(state)}\n{action}"
            )


def test_the_model_reaches_what_it_is_about(search: Search) -> None:
    assert any(together(state) and not any(state.queues) for state in search.states)
    closed = [state for state in search.states if not any(end.is_open for end in state.ends)]
    assert any(end.farewell for state in closed for end in state.ends)
