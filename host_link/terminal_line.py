"""One terminal's side of the gateway: a port, the session on it, and what reads the port."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Callable, Iterator

from host_link.errors import PortError
from host_link.half_duplex import HalfDuplexSession
from host_link.handshake import Role
from host_link.pairing import SALT_BYTES
from host_link.ports import Port, has_rate, open_port
from host_link.session import LineRate, LinkEvent, Session

_REOPEN_INTERVAL_S = 0.5
_POLL_INTERVAL_S = 0.05

Notice = Callable[[str], None]
"""Is told, in one line, what an operator wants to know. Never what is in a message."""

LineTap = Callable[[str, bytes], None]
"""Is told what crosses the line: the side that sent it ("terminal" or "gateway"), and the bytes."""


def now_ms() -> int:
    """The event loop's clock."""
    return int(asyncio.get_running_loop().time() * 1000)


class TerminalLine:
    """A port and its session. `run` it as a task; the owner turns it with `events` and `flush`.

    `turn` is called whenever bytes have come in. `first_port`: the port, open already; when it is lost, or
    None, the line opens one by its name, and waits for it as long as it takes. `pairing_key`: the terminal
    must have the same. `max_bits_per_s`: the fastest rate to agree on, where the port has one. `half_duplex`:
    the line carries one direction at a time, and both ends take turns.
    """

    def __init__(
        self,
        port_name: str,
        bits_per_s: int,
        *,
        turn: Callable[[], None],
        notice: Notice,
        tap: LineTap | None = None,
        first_port: Port | None = None,
        pairing_key: bytes | None = None,
        max_bits_per_s: int | None = None,
        half_duplex: bool = False,
    ) -> None:
        self.port_name = port_name
        self.bits_per_s = bits_per_s
        make_session = HalfDuplexSession if half_duplex else Session
        self.session = make_session(
            Role.GATEWAY,
            nonce=secrets.randbits(32),
            bits_per_s=bits_per_s,
            pairing_key=pairing_key,
            pairing_salt=secrets.token_bytes(SALT_BYTES) if pairing_key else b"",
            max_bits_per_s=max_bits_per_s if has_rate(port_name) else None,
        )
        self._turn = turn
        self._notice = notice
        self._tap = tap or (lambda _side, _data: None)
        self._first_port = first_port
        self._port: Port | None = None
        self._port_lost = asyncio.Event()

    @property
    def port_is_open(self) -> bool:
        """False while the port is waited for."""
        return self._port is not None

    async def run(self) -> None:
        """Serve until cancelled. A port that is missing or vanishes is waited for."""
        self.session.open(now_ms=now_ms())
        while True:
            port = await self._wait_for_port()
            self._notice(f"serving {self.port_name}")
            await self._serve(port)
            self._notice(f"{self.port_name} is gone: waiting for it to come back")

    def events(self) -> Iterator[LinkEvent]:
        """What the session has to say by now."""
        self.session.on_deadline(now_ms=now_ms())
        while event := self.session.next_event():
            if isinstance(event, LineRate):
                self._set_rate(event.bits_per_s)
            else:
                yield event

    def _set_rate(self, bits_per_s: int) -> None:
        if self._port is None:
            return  # it opens at the first rate
        if self._port.set_rate(bits_per_s):
            self._notice(f"{self.port_name}: the line runs at {bits_per_s} bits/s")
        else:
            self._notice(f"{self.port_name} cannot do {bits_per_s} bits/s: it keeps its rate")
            self.session.rate_refused(now_ms=now_ms())

    def flush(self) -> None:
        """Write what is due. What cannot be written is lost, as on a cut line: it will be sent again."""
        data = self.session.bytes_to_send(now_ms=now_ms())
        if data and self._port is not None:
            self._tap("gateway", data)
            try:
                self._port.write(data)
            except PortError:
                self._port_lost.set()

    async def _wait_for_port(self) -> Port:
        port, self._first_port = self._first_port, None
        told = ""
        while port is None:
            try:
                port = open_port(self.port_name, self.bits_per_s)
            except PortError as error:
                if str(error) != told:
                    told = str(error)
                    self._notice(f"{told} (waiting for it)")
                await asyncio.sleep(_REOPEN_INTERVAL_S)
        return port

    async def _serve(self, port: Port) -> None:
        self._port = port
        self._port_lost.clear()
        stop_reading = self._start_reading(port)
        self.session.line_returned(now_ms=now_ms())
        try:
            self._turn()
            await self._port_lost.wait()
        except asyncio.CancelledError:
            self.session.close(now_ms=now_ms())
            self.flush()
            raise
        finally:
            stop_reading()
            self._port = None
            port.close()

    def _start_reading(self, port: Port) -> Callable[[], object]:
        """Have the port's bytes handed over as they come; returns what ends that."""
        loop = asyncio.get_running_loop()
        descriptor = port.fileno()
        if descriptor is not None:
            loop.add_reader(descriptor, self._read_port, port)
            return lambda: loop.remove_reader(descriptor)
        thread = _ReaderThread(port, loop, self._on_port_bytes, self._port_lost.set)
        thread.start()
        return thread.stop

    def _read_port(self, port: Port) -> None:
        try:
            data = port.read()
        except PortError:
            self._port_lost.set()
            return
        self._on_port_bytes(data)

    def _on_port_bytes(self, data: bytes) -> None:
        self._tap("terminal", data)
        self.session.receive(data, now_ms=now_ms())
        self._turn()


class _ReaderThread(threading.Thread):
    """Reads a port that has no descriptor to wait on, for the event loop."""

    def __init__(
        self,
        port: Port,
        loop: asyncio.AbstractEventLoop,
        on_bytes: Callable[[bytes], None],
        on_lost: Callable[[], None],
    ) -> None:
        super().__init__(name="port-reader", daemon=True)
        self._port = port
        self._loop = loop
        self._on_bytes = on_bytes
        self._on_lost = on_lost
        self._ended = threading.Event()

    def run(self) -> None:
        """Read until stopped or the port is gone."""
        while not self._ended.is_set():
            try:
                data = self._port.read(timeout_s=_POLL_INTERVAL_S)
            except PortError:
                self._loop.call_soon_threadsafe(self._on_lost)
                return
            if data and not self._ended.is_set():
                self._loop.call_soon_threadsafe(self._on_bytes, data)

    def stop(self) -> None:
        """End the thread; takes one poll interval at most."""
        self._ended.set()
        self.join()
