"""The bank on a TCP port: the only file of the bank with sockets and a wall clock.

Frames are two length bytes and a message. Each connection is read in turn and answered in the order of its
requests; one Bank serves all of them, one request at a time, so requests never meet inside the ledger.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final

from bank.authoriser import Bank, Reply
from bank.connection import IDLE_TIMEOUT_S, Connection
from bank.errors import ListenError
from bank.faults import FaultKind

LOOPBACK: Final = "127.0.0.1"
READ_BYTES_MAX: Final = 16 * 1024

logger = logging.getLogger("posterm.bank")


def wall_clock() -> datetime:
    """The local time, as a bank's clock shows it."""
    return datetime.now().astimezone()


class BankServer(asyncio.AbstractServer):
    """A listening bank. Made by `serve`; used like an `asyncio.Server`."""

    def __init__(self, bank: Bank, *, clock: Callable[[], datetime], idle_timeout_s: float | None) -> None:
        self._bank = bank
        self._clock = clock
        self._idle_timeout_s = idle_timeout_s
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}

    async def listen(self, host: str, port: int) -> None:
        """Bind and start to accept. `port` 0 takes a free one. Raises ListenError."""
        try:
            self._server = await asyncio.start_server(self._serve_connection, host, port)
        except OSError as error:
            reason = (
                "the port is in use" if error.errno == errno.EADDRINUSE else (error.strerror or str(error))
            )
            raise ListenError(f"cannot listen on {host}:{port}: {reason}") from None

    @property
    def sockets(self) -> Sequence[socket.socket]:
        """The listening sockets; empty when closed."""
        return self._server.sockets if self._server else ()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        assert self.sockets, "the server is not listening"
        return int(self.sockets[0].getsockname()[1])

    @property
    def connection_count(self) -> int:
        """How many terminals or gateways are connected now."""
        return len(self._connections)

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The loop that it runs in."""
        assert self._server is not None
        return self._server.get_loop()

    def is_serving(self) -> bool:
        """Whether it accepts connections."""
        return self._server is not None and self._server.is_serving()

    async def start_serving(self) -> None:
        """Nothing to do: `serve` returns a server that accepts already."""

    async def serve_forever(self) -> None:
        """Serve until cancelled or closed."""
        assert self._server is not None
        await self._server.serve_forever()

    def close(self) -> None:
        """Stop accepting and hang up on everybody; what was decided is on disk. May be called twice."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._connections):
            writer.close()

    def drop_connections(self) -> int:
        """Hang up on everybody and go on accepting, as a line that breaks; how many there were."""
        writers = list(self._connections)
        for writer in writers:
            writer.transport.abort()
        return len(writers)

    async def wait_closed(self) -> None:
        """Wait until every connection is really gone."""
        tasks = [task for task in self._connections.values() if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()

    # --- one connection --------------------------------------------------------------------------

    async def _serve_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._bank.faults.take(FaultKind.REFUSE_CONNECTION):
            writer.transport.abort()
            return
        self._connections[writer] = asyncio.current_task()
        try:
            await self._answer_all(reader, writer)
            writer.close()
            async with asyncio.timeout(self._idle_timeout_s):
                await writer.wait_closed()
        except TimeoutError:
            logger.info("connection idle, closed")
            writer.transport.abort()  # to close it would wait until everything that was written is read
        except ConnectionError:
            with suppress(ConnectionError):
                await writer.wait_closed()  # it is gone; asyncio wants to have told somebody why
        except asyncio.CancelledError:
            pass  # the server is being stopped
        finally:
            self._connections.pop(writer, None)
            writer.close()

    async def _answer_all(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client until it or we hang up. TimeoutError: it says nothing, or reads nothing."""
        connection = Connection(lambda message: self._bank.handle(message, now=self._clock()))
        while not connection.is_over:
            async with asyncio.timeout(self._idle_timeout_s):
                data = await reader.read(READ_BYTES_MAX)
            if not data:
                return
            for reply in connection.receive(data):
                async with asyncio.timeout(self._idle_timeout_s):
                    await _send(writer, reply)


async def _send(writer: asyncio.StreamWriter, reply: Reply) -> None:
    """Send what is due, put off what is delayed."""
    if reply.message and reply.delay_ms:
        asyncio.get_running_loop().call_later(reply.delay_ms / 1000, _write_late, writer, reply)
    elif reply.in_pieces:
        for piece in reply.frame():
            writer.write(bytes([piece]))
            await writer.drain()
            await asyncio.sleep(0)
    elif reply.message:
        writer.write(reply.frame())
    await writer.drain()


def _write_late(writer: asyncio.StreamWriter, reply: Reply) -> None:
    if not writer.is_closing():
        writer.write(reply.frame())


async def serve(
    bank: Bank,
    host: str = LOOPBACK,
    port: int = 0,
    *,
    clock: Callable[[], datetime] = wall_clock,
    idle_timeout_s: float | None = IDLE_TIMEOUT_S,
) -> BankServer:
    """Listen on `host`:`port` (0: a free port, see `BankServer.port`) and answer for `bank`.

    `clock` gives the bank's time at each request; `idle_timeout_s` ends silent connections (None: never).
    Stop it with `close()` and `await wait_closed()`. Raises ListenError if the address cannot be had.
    """
    server = BankServer(bank, clock=clock, idle_timeout_s=idle_timeout_s)
    await server.listen(host, port)
    return server
