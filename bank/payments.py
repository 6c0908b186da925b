"""The register of payments: every request that was decided, under the key that makes it unique.

The key is merchant, terminal, batch and trace (F42, F41, 60.2, F11). It lets the bank answer a repeat
without doing anything twice, and it is all that a reversal has to find its original by.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final

from bank.answers import Outcome
from bank.entropy import Entropy
from bank.request import Request
from bank.store import BankStore, SqlValue, clock_text, columns

_AUTH_CODE_COUNT: Final = 1_000_000
_BATCH_COUNT: Final = 1_000_000


class PaymentKind(Enum):
    """What was asked for. `UNKNOWN`: a reversal came, and its original never did."""

    AUTHORISATION = "authorisation"
    AUTHORISATION_CANCEL = "authorisation cancel"
    PIN_VERIFICATION = "pin verification"
    COMPLETION = "completion"  # by advice
    COMPLETION_REQUEST = "completion request"
    COMPLETION_VOID = "completion void"
    PURCHASE = "purchase"
    PURCHASE_VOID = "purchase void"
    REFUND = "refund"
    OFFLINE_SALE = "offline sale"
    ADJUSTMENT = "adjustment"
    BALANCE = "balance"
    SCRIPT_RESULT = "script result"
    UNKNOWN = "unknown"


class PaymentState(Enum):
    """What became of it. `FORESTALLED`: reversed before it arrived; it will be refused if it ever does."""

    APPROVED = "approved"
    DECLINED = "declined"
    REVERSED = "reversed"
    FORESTALLED = "forestalled"


@dataclass(frozen=True, slots=True)
class Payment:
    """One row of the register. `reply`: the answer as it was sent, to be sent again to a repeat.

    `amount_minor` is what was asked for, `moved_minor` what was moved or held (0 unless approved).
    `organisation`: the card's, as field 63.1 names it. `payout_id`: the payout that brought it to the
    merchant, after `fee_minor`; `correction_id`: the one that took it off again.
    """

    payment_id: int
    mid: str
    tid: str
    batch: str
    trace: str
    kind: PaymentKind
    processing_code: str
    amount_minor: int
    pan_sealed: bytes | None
    received_at: str
    rrn: str
    auth_code: str | None
    response_code: str
    state: PaymentState
    reversal_reason: str | None
    original_id: int | None
    digest: bytes
    reply: bytes
    moved_minor: int = 0
    organisation: str = ""
    payout_id: int | None = None
    fee_minor: int = 0
    correction_id: int | None = None

    def __repr__(self) -> str:
        return f"Payment({self.payment_id}, {self.kind.value}, {self.batch}/{self.trace}, {self.state.value})"

    @property
    def date_mmdd(self) -> str:
        """The day it was received, as field 61.3 names it."""
        return self.received_at[5:7] + self.received_at[8:10]


class Payments:
    """The register. Writing methods belong inside a store transaction."""

    def __init__(self, store: BankStore) -> None:
        self._store = store

    def find(self, mid: str, tid: str, batch: str, trace: str) -> Payment | None:
        """The payment under this key, or None."""
        row = self._store.row(
            "SELECT * FROM payment WHERE mid = ? AND tid = ? AND batch = ? AND trace = ?",
            (mid, tid, batch, trace),
        )
        return _payment(row) if row else None

    def get(self, payment_id: int) -> Payment | None:
        """The payment with this number, or None."""
        row = self._store.row("SELECT * FROM payment WHERE payment_id = ?", (payment_id,))
        return _payment(row) if row else None

    def find_authorisation(self, mid: str, auth_code: str, pan_sealed: bytes) -> Payment | None:
        """The newest approved authorisation of a merchant by its code and card, or None."""
        row = self._store.row(
            "SELECT * FROM payment WHERE mid = ? AND auth_code = ? AND pan_sealed = ?"
            " AND kind = 'authorisation' ORDER BY payment_id DESC",
            (mid, auth_code, pan_sealed),
        )
        return _payment(row) if row else None

    def find_by_rrn(self, mid: str, rrn: str) -> Payment | None:
        """The newest payment at any terminal of a merchant that was answered with this reference, or None."""
        row = self._store.row(
            "SELECT * FROM payment WHERE mid = ? AND rrn = ? ORDER BY payment_id DESC", (mid, rrn)
        )
        return _payment(row) if row else None

    def standing(self, payment_id: int) -> list[Payment]:
        """What refers to a payment, was approved, and was not reversed; oldest first."""
        return [one for one in self.referring_to(payment_id) if one.state is PaymentState.APPROVED]

    def referring_to(self, payment_id: int) -> list[Payment]:
        """Everything that refers to a payment, such as its verifications and completions, oldest first."""
        rows = self._store.rows(
            "SELECT * FROM payment WHERE original_id = ? ORDER BY payment_id", (payment_id,)
        )
        return [_payment(row) for row in rows]

    def family(self, payment: Payment) -> list[Payment]:
        """A payment, everything that refers to it, and everything that refers to that; oldest first."""
        family = [payment]
        for one in family:
            family += self.referring_to(one.payment_id)
        return sorted(family, key=lambda one: one.payment_id)

    def of_batch(self, mid: str, tid: str, batch: str) -> list[Payment]:
        """Everything a terminal asked for in one batch, in the order of arrival."""
        rows = self._store.rows(
            "SELECT * FROM payment WHERE mid = ? AND tid = ? AND batch = ? ORDER BY payment_id",
            (mid, tid, batch),
        )
        return [_payment(row) for row in rows]

    def debits_of_day(self, pan_sealed: bytes, now: datetime) -> int:
        """How many purchases and holds of a card stand that were asked for on this day."""
        return self._store.number(
            "SELECT count(*) FROM payment WHERE pan_sealed = ? AND received_at >= ? AND state = 'approved'"
            " AND kind IN ('purchase', 'authorisation', 'offline sale')",
            (pan_sealed, clock_text(now)[:10]),
        )

    def chosen(self, clause: str, values: Sequence[SqlValue]) -> list[Payment]:
        """The payments that a clause of SQL, written in this room, chooses; in the order of arrival."""
        rows = self._store.rows(f"SELECT payment.* FROM payment {clause} ORDER BY payment_id", values)  # noqa: S608
        return [_payment(row) for row in rows]

    def note_payout(self, payment_id: int, payout_id: int, *, fee_minor: int) -> None:
        """Write by which payout a payment came to its merchant, and what was kept of it."""
        self._store.execute(
            "UPDATE payment SET payout_id = ?, fee_minor = ? WHERE payment_id = ?",
            (payout_id, fee_minor, payment_id),
        )

    def note_correction(self, payment_id: int, payout_id: int) -> None:
        """Write from which payout a payment was taken off, that was reversed after its own."""
        self._store.execute(
            "UPDATE payment SET correction_id = ? WHERE payment_id = ?", (payout_id, payment_id)
        )

    def quiet_batches(self, mid: str, tid: str, *, before: datetime) -> list[str]:
        """A terminal's batches whose last message came before the day of `before`, oldest first."""
        rows = self._store.rows(
            "SELECT batch FROM payment WHERE mid = ? AND tid = ? GROUP BY batch"
            " HAVING max(received_at) < ? ORDER BY min(payment_id)",
            (mid, tid, clock_text(before)[:10]),
        )
        return [row["batch"] for row in rows]

    def highest_trace(self, mid: str, tid: str, batch: str) -> str:
        """The highest trace that a terminal has used in a batch; "" when it has used none."""
        row = self._store.row(
            "SELECT max(trace) AS trace FROM payment WHERE mid = ? AND tid = ? AND batch = ?",
            (mid, tid, batch),
        )
        return str(row["trace"] or "") if row else ""

    def unused_batch(self, mid: str, tid: str, *, after: str) -> str:
        """The first batch after this one (000000 after 999999) that is neither used nor settled."""
        batch = after
        while True:
            batch = f"{(int(batch) + 1) % _BATCH_COUNT:06d}"
            was_settled = self._store.row(
                "SELECT 1 FROM batch WHERE mid = ? AND tid = ? AND batch = ?", (mid, tid, batch)
            )
            if not was_settled and not self.highest_trace(mid, tid, batch):
                return batch

    def enter(self, request: Request, kind: PaymentKind, outcome: Outcome, *, rrn: str, reply: bytes) -> int:
        """Enter a request with what was decided and answered; its number. `reply` names no card."""
        state = PaymentState.APPROVED if outcome.approved else PaymentState.DECLINED
        return self._insert(request, kind, state, outcome, rrn=rrn, reply=reply)

    def forestall(self, request: Request, outcome: Outcome, *, rrn: str) -> None:
        """Enter a reversal whose original is unknown, so that the original is refused should it come late."""
        reason = request.text(39)
        self._insert(request, PaymentKind.UNKNOWN, PaymentState.FORESTALLED, outcome, rrn=rrn, reason=reason)

    def _insert(
        self,
        request: Request,
        kind: PaymentKind,
        state: PaymentState,
        outcome: Outcome,
        *,
        rrn: str,
        reason: str | None = None,
        reply: bytes = b"",
    ) -> int:
        moved_minor = request.amount_minor if outcome.moved_minor is None else outcome.moved_minor
        return self._store.insert(
            "INSERT INTO payment (mid, tid, batch, trace, kind, processing_code, amount_minor, pan_sealed,"
            " received_at, rrn, auth_code, response_code, state, reversal_reason, original_id, digest, reply,"
            " moved_minor, organisation) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(request.mid, request.tid, request.batch, request.trace, kind.value, request.text(3)),
                *(request.amount_minor, outcome.pan_sealed, clock_text(request.now), rrn),
                *(outcome.auth_code, outcome.code, state.value, reason, outcome.original_id),
                *(request.digest(), reply),
                moved_minor if outcome.approved else 0,
                outcome.organisation,
            ),
        )

    def mark_reversed(self, payment_id: int, reason: str) -> None:
        """Write that an approved payment was reversed, and why (field 39 of the reversal)."""
        self._store.execute(
            "UPDATE payment SET state = 'reversed', reversal_reason = ? WHERE payment_id = ?",
            (reason, payment_id),
        )

    def next_rrn(self, clock_hhmmss: str) -> str:
        """A retrieval reference number: the time and a running number, unique over a million messages."""
        return f"{clock_hhmmss}{self._store.next_count('rrn') % 1_000_000:06d}"

    def new_auth_code(self, mid: str, entropy: Entropy) -> str:
        """An authorisation code, six digits, that no open hold of this merchant carries."""
        start = int.from_bytes(entropy.token(4), "big")
        for step in range(_AUTH_CODE_COUNT):
            code = f"{(start + step) % _AUTH_CODE_COUNT:06d}"
            if not self._store.row(
                "SELECT 1 FROM payment JOIN hold USING (payment_id)"
                " WHERE mid = ? AND auth_code = ? AND hold.state = 'open'",
                (mid, code),
            ):
                return code
        raise AssertionError("a million holds of one merchant are open")


def _payment(row: sqlite3.Row) -> Payment:
    values = columns(row)
    values["kind"] = PaymentKind(values["kind"])
    values["state"] = PaymentState(values["state"])
    return Payment(**values)
