"""A part of the system as a process, whose output goes to a file: killed, squeezed and started again."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[2]
_TIED = (sys.executable, "-I", "-S", str(Path(__file__).with_name("tied.py")))
PATIENCE_S = 60.0
"""How long a process may take to end when it was asked to."""


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Ctrl-C, and SIGTERM if there is a handler, wait: who is not known yet could not be ended."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    own = {number: handler for number, handler in handlers.items() if callable(handler)}
    waiting: list[int] = []
    for number in own:
        signal.signal(number, lambda received, _frame: waiting.append(received))
    try:
        yield
    finally:
        for number, handler in own.items():
            signal.signal(number, handler)
        for received in waiting:
            signal.raise_signal(received)


@dataclass
class Part:
    """One part; `command` starts it. Not running until `start`."""

    name: str
    folder: Path
    command: Sequence[str]
    starts: int = 0
    lines: list[str] = field(default_factory=list)  # written since the last start
    _process: subprocess.Popen[str] | None = field(default=None, repr=False)
    _reader: threading.Thread | None = field(default=None, repr=False)

    @property
    def log(self) -> Path:
        """Everything that it has written since the first start."""
        return self.folder / f"{self.name}.log"

    @property
    def is_running(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def process_id(self) -> int | None:
        """The system's number for it; None when it does not run."""
        return self._process.pid if self._process is not None and self.is_running else None

    def start(
        self, *options: str, environment: Mapping[str, str] | None = None, under: Sequence[str] = ()
    ) -> None:
        """Start it (again), from the main thread: on Linux it ends when that does, however that ends.

        `under`: a program that is to start it, in the same process.
        """
        tied = (*_TIED, str(os.getpid())) if sys.platform == "linux" else ()
        self.starts += 1
        self.lines = []
        with _undisturbed():
            self._process = subprocess.Popen(
                [*tied, *under, sys.executable, "-u", *self.command, *options],
                cwd=self.folder,
                env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
            )
            assert self._process.stdout is not None
            read = (self._process.stdout, self.lines)
            self._reader = threading.Thread(target=self._read, args=read, daemon=True)
            self._reader.start()

    def _read(self, output: IO[str], lines: list[str]) -> None:
        """By a pipe, for a log file of its own could not grow while its disk is full."""
        with output, self.log.open("a", encoding="utf-8") as log:
            for line in output:
                lines.append(line.rstrip("\n"))
                log.write(line)

    def kill(self) -> None:
        """SIGKILL: as a power cut. Nothing happens to one that has ended already."""
        if self._process is not None:
            self._process.kill()
            self._ended(self._process)

    def terminate(self) -> int:
        """SIGTERM, and the exit code. Raises subprocess.TimeoutExpired: it does not end."""
        assert self._process is not None
        self._process.terminate()
        return self._ended(self._process)

    def _ended(self, process: subprocess.Popen[str]) -> int:
        code = process.wait(PATIENCE_S)
        self.read_to_the_end()
        return code

    def read_to_the_end(self) -> None:
        """Until `lines` has all that one which has ended wrote."""
        if self._reader is not None:
            self._reader.join()

    def limit_files(self, size_bytes: int) -> None:
        """No file may grow beyond this (RLIMIT_FSIZE): to the process its disk is full."""
        self._limit(size_bytes)

    def unlimit_files(self) -> None:
        """There is room again."""
        self._limit(resource.RLIM_INFINITY)

    def _limit(self, size_bytes: int) -> None:
        if self._process is not None and self.is_running:
            with contextlib.suppress(ProcessLookupError):  # it has ended just now
                _, hard = resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE)
                resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (size_bytes, hard))
