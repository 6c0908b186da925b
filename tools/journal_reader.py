"""A terminal's journal, read from its state folder while no terminal runs. Nothing in the folder is touched.

What is read is a copy, the log beside the file included, brought to this version in memory: so the journal of
a terminal that lost its power, or of an earlier version, is told as the next power-on will find it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from firmware.journal import Counters, Journal
from firmware.migrations import migrate
from firmware.records import Outgoing, Payment
from firmware.totals import BatchTotals, batch_totals
from hal.api import HalError
from hal.virtual.storage import MemoryStorage, read_snapshot
from tools.station import StationError

MEMORY_FILE = "terminal.db"

_CONFIDENTIAL = frozenset({"expiry_yymm"})
"""What the journal knows of a card beside its masked number, and an export leaves out."""


@dataclass(frozen=True)
class JournalCopy:
    """What a journal holds: every payment that is kept, what waits for the bank, the counters."""

    payments: Sequence[Payment]
    outbox: Sequence[Outgoing]
    counters: Counters

    @property
    def batches(self) -> list[str]:
        """The batches that payments belong to, in the order in which they were opened; "" is none."""
        return [batch for batch in dict.fromkeys(payment.batch for payment in self.payments) if batch]

    def totals(self, batch: str) -> BatchTotals:
        """What a batch adds up to, as its settlement slip has it."""
        return batch_totals(self.payments, batch)

    def waiting_for(self, payment: Payment) -> list[Outgoing]:
        """The messages about a payment that still wait for the bank."""
        return [entry for entry in self.outbox if entry.payment_number == payment.number]


def read_journal(folder: Path) -> JournalCopy:
    """The journal of a state folder. Raises StationError: none there, in use, damaged, of a later version."""
    memory = folder / MEMORY_FILE
    if not memory.is_file():
        raise StationError(
            f"state folder {folder}: there is no terminal's memory ({MEMORY_FILE}) in it: name another one "
            "with --state"
        )
    with _at_rest(folder):
        try:
            storage = MemoryStorage()
            storage.open()
            storage.restore(read_snapshot(memory))
            migrate(storage)
            journal = Journal(storage)
            journal.load()
            return JournalCopy(list(journal.payments()), list(journal.outbox.values()), journal.counters)
        except HalError as error:
            raise StationError(str(error)) from None


@contextlib.contextmanager
def _at_rest(folder: Path) -> Iterator[None]:
    """Keep terminals out of the folder meanwhile. Works where it is read-only, too."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise StationError(
            f"state folder {folder}: {error.strerror}: name another one with --state"
        ) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise StationError(
            f"state folder {folder} is in use by another process: stop the terminal first, or copy the folder"
        ) from None
    finally:
        os.close(descriptor)


def record_of(journal: JournalCopy, payment: Payment) -> dict[str, Any]:
    """A payment as it is exported: plain values, nothing confidential, and what waits for the bank."""
    values = {name: value for name, value in payment.to_json().items() if name not in _CONFIDENTIAL}
    waiting = [f"{entry.kind.value} {entry.state.value}" for entry in journal.waiting_for(payment)]
    return values | {"counts": payment.stands, "waiting": "; ".join(waiting)}


def totals_of(journal: JournalCopy, batch: str) -> Iterator[dict[str, Any]]:
    """The lines of a batch's totals: block, side or type, count, sum in minor units."""
    totals = journal.totals(batch)
    for name, block in (("domestic", totals.domestic), ("foreign", totals.foreign)):
        lines = {"debit": block.debit, "credit": block.credit, **block.by_kind}
        for line, value in lines.items():
            yield {"batch": batch, "block": name, "line": line, **asdict(value)}


def document_of(journal: JournalCopy) -> Mapping[str, Any]:
    """The whole journal for a program."""
    return {
        "payments": [record_of(journal, payment) for payment in journal.payments],
        "totals": [line for batch in journal.batches for line in totals_of(journal, batch)],
        "outbox": [
            {
                "number": entry.number,
                "kind": entry.kind.value,
                "state": entry.state.value,
                "payment_number": entry.payment_number,
                "mti": entry.mti,
                "attempts": entry.attempts,
            }
            for entry in journal.outbox
        ],
        "counters": asdict(journal.counters),
    }
