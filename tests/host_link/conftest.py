from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from host_link.ports import NullModem


@contextlib.contextmanager
def turning(modem: NullModem) -> Iterator[NullModem]:
    """A null modem that a thread turns."""
    ended = threading.Event()

    def turn() -> None:
        while not ended.is_set():
            modem.pump(timeout_s=0.02)

    thread = threading.Thread(target=turn)
    thread.start()
    try:
        yield modem
    finally:
        ended.set()
        thread.join()
        modem.close()


@pytest.fixture
def null_modem() -> Iterator[NullModem]:
    with turning(NullModem()) as modem:
        yield modem


@pytest.fixture
def socat_pair(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Two pseudo-terminals joined by socat: somebody else's cable."""
    if shutil.which("socat") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("socat is not installed: CI must have it (apt install socat)")
        pytest.skip("socat is not installed: sudo apt install socat")
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    command = ["socat", "-d", "-d", f"pty,raw,echo=0,link={one}", f"pty,raw,echo=0,link={two}"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while "starting data transfer loop" not in (line := process.stderr.readline()):
            assert line, "socat ended before it was ready"
        yield one, two
        process.terminate()
        process.stderr.read()
