"""The terminal as systemd would run it: it reports that it is up, that it is alive, and that it goes."""

import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from host_link.ports import NullModem

WAIT_S = 30


def told(supervisor: socket.socket, wanted: str) -> list[str]:
    """Everything up to and with the message that is wanted."""
    messages: list[str] = []
    while wanted not in messages:
        ready, _, _ = select.select([supervisor], [], [], WAIT_S)
        assert ready, messages
        messages.append(supervisor.recv(4096).decode())
    return messages


@pytest.mark.slow
def test_the_terminal_s_own_loop_pets_the_watchdog(tmp_path: Path) -> None:
    modem = NullModem()
    environment = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "300000"}
    environment.pop("WATCHDOG_PID", None)
    command = [sys.executable, "-m", "tools.cli", "terminal", "--profile", "headless", "--link", modem.path_a]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(environment["NOTIFY_SOCKET"])
        terminal = subprocess.Popen(
            [*command, "--state", str(tmp_path / "state")],
            env=environment,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            assert told(supervisor, "READY=1") == ["READY=1"]
            told(supervisor, "WATCHDOG=1")
            told(supervisor, "WATCHDOG=1")
            os.kill(terminal.pid, signal.SIGSTOP)  # a loop that stands still says nothing
            while select.select([supervisor], [], [], 0.5)[0]:
                supervisor.recv(4096)
            os.kill(terminal.pid, signal.SIGCONT)
            told(supervisor, "WATCHDOG=1")
            terminal.send_signal(signal.SIGTERM)
            told(supervisor, "STOPPING=1")
            assert terminal.wait(WAIT_S) == 0
        finally:
            terminal.kill()
            terminal.wait()
            modem.close()
