"""Every state that two ends and the frames between them can reach: the session rules, looked through whole.

The model. Two ends, and at most `in_flight_max` frames on their way, both directions together. The decisions
about HELLO are the real `Handshake`'s; what the session does around them (docs/link-protocol.md, section 5)
is written here once more, in `Model.receive`, and test_model_check.py holds it against the real `Session`,
step by step.

Time is left out: a timer may fire whenever it runs. The line may lose a frame, which is what damage comes
to, or give it twice; with `late_doubles` the second time may come after later frames. An end may reboot,
close and open at any moment, with frames of its past still on the line. A frame for which there is no room
is lost. With `paired` both ends have the same pairing key; nobody else is on the line.

Nonces only ever meet as equal or different, so states that differ in the names of their nonces are one
state: `named` gives them the same names. So the number of states is finite, though reboots may go on for
ever. An end's traffic has a life of its own (`End.traffic`), which begins with each reboot and each
forgetting. It is not sent: by it the model knows whose traffic a frame really is.

    python -m tests.host_link.handshake_model 3      all of it, paired or not, late doubles or not (minutes)
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import NamedTuple

from host_link.frames import Hello
from host_link.handshake import Agreement, Handshake, HelloOutcome, Role
from host_link.pairing import PAIRING_KEY_BYTES, SALT_BYTES, Pairing

ROLES = (Role.TERMINAL, Role.GATEWAY)
FRESH = 0x40000000  # a nonce that nobody has had: the names of nonces in use are small numbers
FORGOTTEN = 0x20000000
SALTS = {Role.TERMINAL: b"T" * SALT_BYTES, Role.GATEWAY: b"G" * SALT_BYTES}
"""Of paired ends. Nonces never come again here, so salts need not change to tell two starts apart."""


class End(NamedTuple):
    """One end. `farewell`: the session of which a closed end says CLOSE, as (own nonce, peer's nonce)."""

    is_open: bool
    nonce: int
    peer_nonce: int
    established: bool
    traffic: int
    farewell: tuple[int, int] | None


class Frame(NamedTuple):
    """A frame on the line. `wanted`: HELLO's "answer wanted". `traffic`: whose it is; 0 in the others."""

    kind: str  # "hello", "close", or "traffic": PING, ACK and DATA are all the same here
    nonce: int
    peer_nonce: int
    wanted: bool = False
    traffic: int = 0


class State(NamedTuple):
    """Both ends, the frames on their way to each, and which traffic has been taken for whose.

    `taken`: (index of the receiver, the sender's traffic, the receiver's), while one of them can matter.
    """

    ends: tuple[End, End]
    queues: tuple[tuple[Frame, ...], tuple[Frame, ...]]  # on their way to ends[0], to ends[1]
    taken: frozenset[tuple[int, int, int]]


@dataclass(frozen=True, slots=True)
class Action:
    """What may happen. `fault`: the line or a user did it; what is no fault goes on happening by itself."""

    name: str
    end: int
    fault: bool

    def __str__(self) -> str:
        return f"{self.name} {ROLES[self.end].value}"


class Ghost(AssertionError):
    """The session rules have let something pass that they must not."""


class PairedHandshake(Handshake):
    """With good proofs only, which are not made and not looked at: they would take most of the time."""

    def __init__(self, role: Role, nonce: int) -> None:
        super().__init__(role, nonce, Pairing(bytes(PAIRING_KEY_BYTES), SALTS[role]))

    def _is_proven(self, hello: Hello) -> bool:
        return hello.salts is not None

    def _bind(self, peer_nonce: int, peer_salt: bytes, agreement: Agreement) -> None:
        self.peer_nonce, self._peer_salt, self.agreement = peer_nonce, peer_salt, agreement


START = State(
    (End(True, 1, 0, False, 1, None), End(True, 1, 0, False, 1, None)),
    ((), ()),
    frozenset(),
)


@dataclass
class Model:
    """The rules of both ends, over a line with room for `in_flight_max` frames."""

    in_flight_max: int
    late_doubles: bool = False
    """Whether the line may give a frame again after later ones, not just twice in a row."""
    paired: bool = False
    closes: bool = True
    """Whether users close and open; without that a search is a fifth as long."""
    handshake: Callable[[Role, int], Handshake] = Handshake

    def __post_init__(self) -> None:
        if self.paired:
            self.handshake = PairedHandshake

    # --- one end ---

    def receive(self, role: Role, end: End, frame: Frame) -> tuple[End, list[Frame], bool]:
        """What a frame makes of an end: (the end after it, the frames it sends, whether it took this one)."""
        in_session = (frame.peer_nonce, frame.nonce) == self.session_of(end)
        if not end.is_open:
            return end, farewells(end) if in_session and frame.kind != "hello" else [], False
        if frame.kind == "hello":
            return *self._receive_hello(role, end, frame), False
        if not in_session:
            return end, [], False
        if frame.kind == "traffic":
            return end._replace(established=True), [], True
        ended = self._renewed(role, end)
        return ended, [hello(ended)], True

    def _receive_hello(self, role: Role, end: End, frame: Frame) -> tuple[End, list[Frame]]:
        handshake = self._handshake(role, end)
        outcome = handshake.accept(as_hello(role.peer, frame, paired=self.paired))
        traffic = end.traffic + FORGOTTEN if outcome is HelloOutcome.PEER_RESTARTED else end.traffic
        after = End(True, handshake.nonce, handshake.peer_nonce, handshake.established, traffic, None)
        return after, [hello(after)] if frame.wanted or not after.established else []

    def close(self, role: Role, end: End) -> tuple[End, list[Frame]]:
        """The user closes an open end."""
        session = (end.nonce, end.peer_nonce) if end.peer_nonce else None
        closed = self._renewed(role, end)._replace(is_open=False, farewell=session)
        return closed, farewells(closed)

    def _renewed(self, role: Role, end: End) -> End:
        handshake = self._handshake(role, end)
        handshake.renew()
        return End(True, handshake.nonce, 0, False, end.traffic + FORGOTTEN, None)

    def _handshake(self, role: Role, end: End) -> Handshake:
        handshake = self.handshake(role, end.nonce)
        handshake.peer_nonce, handshake.established = end.peer_nonce, end.established
        if self.paired and end.peer_nonce:
            handshake._peer_salt = SALTS[role.peer]
        return handshake

    @staticmethod
    def session_of(end: End) -> tuple[int, int] | None:
        """The session whose frames an end takes for its own: (own nonce, peer's nonce)."""
        if not end.is_open:
            return end.farewell
        return (end.nonce, end.peer_nonce) if end.peer_nonce else None

    # --- both ends ---

    def actions(self, state: State) -> Iterator[Action]:
        """Everything that may happen in a state."""
        has_room = sum(map(len, state.queues)) < self.in_flight_max
        for index, (end, queue) in enumerate(zip(state.ends, state.queues, strict=True)):
            if queue:
                yield Action("deliver", index, fault=False)
                yield Action("lose", index, fault=True)
                if has_room:
                    yield Action("double", index, fault=True)
            if end.is_open and has_room:
                yield Action("send", index, fault=False)
                if end.established:
                    yield Action("ask", index, fault=False)
            if self.closes:
                yield (
                    Action("close", index, fault=True) if end.is_open else Action("open", index, fault=False)
                )
            yield Action("reboot", index, fault=True)

    def after(self, state: State, action: Action) -> State:
        """The state that an action leads to, in the names of all states. Raises Ghost."""
        index = action.end
        end, queue, taken = state.ends[index], state.queues[index], state.taken
        sent: list[Frame] = []
        match action.name:
            case "deliver":
                frame, queue = queue[0], queue[1:]
                end, sent, took = self.receive(ROLES[index], end, frame)
                if took and frame.kind == "traffic":
                    taken |= {(index, frame.traffic, end.traffic)}
            case "lose":
                queue = queue[1:]
            case "double":
                queue = (*queue, queue[0]) if self.late_doubles else (queue[0], *queue)
            case "send":
                sent = [traffic(end) if end.established else hello(end)]
            case "ask":
                sent = [hello(end)._replace(wanted=True)]
            case "close":
                end, sent = self.close(ROLES[index], end)
            case "open":
                end = end._replace(is_open=True, farewell=None)
                sent = [hello(end)]
            case "reboot":
                end = End(True, FRESH, 0, False, FRESH, None)
                sent = [hello(end)]
        there = state.queues[1 - index]
        there = (*there, *sent[: self.in_flight_max - len(queue) - len(there)])
        if index == 0:
            return named(State((end, state.ends[1]), (queue, there), taken))
        return named(State((state.ends[0], end), (there, queue), taken))


def hello(end: End) -> Frame:
    """The HELLO of an end."""
    return Frame("hello", end.nonce, end.peer_nonce, wanted=not end.established)


def traffic(end: End) -> Frame:
    """Any frame of the session that an end is in."""
    return Frame("traffic", end.nonce, end.peer_nonce, traffic=end.traffic)


def farewells(end: End) -> list[Frame]:
    """The CLOSE that a closed end says, if there was a session."""
    return [Frame("close", *end.farewell)] if end.farewell else []


def as_hello(sender: Role, frame: Frame, *, paired: bool = False) -> Hello:
    """A HELLO of the model as the link has it, without its proof."""
    heard = SALTS[sender.peer] if frame.peer_nonce else bytes(SALT_BYTES)
    return Hello(
        nonce=frame.nonce,
        peer_nonce=frame.peer_nonce,
        from_gateway=sender is Role.GATEWAY,
        answer_wanted=frame.wanted,
        version_max=1,
        version_min=1,
        body_bytes_max=1024,
        window_bytes=16384,
        salts=(SALTS[sender], heard) if paired else None,
    )


# --- names -------------------------------------------------------------------------------------------


class Names:
    """Small numbers for nonces or traffic, in the order in which they are met; 0 stays 0."""

    def __init__(self) -> None:
        self._names: dict[int, int] = {0: 0}

    def __call__(self, number: int) -> int:
        return self._names.setdefault(number, len(self._names))

    def __contains__(self, number: int) -> bool:
        return number in self._names


def named(state: State) -> State:
    """The same state with all nonces and traffic named anew, and what cannot matter any more left out."""
    nonces, lives = (Names(), Names()), (Names(), Names())

    def end(index: int, old: End) -> End:
        farewell = old.farewell and (nonces[index](old.farewell[0]), nonces[1 - index](old.farewell[1]))
        nonce, peer_nonce = nonces[index](old.nonce), nonces[1 - index](old.peer_nonce)
        return End(old.is_open, nonce, peer_nonce, old.established, lives[index](old.traffic), farewell)

    def frame(sender: int, old: Frame) -> Frame:
        nonce, peer_nonce = nonces[sender](old.nonce), nonces[1 - sender](old.peer_nonce)
        return Frame(old.kind, nonce, peer_nonce, old.wanted, lives[sender](old.traffic))

    ends = (end(0, state.ends[0]), end(1, state.ends[1]))
    to_terminal = tuple(frame(1, old) for old in state.queues[0])
    to_gateway = tuple(frame(0, old) for old in state.queues[1])
    taken = frozenset(
        (receiver, lives[1 - receiver](sent_life), lives[receiver](taken_life))
        for receiver, sent_life, taken_life in sorted(state.taken)
        if sent_life in lives[1 - receiver] or taken_life in lives[receiver]
    )
    return State(ends, (to_terminal, to_gateway), taken)


# --- what must hold ----------------------------------------------------------------------------------


def refuse_ghosts(state: State, *, apart_is_one: bool = True) -> None:
    """Raise Ghost where traffic was taken for that of another life, or two ends are up in different sessions.

    The latter only with `apart_is_one`: a line that gives frames again late can bring it about, for a while.
    """
    if apart_is_one and both_up(state) and not together(state):
        raise Ghost(f"both ends are up, in different sessions: {state}")
    for receiver in (0, 1):
        pairs = [(sent, taken) for index, sent, taken in state.taken if index == receiver]
        if len({sent for sent, _ in pairs}) < len(pairs) or len({taken for _, taken in pairs}) < len(pairs):
            raise Ghost(f"traffic of one life was taken for that of another: {state}")


def both_up(state: State) -> bool:
    """Both ends are up, in whatever session."""
    return all(end.established for end in state.ends)


def together(state: State) -> bool:
    """Both ends are up in one session."""
    terminal, gateway = state.ends
    one_session = (terminal.nonce, terminal.peer_nonce) == (gateway.peer_nonce, gateway.nonce)
    return both_up(state) and one_session


def shown(state: State) -> str:
    """A state on one line: own nonce/peer's nonce of each end, then the frames on their way."""
    ends = [
        f"{role.value} {'up' if end.established else 'looking' if end.is_open else 'closed'} "
        f"{end.nonce}/{end.peer_nonce}"
        for role, end in zip(ROLES, state.ends, strict=True)
    ]
    frames = [
        f"to {role.value}: " + ", ".join(f"{frame.kind} {frame.nonce}/{frame.peer_nonce}" for frame in queue)
        for role, queue in zip(ROLES, state.queues, strict=True)
        if queue
    ]
    return "; ".join([*ends, *frames])


@dataclass
class Search:
    """What was found: every state, and from which states the fault-free actions lead where."""

    model: Model
    states: dict[State, int] = field(default_factory=dict)
    step_count: int = 0
    before: list[list[tuple[int, str]]] = field(default_factory=list)
    """By state: the states from which an action without a fault leads to it, and the action's name."""
    reached_by: list[tuple[State, Action] | None] = field(default_factory=list)
    """By state: the state and the action that led to it first."""

    def run(self) -> Search:
        """Visit every state. Raises Ghost in the first that must not be."""
        waiting = [self._enter(START, None)]
        for state in waiting:
            for action in self.model.actions(state):
                self.step_count += 1
                known = len(self.states)
                following = self.model.after(state, action)
                number = self.states.setdefault(following, known)
                if number == known:
                    waiting.append(self._enter(following, (state, action)))
                if not action.fault:
                    self.before[number].append((self.states[state], action.name))
        return self

    def _enter(self, state: State, reached_by: tuple[State, Action] | None) -> State:
        self.states.setdefault(state, len(self.states))
        self.before.append([])
        self.reached_by.append(reached_by)
        try:
            refuse_ghosts(state, apart_is_one=not self.model.late_doubles)
        except Ghost as ghost:
            raise Ghost(f"{ghost}, reached by {self.told(state)}") from None
        return state

    def way_to(self, state: State) -> list[tuple[Action, State]]:
        """A shortest way to a state: what happened, and the state after it."""
        way = []
        while last := self.reached_by[self.states[state]]:
            way.append((last[1], state))
            state = last[0]
        return way[::-1]

    def told(self, state: State) -> str:
        """The way to a state in words, a line for each step."""
        return "".join(f"\n{action} -> {shown(after)}" for action, after in self.way_to(state))

    def different_steps(self) -> list[tuple[State, Action]]:
        """A state and an action for everything that can happen to one end, whatever the other one is in."""
        steps: dict[object, tuple[State, Action]] = {}
        for state in self.states:
            for action in self.model.actions(state):
                queue = state.queues[action.end] if action.name == "deliver" else ()
                steps.setdefault((action, state.ends[action.end], queue[:1]), (state, action))
        return list(steps.values())

    def dead_ends(self, *, without: str = "") -> list[State]:
        """States from which, the weather being fair from now on, the two ends never get together.

        `without`: the name of an action that never happens.
        """
        by_number = list(self.states)
        alive = {number for number, state in enumerate(by_number) if together(state)}
        waiting = list(alive)
        for number in waiting:
            for earlier, name in self.before[number]:
                if earlier not in alive and name != without:
                    alive.add(earlier)
                    waiting.append(earlier)
        return [state for number, state in enumerate(by_number) if number not in alive]

    def fair_steps(self, states: Iterable[State], steps_max: int) -> int:
        """The most steps from any of the states until both ends are together and the line is empty.

        Fair weather: both open; what is on its way arrives, in turns; then whoever is not up sends again.
        Raises Ghost beyond `steps_max`.
        """
        return max(self._steps_until_together(state, steps_max) for state in states)

    def _steps_until_together(self, state: State, steps_max: int) -> int:
        for step in range(steps_max):
            if together(state) and not any(state.queues):
                return step
            state = self.model.after(state, self._fair(state, step))
        raise Ghost(f"not together after {steps_max} steps of fair weather: {state}")

    @staticmethod
    def _fair(state: State, step: int) -> Action:
        for index in (step % 2, 1 - step % 2):
            if not state.ends[index].is_open:
                return Action("open", index, fault=False)
        for index in (step % 2, 1 - step % 2):
            if state.queues[index]:
                return Action("deliver", index, fault=False)
        if both_up(state) and not together(state):
            return Action("ask", step % 2, fault=False)
        asking = [index for index in (0, 1) if not state.ends[index].established] or [step % 2]
        return Action("send", asking[step % len(asking)], fault=False)


if __name__ == "__main__":
    for paired, late_doubles in product((False, True), repeat=2):
        model = Model(int(sys.argv[1]) if len(sys.argv) > 1 else 3, late_doubles, paired)
        search = Search(model).run()
        print(f"{paired=} {late_doubles=}: {len(search.states)} states, {search.step_count} steps,", end=" ")
        print(f"{len(search.dead_ends())} dead ends,", end=" ", flush=True)
        print(f"{search.fair_steps(search.states, 60)} steps of fair weather at most")
