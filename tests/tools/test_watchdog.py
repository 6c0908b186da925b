"""What systemd is told, on a socket in place of its own."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.watchdog import Watchdog


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(tmp_path / "notify"))
        supervisor.setblocking(False)
        yield supervisor


def told(supervisor: socket.socket) -> list[str]:
    messages = []
    while True:
        try:
            messages.append(supervisor.recv(4096).decode())
        except BlockingIOError:
            return messages


def watchdog(supervisor: socket.socket, **environment: str) -> Watchdog:
    return Watchdog({"NOTIFY_SOCKET": supervisor.getsockname(), **environment})


def test_a_terminal_s_life(systemd: socket.socket) -> None:
    dog = watchdog(systemd, WATCHDOG_USEC="30000000", WATCHDOG_PID=str(os.getpid()))
    assert dog.every_ms == 10_000
    dog.ready()
    dog.pet(0, "idle")
    dog.pet(9_999, "idle")
    dog.pet(10_000, "card")
    dog.stopping()
    assert told(systemd) == [
        "READY=1",
        "STATUS=idle",
        "WATCHDOG=1",
        "STATUS=card",
        "WATCHDOG=1",
        "STOPPING=1",
    ]


@pytest.mark.parametrize(
    "environment", [{}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}]
)
def test_nobody_watches_this_process(systemd: socket.socket, environment: dict[str, str]) -> None:
    dog = watchdog(systemd, **environment)
    dog.pet(0)
    assert (dog.every_ms, told(systemd)) == (None, [])


def test_without_systemd_nothing_is_said_and_nothing_fails(tmp_path: Path) -> None:
    Watchdog({}).ready()
    Watchdog({"NOTIFY_SOCKET": str(tmp_path / "nobody"), "WATCHDOG_USEC": "3000000"}).pet(0, "idle")
    Watchdog({"NOTIFY_SOCKET": "@posterm-test-nobody"}).stopping()


def test_a_supervisor_that_does_not_read_stops_nobody(systemd: socket.socket) -> None:
    dog = watchdog(systemd, WATCHDOG_USEC="3000")
    for now_ms in range(5_000):
        dog.pet(now_ms)
    assert len(told(systemd)) < 5_000
