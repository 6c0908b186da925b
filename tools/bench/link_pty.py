"""The link in real time: two sessions on a pseudo-terminal pair whose cable is paced to the line's rate."""

from __future__ import annotations

import os
import pty
import random
import select
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager

from host_link.handshake import Role
from host_link.ports import Port, open_port
from host_link.session import Channel, MessageDelivered, MessageReceived, Session
from tools.bench.link_virtual import (
    BACKLOG_BYTES_MAX,
    BITS_PER_S,
    BYTES_PER_S,
    REQUEST_BYTES,
    RESPONSE_BYTES,
    quantile,
)
from tools.bench.measure import Measurement

_TURN_S = 0.0005
_READ_BYTES = 4096


class PacedCable:
    """Two pseudo-terminals; what is written to one comes out of the other at the line's rate.

    Each byte has a time at which it is due, added up from the first: sleeping a little too long now is made
    up for by the next turn.
    """

    def __init__(self) -> None:
        self._masters: list[int] = []
        self._slaves: list[int] = []
        for _ in range(2):
            master, slave = pty.openpty()
            tty.setraw(slave)
            os.set_blocking(master, False)
            self._masters.append(master)
            self._slaves.append(slave)
        self._waiting = [bytearray(), bytearray()]
        self._due_s = [0.0, 0.0]

    @property
    def paths(self) -> tuple[str, str]:
        """The devices of the two ends."""
        first, second = (os.ttyname(slave) for slave in self._slaves)
        return first, second

    def turn(self) -> None:
        """Take what was written, and hand over what is due."""
        now_s = time.monotonic()
        for end, master in enumerate(self._masters):
            if select.select([master], [], [], 0)[0]:
                if not self._waiting[end]:
                    self._due_s[end] = max(self._due_s[end], now_s)
                self._waiting[end] += os.read(master, _READ_BYTES)
            count = min(len(self._waiting[end]), int((now_s - self._due_s[end]) * BYTES_PER_S))
            if count > 0:
                os.write(self._masters[1 - end], self._waiting[end][:count])
                del self._waiting[end][:count]
                self._due_s[end] += count / BYTES_PER_S

    def close(self) -> None:
        """Take the ends away."""
        for descriptor in self._masters + self._slaves:
            os.close(descriptor)


class _End:
    def __init__(self, role: Role, port: Port) -> None:
        self.received: list[bytes] = []
        self.under_way = 0
        self.session = Session(role, nonce=random.Random(role.value).getrandbits(32), bits_per_s=BITS_PER_S)
        self.session.open(now_ms=_now_ms())
        self._port = port

    def send(self, message: bytes) -> None:
        self.session.send(Channel.HOST, message, now_ms=_now_ms())
        self.under_way += 1

    def turn(self) -> None:
        data, now_ms = self._port.read(), _now_ms()
        if data:
            self.session.receive(data, now_ms=now_ms)
        self.session.on_deadline(now_ms=now_ms)
        while event := self.session.next_event():
            if isinstance(event, MessageReceived):
                self.received.append(event.payload)
            elif isinstance(event, MessageDelivered):
                self.under_way -= 1
        if out := self.session.bytes_to_send(now_ms=now_ms):
            self._port.write(out)


class _Bench:
    def __init__(self, cable: PacedCable, a: Port, b: Port) -> None:
        self._cable = cable
        self.a, self.b = _End(Role.TERMINAL, a), _End(Role.GATEWAY, b)
        while not (self.a.session.is_up and self.b.session.is_up):
            self.turn()

    def turn(self) -> None:
        self.a.turn()
        self.b.turn()
        self._cable.turn()
        time.sleep(_TURN_S)

    def goodput(self, message_bytes: int, duration_s: float) -> float:
        rng = random.Random(1)
        end_s = time.monotonic() + duration_s
        while time.monotonic() < end_s:
            while self.a.under_way * message_bytes < BACKLOG_BYTES_MAX:
                self.a.send(rng.randbytes(message_bytes))
            self.turn()
        arrived = sum(map(len, self.b.received))
        while self.a.under_way:
            self.turn()
        self.b.received.clear()
        return arrived / duration_s / BYTES_PER_S

    def exchange_ms(self, count: int) -> int:
        rng = random.Random(2)
        times_ms = []
        for _ in range(count):
            began_s = time.monotonic()
            self.a.send(rng.randbytes(REQUEST_BYTES))
            while not self.a.received:
                self.turn()
                if self.b.received:
                    self.b.received.clear()
                    self.b.send(rng.randbytes(RESPONSE_BYTES))
            self.a.received.clear()
            times_ms.append(round((time.monotonic() - began_s) * 1000))
        return quantile(sorted(times_ms), 0.5)


def measure(*, duration_s: float) -> list[Measurement]:
    """Goodput of short messages, and exchanges, as long as asked for."""
    with _bench() as bench:
        goodput = bench.goodput(128, duration_s)
        median_ms = bench.exchange_ms(max(1, int(duration_s / 0.05)))
    return [
        Measurement("real time: goodput 128 B", goodput, "line", references={"goal": 0.94}),
        Measurement("real time: exchange 150/120", float(median_ms), "ms", references={"line alone": 24.8}),
    ]


@contextmanager
def _bench() -> Iterator[_Bench]:
    cable = PacedCable()
    a, b = (open_port(path, BITS_PER_S) for path in cable.paths)
    try:
        yield _Bench(cable, a, b)
    finally:
        a.close()
        b.close()
        cable.close()


def _now_ms() -> int:
    return int(time.monotonic() * 1000)
