"""The bank on a real loopback port: frames in every cut, several clients, and clean ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from bank.errors import ListenError
from bank.faults import Fault, FaultKind
from bank.server import BankServer, serve
from tests.bank.till import NOW, UNIONPAY, Till
from wire.iso8583 import IsoMessage, frame

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
ECHO = "00000001301"

clients: list[asyncio.StreamWriter] = []


@asynccontextmanager
async def serving(till: Till) -> AsyncIterator[BankServer]:
    server = await serve(till.bank, clock=lambda: NOW)
    try:
        yield server
    finally:
        server.close()
        await server.wait_closed()
        await hang_up()
        assert server.connection_count == 0


async def connect(server: BankServer) -> Streams:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    clients.append(writer)
    return reader, writer


async def hang_up() -> None:
    while clients:
        writer = clients.pop()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def receive(reader: asyncio.StreamReader) -> IsoMessage:
    length = int.from_bytes(await reader.readexactly(2), "big")
    return UNIONPAY.decode(await reader.readexactly(length))


async def ended(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read() == b""
    except ConnectionError:
        return True


def echo_message(till: Till) -> bytes:
    return till.pack("0820", {11: till.next_trace(), 60: ECHO}, mac=False)


def over_loopback(till: Till, story: Callable[[BankServer], Awaitable[None]]) -> None:
    async def run() -> None:
        async with serving(till) as server:
            await asyncio.wait_for(story(server), timeout=10)

    asyncio.run(run())


def test_a_message_in_single_bytes_and_three_in_one_piece(fresh_till: Till) -> None:
    async def story(server: BankServer) -> None:
        reader, writer = await connect(server)
        for byte in frame(echo_message(fresh_till)):
            writer.write(bytes([byte]))
            await writer.drain()
        assert (await receive(reader)).text(39) == "00"
        writer.write(b"".join(frame(echo_message(fresh_till)) for _ in range(3)))
        traces = [(await receive(reader)).text(11) for _ in range(3)]
        assert traces == ["000002", "000003", "000004"]

    over_loopback(fresh_till, story)


def test_an_answer_in_pieces_arrives_whole_and_a_truncated_one_is_the_end(fresh_till: Till) -> None:
    async def story(server: BankServer) -> None:
        reader, writer = await connect(server)
        fresh_till.bank.faults.add(Fault(FaultKind.SPLIT))
        writer.write(frame(echo_message(fresh_till)))
        assert (await receive(reader)).text(39) == "00"
        fresh_till.bank.faults.add(Fault(FaultKind.TRUNCATE))
        writer.write(frame(echo_message(fresh_till)))
        rest = await reader.read()
        assert 0 < len(rest) - 2 < int.from_bytes(rest[:2], "big")

    over_loopback(fresh_till, story)


def test_a_payment_over_tcp_by_two_connections(till: Till) -> None:
    async def story(server: BankServer) -> None:
        reader, writer = await connect(server)
        writer.write(frame(till.pack("0100", till.authorise_fields())))
        authorised = await receive(reader)
        reader, writer = await connect(server)
        writer.write(frame(till.pack("0100", till.verify_fields(authorised))))
        assert (await receive(reader)).text(39) == "00"
        writer.write(frame(till.pack("0220", till.completion_fields(authorised))))
        assert (await receive(reader)).text(39) == "00"

    over_loopback(till, story)
    assert till.merchant_minor() == 1234


@pytest.mark.parametrize("nonsense", [b"\xff\xff" + b"x" * 100, frame(b"GET / HTTP/1.1\r\n\r\n")])
def test_nonsense_is_hung_up_on_after_the_good_message_before_it(fresh_till: Till, nonsense: bytes) -> None:
    async def story(server: BankServer) -> None:
        reader, writer = await connect(server)
        writer.write(frame(echo_message(fresh_till)) + nonsense)
        assert (await receive(reader)).text(39) == "00"
        writer.write(frame(echo_message(fresh_till)))
        assert await ended(reader)
        reader, writer = await connect(server)
        writer.write(frame(echo_message(fresh_till)))
        assert (await receive(reader)).text(39) == "00"

    over_loopback(fresh_till, story)


def test_faults_of_the_connection(till: Till) -> None:
    faults = till.bank.faults

    async def story(server: BankServer) -> None:
        faults.add(Fault(FaultKind.REFUSE_CONNECTION))
        reader, _writer = await connect(server)
        assert await ended(reader)

        faults.add(Fault(FaultKind.CLOSE_AFTER_POSTING))
        reader, writer = await connect(server)
        writer.write(frame(till.pack("0200", till.purchase_fields())))
        assert await ended(reader)

        # The delayed answer is overtaken by the one that is not delayed.
        faults.add(Fault(FaultKind.DELAY, delay_ms=50))
        reader, writer = await connect(server)
        writer.write(frame(echo_message(till)) + frame(echo_message(till)))
        first, second = await receive(reader), await receive(reader)
        assert int(first.text(11)) == int(second.text(11)) + 1

    over_loopback(till, story)
    assert till.merchant_minor() == 1234


def test_breaking_all_connections_and_going_on(fresh_till: Till) -> None:
    async def story(server: BankServer) -> None:
        reader, writer = await connect(server)
        writer.write(frame(echo_message(fresh_till)))
        await receive(reader)
        assert server.drop_connections() == 1
        assert await ended(reader)
        reader, writer = await connect(server)
        writer.write(frame(echo_message(fresh_till)))
        assert (await receive(reader)).text(39) == "00"
        assert server.is_serving()

    over_loopback(fresh_till, story)


def test_silence_is_hung_up_on(fresh_till: Till) -> None:
    async def run() -> None:
        server = await serve(fresh_till.bank, clock=lambda: NOW, idle_timeout_s=0.01)
        reader, _writer = await connect(server)
        assert await asyncio.wait_for(ended(reader), timeout=10)
        server.close()
        await server.wait_closed()
        await hang_up()

    asyncio.run(run())


def test_a_taken_port_is_said_in_one_line(fresh_till: Till) -> None:
    async def story(server: BankServer) -> None:
        with pytest.raises(ListenError) as caught:
            await serve(fresh_till.bank, port=server.port)
        assert str(caught.value) == f"cannot listen on 127.0.0.1:{server.port}: the port is in use"
        with pytest.raises(ListenError):
            await serve(fresh_till.bank, "256.256.256.256", 0)

    over_loopback(fresh_till, story)
