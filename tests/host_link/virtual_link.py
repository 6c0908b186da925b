"""Two sessions and a line between them, in virtual time."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from host_link.half_duplex import HalfDuplexSession
from host_link.handshake import Role
from host_link.line import DuplexLine, Line
from host_link.session import LineRate, LinkEvent, Session


class VirtualLink:
    """Ends "a" (terminal) and "b" (gateway). Time jumps from deadline to deadline."""

    def __init__(
        self,
        seed: int = 1,
        *,
        latency_ms: int = 0,
        bits_per_s: int = 115_200,
        half_duplex: bool = False,
        takes_turns: bool = False,
        max_bits_per_s: tuple[int | None, int | None] = (None, None),
        **faults: float,
    ) -> None:
        self.now_ms = 0
        self.rng = random.Random(seed)
        self.bits_per_s = bits_per_s
        self.session_class = HalfDuplexSession if takes_turns else Session
        self.max_bits_per_s = dict(zip("ab", max_bits_per_s, strict=True))
        self.refused_rates: dict[str, int] = {}
        lines = [
            Line(self.rng, bits_per_s=bits_per_s, latency_ms=latency_ms, **faults)  # type: ignore[arg-type]
            for _ in range(2)
        ]
        self.line = DuplexLine(*lines, half_duplex=half_duplex)
        self.events: dict[str, list[LinkEvent]] = {"a": [], "b": []}
        self.times: dict[str, list[int]] = {"a": [], "b": []}
        self.on_event: Callable[[str, LinkEvent], None] = lambda _name, _event: None
        self.sessions: dict[str, Session] = {}
        for name in "ab":
            self.boot(name)

    def boot(self, name: str) -> Session:
        role = Role.TERMINAL if name == "a" else Role.GATEWAY
        session = self.session_class(
            role,
            nonce=self.rng.getrandbits(32),
            bits_per_s=self.bits_per_s,
            max_bits_per_s=self.max_bits_per_s[name],
        )
        self.line.set_rate(name, self.bits_per_s)
        session.open(now_ms=self.now_ms)
        self.sessions[name] = session
        return session

    def ends(self, name: str) -> tuple[Line, Line]:
        """(line written to, line read from)."""
        there, back = self.line.a_to_b, self.line.b_to_a
        return (there, back) if name == "a" else (back, there)

    def turn(self) -> None:
        """Everything that can be done at this moment."""
        for name in "ab":
            outgoing, incoming = self.ends(name)
            data = incoming.read(self.now_ms)
            session = self.sessions.get(name)
            if session is None:
                continue  # switched off: what reached it is gone
            if data:
                session.receive(data, now_ms=self.now_ms)
            session.on_deadline(now_ms=self.now_ms)
            while event := session.next_event():
                if isinstance(event, LineRate):
                    self._set_rate(name, event.bits_per_s)
                    continue
                self.events[name].append(event)
                self.times[name].append(self.now_ms)
                self.on_event(name, event)
            data = session.bytes_to_send(now_ms=self.now_ms)
            for frame in re.findall(
                rb"[^\0]*\0", data
            ):  # one by one: time jumps to where a write has arrived
                outgoing.write(frame, self.now_ms)
            deadline = session.deadline_ms()
            assert deadline is None or deadline > self.now_ms

    def _set_rate(self, name: str, bits_per_s: int) -> None:
        """As the port's owner does: `refused_rates` has the rates that an end's port cannot do."""
        if bits_per_s == self.refused_rates.get(name):
            self.sessions[name].rate_refused(now_ms=self.now_ms)
        else:
            self.line.set_rate(name, bits_per_s)

    def run_until(self, end_ms: int, *, stop: Callable[[], bool] = lambda: False) -> None:
        while not stop():
            self.turn()
            moments = [session.deadline_ms() for session in self.sessions.values()] + [
                self.line.deadline_ms()
            ]
            earliest = min((moment for moment in moments if moment is not None), default=end_ms)
            following = max(self.now_ms + 1, earliest)
            if following >= end_ms:
                self.now_ms = end_ms
                self.turn()
                return
            self.now_ms = following
