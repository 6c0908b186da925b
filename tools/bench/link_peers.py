"""Other reliable serial protocols, measured in the same run and under the same conditions as ours.

Peers are imported when they are installed (the extra `bench`); what those that cannot be installed from a
package index have reached is in link_references.toml, and is shown as recorded.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from host_link.line import DuplexLine, Line
from tools.bench.link_virtual import (
    BITS_PER_S,
    BYTES_PER_S,
    REQUEST_BYTES,
    RESPONSE_BYTES,
    THINK_MS,
)
from tools.bench.measure import installed

_LOOP_TURNS = 3
"""So often is a peer's event loop turned in a millisecond: what one turn calls soon, the next one does."""
_ASH_MESSAGES = 2
"""Under way at once: one is sent at a time, and with more its timer takes waiting for a long round trip."""
MESSAGE_BYTES_MAX = 250
"""What every peer takes."""
_CONNECT_MS_MAX = 20_000
_EXCHANGE_MS_MAX = 10_000


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is handed in."""

    now_ms = 0

    def time(self) -> float:
        """The time of the last `turn`, in seconds."""
        return self.now_ms / 1000

    def turn(self, now_ms: int) -> None:
        """Do what is due by then."""
        self.now_ms = now_ms
        for _ in range(_LOOP_TURNS):
            self.call_soon(self.stop)
            self.run_forever()


class Peer(Protocol):
    """One end of somebody else's link."""

    received: list[bytes]

    @property
    def has_room(self) -> bool:
        """Whether the application sends more."""

    def send(self, message: bytes) -> None:
        """Send a message."""

    def read(self, now_ms: int) -> None:
        """Take what has come."""


MakePeer = Callable[[VirtualLoop, Line, Line, bool], Peer]
"""Makes an end: its event loop, the lines that it writes to and reads from, whether it begins."""


class _AshEnd:
    """bellows' ASH, as it talks to a radio module. Its other side is the same class, and answers RST."""

    def __init__(self, ash: Any, loop: VirtualLoop, outgoing: Line, incoming: Line, begins: bool) -> None:
        self.received: list[bytes] = []
        self._ash = ash
        self._loop = loop
        self._outgoing, self._incoming = outgoing, incoming
        self._begins = begins
        self._is_ready = not begins
        self._under_way = 0
        self._protocol = self._new_protocol()
        self._protocol.connection_made(self)
        if begins:
            loop.call_soon(self._reset)

    def _new_protocol(self) -> Any:
        ash, end = self._ash, self

        class Protocol(ash.AshProtocol):  # type: ignore[misc, name-defined]
            def rst_frame_received(self, frame: Any) -> None:
                super().rst_frame_received(frame)
                if not end._begins:
                    self._tx_seq = self._rx_seq = 0
                    code = ash.t.NcpResetCode.RESET_SOFTWARE
                    self._cancel_pending_data_frames(ash.NcpFailure(code=code))
                    self._write_frame(ash.RStackFrame(version=2, reset_code=code))

        return Protocol(self)

    # --- what the bench calls ---

    @property
    def has_room(self) -> bool:
        return self._is_ready and self._under_way < _ASH_MESSAGES

    def send(self, message: bytes) -> None:
        self._under_way += 1
        self._loop.call_soon(lambda: self._loop.create_task(self._deliver(message)))

    def read(self, now_ms: int) -> None:
        if data := self._incoming.read(now_ms):
            self._loop.call_soon(self._protocol.data_received, data)

    async def _deliver(self, message: bytes) -> None:
        """Send until it is acknowledged; after a failure again, as an application would have to."""
        while True:
            try:
                await self._protocol.send_data(message)
                break
            except (self._ash.AshException, TimeoutError, RuntimeError):
                await asyncio.sleep(0.005)
        self._under_way -= 1

    def _reset(self) -> None:
        if not self._is_ready:
            self._protocol.send_reset()
            self._loop.call_later(3.0, self._reset)

    # --- what bellows calls: the transport, and the layer above ---

    def write(self, data: bytes) -> None:
        self._outgoing.write(bytes(data), self._loop.now_ms)

    def is_closing(self) -> bool:
        return False

    def connection_made(self, _protocol: object) -> None:
        pass

    def data_received(self, data: bytes) -> None:
        self.received.append(bytes(data))

    def reset_received(self, _code: object) -> None:
        self._is_ready = True

    def error_received(self, _code: object) -> None:
        if self._begins:
            self._is_ready = False
            self._loop.call_soon(self._reset)


def _bellows() -> MakePeer | None:
    ash = installed("bellows.ash")
    if ash is None:
        return None
    logging.getLogger("bellows").setLevel(logging.CRITICAL)

    def make(loop: VirtualLoop, outgoing: Line, incoming: Line, begins: bool) -> Peer:
        ash.time = _Time(loop)  # its round trips are measured by the loop's time
        return _AshEnd(ash, loop, outgoing, incoming, begins)

    return make


class _Time:
    """What a peer sees in place of the module `time`."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.monotonic = loop.time


PEERS: Mapping[str, Callable[[], MakePeer | None]] = {"bellows ASH": _bellows}


def present() -> dict[str, MakePeer]:
    """The peers that are installed."""
    return {name: make for name, find in PEERS.items() if (make := find()) is not None}


class PeerWorld:
    """Two ends of a peer, and the line."""

    def __init__(self, make: MakePeer, loop: VirtualLoop, *, seed: int, bit_error_rate: float) -> None:
        self.now_ms = 0
        self.rng = random.Random(seed)
        there, back = (
            Line(random.Random(self.rng.random()), bits_per_s=BITS_PER_S, bit_error_rate=bit_error_rate)
            for _ in range(2)
        )
        self.line = DuplexLine(there, back)
        self._loop = loop
        self.a, self.b = make(loop, there, back, True), make(loop, back, there, False)

    def tick(self) -> None:
        """A millisecond later."""
        self.now_ms += 1
        self.a.read(self.now_ms)
        self.b.read(self.now_ms)
        self._loop.turn(self.now_ms)

    def connect(self) -> bool:
        """Send one message, so that what the ends do when they meet is not measured; whether it came."""
        sent = False
        while not self.b.received and self.now_ms < _CONNECT_MS_MAX:
            if not sent and self.a.has_room:
                self.a.send(self.rng.randbytes(16))
                sent = True
            self.tick()
        connected = bool(self.b.received)
        self.b.received.clear()
        return connected


@contextmanager
def _world(make: MakePeer, *, seed: int, bit_error_rate: float) -> Iterator[PeerWorld]:
    loop = VirtualLoop()
    try:
        yield PeerWorld(make, loop, seed=seed, bit_error_rate=bit_error_rate)
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.turn(loop.now_ms)
        loop.close()


def goodput(
    make: MakePeer, message_bytes: int, bit_error_rate: float, *, duration_s: float, seed: int
) -> float:
    """What arrives, each message counted once, of a stream in one direction, as a part of the line's rate."""
    with _world(make, seed=seed, bit_error_rate=bit_error_rate) as world:
        if not world.connect():
            return 0.0
        end_ms = world.now_ms + round(duration_s * 1000)
        while world.now_ms < end_ms:
            while world.a.has_room:
                world.a.send(world.rng.randbytes(message_bytes))
            world.tick()
        return sum(map(len, set(world.b.received))) / duration_s / BYTES_PER_S


def exchange_times_ms(make: MakePeer, bit_error_rate: float, *, count: int, seed: int) -> list[int]:
    """How long requests take to be answered, sorted; after ten seconds the application gives up."""
    times_ms = []
    with _world(make, seed=seed, bit_error_rate=bit_error_rate) as world:
        world.connect()
        for turn in range(count):
            for _ in range(THINK_MS // 2 + turn % THINK_MS):
                world.tick()
            times_ms.append(_exchange_ms(world))
    return sorted(times_ms)


def _exchange_ms(world: PeerWorld) -> int:
    began_ms = world.now_ms
    request, response = world.rng.randbytes(REQUEST_BYTES), world.rng.randbytes(RESPONSE_BYTES)
    world.a.send(request)
    while response not in world.a.received and world.now_ms - began_ms < _EXCHANGE_MS_MAX:
        world.tick()
        if request in world.b.received:
            world.b.received.clear()
            world.b.send(response)
    world.a.received.clear()
    return world.now_ms - began_ms
