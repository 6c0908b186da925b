"""Clients that no bank wishes for: slow, silent, deaf, loud, wrong, and very many. The others are served."""

from __future__ import annotations

import asyncio
import logging
import socket
import tracemalloc
from collections.abc import Awaitable, Callable
from datetime import datetime

import pytest

from bank.authoriser import Bank
from bank.faults import BankFaults
from bank.replies import Reply
from bank.server import BankServer, serve
from tests.bank.till import NOW, Till
from tools.bench.bank_socket import ECHO, echo, held_bytes, open_and_drop, open_files
from wire.iso8583 import frame

MANY = 1_000
IDLE_S = 0.15

Story = Callable[[BankServer], Awaitable[None]]


class LoudBank(Bank):
    """A bank whose answers are long, so that it does not take many to fill what the system keeps."""

    def __init__(self) -> None:
        self.faults = BankFaults()

    def handle(self, message: bytes, *, now: datetime) -> list[Reply]:
        return [Reply(bytes(8_000))]


def serving(bank: Bank, story: Story, idle_timeout_s: float = 60.0) -> None:
    async def run() -> None:
        server = await serve(bank, clock=lambda: NOW, idle_timeout_s=idle_timeout_s)
        try:
            await asyncio.wait_for(story(server), timeout=30)
        finally:
            server.close()
            await server.wait_closed()
        assert server.connection_count == 0

    asyncio.run(run())


async def ended(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read() == b""
    except ConnectionError:
        return True


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(2_000):
        if condition():
            return
        await asyncio.sleep(0.005)
    pytest.fail("it does not happen")


def test_slow_senders_are_served_and_others_meanwhile(fresh_till: Till) -> None:
    async def story(server: BankServer) -> None:
        slow = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(20)]
        for byte in ECHO[:-1]:
            for _, writer in slow:
                writer.write(bytes([byte]))
                await writer.drain()
            await asyncio.sleep(0)
            if byte % 8 == 0:
                await echo(server.port)
        for reader, writer in slow:
            writer.write(ECHO[-1:])
            length = int.from_bytes(await reader.readexactly(2), "big")
            assert len(await reader.readexactly(length)) == length
            writer.close()

    serving(fresh_till.bank, story)


@pytest.mark.parametrize("half", [b"", ECHO[:1], ECHO[:2], ECHO[:-1]], ids=["nothing", "1", "2", "all but 1"])
def test_half_a_message_and_silence_is_hung_up_on(fresh_till: Till, half: bytes) -> None:
    async def story(server: BankServer) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(half)
        assert await ended(reader)
        await echo(server.port)
        writer.close()

    serving(fresh_till.bank, story, IDLE_S)


def test_who_reads_nothing_is_hung_up_on_and_others_are_served_meanwhile() -> None:
    async def story(server: BankServer) -> None:
        for listening in server.sockets:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        files = open_files()
        deaf = socket.create_connection(("127.0.0.1", server.port))
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        deaf.send(frame(b"more") * 1_000)
        await until(lambda: server.connection_count == 1)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(frame(b"one"))
        assert len(await reader.readexactly(8_002)) == 8_002
        writer.close()
        await until(lambda: server.connection_count == 0)
        await until(lambda: open_files() == files + 1)  # the deaf client's own end
        deaf.close()

    serving(LoudBank(), story, IDLE_S)


@pytest.mark.parametrize(
    "wrong",
    [
        b"\xff\xff",
        b"\xff\xff" + bytes(70_000),
        frame(b"GET / HTTP/1.1\r\n\r\n"),
        frame(bytes(2_000)),
        frame(bytes.fromhex("6000060000") + b"\xff" * 500),
    ],
    ids=["a length that is none", "and much behind it", "another protocol", "zeros", "a bitmap of ones"],
)
def test_what_is_no_message_is_hung_up_on_at_once(fresh_till: Till, wrong: bytes) -> None:
    async def story(server: BankServer) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(ECHO + wrong)
        length = int.from_bytes(await reader.readexactly(2), "big")
        await reader.readexactly(length)  # what came before is answered
        assert await ended(reader)
        await echo(server.port)
        writer.close()

    serving(fresh_till.bank, story)


def test_very_many_connections_leave_nothing_behind(
    fresh_till: Till, caplog: pytest.LogCaptureFixture
) -> None:
    """All 100,000 of them: `make bench ARGS=bank-socket`."""
    caplog.set_level(logging.ERROR, "posterm.bank")  # pytest keeps what is logged

    async def story(server: BankServer) -> None:
        tracemalloc.start()
        try:
            await open_and_drop(server, 300)
            files, before = open_files(), held_bytes()
            dropping = asyncio.create_task(open_and_drop(server, MANY))
            await echo(server.port)
            assert not dropping.done(), "somebody else is served meanwhile"
            await dropping
            assert open_files() <= files
            assert held_bytes() - before < 40 * MANY, "a connection that is kept holds some kilobytes"
        finally:
            tracemalloc.stop()
        await echo(server.port)

    serving(fresh_till.bank, story)
