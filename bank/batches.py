"""The register of batches that were claimed by a settlement, and of what was uploaded for them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from bank.store import BankStore, clock_text, columns


class BatchState(Enum):
    """A batch that is in no row is open."""

    CLAIMED = "claimed"  # the terminal's totals came (0500)
    CLOSED = "closed"  # its upload is at an end (0320, 202 or 207)


class UploadKind(Enum):
    """What a record of an upload is."""

    DETAIL = "detail"
    ADVICE = "advice"
    CERTIFICATE = "certificate"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch that was claimed. `claimed`, `booked`: field 48 as the terminal and as the bank has it."""

    mid: str
    tid: str
    batch: str
    state: BatchState
    claimed: str
    booked: str
    domestic: int
    foreign: int
    records_told: int | None
    claimed_at: str
    closed_at: str | None

    @property
    def is_balanced(self) -> bool:
        """Whether both blocks agreed."""
        return self.domestic == self.foreign == 1


@dataclass(frozen=True, slots=True)
class Upload:
    """One record of an upload, about the transaction with this trace."""

    kind: UploadKind
    trace: str
    card_kind: str
    amount_minor: int
    pan_sealed: bytes | None = None


class Batches:
    """Both registers. Writing methods belong inside a store transaction."""

    def __init__(self, store: BankStore) -> None:
        self._store = store

    def find(self, mid: str, tid: str, batch: str) -> Batch | None:
        """The batch if it was claimed, else None."""
        row = self._store.row(
            "SELECT * FROM batch WHERE mid = ? AND tid = ? AND batch = ?", (mid, tid, batch)
        )
        return _batch(row) if row else None

    def batches(self) -> list[Batch]:
        """All that were claimed, oldest first."""
        return [
            _batch(row)
            for row in self._store.rows("SELECT * FROM batch ORDER BY claimed_at, mid, tid, batch")
        ]

    def is_closed(self, mid: str, tid: str, batch: str) -> bool:
        """Whether it was settled to the end."""
        found = self.find(mid, tid, batch)
        return found is not None and found.state is BatchState.CLOSED

    def claim(self, batch: Batch) -> None:
        """Write what a settlement said, over what an earlier one of the same batch, not closed yet, did."""
        self._store.execute(
            "INSERT OR REPLACE INTO batch VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(batch.mid, batch.tid, batch.batch, batch.state.value),
                *(batch.claimed, batch.booked, batch.domestic, batch.foreign),
                *(batch.records_told, batch.claimed_at, batch.closed_at),
            ),
        )

    def close(self, mid: str, tid: str, batch: str, *, records_told: int, now: datetime) -> None:
        """Write that the upload is at an end."""
        self._store.execute(
            "UPDATE batch SET state = 'closed', records_told = ?, closed_at = ?"
            " WHERE mid = ? AND tid = ? AND batch = ?",
            (records_told, clock_text(now), mid, tid, batch),
        )

    def take_upload(
        self, mid: str, tid: str, batch: str, message_trace: str, records: Sequence[Upload]
    ) -> None:
        """Write the records of one message, in the place of those it brought before."""
        key = (mid, tid, batch, message_trace)
        self._store.execute(
            "DELETE FROM upload WHERE mid = ? AND tid = ? AND batch = ? AND message_trace = ?", key
        )
        for number, one in enumerate(records):
            self._store.execute(
                "INSERT INTO upload VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*key, number, one.kind.value, one.trace, one.card_kind, one.amount_minor, one.pan_sealed),
            )

    def uploads(self, mid: str, tid: str, batch: str) -> list[Upload]:
        """Everything that was uploaded for a batch, in the order of its transactions."""
        rows = self._store.rows(
            "SELECT kind, trace, card_kind, amount_minor, pan_sealed FROM upload"
            " WHERE mid = ? AND tid = ? AND batch = ? ORDER BY trace, message_trace, record",
            (mid, tid, batch),
        )
        return [Upload(UploadKind(row[0]), *tuple(row)[1:]) for row in rows]


def _batch(row: sqlite3.Row) -> Batch:
    values = columns(row)
    return Batch(**values | {"state": BatchState(values["state"])})
