"""The bank's socket: 100,000 connections opened and dropped, while another client is served.

They are dropped in every manner: at once, after half a message, after nonsense, after a length that is none,
and before the answer is read. What the process holds afterwards, in file descriptors and in memory, is told
beside the speed, because a server that keeps something of each connection is soon full.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
import struct
import time
import tracemalloc
from datetime import datetime
from pathlib import Path

from bank.provision import DEMO_MID, DEMO_TID, demo_bank
from bank.server import LOOPBACK, BankServer, serve
from tools.bench.measure import Measurement
from wire.iso8583 import IsoMessage, dialect, frame

CONNECTIONS = 100_000
WARM = 5_000  # until the allocator has its arenas
AT_A_TIME = 50  # fewer than the system keeps for a server that is busy
NOW = datetime.fromisoformat("2026-05-21 09:30:15")
ECHO = frame(
    dialect("unionpay").encode(
        IsoMessage("0820", {11: "000001", 41: DEMO_TID, 42: DEMO_MID, 60: "00000001301"}, tpdu="6000060000")
    )
)
MANNERS = (b"", ECHO[:20], b"GET / HTTP/1.1\r\n\r\n", b"\xff\xff" + bytes(30), ECHO, ECHO[:1])
"""What is said before the connection is dropped."""
_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: close by a reset, which leaves no port in TIME_WAIT


async def open_and_drop(server: BankServer, count: int) -> None:
    """Open so many connections to the server, and drop them; returns when it has none any more.

    Raises TimeoutError when it keeps some.
    """
    for begin in range(0, count, AT_A_TIME):
        clients = [_open(server.port, begin + number) for number in range(min(AT_A_TIME, count - begin))]
        await asyncio.sleep(0)
        for client in clients:
            client.close()
        await asyncio.sleep(0)
    for _ in range(10_000):
        if not server.connection_count:
            return
        await asyncio.sleep(0.001)
    raise TimeoutError(f"the server still has {server.connection_count} connections that are gone")


def _open(port: int, number: int) -> socket.socket:
    client = socket.create_connection((LOOPBACK, port))
    if number % 10:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    client.send(MANNERS[number % len(MANNERS)])
    return client


async def echo(port: int) -> float:
    """Ask once for an echo, on a connection of its own; the seconds that it took."""
    began = time.perf_counter()
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    writer.write(ECHO)
    length = int.from_bytes(await reader.readexactly(2), "big")
    await reader.readexactly(length)
    writer.close()
    await writer.wait_closed()
    return time.perf_counter() - began


def open_files() -> int:
    """How many file descriptors the process has."""
    return len(list(Path(f"/proc/{os.getpid()}/fd").iterdir()))


def held_bytes() -> int:
    """How many bytes Python's objects hold now; `tracemalloc` must be on."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def measure() -> list[Measurement]:
    """The full number, in one process with the server."""
    log = logging.getLogger("posterm.bank")
    level = log.level
    log.setLevel(logging.ERROR)  # each connection that says nonsense is told of
    try:
        return asyncio.run(_measure())
    finally:
        log.setLevel(level)


async def _measure() -> list[Measurement]:
    bank = demo_bank(now=NOW)
    server = await serve(bank, clock=lambda: NOW)
    await open_and_drop(server, WARM)
    files, resident = open_files(), _resident_bytes()
    began = time.perf_counter()
    dropping = asyncio.create_task(open_and_drop(server, CONNECTIONS))
    waits = []
    while not dropping.done():
        waits.append(await echo(server.port))
        await asyncio.sleep(0.05)
    await dropping
    seconds = time.perf_counter() - began
    files_left, grown = open_files() - files, _resident_bytes() - resident
    server.close()
    await server.wait_closed()
    bank.close()
    left = {"descriptors left": float(files_left), "KiB left": grown / 1024}
    return [
        Measurement("bank: connections dropped", CONNECTIONS / seconds, "1/s", references=left),
        Measurement("bank: longest echo meanwhile", 1000 * max(waits), "ms"),
    ]


def _resident_bytes() -> int:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
