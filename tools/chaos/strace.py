"""Calls to the disk that fail, by strace: from a process's start on, or for a while in one that runs."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tools.durability.recording import why_not

_ATTACHED = "attached"


def options(calls: str, error: str, when: str, files: Sequence[Path]) -> list[str]:
    """Let `calls` on these files fail. `when`: "3" the third, "3+" from then on, "1+2" every other one."""
    paths = [option for file in files for option in ("-P", str(file))]
    return ["-f", *paths, "-e", f"trace={calls}", "-e", f"inject={calls}:error={error}:when={when}"]


def starting(log: Path, chosen: Sequence[str]) -> list[str]:
    """What comes before a command whose calls are to fail: strace runs beside it, signals reach it itself."""
    return ["strace", "-D", "-qq", "--seccomp-bpf", "-o", str(log), *chosen]


@contextlib.contextmanager
def failing(pid: int, chosen: Sequence[str]) -> Iterator[None]:
    """Let the calls of a process that runs fail, until the `with` is left; nothing if it has ended."""
    command = ["strace", "-o", "/dev/null", *chosen, "-p", str(pid)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
        try:
            assert tracer.stderr is not None
            tracer.stderr.readline()  # that it is attached, or why not
            yield
        finally:
            tracer.terminate()


def why_not_attached() -> str:
    """Why the calls of a process that runs cannot be made to fail on this machine; empty when they can."""
    if reason := why_not():
        return reason
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        try:
            tried = subprocess.Popen(
                ["strace", "-o", "/dev/null", "-p", str(other.pid)], stderr=subprocess.PIPE, text=True
            )
            with tried:
                assert tried.stderr is not None
                first = tried.stderr.readline()
                tried.terminate()
        finally:
            other.kill()
    return "" if _ATTACHED in first else "strace may not attach to a process here"
