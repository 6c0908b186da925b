"""The bank's books: double entry, with holds beside the balance.

Money moves only by a posting, and a posting's entries sum to zero; so all accounts together always sum to
zero. A hold moves nothing: it lowers what is available until it is completed, released or expires. Amounts
are integers in minor units, positive = the bank owes the account's owner more.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final

from bank.errors import LedgerError, RecordError
from bank.store import BankStore, SqlValue, clock_text, columns

CLEARING: Final = "clearing"  # the account that money comes from when a card is funded

_ACCOUNTS: Final = """
    SELECT account.*, (
        SELECT coalesce(sum(amount_minor), 0) FROM hold
        WHERE hold.account_id = account.account_id AND state = 'open'
    ) AS held_minor FROM account
"""
_POSTINGS: Final = """
    SELECT posting.*, account.name AS account, entry.amount_minor
    FROM posting JOIN entry USING (posting_id) JOIN account USING (account_id)
"""
_HOLDS: Final = """
    SELECT hold.*, account.name AS account FROM hold JOIN account USING (account_id)
"""


class AccountKind(Enum):
    """Whose money an account holds."""

    CARDHOLDER = "cardholder"
    MERCHANT = "merchant"
    CLEARING = "clearing"
    PAYOUT = "payout"  # what has left for merchants' own accounts
    INCOME = "income"  # fees


class HoldState(Enum):
    """What became of a hold. Only an open one lowers what is available."""

    OPEN = "open"
    COMPLETED = "completed"
    RELEASED = "released"
    EXPIRED = "expired"


class PinState(Enum):
    """What the bank knows about the PIN of the payment behind a hold."""

    UNSEEN = "unseen"
    WRONG = "wrong"
    VERIFIED = "verified"


@dataclass(frozen=True, slots=True)
class Account:
    """An account with its balance and what of it is free to spend (both minor units)."""

    account_id: int
    name: str
    kind: AccountKind
    currency: str
    balance_minor: int
    available_minor: int


@dataclass(frozen=True, slots=True)
class Hold:
    """Money set aside for a payment that was authorised. `completion_max_minor`: what may be completed."""

    hold_id: int
    account_id: int
    account: str
    payment_id: int
    amount_minor: int
    state: HoldState
    pin_state: PinState
    opened_at: str
    expires_at: str
    completion_max_minor: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One side of a posting."""

    account: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Posting:
    """A movement of money. `amount_minor` is what was moved, without sign."""

    posting_id: int
    kind: str
    payment_id: int | None
    booked_at: str
    entries: tuple[Entry, ...]

    @property
    def amount_minor(self) -> int:
        """The sum of the positive entries."""
        return sum(entry.amount_minor for entry in self.entries if entry.amount_minor > 0)


@dataclass(frozen=True, slots=True)
class Audit:
    """The result of `Ledger.verify()`: empty `findings` means that the books are right."""

    account_count: int
    posting_count: int
    findings: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


class Ledger:
    """Accounts, postings and holds of one store. Writing methods belong inside a store transaction."""

    def __init__(self, store: BankStore) -> None:
        self._store = store

    # --- accounts --------------------------------------------------------------------------------

    def open_account(self, name: str, kind: AccountKind, *, currency: str = "156") -> int:
        """Open an empty account; its number. Raises RecordError if the name is taken."""
        if self._store.row("SELECT 1 FROM account WHERE name = ?", (name,)):
            raise RecordError(f'there is already an account "{name}"')
        return self._store.insert(
            "INSERT INTO account (name, kind, currency) VALUES (?, ?, ?)", (name, kind.value, currency)
        )

    def clearing_account_id(self) -> int:
        """The number of the clearing account, which is opened at the first use."""
        return self.own_account_id(CLEARING, AccountKind.CLEARING)

    def own_account_id(self, name: str, kind: AccountKind) -> int:
        """The number of an account of the bank's own, which is opened at the first use."""
        row = self._store.row("SELECT account_id FROM account WHERE name = ?", (name,))
        return int(row["account_id"]) if row else self.open_account(name, kind)

    def accounts(self) -> list[Account]:
        """All accounts, by name."""
        return self._accounts("ORDER BY name")

    def account(self, account_id: int) -> Account:
        """One account by number. Raises RecordError."""
        found = self._accounts("WHERE account_id = ?", (account_id,))
        if not found:
            raise RecordError(f"there is no account number {account_id}")
        return found[0]

    def account_named(self, name: str) -> Account:
        """One account by name. Raises RecordError."""
        found = self._accounts("WHERE name = ?", (name,))
        if not found:
            raise RecordError(f'there is no account "{name}"')
        return found[0]

    def _accounts(self, clause: str, values: tuple[SqlValue, ...] = ()) -> list[Account]:
        rows = self._store.rows(f"{_ACCOUNTS} {clause}", values)
        return [
            Account(
                account_id=row["account_id"],
                name=row["name"],
                kind=AccountKind(row["kind"]),
                currency=row["currency"],
                balance_minor=row["balance_minor"],
                available_minor=row["balance_minor"] - row["held_minor"],
            )
            for row in rows
        ]

    # --- postings --------------------------------------------------------------------------------

    def post(
        self, kind: str, entries: Mapping[int, int], *, now: datetime, payment_id: int | None = None
    ) -> int:
        """Book one movement: account number -> signed amount. The posting's number.

        Raises LedgerError unless there are at least two entries, none of them zero, that sum to zero.
        """
        if len(entries) < 2 or sum(entries.values()) != 0 or 0 in entries.values():
            raise LedgerError(f"a {kind} posting needs two or more entries, none zero, that sum to zero")
        posting_id = self._store.insert(
            "INSERT INTO posting (kind, payment_id, booked_at) VALUES (?, ?, ?)",
            (kind, payment_id, clock_text(now)),
        )
        for account_id, amount_minor in entries.items():
            self._store.execute("INSERT INTO entry VALUES (?, ?, ?)", (posting_id, account_id, amount_minor))
            self._store.execute(
                "UPDATE account SET balance_minor = balance_minor + ? WHERE account_id = ?",
                (amount_minor, account_id),
            )
        return posting_id

    def transfer(
        self,
        kind: str,
        *,
        debit: int,
        credit: int,
        amount_minor: int,
        now: datetime,
        payment_id: int | None = None,
    ) -> int:
        """Move `amount_minor` (above zero) from account `debit` to account `credit`; the posting's number."""
        if amount_minor <= 0:
            raise LedgerError(f"a {kind} must move more than nothing")
        return self.post(kind, {debit: -amount_minor, credit: amount_minor}, now=now, payment_id=payment_id)

    def reverse_postings(self, payment_id: int, *, now: datetime) -> None:
        """Book the mirror image of everything that was posted for a payment."""
        for posting in self.postings(payment_id=payment_id):
            rows = self._store.rows("SELECT * FROM entry WHERE posting_id = ?", (posting.posting_id,))
            mirror = {int(row["account_id"]): -int(row["amount_minor"]) for row in rows}
            self.post("reversal", mirror, now=now, payment_id=payment_id)

    def postings(self, *, payment_id: int | None = None) -> list[Posting]:
        """All postings in the order of booking, or those of one payment."""
        chosen, values = ("WHERE payment_id = ?", (payment_id,)) if payment_id is not None else ("", ())
        rows = self._store.rows(f"{_POSTINGS} {chosen} ORDER BY posting_id, account_id", values)
        entries: dict[int, list[Entry]] = {}
        heads = {}
        for row in rows:
            heads[int(row["posting_id"])] = row
            entries.setdefault(int(row["posting_id"]), []).append(Entry(row["account"], row["amount_minor"]))
        return [
            Posting(
                posting_id, head["kind"], head["payment_id"], head["booked_at"], tuple(entries[posting_id])
            )
            for posting_id, head in heads.items()
        ]

    # --- holds -----------------------------------------------------------------------------------

    def place_hold(
        self,
        account_id: int,
        payment_id: int,
        amount_minor: int,
        *,
        completion_max_minor: int,
        pin_state: PinState = PinState.UNSEEN,
        now: datetime,
        expires_at: datetime,
    ) -> int:
        """Set `amount_minor` aside for a payment; the hold's number.

        Whether it is available is the caller's question.
        """
        return self._store.insert(
            "INSERT INTO hold (account_id, payment_id, amount_minor, completion_max_minor, state, pin_state,"
            " opened_at, expires_at) VALUES (?, ?, ?, ?, 'open', ?, ?, ?)",
            (
                account_id,
                payment_id,
                amount_minor,
                completion_max_minor,
                pin_state.value,
                clock_text(now),
                clock_text(expires_at),
            ),
        )

    def hold_of(self, payment_id: int) -> Hold | None:
        """The hold that a payment placed, whatever became of it."""
        row = self._store.row(f"{_HOLDS} WHERE payment_id = ?", (payment_id,))
        return _hold(row) if row else None

    def open_holds(self) -> list[Hold]:
        """All holds that still lower an account's available money, oldest first."""
        return [_hold(row) for row in self._store.rows(f"{_HOLDS} WHERE state = 'open' ORDER BY hold_id")]

    def set_hold(self, hold_id: int, state: HoldState) -> None:
        """End a hold, completed by a posting or released; or open it again, when that end is reversed."""
        self._store.execute("UPDATE hold SET state = ? WHERE hold_id = ?", (state.value, hold_id))

    def note_pin(self, hold_id: int, pin_state: PinState) -> None:
        """Write down what the last PIN verification of this payment said."""
        self._store.execute("UPDATE hold SET pin_state = ? WHERE hold_id = ?", (pin_state.value, hold_id))

    def expire_holds(self, now: datetime) -> int:
        """End every open hold whose time is over; how many there were.

        Asked at every request, and there are some once in a while: to look costs a fifth of an UPDATE.
        """
        moment = (clock_text(now),)
        if self._store.row("SELECT 1 FROM hold WHERE state = 'open' AND expires_at <= ?", moment) is None:
            return 0
        return self._store.execute(
            "UPDATE hold SET state = 'expired' WHERE state = 'open' AND expires_at <= ?", moment
        ).rowcount

    # --- audit -----------------------------------------------------------------------------------

    def verify(self) -> Audit:
        """Recalculate the books from their entries and report every difference, in words without secrets."""
        store = self._store
        findings = [
            f"posting {row['posting_id']} does not balance: off by {row['off']}"
            for row in store.rows(
                "SELECT posting_id, coalesce(sum(amount_minor), 0) AS off, count(amount_minor) AS sides"
                " FROM posting LEFT JOIN entry USING (posting_id) GROUP BY posting_id"
                " HAVING off <> 0 OR sides < 2"
            )
        ]
        findings += [
            f'account "{row["name"]}" says {row["balance_minor"]}, its entries sum to {row["total"]}'
            for row in store.rows(
                "SELECT name, balance_minor, coalesce(sum(amount_minor), 0) AS total"
                " FROM account LEFT JOIN entry USING (account_id) GROUP BY account_id"
                " HAVING balance_minor <> total"
            )
        ]
        total = store.number("SELECT sum(balance_minor) FROM account")
        if total != 0:
            findings.append(f"all accounts together hold {total} instead of 0")
        return Audit(
            account_count=store.number("SELECT count(*) FROM account"),
            posting_count=store.number("SELECT count(*) FROM posting"),
            findings=tuple(findings),
        )


def _hold(row: sqlite3.Row) -> Hold:
    """A row of `_HOLDS` as a Hold."""
    values = columns(row)
    values["state"] = HoldState(values["state"])
    values["pin_state"] = PinState(values["pin_state"])
    return Hold(**values)
