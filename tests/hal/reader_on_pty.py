"""A reader in software behind a pseudo-terminal, turned by a thread: for programs that open a serial port."""

from __future__ import annotations

import os
import select
import threading
import time
import tty
from collections.abc import Callable
from typing import TypeVar

from hal.cards.card import ChipCard
from hal.peripherals.ccid_reader import SerialCcidReader

_IDLE_S = 0.5
_T = TypeVar("_T")


class ReaderOnPty:
    """`path` is what to open. The reader may be touched through `insert`, `remove` and `work` only."""

    def __init__(self, reader: SerialCcidReader) -> None:
        self._reader = reader
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)
        self._wake_read, self._wake_write = os.pipe()
        self._lock = threading.Lock()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def insert(self, card: ChipCard) -> None:
        self.work(lambda reader: reader.insert(card))

    def remove(self) -> None:
        self.work(lambda reader: reader.remove())

    def work(self, action: Callable[[SerialCcidReader], _T]) -> _T:
        """Do something with the reader between two turns."""
        with self._lock:
            result = action(self._reader)
        os.write(self._wake_write, b"\0")
        return result

    def close(self) -> None:
        self._stopping = True
        os.write(self._wake_write, b"\0")
        self._thread.join()
        for descriptor in (self._master, self._slave, self._wake_read, self._wake_write):
            os.close(descriptor)

    def _run(self) -> None:
        while not self._stopping:
            readable, _, _ = select.select([self._master, self._wake_read], [], [], self._patience_s())
            if self._wake_read in readable:
                os.read(self._wake_read, 4096)
            data = os.read(self._master, 4096) if self._master in readable else b""
            with self._lock:
                self._reader.receive(data, _now_ms())
                output = self._reader.take_output()
            if output:
                os.write(self._master, output)

    def _patience_s(self) -> float:
        due_ms = self._reader.deadline_ms()
        return _IDLE_S if due_ms is None else max(0.0, (due_ms - _now_ms()) / 1000)


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
