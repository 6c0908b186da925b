from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from host_link.control import BankReport, BankStatus, request_check
from host_link.gateway import GatewaySettings, run_gateway
from host_link.handshake import Role
from host_link.ports import NullModem, Port, open_port
from host_link.session import (
    Channel,
    DownReason,
    LinkDown,
    LinkEvent,
    LinkUp,
    MessageReceived,
    PeerRestarted,
    Session,
)

RATE = 10_000_000
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Terminal:
    """The link's other end, on a real port."""

    def __init__(self, port: Port) -> None:
        self.port = port
        self.session = Session(Role.TERMINAL, nonce=int.from_bytes(os.urandom(4), "big"), bits_per_s=RATE)
        self.session.open(now_ms=self.now_ms)
        self.events: list[LinkEvent] = []

    @property
    def now_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000

    def send(self, payload: bytes) -> None:
        self.session.send(Channel.HOST, payload, now_ms=self.now_ms)

    async def until(self, event: LinkEvent) -> None:
        """Turn the crank until `event` has come."""
        async with asyncio.timeout(10):
            while event not in self.events:
                self.session.receive(self.port.read(), now_ms=self.now_ms)
                self.session.on_deadline(now_ms=self.now_ms)
                while got := self.session.next_event():
                    self.events.append(got)
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


@contextlib.asynccontextmanager
async def serving(port: str, serve: Serve | None = echo_bank) -> AsyncIterator[list[str]]:
    """A gateway between `port` and a bank on this machine; no bank when `serve` is None."""
    notices: list[str] = []
    server = await asyncio.start_server(serve or echo_bank, "127.0.0.1", 0)
    bank_port = server.sockets[0].getsockname()[1]
    if serve is None:
        server.close()
    settings = GatewaySettings((port,), "127.0.0.1", bank_port, bits_per_s=RATE)
    task = asyncio.create_task(run_gateway(settings, notice=notices.append))
    try:
        yield notices
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


def run(scenario: Callable[[Terminal], Awaitable[None]], port: str) -> None:
    """Run `scenario` with a terminal on `port`."""

    async def whole() -> None:
        terminal = Terminal(open_port(port, RATE))
        try:
            await scenario(terminal)
        finally:
            terminal.port.close()

    asyncio.run(whole())


def test_requests_go_to_the_bank_and_answers_come_back(null_modem: NullModem) -> None:
    async def scenario(terminal: Terminal) -> None:
        async with serving(null_modem.path_b) as notices:
            terminal.send(b"first")
            await terminal.until(host(b"FIRST"))
            terminal.send(b"second" * 100)
            await terminal.until(host(b"SECOND" * 100))
            assert notices[:2] == [f"serving {null_modem.path_b}", "the terminal is connected"]
        await terminal.until(LinkDown(DownReason.PEER_CLOSED))

    run(scenario, null_modem.path_a)


def test_a_bank_that_is_not_there_is_told_at_once(null_modem: NullModem) -> None:
    async def scenario(terminal: Terminal) -> None:
        async with serving(null_modem.path_b, None) as notices:
            terminal.send(b"first")
            await terminal.until(status(BankStatus.UNREACHABLE, b"first"))
            assert any("cannot be reached" in notice for notice in notices)

    run(scenario, null_modem.path_a)


def test_a_connection_that_breaks_is_told_and_made_again(null_modem: NullModem) -> None:
    served = 0

    async def moody_bank(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        served += 1
        await (rude_bank if served == 1 else echo_bank)(reader, writer)

    async def scenario(terminal: Terminal) -> None:
        async with serving(null_modem.path_b, moody_bank):
            terminal.send(b"first")
            await terminal.until(status(BankStatus.LOST))
            terminal.send(b"second")
            await terminal.until(host(b"SECOND"))

    run(scenario, null_modem.path_a)


def test_a_restarted_terminal_is_served_on(null_modem: NullModem) -> None:
    async def scenario(terminal: Terminal) -> None:
        async with serving(null_modem.path_b) as notices:
            terminal.send(b"first")
            await terminal.until(host(b"FIRST"))
            again = Terminal(terminal.port)
            again.send(b"second")
            await again.until(host(b"SECOND"))
            assert "the terminal has restarted" in notices
            assert PeerRestarted() not in again.events

    run(scenario, null_modem.path_a)


def test_a_restarted_gateway_is_noticed(null_modem: NullModem) -> None:
    async def scenario(terminal: Terminal) -> None:
        for word in (b"first", b"second"):
            async with serving(null_modem.path_b):
                terminal.send(word)
                await terminal.until(host(word.upper()))
            await terminal.until(LinkDown(DownReason.PEER_CLOSED))
            terminal.events.clear()

    run(scenario, null_modem.path_a)


@pytest.mark.slow
def test_a_port_that_vanishes_is_waited_for(tmp_path: Path) -> None:
    """The adapter is pulled and comes back under the same name."""
    name = tmp_path / "adapter"

    async def pump(modem: NullModem) -> None:
        while True:
            modem.pump()
            await asyncio.sleep(0.001)

    @contextlib.asynccontextmanager
    async def adapter() -> AsyncIterator[NullModem]:
        modem = NullModem()
        name.unlink(missing_ok=True)
        name.symlink_to(modem.path_b)
        task = asyncio.create_task(pump(modem))
        try:
            yield modem
        finally:
            task.cancel()
            modem.close()

    async def scenario() -> None:
        async with serving(str(name)) as notices:
            await asyncio.sleep(0.05)
            assert "cannot be opened" in notices[0]
            for _ in range(2):
                async with adapter() as modem:
                    terminal = Terminal(open_port(modem.path_a, RATE))
                    terminal.send(b"hello")
                    await terminal.until(host(b"HELLO"))
                    terminal.port.close()
            assert any("waiting for it to come back" in notice for notice in notices)

    asyncio.run(scenario())


def test_a_port_without_a_descriptor_is_read_by_a_thread() -> None:
    """`loop://` gives the gateway its own bytes back: it must neither fail nor think that it is up."""

    async def scenario() -> None:
        async with serving("loop://") as notices:
            await asyncio.sleep(0.15)
            assert notices == ["serving loop://"]

    asyncio.run(scenario())


def test_the_terminal_hears_when_the_gateway_comes_late(null_modem: NullModem) -> None:
    async def scenario(terminal: Terminal) -> None:
        terminal.send(b"early")
        terminal.port.write(terminal.session.bytes_to_send(now_ms=terminal.now_ms))
        async with serving(null_modem.path_b):
            await terminal.until(host(b"EARLY"))
        assert terminal.events[0] == LinkUp()

    run(scenario, null_modem.path_a)
