"""The journal: what the terminal knows after a power cut. Payments, the outbox, the counters.

A change is drafted and then committed as one. `commit` writes the difference between the draft and what is
stored; only when the storage says that it is durable does the journal itself change. A commit that fails
changes nothing, here or there, and the caller must not tell the world (design, section 4).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from firmware.records import (
    Outgoing,
    OutgoingKind,
    OutgoingState,
    Payment,
    Record,
    Settlement,
    has_plain_types,
)
from firmware.txn.plans import PLANS
from firmware.txn.transaction import State
from hal.api import Change, Delete, Put, Storage, StorageFailed, StorageTrouble, StorageVersion

SCHEMA_VERSION = 2
COUNTER_MAX = 999_999
READ_KEPT_MAX = 64
"""Payments that are kept as they were read or written: those of a batch are asked for again and again."""

_SENDING_ORDER = {kind: place for place, kind in enumerate(OutgoingKind)}  # as iso8583-pos section 7.1 has it
_STATES = frozenset(str(state.value) for state in State)


class JournalDamaged(StorageFailed):
    """A record is there and is none that this firmware wrote. The text names it, never what is in it."""

    code = "H320"


@dataclass(frozen=True)
class Counters(Record):
    """Numbers and flags that outlive a power cut."""

    stan: int = 0  # the trace used last
    batch: str = "000001"
    payment_number: int = 0
    outgoing_number: int = 0
    signed_in: bool = False
    signed_out: bool = False  # on purpose: the terminal does not sign in again by itself
    signed_in_as: str = ""  # with which key scheme: after a change of the settings the sign-in does not count
    signed_in_at: str = ""  # by the bank's clock, ISO 8601 without zone
    language: str = ""  # "" until switched: then the settings' one is used
    last_slip: int = 0  # number of the payment whose slip can be printed again
    settled_up_to: int = 0  # number of the last payment of a closed batch
    jobs: str = ""  # what the bank has asked for and did not get yet: digits of iso8583-pos section 1.1
    oldest_payment: int = 1  # number of the oldest one that is kept


_UNUSED = Counters()


@dataclass
class Draft:
    """A change in the making. Assign to its fields; `Journal.commit` makes it true."""

    counters: Counters
    payment: Payment | None
    outbox: dict[int, Outgoing]
    older: dict[int, Payment]  # earlier payments that change too
    settlement: Settlement | None = None
    extra: list[Change] = field(default_factory=list)  # of other tables: durable with the rest, or not at all

    def as_changed(self, payment: Payment) -> Payment:
        """A payment of the journal, with what this changes of it."""
        if self.payment is not None and self.payment.number == payment.number:
            return self.payment
        return self.older.get(payment.number, payment)

    def next_stan(self) -> str:
        """Use up a trace: 000001 to 999999, then again from 000001 (iso8583-pos section 3.1)."""
        stan = self.counters.stan % COUNTER_MAX + 1
        self.counters = self.counters.changed(stan=stan)
        return f"{stan:06d}"

    def add_outgoing(
        self,
        kind: OutgoingKind,
        payment: Payment,
        mti: str,
        fields: Mapping[int, str],
        state: OutgoingState,
        *,
        names_card: bool = False,
        chip_data: str = "",
    ) -> None:
        """Put a message into the outbox."""
        number = self.counters.outgoing_number + 1
        self.counters = self.counters.changed(outgoing_number=number)
        texts = {str(number_of_field): value for number_of_field, value in fields.items()}
        entry = Outgoing(
            number, kind, payment.number, mti, texts, state, names_card=names_card, chip_data=chip_data
        )
        self.outbox[number] = entry


class Journal:
    """The terminal's memory, over a Storage of the board."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.counters = Counters()
        self.payment: Payment | None = None  # the newest one
        self.outbox: dict[int, Outgoing] = {}
        self.settlement: Settlement | None = None  # the newest one
        self._read: dict[str, tuple[bytes, Payment]] = {}  # by key, with how it is stored

    def load(self) -> None:
        """Read what is stored. Raises StorageVersion (another version's), JournalDamaged, StorageFailed."""
        stored = self._storage.get("terminal", "journal_version")
        if stored is not None and stored != b"%d" % SCHEMA_VERSION:
            raise StorageVersion(
                f"the journal has version {stored.decode('ascii', 'replace')}, this firmware reads version "
                f"{SCHEMA_VERSION}: use the firmware that wrote it, or start with a new state folder"
            )
        counters = self._storage.get("terminal", "counters")
        self.counters = Counters()
        if counters is not None:
            self.counters = _unpack("terminal", "counters", counters, lambda values: Counters(**values))
        settlement = self._storage.get("terminal", "settlement")
        self.settlement = None
        if settlement is not None:
            self.settlement = _unpack("terminal", "settlement", settlement, Settlement.from_json)
        waiting = self._storage.scan("outbox")
        entries = [_unpack("outbox", key, value, Outgoing.from_json) for key, value in waiting]
        self.outbox = {entry.number: entry for entry in entries}
        self.payment = self.read_payment(self.counters.payment_number)

    def read_payment(self, number: int) -> Payment | None:
        """The payment of that number, as it was committed last. Raises JournalDamaged."""
        key = _key(number)
        stored = self._storage.get("payment", key)
        return None if stored is None else self._payment(key, stored)

    def payments(self) -> Iterator[Payment]:
        """Every payment, the oldest first. Raises JournalDamaged."""
        for key, value in self._storage.scan("payment"):
            yield self._payment(key, value)

    def _payment(self, key: str, stored: bytes) -> Payment:
        """The payment in `stored`, which is read once only as long as it stays the same."""
        read = self._read.get(key)
        if read is not None and read[0] == stored:
            return read[1]
        payment = _unpack("payment", key, stored, Payment.from_json)
        self._keep(key, stored, payment)
        return payment

    def _keep(self, key: str, stored: bytes, payment: Payment) -> None:
        while len(self._read) >= READ_KEPT_MAX:
            del self._read[next(iter(self._read))]
        self._read[key] = (stored, payment)

    def due(self) -> list[Outgoing]:
        """What the bank must be sent: reversals first, each kind in the order in which it arose."""
        entries = [entry for entry in self.outbox.values() if entry.state is OutgoingState.DUE]
        if len(entries) < 2:  # as good as always, and it is asked for with every screen
            return entries
        return sorted(entries, key=lambda entry: (_SENDING_ORDER[entry.kind], entry.number))

    def payment_of(self, *, batch: str, stan: str) -> Payment | None:
        """The newest payment of a voucher number in a batch, or None. Raises JournalDamaged.

        What is asked for is most often one of the last: the search begins with the newest.
        """
        for number in range(self.counters.payment_number, self.counters.oldest_payment - 1, -1):
            payment = self.read_payment(number)
            if payment is not None and (payment.batch, payment.stan) == (batch, stan):
                return payment
        return None

    def draft(self) -> Draft:
        """A copy to change."""
        return Draft(self.counters, self.payment, dict(self.outbox), {}, self.settlement)

    def commit(self, draft: Draft) -> None:
        """Make the draft durable, then true. Raises StorageFailed: nothing changed. No change, no write."""
        changes = list(self._changes(draft))
        if not changes:
            return
        self._storage.commit(changes)
        written = {_key(one.number): one for one in (draft.payment, *draft.older.values()) if one is not None}
        for change in changes:
            if change.table == "payment":
                self._read.pop(change.key, None)  # what is deleted is not kept here either
                if isinstance(change, Put) and change.key in written:
                    self._keep(change.key, change.value, written[change.key])
        self.counters, self.payment, self.outbox = draft.counters, draft.payment, draft.outbox
        self.settlement = draft.settlement

    def _changes(self, draft: Draft) -> Iterator[Change]:
        payment = draft.payment
        if payment is not None and payment is not self.payment and payment != self.payment:
            yield Put("payment", _key(payment.number), _pack(payment))
        for number, payment in draft.older.items():
            yield Put("payment", _key(number), _pack(payment))
        for number in self.outbox.keys() - draft.outbox.keys():
            yield Delete("outbox", _key(number))
        for number, entry in draft.outbox.items():
            if self.outbox.get(number) != entry:
                yield Put("outbox", _key(number), _pack(entry))
        if draft.settlement is not None and draft.settlement != self.settlement:
            yield Put("terminal", "settlement", _pack(draft.settlement))
        yield from draft.extra
        if draft.counters is not self.counters and draft.counters != self.counters:
            if self.counters == _UNUSED:
                yield Put("terminal", "journal_version", b"%d" % SCHEMA_VERSION)
            yield Put("terminal", "counters", _pack(draft.counters))


def payment_deleted(number: int) -> Change:
    """The change that forgets a payment."""
    return Delete("payment", _key(number))


def _key(number: int) -> str:
    return f"{number:08d}"


_to_text = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode


def _pack(record: Record) -> bytes:
    return _to_text(record.to_json()).encode()


R = TypeVar("R", Counters, Payment, Outgoing, Settlement)


def _unpack(table: str, key: str, stored: bytes, from_json: Callable[[dict[str, Any]], R]) -> R:
    """The record in `stored`. Raises JournalDamaged unless it is whole and every plain field has its type."""
    try:
        record = from_json(json.loads(stored))
        is_sound = has_plain_types(record) and _is_sound(record, key)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise damaged(table, key) from None
    if not is_sound:
        raise damaged(table, key)
    return record


def _is_sound(record: Counters | Payment | Outgoing | Settlement, key: str) -> bool:
    """Whether what is more than a plain field is as the firmware writes it."""
    match record:
        case Payment():
            return record.state in _STATES and {record.kind, record.sends} <= PLANS.keys()
        case Outgoing():
            texts: dict[Any, Any] = record.fields
            numbers_fit = all(isinstance(text, str) and field.isdecimal() for field, text in texts.items())
            return numbers_fit and _key(record.number) == key
    return True


def damaged(table: str, key: str) -> JournalDamaged:
    """The error for a stored record that is none."""
    return JournalDamaged(
        f"the journal's record {table}/{key} is damaged: restore the terminal's memory from a copy, or put "
        "it aside, begin a new one and settle with the bank by hand",
        StorageTrouble.DAMAGED,
    )
