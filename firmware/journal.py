"""The journal: what the terminal knows after a power cut. Payments, the outbox, the counters.

A change is drafted and then committed as one. `commit` writes the difference between the draft and what is
stored; only when the storage says that it is durable does the journal itself change. A commit that fails
changes nothing, here or there, and the caller must not tell the world (design, section 4).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from firmware.records import Outgoing, OutgoingKind, OutgoingState, Payment
from hal.api import Change, Delete, Put, Storage, StorageVersion

SCHEMA_VERSION = 1
COUNTER_MAX = 999_999


@dataclass(frozen=True, slots=True)
class Counters:
    """Numbers and flags that outlive a power cut."""

    stan: int = 0  # the trace used last
    batch: str = "000001"
    payment_number: int = 0
    outgoing_number: int = 0
    signed_in: bool = False
    language: str = ""  # "" until switched: then the settings' one is used
    last_slip: int = 0  # number of the payment whose slip can be printed again


@dataclass
class Draft:
    """A change in the making. Assign to its fields; `Journal.commit` makes it true."""

    counters: Counters
    payment: Payment | None
    outbox: dict[int, Outgoing]
    older: dict[int, Payment]  # earlier payments that change too

    def next_stan(self) -> str:
        """Use up a trace: 000001 to 999999, then again from 000001 (iso8583-pos section 3.1)."""
        stan = self.counters.stan % COUNTER_MAX + 1
        self.counters = replace(self.counters, stan=stan)
        return f"{stan:06d}"

    def add_outgoing(
        self, kind: OutgoingKind, payment: Payment, mti: str, fields: dict[int, str], state: OutgoingState
    ) -> None:
        """Put a message into the outbox."""
        number = self.counters.outgoing_number + 1
        self.counters = replace(self.counters, outgoing_number=number)
        texts = {str(field): value for field, value in fields.items()}
        self.outbox[number] = Outgoing(number, kind, payment.number, mti, texts, state)


class Journal:
    """The terminal's memory, over a Storage of the board."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.counters = Counters()
        self.payment: Payment | None = None  # the newest one
        self.outbox: dict[int, Outgoing] = {}

    def load(self) -> None:
        """Read what is stored. Raises StorageVersion for another version's data, StorageFailed."""
        stored = self._storage.get("terminal", "journal_version")
        if stored is not None and stored != b"%d" % SCHEMA_VERSION:
            raise StorageVersion(
                f"the journal has version {stored.decode('ascii', 'replace')}, this firmware reads version "
                f"{SCHEMA_VERSION}: use the firmware that wrote it, or start with a new state folder"
            )
        counters = self._storage.get("terminal", "counters")
        self.counters = Counters(**json.loads(counters)) if counters else Counters()
        stored_outbox = self._storage.scan("outbox")
        self.outbox = {int(key): Outgoing.from_json(json.loads(value)) for key, value in stored_outbox}
        self.payment = self.read_payment(self.counters.payment_number)

    def read_payment(self, number: int) -> Payment | None:
        """The payment of that number, as it was committed last."""
        stored = self._storage.get("payment", _key(number))
        return None if stored is None else Payment.from_json(json.loads(stored))

    def payments(self) -> Iterator[Payment]:
        """Every payment, the oldest first."""
        for _, value in self._storage.scan("payment"):
            yield Payment.from_json(json.loads(value))

    def due(self) -> list[Outgoing]:
        """What the bank must be sent: reversals first, each kind in the order in which it arose."""
        entries = [entry for entry in self.outbox.values() if entry.state is OutgoingState.DUE]
        return sorted(entries, key=lambda entry: (entry.kind is not OutgoingKind.REVERSAL, entry.number))

    def draft(self) -> Draft:
        """A copy to change."""
        return Draft(self.counters, self.payment, dict(self.outbox), {})

    def commit(self, draft: Draft) -> None:
        """Make the draft durable, then true. Raises StorageFailed: nothing changed. No change, no write."""
        changes = list(self._changes(draft))
        if not changes:
            return
        self._storage.commit(changes)
        self.counters, self.payment, self.outbox = draft.counters, draft.payment, draft.outbox

    def _changes(self, draft: Draft) -> Iterator[Change]:
        if draft.payment is not None and draft.payment != self.payment:
            yield Put("payment", _key(draft.payment.number), _pack(draft.payment.to_json()))
        for number, payment in draft.older.items():
            yield Put("payment", _key(number), _pack(payment.to_json()))
        for number in self.outbox.keys() - draft.outbox.keys():
            yield Delete("outbox", _key(number))
        for number, entry in draft.outbox.items():
            if self.outbox.get(number) != entry:
                yield Put("outbox", _key(number), _pack(entry.to_json()))
        if draft.counters != self.counters:
            if self.counters == Counters():
                yield Put("terminal", "journal_version", b"%d" % SCHEMA_VERSION)
            yield Put("terminal", "counters", _pack(asdict(draft.counters)))


def _key(number: int) -> str:
    return f"{number:08d}"


def _pack(values: dict[str, Any]) -> bytes:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()
