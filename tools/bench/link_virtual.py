"""The link in virtual time: two sessions and a line between them, turned once a millisecond.

The conditions are those in which the reference figures were measured: 115200 baud, bit errors alike in both
directions, ticks of 1 ms, an application that keeps some messages under way (bulk) or waits for each answer
(exchange). The same seed gives the same figures on every machine.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from host_link.half_duplex import HalfDuplexSession
from host_link.handshake import Role
from host_link.line import DuplexLine, Line
from host_link.pairing import PAIRING_KEY_BYTES, SALT_BYTES
from host_link.session import (
    Channel,
    MessageDelivered,
    MessageReceived,
    MessageUnconfirmed,
    PeerRestarted,
    Session,
)

BITS_PER_S = 115_200
BYTES_PER_S = BITS_PER_S / 10
BACKLOG_BYTES_MAX = 8192
"""So much does the application leave unconfirmed."""
REQUEST_BYTES, RESPONSE_BYTES = 150, 120
THINK_MS = 20


class End:
    """One end: a session, its two lines, and what its application has seen."""

    def __init__(
        self,
        role: Role,
        rng: random.Random,
        outgoing: Line,
        incoming: Line,
        *,
        now_ms: int,
        paired: bool,
        half_duplex: bool,
    ) -> None:
        self.received: list[bytes] = []
        self.restarts_seen = 0
        self._outgoing, self._incoming = outgoing, incoming
        self._under_way: dict[int, int] = {}  # message id -> size
        nonce = rng.getrandbits(32)
        key, salt = (bytes(PAIRING_KEY_BYTES), rng.randbytes(SALT_BYTES)) if paired else (None, b"")
        make_session = HalfDuplexSession if half_duplex else Session
        self._session = make_session(
            role, nonce=nonce, bits_per_s=BITS_PER_S, pairing_key=key, pairing_salt=salt
        )
        self._session.open(now_ms=now_ms)

    @property
    def has_room(self) -> bool:
        """Whether the application sends more."""
        return self._session.is_up and sum(self._under_way.values()) < BACKLOG_BYTES_MAX

    @property
    def is_up(self) -> bool:
        """Whether the link is."""
        return self._session.is_up

    def send(self, message: bytes, *, now_ms: int) -> None:
        """Send a message, as much of it as may go at once."""
        self._under_way[self._session.send(Channel.HOST, message, now_ms=now_ms)] = len(message)
        self._outgoing.write(self._session.bytes_to_send(now_ms=now_ms), now_ms)

    def turn(self, now_ms: int) -> None:
        """Everything that can be done at this moment."""
        if data := self._incoming.read(now_ms):
            self._session.receive(data, now_ms=now_ms)
        self._session.on_deadline(now_ms=now_ms)
        while event := self._session.next_event():
            match event:
                case MessageReceived(_, payload):
                    self.received.append(payload)
                case MessageDelivered(message_id) | MessageUnconfirmed(message_id):
                    del self._under_way[message_id]
                case PeerRestarted():
                    self.restarts_seen += 1
                case _:
                    pass
        self._outgoing.write(self._session.bytes_to_send(now_ms=now_ms), now_ms)


class World:
    """A terminal "a", a gateway "b", and the line."""

    def __init__(
        self, *, seed: int, bit_error_rate: float, paired: bool = False, half_duplex: bool = False
    ) -> None:
        self._paired = paired
        self._half_duplex = half_duplex
        self.now_ms = 0
        self._rng = random.Random(seed)
        there, back = (
            Line(random.Random(self._rng.random()), bits_per_s=BITS_PER_S, bit_error_rate=bit_error_rate)
            for _ in range(2)
        )
        self.line = DuplexLine(there, back, half_duplex=half_duplex)
        self.a = self._end(Role.TERMINAL)
        self.b = self._end(Role.GATEWAY)
        while not (self.a.is_up and self.b.is_up):
            self.tick()
        self._settle()

    def tick(self) -> None:
        """A millisecond later."""
        self.now_ms += 1
        self.a.turn(self.now_ms)
        self.b.turn(self.now_ms)

    def reboot_b(self) -> None:
        """The gateway starts anew and says nothing of it but its HELLO."""
        self.b = self._end(Role.GATEWAY)

    def message(self, byte_count: int) -> bytes:
        """What nobody can guess or compress."""
        return self._rng.randbytes(byte_count)

    def _end(self, role: Role) -> End:
        there, back = self.line.a_to_b, self.line.b_to_a
        ends = (there, back) if role is Role.TERMINAL else (back, there)
        return End(
            role,
            self._rng,
            *ends,
            now_ms=self.now_ms,
            paired=self._paired,
            half_duplex=self._half_duplex,
        )

    def _settle(self) -> None:
        """One message, so that what the two ends do when they meet is not measured."""
        self.a.send(self.message(16), now_ms=self.now_ms)
        while not self.b.received:
            self.tick()
        self.b.received.clear()


def goodput(
    message_bytes: int, bit_error_rate: float, *, duration_s: float, seed: int, **kind: bool
) -> float:
    """What arrives of a stream of messages in one direction, as a fraction of the line's rate.

    `kind`: paired, half_duplex.
    """
    world = World(seed=seed, bit_error_rate=bit_error_rate, **kind)
    end_ms = world.now_ms + round(duration_s * 1000)
    while world.now_ms < end_ms:
        _keep_busy(world, message_bytes)
        world.tick()
    return sum(map(len, world.b.received)) / duration_s / BYTES_PER_S


def exchange_times_ms(bit_error_rate: float, *, count: int, seed: int, **kind: bool) -> list[int]:
    """How long requests take to be answered, sorted."""
    world = World(seed=seed, bit_error_rate=bit_error_rate, **kind)
    times_ms = []
    for turn in range(count):
        for _ in range(THINK_MS // 2 + turn % THINK_MS):
            world.tick()
        began_ms = world.now_ms
        world.a.send(world.message(REQUEST_BYTES), now_ms=world.now_ms)
        while not world.a.received:
            world.tick()
            if world.b.received:
                world.b.received.clear()
                world.b.send(world.message(RESPONSE_BYTES), now_ms=world.now_ms)
        world.a.received.clear()
        times_ms.append(world.now_ms - began_ms)
    return sorted(times_ms)


def recovery_ms(outage_s: float, *, moment: int, seed: int) -> int:
    """From the line's return after an outage under full load to the first message that gets through."""
    world = World(seed=seed, bit_error_rate=0.0)
    _run_busy(world, 1000 + moment)
    world.line.cut(world.now_ms)
    _run_busy(world, round(outage_s * 1000))
    world.line.mend(world.now_ms)
    back_ms = world.now_ms
    world.b.received.clear()
    while not world.b.received:
        _keep_busy(world, 128)
        world.tick()
    return world.now_ms - back_ms


def reboot_noticed_ms(*, moment: int, seed: int) -> int:
    """From a reboot under full load to the moment in which the other end reports it."""
    world = World(seed=seed, bit_error_rate=0.0)
    _run_busy(world, 1000 + moment)
    world.reboot_b()
    began_ms = world.now_ms
    while not world.a.restarts_seen:
        _keep_busy(world, 128)
        world.tick()
    return world.now_ms - began_ms


def quantile(sorted_values: Sequence[int], fraction: float) -> int:
    """The value below which that fraction lies."""
    return sorted_values[min(len(sorted_values) - 1, int(fraction * len(sorted_values)))]


def ideal_goodput(payload_bytes: int, bit_error_rate: float, overhead_bytes: int = 8) -> float:
    """Selective repeat with free acknowledgements: a frame is lost when one of its bits is hit."""
    total = payload_bytes + overhead_bytes
    survives: float = (1 - bit_error_rate) ** (8 * total)
    return payload_bytes / total * survives


def _keep_busy(world: World, message_bytes: int) -> None:
    while world.a.has_room:
        world.a.send(world.message(message_bytes), now_ms=world.now_ms)


def _run_busy(world: World, duration_ms: int) -> None:
    for _ in range(duration_ms):
        _keep_busy(world, 128)
        world.tick()
