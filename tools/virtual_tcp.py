"""The network between a gateway and the bank, in virtual time: connections that carry bytes, and faults.

Without faults it is a TCP connection with a fixed delay: what one side writes at a moment, the other reads in
one piece a little later. With faults it does to the bytes what real networks do to them, and both ends learn
of it as from a real system: at once by a reset, by the answer to what is sent again, or after the times that
the gateway has set (`host_link.relay`), when nobody answers at all. A connection has two ends, and each may
be gone while the other is not: the bank may still read from a connection that the gateway has given up, and
serve it beside the next one.

Nothing here is random, except for the cuts and delays of a rough network, which come from the seed.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime
from enum import Enum
from functools import partial
from itertools import count

from bank.connection import IDLE_TIMEOUT_S, Connection
from bank.faults import FaultKind
from bank.replies import Reply
from hal.virtual.clock import VirtualClock
from host_link.relay import (
    KEEP_ALIVE_IDLE_S,
    KEEP_ALIVE_INTERVAL_S,
    KEEP_ALIVE_PROBES,
    UNANSWERED_MS,
    Action,
    Relay,
)
from tools.virtual_bank import BankMachine

DELAY_MS = 5
BANK_IDLE_MS = int(1000 * IDLE_TIMEOUT_S)
RETRANSMISSIONS_MS = (200, 600, 1_400, 3_000, 6_200, 12_600, 25_400, UNANSWERED_MS)
"""When what is not acknowledged is sent again: after 200 ms, each time twice as long (Linux), to the end."""
PROBES_MS = tuple(
    1000 * (KEEP_ALIVE_IDLE_S + number * KEEP_ALIVE_INTERVAL_S) for number in range(KEEP_ALIVE_PROBES + 1)
)
"""When an idle connection is asked whether the peer is still there; after the last one it is given up."""
KNOCKS_MS = (1_000, 3_000)
"""When who connects and hears nothing tries again (RFC 6298: the first wait is a second, then it doubles)."""


Arrival = Callable[[], list[Action]]
"""What happens when something arrives, and what the gateway then does."""


class Toward(Enum):
    """The two directions of a connection."""

    BANK = "bank"
    GATEWAY = "gateway"


class _Pair:
    """One connection. An end that is None is gone; `relay` is the gateway's, `bank` the bank's."""

    def __init__(self, relay: Relay) -> None:
        self.relay: Relay | None = relay
        self.bank: Connection | None = None
        self.held_until_ms = 0  # nothing of it arrives before
        self.heard_ms = 0  # when the bank last heard anything
        self.is_swallowed = False  # something on the way drops what it carries, and tells nobody
        self.is_asking = False  # the gateway's system waits for an acknowledgement
        self.arrives_ms = {Toward.BANK: 0, Toward.GATEWAY: 0}  # the last bytes on their way
        self.under_way: dict[Toward, deque[Arrival]] = {Toward.BANK: deque(), Toward.GATEWAY: deque()}


class VirtualTcp:
    """What lies between one gateway and the bank. The gateway has one connection at a time.

    `wall` is the bank's clock, `seed` decides how a rough network cuts and delays.
    """

    def __init__(
        self, machine: BankMachine, clock: VirtualClock, wall: Callable[[], datetime], *, seed: int
    ) -> None:
        self.machine = machine
        self._clock = clock
        self._wall = wall
        self._rng = random.Random(f"network {seed}")
        self._order = count()
        self._queue: list[tuple[int, int, Arrival]] = []
        self._pairs: list[_Pair] = []  # with at least one end
        self._own: _Pair | None = None  # the one that the gateway uses
        self._stalled_until_ms = 0
        self._rough: tuple[int, int, int] = (0, 0, 0)  # until when, longest piece, longest delay
        self._reset: tuple[Toward, int] | None = None  # after how many more bytes that way
        self._parting_ms = 0  # how late what the gateway sends next will be; 0: it is not parted
        self._is_crossing = False  # what the gateway sends next meets the bank's farewell

    # --- time ---------------------------------------------------------------------------------------

    def deadline_ms(self) -> int | None:
        """When something arrives, or the bank's power comes back."""
        first = self._queue[0][0] if self._queue else None
        back = self.machine.power_back_ms
        return first if back is None else back if first is None else min(first, back)

    def is_due(self, now_ms: int) -> bool:
        """Whether `due` has anything to do."""
        queue, back_ms = self._queue, self.machine.power_back_ms
        return bool(queue and queue[0][0] <= now_ms) or (back_ms is not None and back_ms <= now_ms)

    def due(self) -> list[Action]:
        """The relay's answers to everything that has happened by now."""
        now_ms = self._clock.monotonic_ms()
        self.machine.turn(now_ms)
        actions: list[Action] = []
        while self._queue and self._queue[0][0] <= now_ms:
            actions += heapq.heappop(self._queue)[2]()
        return actions

    def _at(self, at_ms: int, happen: Arrival) -> None:
        heapq.heappush(self._queue, (at_ms, next(self._order), happen))

    # --- the gateway's calls ------------------------------------------------------------------------

    def connect(self, relay: Relay) -> None:
        """Begin to connect; the relay will be told how it went, or nothing."""
        self.hang_up()
        self._own = pair = _Pair(relay)
        self._pairs.append(pair)
        self._travel(pair, Toward.BANK, partial(self._knock, pair, iter(KNOCKS_MS)))

    def send(self, data: bytes) -> None:
        """Send bytes on the connection, if there is one."""
        if (pair := self._own) is None:
            return
        if self._is_crossing:
            self._is_crossing = False
            self._hang_up_at_bank(pair)
        self._carry(pair, Toward.BANK, data)
        if self._parting_ms:
            pair.held_until_ms = self._clock.monotonic_ms() + self._parting_ms
            self._parting_ms = 0
            self._at(self._clock.monotonic_ms() + DELAY_MS, partial(self._end_at_gateway, pair))

    def hang_up(self) -> None:
        """The gateway's end is gone. What it has sent still arrives, and no answer does."""
        if (pair := self._own) is not None:
            self._own = pair.relay = None
            self._leave_alone(pair)

    # --- what happens to the bank -------------------------------------------------------------------

    def on_server_stopped(self) -> None:
        """The bank's system closes every connection."""
        for pair in self._pairs:
            pair.bank = None
            self._at(self._clock.monotonic_ms(), partial(self._end_at_gateway, pair))

    def on_power_lost(self) -> None:
        """The bank's ends are forgotten, and the gateway's system will find out."""
        for pair in self._pairs:
            pair.bank = None
            self._ask_idly(pair)

    # --- faults -------------------------------------------------------------------------------------

    def stall(self, duration_ms: int) -> None:
        """Nothing gets through in either direction for a while, then all of it at once."""
        self._stalled_until_ms = self._clock.monotonic_ms() + duration_ms

    def roughen(self, duration_ms: int, *, piece_bytes_max: int, delay_ms_max: int) -> None:
        """For a while, cut what is sent into pieces of any size up to this, each up to so much later."""
        self._rough = (self._clock.monotonic_ms() + duration_ms, piece_bytes_max, delay_ms_max)

    def reset_after(self, toward: Toward, byte_count: int) -> None:
        """Let so many bytes more through in that direction, then reset the connection that carries them."""
        self._reset = (toward, byte_count)

    def part_at_next_request(self, late_ms: int) -> None:
        """Half-open: what the gateway sends next is late, and the gateway is told that its connection broke.

        So it connects a second time while the bank still has the first, on which the request arrives in the
        end.
        """
        self._parting_ms = late_ms

    def hang_up_at_next_request(self) -> None:
        """The bank has waited long enough, just when the gateway sends something: the two cross."""
        self._is_crossing = True

    def swallow(self) -> None:
        """The gateway's connection carries nothing any more, and nobody is told: a firewall forgot it."""
        if self._own is not None:
            self._own.is_swallowed = True
            self._ask_idly(self._own)

    def calm(self) -> None:
        """No faults any more. What they have done to a connection stays done."""
        self._stalled_until_ms, self._rough, self._reset, self._parting_ms = 0, (0, 0, 0), None, 0
        self._is_crossing = False

    # --- travelling ---------------------------------------------------------------------------------

    def _carry(self, pair: _Pair, toward: Toward, data: bytes) -> None:
        """Put bytes on their way, whole or in pieces; a reset in the middle takes what comes after it."""
        resets = self._reset is not None and self._reset[0] is toward
        if resets:
            data = self._up_to_reset(data)
        arrive = self._reach_bank if toward is Toward.BANK else self._reach_gateway
        for piece in self._cut(data):
            self._travel(pair, toward, partial(arrive, pair, piece))
        if resets and self._reset is None:
            self._travel(pair, toward, partial(self._end_both, pair))

    def _up_to_reset(self, data: bytes) -> bytes:
        assert self._reset is not None
        toward, left = self._reset
        self._reset = (toward, left - len(data)) if len(data) < left else None
        return data[:left]

    def _cut(self, data: bytes) -> Iterator[bytes]:
        until_ms, piece_bytes_max, _ = self._rough
        if self._clock.monotonic_ms() >= until_ms:
            yield data
            return
        while data:
            length = self._rng.randint(1, piece_bytes_max)
            yield data[:length]
            data = data[length:]

    def _travel(self, pair: _Pair, toward: Toward, arrive: Arrival) -> None:
        """Let something happen at the other end, after everything that was sent there before."""
        now_ms = self._clock.monotonic_ms()
        until_ms, _, delay_ms_max = self._rough
        delay_ms = DELAY_MS + (self._rng.randint(0, delay_ms_max) if now_ms < until_ms else 0)
        pair.arrives_ms[toward] = max(now_ms + delay_ms, pair.arrives_ms[toward])
        pair.under_way[toward].append(arrive)
        self._at(pair.arrives_ms[toward], partial(self._arrive, pair, toward))

    def _arrive(self, pair: _Pair, toward: Toward) -> list[Action]:
        """The next thing arrives, unless nothing does now. However it was held up, the order stays."""
        held_until_ms = max(self._stalled_until_ms, pair.held_until_ms)
        if held_until_ms > self._clock.monotonic_ms():
            self._at(held_until_ms, partial(self._arrive, pair, toward))
            return []
        return pair.under_way[toward].popleft()()

    # --- at the bank's end --------------------------------------------------------------------------

    def _knock(self, pair: _Pair, again_ms: Iterator[int]) -> list[Action]:
        """The first packet of a connection arrives, or comes again because nobody has answered."""
        if pair.relay is None:
            return self._forget(pair)
        machine, now_ms = self.machine, self._clock.monotonic_ms()
        if not machine.has_power or now_ms < self._stalled_until_ms:
            if (wait_ms := next(again_ms, None)) is not None:
                self._at(now_ms + wait_ms, partial(self._knock, pair, again_ms))
            return []
        if not machine.is_serving or machine.bank.faults.take(FaultKind.REFUSE_CONNECTION) is not None:
            return self._end_at_gateway(pair)
        pair.bank = Connection(lambda message: machine.handle(message, self._wall()))
        pair.heard_ms = now_ms
        self._at(now_ms + BANK_IDLE_MS, partial(self._tire, pair))
        return pair.relay.on_bank_connected(now_ms=now_ms)

    def _reach_bank(self, pair: _Pair, data: bytes) -> list[Action]:
        bank = pair.bank
        if bank is None or pair.is_swallowed:
            return self._hear(pair, gives_up=False) or self._ask_again(pair)
        pair.heard_ms = self._clock.monotonic_ms()
        with self.machine.working(self._clock.monotonic_ms()):
            for reply in bank.receive(data):
                self._answer(pair, reply)
        if bank.is_over:
            self._hang_up_at_bank(pair)
        return []

    def _tire(self, pair: _Pair) -> list[Action]:
        """The bank hangs up where it has heard nothing for so long (`bank.server`)."""
        if pair.bank is not None and (over_ms := pair.heard_ms + BANK_IDLE_MS) > self._clock.monotonic_ms():
            self._at(over_ms, partial(self._tire, pair))
        elif pair.bank is not None:
            self._hang_up_at_bank(pair)
        return []

    def _hang_up_at_bank(self, pair: _Pair) -> None:
        pair.bank = None
        if not pair.is_swallowed:
            self._travel(pair, Toward.GATEWAY, partial(self._end_at_gateway, pair))

    def _answer(self, pair: _Pair, reply: Reply) -> None:
        if not reply.message:
            return
        if reply.delay_ms:
            at_ms = self._clock.monotonic_ms() + reply.delay_ms
            self._at(at_ms, partial(self._answer_late, pair, reply.frame()))
        else:
            self._carry(pair, Toward.GATEWAY, reply.frame())

    def _answer_late(self, pair: _Pair, data: bytes) -> list[Action]:
        if pair.bank is not None:
            self._carry(pair, Toward.GATEWAY, data)
        return []

    # --- at the gateway's end -----------------------------------------------------------------------

    def _reach_gateway(self, pair: _Pair, data: bytes) -> list[Action]:
        if pair.relay is None or pair.is_swallowed:
            return []
        return pair.relay.on_bank_bytes(data, now_ms=self._clock.monotonic_ms())

    def _ask_again(self, pair: _Pair) -> list[Action]:
        """What the gateway has sent is not acknowledged: its system sends it again, until it gives up."""
        if not pair.is_asking:
            pair.is_asking = True
            self._ask(pair, RETRANSMISSIONS_MS)
        return []

    def _ask_idly(self, pair: _Pair) -> None:
        """Nothing was sent: the gateway's system asks now and then whether the other side is there."""
        self._ask(pair, PROBES_MS)

    def _ask(self, pair: _Pair, after_ms: tuple[int, ...]) -> None:
        now_ms = self._clock.monotonic_ms()
        for wait_ms in after_ms if pair.relay is not None else ():
            last = wait_ms == after_ms[-1]
            self._at(now_ms + wait_ms, partial(self._hear, pair, gives_up=last))

    def _hear(self, pair: _Pair, *, gives_up: bool) -> list[Action]:
        """The answer to what was sent again: a reset, by a system that knows nothing of the connection."""
        answers = self.machine.has_power and not pair.is_swallowed
        answers = answers and self._clock.monotonic_ms() >= self._stalled_until_ms
        return self._end_at_gateway(pair) if gives_up or answers else []

    def _end_at_gateway(self, pair: _Pair) -> list[Action]:
        """The gateway is told that its connection is gone, if it does not know."""
        relay, pair.relay = pair.relay, None
        if relay is None:
            return []
        if self._own is pair:
            self._own = None
        self._leave_alone(pair)
        return relay.on_bank_closed(now_ms=self._clock.monotonic_ms())

    def _end_both(self, pair: _Pair) -> list[Action]:
        pair.bank = None
        return self._end_at_gateway(pair)

    def _leave_alone(self, pair: _Pair) -> None:
        """The gateway has no end any more. The bank hangs up when it has heard nothing for its own time."""
        wait_ms = 0 if pair.bank is None and not pair.under_way[Toward.BANK] else BANK_IDLE_MS
        self._at(self._clock.monotonic_ms() + wait_ms, partial(self._forget, pair))

    def _forget(self, pair: _Pair) -> list[Action]:
        pair.bank = None
        if pair in self._pairs:
            self._pairs.remove(pair)
        return []
