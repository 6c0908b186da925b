"""The three parts as real processes, and the line between them.

A `Part` is a process that is ended by its own handle only. Whatever is waited for is a condition with a
deadline: a line that the process writes, its end, or something in the bank's books.
"""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Self

from bank.authoriser import Bank
from bank.entropy import SystemEntropy
from bank.provision import DEMO_MASTER_KEY, load_provision
from firmware.settings import TerminalSettings
from hal.profile import load_profile
from tools.config import check_settings
from tools.drive_terminal import TerminalDrive
from tools.state_folder import taken
from tools.station import Station
from tools.terminal_board import TerminalPlan, open_board

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0
"""How long anything may take before the test has failed."""

PATIENCE_MS = int(PATIENCE_S * 1000)

POLL_S = 0.01


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s, f"waited in vain for {what}"
        time.sleep(POLL_S)


class KeyboardAndScreen:
    """A person at a terminal window of 120 by 40 characters."""

    def __init__(self) -> None:
        self._hands, self.fileno = pty.openpty()
        termios.tcsetwinsize(self.fileno, (40, 120))
        self.seen = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._hands)
        os.close(self.fileno)

    def type(self, keys: str) -> None:
        os.write(self._hands, keys.encode())

    def wait_for(self, text: str) -> None:
        """Look until `text` is written to the screen, from now on."""
        self.seen = ""

        def is_there() -> bool:
            if select.select([self._hands], [], [], 0)[0]:
                self.seen += os.read(self._hands, 65536).decode("utf-8", "replace")
            return text in self.seen

        wait_until(is_there, f"{text!r} on the screen")


class Part:
    """A `posterm ...` process and what it has written so far (stdout and stderr, line by line)."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        cwd: Path,
        program_path: Path = ROOT,
        person: KeyboardAndScreen | None = None,
    ) -> None:
        self.arguments = list(arguments)
        self.lines: list[str] = []
        paths = {"PATH": os.environ["PATH"], "HOME": str(cwd), "PYTHONPATH": str(program_path)}
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "tools.cli", *arguments],
            cwd=cwd,
            env=paths | {"TERM": "xterm-256color", "LANG": "C.UTF-8"},
            stdin=subprocess.DEVNULL if person is None else person.fileno,
            stdout=subprocess.PIPE if person is None else person.fileno,
            stderr=subprocess.STDOUT if person is None else subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        output = self._process.stdout or self._process.stderr
        assert output is not None
        self._reader = threading.Thread(target=self._read, args=(output,), daemon=True)
        self._reader.start()

    def _read(self, output: IO[str]) -> None:
        with output:
            for line in output:
                self.lines.append(line.rstrip("\n"))

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def wait_for(self, pattern: str) -> re.Match[str]:
        """The first match in what it has written; fails when it ends without."""
        found: list[re.Match[str]] = []

        def is_there() -> bool:
            has_ended = not self._reader.is_alive()
            if match := re.search(pattern, self.text):
                found.append(match)
            assert found or not has_ended, f"{self.arguments} ended without {pattern!r}:\n{self.text}"
            return bool(found)

        wait_until(is_there, f"{pattern!r} in the output of {self.arguments}:\n{self.text}")
        return found[0]

    def exit_code(self) -> int:
        """Wait for its end."""
        code = self._process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        return code

    def terminate(self) -> int:
        """SIGTERM, and the exit code."""
        self._process.terminate()
        return self.exit_code()

    def interrupt(self) -> int:
        """SIGINT, as from Ctrl-C, and the exit code."""
        self._process.send_signal(signal.SIGINT)
        return self.exit_code()

    def kill(self) -> None:
        """SIGKILL: as a power cut."""
        self._process.kill()
        self.exit_code()


@dataclass
class Site:
    """A bank, a gateway and a line on this machine, each made when a test asks for it."""

    folder: Path
    program_path: Path = ROOT
    parts: list[Part] = field(default_factory=list)
    bank_port: int = 0
    line: tuple[str, str] = ("", "")  # the terminal's end, the gateway's end

    @property
    def db(self) -> Path:
        return self.folder / "bank.db"

    def start(self, *arguments: str | Path, person: KeyboardAndScreen | None = None) -> Part:
        texts = [str(one) for one in arguments]
        part = Part(texts, cwd=self.folder, program_path=self.program_path, person=person)
        self.parts.append(part)
        return part

    def start_bank(self, *options: str) -> Part:
        """The demo bank; on the same port as before when it was started before."""
        part = self.start(
            "bank", "serve", "--demo", "--db", self.db, "--listen", f"127.0.0.1:{self.bank_port}", *options
        )
        self.bank_port = int(part.wait_for(r"listening on 127\.0\.0\.1:(\d+)")[1])
        return part

    def start_gateway(self) -> Part:
        part = self.start("link", "serve", "--port", self.line[1], "--bank", f"127.0.0.1:{self.bank_port}")
        part.wait_for("serving")
        return part

    def start_terminal(self, *options: str | Path, person: KeyboardAndScreen | None = None) -> Part:
        return self.start(
            *("terminal", "--profile", "virtual", "--link", self.line[0]),
            *("--state", self.folder / "till", *options),
            person=person,
        )

    def close(self) -> None:
        """End what still runs, and show what everything wrote: pytest tells it when a test has failed."""
        for part in self.parts:
            part.kill()
            print(*part.arguments, *part.lines, sep="\n    ")

    @contextlib.contextmanager
    def books(self) -> Iterator[Bank]:
        """The bank's database, read beside the bank that serves it."""
        with contextlib.closing(
            Bank.open(self.db, DEMO_MASTER_KEY, entropy=SystemEntropy(), create=False)
        ) as bank:
            yield bank

    def holds(self) -> int:
        with self.books() as bank:
            return len(bank.open_holds())

    def postings(self) -> list[int]:
        """The amounts that payments have moved; the books must be right."""
        with self.books() as bank:
            audit = bank.verify()
            assert audit.ok, audit.findings
            return [
                posting.amount_minor for posting in bank.ledger.postings() if posting.payment_id is not None
            ]


@contextlib.contextmanager
def socat_line(program: str, folder: Path) -> Iterator[tuple[str, str]]:
    """Two pseudo-terminals of socat, by stable names."""
    ends = folder / "line-a", folder / "line-b"
    with subprocess.Popen([program, *(f"pty,raw,echo=0,link={end}" for end in ends)]) as process:
        try:
            wait_until(lambda: all(end.exists() for end in ends), "socat's pseudo-terminals")
            yield str(ends[0]), str(ends[1])
        finally:
            process.terminate()


QUICK: Mapping[str, int] = {
    "slip_copies": 1,
    "authorised_ms": 10,
    "wrong_pin_ms": 10,
    "result_ms": 10,
    "outbox_retry_ms": 200,
    "outbox_retry_max_ms": 200,
}
"""Settings with which nobody waits for the sake of a reader."""


@contextlib.contextmanager
def till(site: Site, **settings: int) -> Iterator[Station]:
    """A terminal on the site's line, switched on, in the test's own process: a test can act in between."""
    plan = TerminalPlan(
        load_profile("headless").with_device("serial_port", "serial", url=site.line[0]),
        replace(TerminalSettings(), **check_settings("test", {**QUICK, **settings})),
        load_provision(),
        site.folder / "till",
        is_demo=True,
    )
    with (
        taken(plan.state_folder),
        Station(open_board(plan), plan.settings, TerminalDrive(), plan.provision.cards) as station,
    ):
        station.power_on()
        yield station
