from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from host_link.control import BankStatus
from host_link.ports import NullModem, Port, open_port
from host_link.session import DownReason, LinkDown, LinkUp, PeerRestarted
from tests.host_link.gateway_bench import RATE, Terminal, echo_bank, host, rude_bank, run, serving, status


def test_requests_go_to_the_bank_and_answers_come_back(null_modem: NullModem) -> None:
    async def scenario(terminal: Terminal) -> None:
        async with serving(null_modem.path_b) as served:
            terminal.send(b"first")
            await terminal.until(host(b"FIRST"))
            terminal.send(b"second" * 100)
            await terminal.until(host(b"SECOND" * 100))
            assert served.notices[:2] == [f"serving {null_modem.path_b}", "the terminal is connected"]
        await terminal.until(LinkDown(DownReason.PEER_CLOSED))

    run(scenario, null_modem.path_a)


def test_a_bank_that_is_not_there_is_told_at_once(null_modem: NullModem) -> None:
    async def scenario(terminal: Terminal) -> None:
        async with serving(null_modem.path_b, serve=None) as served:
            terminal.send(b"first")
            await terminal.until(status(BankStatus.UNREACHABLE, b"first"))
            assert any("cannot be reached" in notice for notice in served.notices)

    run(scenario, null_modem.path_a)


def test_a_connection_that_breaks_is_told_and_made_again(null_modem: NullModem) -> None:
    count = 0

    async def moody_bank(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        await (rude_bank if count == 1 else echo_bank)(reader, writer)

    async def scenario(terminal: Terminal) -> None:
        async with serving(null_modem.path_b, serve=moody_bank):
            terminal.send(b"first")
            await terminal.until(status(BankStatus.LOST))
            terminal.send(b"second")
            await terminal.until(host(b"SECOND"))

    run(scenario, null_modem.path_a)


def test_a_restarted_terminal_is_served_on(null_modem: NullModem) -> None:
    async def scenario(terminal: Terminal) -> None:
        async with serving(null_modem.path_b) as served:
            terminal.send(b"first")
            await terminal.until(host(b"FIRST"))
            again = Terminal(terminal.port)
            again.send(b"second")
            await again.until(host(b"SECOND"))
            assert "the terminal has restarted" in served.notices
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
        async with serving(str(name)) as served:
            await asyncio.sleep(0.05)
            assert "cannot be opened" in served.notices[0]
            for _ in range(2):
                async with adapter() as modem:
                    terminal = Terminal(open_port(modem.path_a, RATE))
                    terminal.send(b"hello")
                    await terminal.until(host(b"HELLO"))
                    terminal.port.close()
            assert any("waiting for it to come back" in notice for notice in served.notices)

    asyncio.run(scenario())


def test_a_port_without_a_descriptor_is_read_by_a_thread() -> None:
    """`loop://` gives the gateway its own bytes back: it must neither fail nor think that it is up."""

    async def scenario() -> None:
        async with serving("loop://") as served:
            await asyncio.sleep(0.15)
            assert served.notices == ["serving loop://"]

    asyncio.run(scenario())


def test_the_terminal_hears_when_the_gateway_comes_late(null_modem: NullModem) -> None:
    async def scenario(terminal: Terminal) -> None:
        terminal.send(b"early")
        terminal.port.write(terminal.session.bytes_to_send(now_ms=terminal.now_ms))
        async with serving(null_modem.path_b):
            await terminal.until(host(b"EARLY"))
        assert terminal.events[0] == LinkUp()

    run(scenario, null_modem.path_a)


def test_the_gateway_works_over_somebody_else_s_cable(socat_pair: tuple[str, str]) -> None:
    async def scenario(terminal: Terminal) -> None:
        async with serving(socat_pair[1]):
            for size in (1, 300, 3_000):
                terminal.send(b"x" * size)
                await terminal.until(host(b"X" * size))

    run(scenario, socat_pair[0])


def test_the_gateway_works_over_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "line"

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen()
            listener.setblocking(False)
            async with serving(f"unix://{path}") as served:
                near, _ = await loop.sock_accept(listener)
                with near:
                    near.setblocking(False)
                    terminal = Terminal(SocketPort(near))
                    terminal.send(b"first")
                    await terminal.until(host(b"FIRST"))
                    # Hung up: the gateway comes back by itself.
                again, _ = await loop.sock_accept(listener)
                again.close()
                assert any("waiting for it to come back" in text for text in served.notices)

    asyncio.run(scenario())


class SocketPort(Port):
    """The far end of the gateway's socket, as a terminal's port."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def read(self, *, timeout_s: float = 0.0) -> bytes:
        with contextlib.suppress(BlockingIOError):
            return self._connection.recv(4096)
        return b""

    def write(self, data: bytes) -> None:
        if data:
            self._connection.send(data)


def test_a_paired_gateway_serves_a_terminal_with_its_key_only(null_modem: NullModem) -> None:
    key = bytes(range(32))

    async def paired(terminal: Terminal) -> None:
        async with serving(null_modem.path_b, pairing_key=key):
            terminal.send(b"first")
            await terminal.until(host(b"FIRST"))

    async def stranger(terminal: Terminal) -> None:
        async with serving(null_modem.path_b, pairing_key=key) as served:
            await terminal.until(LinkDown(DownReason.AUTHENTICATION))
            async with asyncio.timeout(10):
                while not any("is refused" in notice for notice in served.notices):
                    await terminal.turn()

    run(paired, null_modem.path_a, pairing_key=key)
    run(stranger, null_modem.path_a)
    run(stranger, null_modem.path_a, pairing_key=bytes(32))
