"""The computer on which the bank runs, in virtual time: its disk, its power, and the server's process.

Of a bank that loses its power, or whose process ends, nothing is left but its database, up to the last
commit. So the Bank object is thrown away, with its connection to the database and everything that it
remembered, and another one is opened on the same disk.

    machine = BankMachine.on_disk(lambda store: Bank(store, master_key, entropy=entropy, faults=faults))
    drive = VirtualDrive(port, clock, machine)
    machine.cut_power(now_ms, 3_000)            # at this instant, for three seconds
    machine.cut_power_at(2, "before", 3_000)    # at the second commit from now, which is lost
    machine.cut_power_at(1, "after", 3_000)     # at the next one: it is kept, and nothing is answered
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import count
from typing import Literal, Protocol

from bank.authoriser import Bank, Reply
from bank.store import STATEMENTS_KEPT, BankStore
from hal.virtual.power import PowerCut

_disk_numbers = count(1)  # a name for SQLite; nothing depends on it


class Disk:
    """One database in memory that outlives whoever has it open, with a power switch at its commits.

    It is SQLite's `memdb`: a name that begins with a slash is shared by the connections of a process, and
    lives as long as one of them. What a connection has not committed when it is closed is rolled back.
    """

    def __init__(self) -> None:
        self.commits = 0
        """How often a transaction was to be committed so far."""
        self.on_durable: Callable[[], object] = lambda: None
        self._name = f"file:/posterm-bank-{next(_disk_numbers)}?vfs=memdb"
        self._keeper = sqlite3.connect(self._name, uri=True)
        self._cut: tuple[int, Literal["before", "after"]] | None = None

    def connect(self) -> BankStore:
        """The database in it. Whoever commits may lose the power: PowerCut is raised then."""
        connection = sqlite3.connect(
            self._name,
            uri=True,
            isolation_level=None,
            factory=_WatchedConnection,
            cached_statements=STATEMENTS_KEPT,
        )
        connection.disk = self
        return BankStore.over(connection, "the simulated disk")

    def power_cut_at(self, commit_number: int, when: Literal["before", "after"]) -> None:
        """Cut the power at this commit, just before or just after its data is durable."""
        if commit_number <= self.commits:
            raise ValueError(f"commit {commit_number} is past: {self.commits} were made")
        self._cut = (commit_number, when)

    def forget_script(self) -> None:
        """No power cut any more."""
        self._cut = None

    def close(self) -> None:
        """Throw the disk away; may be called twice."""
        self._keeper.close()

    def on_commit(self, commit: Callable[[], None]) -> None:
        """A connection commits."""
        self.commits += 1
        when = self._cut[1] if self._cut is not None and self._cut[0] == self.commits else None
        if when is not None:
            self._cut = None
        if when == "before":
            raise PowerCut(f"of the bank, before commit {self.commits}")
        commit()
        self.on_durable()
        if when == "after":
            raise PowerCut(f"of the bank, after commit {self.commits}")


class _WatchedConnection(sqlite3.Connection):
    """A connection that tells its disk of each commit."""

    disk: Disk

    def commit(self) -> None:
        self.disk.on_commit(super().commit)


class Watcher(Protocol):
    """Whoever is connected to the machine."""

    def on_server_stopped(self) -> None:
        """The server has ended: the system hangs up for it, and refuses who comes."""

    def on_power_lost(self) -> None:
        """The machine is off: it says nothing any more, not even that."""


class BankMachine:
    """A bank with a plug. `VirtualDrive` makes one around a bank that it is given; see `on_disk` for more.

    `on_request` is told each request before the bank gets it. The bank is in `bank`, and can be asked at any
    time: after a power cut that is at once the one that will serve when the power is back.
    """

    def __init__(self, bank: Bank) -> None:
        """The machine of a bank that is open already: its power cannot be cut."""
        self.bank = bank
        self.is_serving = True
        self.power_back_ms: int | None = None  # when, while it is off
        self.power_cuts = 0
        self.watchers: list[Watcher] = []
        self.on_request: Callable[[bytes], object] = lambda _message: None
        self._disk: Disk | None = None
        self._open_bank: Callable[[BankStore], Bank] | None = None
        self._off_ms = 0  # for how long the power will be off, if a commit takes it

    @classmethod
    def on_disk(cls, open_bank: Callable[[BankStore], Bank]) -> BankMachine:
        """A machine with a disk. `open_bank` makes the bank of what is stored, now and after every cut."""
        disk = Disk()
        machine = cls(open_bank(disk.connect()))
        machine._disk, machine._open_bank = disk, open_bank
        return machine

    @property
    def has_power(self) -> bool:
        """Whether anything answers there."""
        return self.power_back_ms is None

    @property
    def commits(self) -> int:
        """How often something was to be made durable so far. Raises ValueError without a disk."""
        disk, _ = self._own()
        return disk.commits

    def watch_commits(self, on_durable: Callable[[], object]) -> None:
        """Have this called whenever something has become durable. Raises ValueError without a disk."""
        disk, _ = self._own()
        disk.on_durable = on_durable

    def handle(self, message: bytes, now: datetime) -> Sequence[Reply]:
        """Let the bank decide a request. To be called at work (`working`). Raises what the bank does."""
        self.on_request(message)
        return self.bank.handle(message, now=now) if self.has_power else []

    # --- the process --------------------------------------------------------------------------------

    def stop_server(self) -> None:
        """End the process: its memory is gone, connections break, new ones are refused."""
        self.is_serving = False
        if self._disk is not None:
            self._open_again()
        for watcher in self.watchers:
            watcher.on_server_stopped()

    def start_server(self) -> None:
        """Start it again, as soon as there is power."""
        self.is_serving = True

    # --- the plug -----------------------------------------------------------------------------------

    def cut_power(self, now_ms: int, off_ms: int) -> None:
        """Pull the plug now, and put it back after `off_ms`."""
        self._own()
        self._off_ms = off_ms
        self._lose_power(now_ms)

    def cut_power_at(self, commit: int, when: Literal["before", "after"], off_ms: int) -> None:
        """Lose the power for `off_ms` at a commit; they are counted from the next one (1)."""
        disk, _ = self._own()
        disk.power_cut_at(disk.commits + commit, when)
        self._off_ms = off_ms

    @contextmanager
    def working(self, now_ms: int) -> Iterator[None]:
        """Around whatever the bank does: if the power goes at a commit, nothing after it is done."""
        try:
            yield
        except PowerCut:
            self._lose_power(now_ms)

    def turn(self, now_ms: int) -> None:
        """The power comes back, if it is time."""
        if self.power_back_ms is not None and self.power_back_ms <= now_ms:
            self.restore_power()

    def restore_power(self) -> None:
        """The power is there, and will not go at a commit."""
        self.power_back_ms = None
        if self._disk is not None:
            self._disk.forget_script()

    def close(self) -> None:
        """End it all; may be called twice."""
        self.bank.close()
        if self._disk is not None:
            self._disk.close()

    def _lose_power(self, now_ms: int) -> None:
        if not self.has_power:
            return
        self.power_cuts += 1
        self.power_back_ms = now_ms + self._off_ms
        self._open_again()
        for watcher in self.watchers:
            watcher.on_power_lost()

    def _open_again(self) -> None:
        disk, open_bank = self._own()
        self.bank.close()
        disk.forget_script()  # the bank writes while it opens
        self.bank = open_bank(disk.connect())

    def _own(self) -> tuple[Disk, Callable[[BankStore], Bank]]:
        if self._disk is None or self._open_bank is None:
            raise ValueError(
                "this bank was opened elsewhere: make it with BankMachine.on_disk to cut its power"
            )
        return self._disk, self._open_bank
