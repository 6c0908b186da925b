"""The gateway's control socket: a Unix socket on which a running gateway tells its numbers.

One line of JSON asks, one line of JSON answers:

    {"ask": "stats", "peers": false}     {"version": 1, "gateways": [...]}
    anything else                        {"version": 1, "error": "..."}
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from host_link.errors import ControlUnusable

VERSION = 1
_LINE_BYTES_MAX = 4096
_ASK_TIMEOUT_S = 10.0

Stats = Callable[[bool], Awaitable[list[dict[str, Any]]]]
"""Gives the numbers of every gateway; the argument: also those of the terminals."""


@contextlib.asynccontextmanager
async def control_socket(path: Path, stats: Stats) -> AsyncIterator[None]:
    """Answer on a socket at `path`, which only this user may use, while the block runs.

    Raises ControlUnusable. A socket that a gateway has left behind is replaced.
    """
    _clear(path)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ValueError):  # it hung up, or the line is too long
            answer = {"version": VERSION} | await _answer(await reader.readline(), stats)
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        writer.close()

    mask = os.umask(0o177)
    try:
        server = await asyncio.start_unix_server(serve, path, limit=_LINE_BYTES_MAX)
    except OSError as error:
        raise ControlUnusable(f"{path}: no control socket can be made there: {error.strerror}") from None
    finally:
        os.umask(mask)
    try:
        yield
    finally:
        server.close()
        _remove(path)


async def _answer(line: bytes, stats: Stats) -> dict[str, Any]:
    try:
        question = json.loads(line)
    except ValueError:
        question = None
    if not isinstance(question, dict) or question.get("ask") != "stats":
        return {"error": 'ask {"ask": "stats"}'}
    return {"gateways": await stats(question.get("peers") is True)}


def _clear(path: Path) -> None:
    """Remove a socket on which nobody answers. Raises ControlUnusable for anything else of that name."""
    if not path.is_socket():
        if path.exists():
            raise ControlUnusable(f"{path} exists and is no socket: give another name")
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        except OSError as error:
            raise ControlUnusable(f"{path}: {error.strerror}") from None
        else:
            raise ControlUnusable(f"{path} is another gateway's control socket: give another name")


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def ask_stats(path: Path, *, peers: bool = False) -> dict[str, Any]:
    """Ask the gateway at `path`; returns its answer. Raises ControlUnusable."""
    question = json.dumps({"ask": "stats", "peers": peers}).encode() + b"\n"
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_ASK_TIMEOUT_S)
            connection.connect(str(path))
            connection.sendall(question)
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
    except OSError as error:
        hint = "is a gateway running with this --control?"
        raise ControlUnusable(f"{path}: nobody answers ({error.strerror or 'timeout'}): {hint}") from None
    try:
        decoded: dict[str, Any] = json.loads(answer)
    except ValueError:
        raise ControlUnusable(f"{path}: what answers there is no gateway") from None
    return decoded
