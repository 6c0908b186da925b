"""The gateway as a process: a serial port on one side, the bank over TCP on the other.

This is the I/O shell around two pure parts, the link's `Session` and the `Relay`. Everything happens on one
event loop: bytes from the port, bytes from the bank and the timer each turn the crank once.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass

from host_link.errors import PortError
from host_link.handshake import Role
from host_link.ports import Port, open_port
from host_link.relay import CONNECT_TIMEOUT_MS, Action, CloseBank, Connect, Relay, SendToBank, SendToTerminal
from host_link.session import LinkDown, LinkEvent, LinkUp, PeerRestarted, Session

_REOPEN_INTERVAL_S = 0.5
_POLL_INTERVAL_S = 0.05
_READ_BYTES = 65536

Notice = Callable[[str], None]
"""Is told, in one line, what an operator wants to know. Never what is in a message."""


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """Where the two sides are."""

    port: str
    bank_host: str
    bank_port: int
    bits_per_s: int = 115_200
    connect_timeout_ms: int = CONNECT_TIMEOUT_MS


class Gateway:
    """One terminal's way to the bank. `run` it as a task; cancel the task to end it."""

    def __init__(self, settings: GatewaySettings, *, notice: Notice = lambda _text: None) -> None:
        self.settings = settings
        self.session = Session(Role.GATEWAY, nonce=secrets.randbits(32), bits_per_s=settings.bits_per_s)
        self.relay = Relay(connect_timeout_ms=settings.connect_timeout_ms)
        self._notice = notice
        self._port: Port | None = None
        self._port_lost = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._bank: asyncio.StreamWriter | None = None
        self._bank_task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Serve until cancelled. A port that is missing or vanishes is waited for."""
        self.session.open(now_ms=self._now_ms())
        try:
            while True:
                port = await self._wait_for_port()
                self._notice(f"serving {self.settings.port}")
                await self._serve(port)
                self._notice(f"{self.settings.port} is gone: waiting for it to come back")
        finally:
            await self._stop()

    # --- the port ---

    async def _wait_for_port(self) -> Port:
        told = ""
        while True:
            try:
                return open_port(self.settings.port, self.settings.bits_per_s)
            except PortError as error:
                if str(error) != told:
                    told = str(error)
                    self._notice(f"{told} (waiting for it)")
            await asyncio.sleep(_REOPEN_INTERVAL_S)

    async def _serve(self, port: Port) -> None:
        self._port = port
        self._port_lost.clear()
        stop_reading = self._start_reading(port)
        try:
            self._turn()
            await self._port_lost.wait()
        except asyncio.CancelledError:
            self.session.close(now_ms=self._now_ms())
            self._write(self.session.bytes_to_send(now_ms=self._now_ms()))
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
        self.session.receive(data, now_ms=self._now_ms())
        self._turn()

    # --- the crank ---

    def _turn(self) -> None:
        """Do all that can be done now, and set the timer for the rest."""
        now_ms = self._now_ms()
        self.session.on_deadline(now_ms=now_ms)
        self._perform(self.relay.on_deadline(now_ms=now_ms))
        while event := self.session.next_event():
            self._tell(event)
            self._perform(self.relay.on_link_event(event, now_ms=now_ms))
        self._write(self.session.bytes_to_send(now_ms=now_ms))
        self._set_timer()

    def _write(self, data: bytes) -> None:
        """What cannot be written is lost, as on a cut line: the session will send it again."""
        if data and self._port is not None:
            try:
                self._port.write(data)
            except PortError:
                self._port_lost.set()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        moments = [
            moment for moment in (self.session.deadline_ms(), self.relay.deadline_ms()) if moment is not None
        ]
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(min(moments) / 1000, self._turn) if moments else None

    def _perform(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Connect():
                    self._bank_task = asyncio.get_running_loop().create_task(self._talk_to_bank())
                case SendToBank(data):
                    if self._bank is not None:
                        self._bank.write(data)
                case CloseBank():
                    self._hang_up()
                case SendToTerminal(channel, payload):
                    self.session.send(channel, payload, now_ms=self._now_ms())

    def _tell(self, event: LinkEvent) -> None:
        match event:
            case LinkUp():
                self._notice("the terminal is connected")
            case LinkDown(reason):
                self._notice(f"the terminal is away ({reason.name.lower()})")
            case PeerRestarted():
                self._notice("the terminal has restarted")

    # --- the bank ---

    async def _talk_to_bank(self) -> None:
        where = f"{self.settings.bank_host}:{self.settings.bank_port}"
        try:
            reader, writer = await asyncio.open_connection(self.settings.bank_host, self.settings.bank_port)
        except OSError:
            self._notice(f"the bank at {where} cannot be reached")
            self._perform(self.relay.on_bank_refused(now_ms=self._now_ms()))
            self._turn()
            return
        self._bank = writer
        self._perform(self.relay.on_bank_connected(now_ms=self._now_ms()))
        self._turn()
        try:
            while data := await reader.read(_READ_BYTES):
                self._perform(self.relay.on_bank_bytes(data, now_ms=self._now_ms()))
                self._turn()
        except OSError:
            pass  # a reset connection is a closed one
        finally:
            writer.close()
        self._bank = None
        self._notice(f"the bank at {where} has closed the connection")
        self._perform(self.relay.on_bank_closed(now_ms=self._now_ms()))
        self._turn()

    def _hang_up(self) -> None:
        if self._bank_task is not None:
            self._bank_task.cancel()
        self._bank = self._bank_task = None

    # --- the end ---

    async def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        bank_task = self._bank_task
        self._hang_up()
        if bank_task is not None:
            await asyncio.gather(bank_task, return_exceptions=True)

    def _now_ms(self) -> int:
        return int(asyncio.get_running_loop().time() * 1000)


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


async def run_gateway(settings: GatewaySettings, *, notice: Notice = lambda _text: None) -> None:
    """Run one gateway until the task is cancelled."""
    await Gateway(settings, notice=notice).run()
