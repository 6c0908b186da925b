"""A terminal on a real port, banks that answer or do not, and a gateway between them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from host_link.bank_connection import TlsSettings
from host_link.control import BankReport, BankStatus, request_check
from host_link.diagnostics import answer_to
from host_link.gateway import Gateway, GatewaySettings
from host_link.handshake import Role
from host_link.ports import Port, open_port
from host_link.session import Channel, LineRate, LinkEvent, MessageReceived, Session

RATE = 10_000_000
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Terminal:
    """The link's other end, on a real port."""

    def __init__(
        self,
        port: Port,
        pairing_key: bytes | None = None,
        *,
        bits_per_s: int = RATE,
        max_bits_per_s: int | None = None,
    ) -> None:
        self.port = port
        self.session = Session(
            Role.TERMINAL,
            nonce=int.from_bytes(os.urandom(4), "big"),
            bits_per_s=bits_per_s,
            pairing_key=pairing_key,
            pairing_salt=os.urandom(12) if pairing_key else b"",
            max_bits_per_s=max_bits_per_s,
        )
        self.session.open(now_ms=self.now_ms)
        self.events: list[LinkEvent] = []

    @property
    def now_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000

    def send(self, payload: bytes) -> None:
        self.session.send(Channel.HOST, payload, now_ms=self.now_ms)

    def _note(self, event: LinkEvent) -> None:
        self.events.append(event)
        if isinstance(event, LineRate) and not self.port.set_rate(event.bits_per_s):
            self.session.rate_refused(now_ms=self.now_ms)
        if isinstance(event, MessageReceived) and event.channel is Channel.DIAGNOSTICS:
            answer = answer_to(event.payload, self.session.counters)
            if answer is not None:
                self.session.send(Channel.DIAGNOSTICS, answer, now_ms=self.now_ms)

    async def until(self, event: LinkEvent) -> None:
        """Turn the crank until `event` has come."""
        async with asyncio.timeout(10):
            while event not in self.events:
                await self.turn()

    async def turn(self) -> None:
        """Do what can be done now, and let the others work."""
        self.session.receive(self.port.read(), now_ms=self.now_ms)
        self.session.on_deadline(now_ms=self.now_ms)
        while event := self.session.next_event():
            self._note(event)
        self.port.write(self.session.bytes_to_send(now_ms=self.now_ms))
        await asyncio.sleep(0.001)


async def echo_bank(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers every message with itself in capitals, cut in two."""
    with contextlib.suppress(asyncio.IncompleteReadError):
        while True:
            length = await reader.readexactly(2)
            message = await reader.readexactly(int.from_bytes(length, "big"))
            writer.write(length + message[:1].upper())
            await writer.drain()
            writer.write(message[1:].upper())
    writer.close()


async def rude_bank(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Takes a request and hangs up."""
    await reader.read(1)
    writer.close()


class Serving:
    """A gateway that runs, its bank, and what it has told its operator."""

    def __init__(self, gateway: Gateway, notices: list[str], bank_port: int) -> None:
        self.gateway = gateway
        self.notices = notices
        self.bank_port = bank_port


@contextlib.asynccontextmanager
async def serving(
    *ports: str,
    serve: Serve | None = echo_bank,
    tls: TlsSettings | None = None,
    pairing_key: bytes | None = None,
    server_tls: ssl.SSLContext | None = None,
    bits_per_s: int = RATE,
    max_bits_per_s: int | None = None,
    **more: Any,
) -> AsyncIterator[Serving]:
    """A gateway between `ports` and a bank on this machine; no bank when `serve` is None."""
    notices: list[str] = []
    server = await asyncio.start_server(serve or echo_bank, "127.0.0.1", 0, ssl=server_tls)
    bank_port = server.sockets[0].getsockname()[1]
    if serve is None:
        server.close()
    settings = GatewaySettings(
        ports, "127.0.0.1", bank_port, bits_per_s, max_bits_per_s, tls=tls, pairing_key=pairing_key
    )
    gateway = Gateway(settings, notice=notices.append, **more)
    task = asyncio.create_task(gateway.run())
    try:
        yield Serving(gateway, notices, bank_port)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        server.close()


def host(payload: bytes) -> MessageReceived:
    return MessageReceived(Channel.HOST, payload)


def status(value: BankStatus, request: bytes | None = None) -> MessageReceived:
    check = None if request is None else request_check(request)
    return MessageReceived(Channel.CONTROL, BankReport(value, check).encode())


@contextlib.contextmanager
def terminals(*ports: str) -> Iterator[list[Terminal]]:
    """A terminal on each port."""
    opened = [Terminal(open_port(port, RATE)) for port in ports]
    try:
        yield opened
    finally:
        for terminal in opened:
            terminal.port.close()


def run(
    scenario: Callable[[Terminal], Awaitable[None]], port: str, *, pairing_key: bytes | None = None
) -> None:
    """Run `scenario` with a terminal on `port`."""

    async def whole() -> None:
        terminal = Terminal(open_port(port, RATE), pairing_key)
        try:
            await scenario(terminal)
        finally:
            terminal.port.close()

    asyncio.run(whole())
