"""The bank's books, added up a second time: from their entries alone, posting by posting, as they are booked.

A limit is looked at after every debit. A reversal may take an account below it: it takes back what was never
due, and no bank can refuse it; from then on nothing more may be taken until the account is even again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Iterator
from datetime import datetime, timedelta

from bank.authoriser import Bank
from bank.ledger import AccountKind
from bank.payments import PaymentState
from bank.plans import BY_KIND, Side
from tools.simulate.checkers.finding import Finding

LIMITED = frozenset({AccountKind.CARDHOLDER.value, AccountKind.MERCHANT.value})
"""Whose accounts have a limit, and it is zero: the bank lends nobody anything."""
HOLD_DAYS_MAX = 30
"""How long a pre-authorisation is good for (iso8583-pos section 7.6)."""
_REVERSAL = "reversal"

_NEW_ENTRIES = (
    "SELECT posting_id, kind, payment_id, account_id, amount_minor FROM posting JOIN entry USING (posting_id)"
    " WHERE posting_id > ? ORDER BY posting_id"
)
_HELD = "SELECT coalesce(sum(amount_minor), 0) FROM hold WHERE account_id = ? AND state = 'open'"
_NEWEST = "SELECT payment_id, received_at FROM payment ORDER BY payment_id DESC LIMIT 1"
_OVERDUE = "SELECT hold_id FROM hold WHERE state = 'open' AND expires_at <= ?"


class Books:
    """Remembers what it has added up, so that each look costs what is new."""

    def __init__(self) -> None:
        self._posting_id = 0
        self._hold_id = 0
        self._kinds: dict[int, str] = {}
        self._balances: dict[int, int] = defaultdict(int)
        self._of_payment: dict[int, list[tuple[str, dict[int, int]]]] = defaultdict(list)
        self._excused: set[int] = set()  # taken below their limit by a reversal
        self._overdue: dict[int, int] = {}  # hold -> the newest payment when it was first seen open too long

    def look(self, bank: Bank) -> Iterator[Finding]:
        """What was booked and held since the last look."""
        postings: dict[int, tuple[str, int | None, dict[int, int]]] = {}
        for row in bank.store.rows(_NEW_ENTRIES, (self._posting_id,)):
            number, kind, payment_id, account_id, amount_minor = row
            postings.setdefault(number, (kind, payment_id, {}))[2][account_id] = amount_minor
        lowered: set[int] = set()
        for number, (kind, payment_id, entries) in postings.items():
            self._posting_id = number
            yield from self._add(number, kind, payment_id, entries)
            debited = {account_id for account_id, amount_minor in entries.items() if amount_minor < 0}
            (self._excused if kind == _REVERSAL else lowered).update(debited)
        lowered |= yield from self._new_holds(bank)
        if lowered:
            yield from self._limits(bank, lowered)

    def _add(
        self, number: int, kind: str, payment_id: int | None, entries: dict[int, int]
    ) -> Iterator[Finding]:
        if sum(entries.values()) != 0:
            yield Finding("ledger", f"posting {number} does not balance: off by {sum(entries.values())}")
        for account_id, amount_minor in entries.items():
            self._balances[account_id] += amount_minor
        if payment_id is not None:
            self._of_payment[payment_id].append((kind, entries))

    def _new_holds(self, bank: Bank) -> Generator[Finding, None, set[int]]:
        """The accounts with new holds; each of which must end some day."""
        accounts: set[int] = set()
        for row in bank.store.rows("SELECT * FROM hold WHERE hold_id > ?", (self._hold_id,)):
            self._hold_id = row["hold_id"]
            accounts.add(row["account_id"])
            opened, expires = (datetime.fromisoformat(row[name]) for name in ("opened_at", "expires_at"))
            if not timedelta() < expires - opened <= timedelta(days=HOLD_DAYS_MAX):
                yield Finding("holds", f"hold {row['hold_id']} is to last {expires - opened}")
        return accounts

    def _limits(self, bank: Bank, accounts: set[int]) -> Iterator[Finding]:
        if not accounts <= self._kinds.keys():
            self._kinds = {row[0]: row[1] for row in bank.store.rows("SELECT account_id, kind FROM account")}
        for account_id in sorted(accounts):
            if self._kinds[account_id] not in LIMITED:
                continue
            free_minor = self._balances[account_id] - bank.store.number(_HELD, (account_id,))
            if free_minor >= 0:
                self._excused.discard(account_id)
            elif account_id not in self._excused:
                yield Finding("limit", f"account {account_id} is {-free_minor} below its limit")

    # --- now and then, and at the end -----------------------------------------------------------------

    def audit(self, bank: Bank) -> Iterator[Finding]:
        """Everything added up says what the bank says, and no hold has outlived its time."""
        yield from self.look(bank)
        for account_id, name, balance_minor in bank.store.rows(
            "SELECT account_id, name, balance_minor FROM account"
        ):
            if balance_minor != self._balances[account_id]:
                added = self._balances[account_id]
                yield Finding("ledger", f"{name} has {balance_minor}, its entries sum to {added}")
        if total := sum(self._balances.values()):
            yield Finding("ledger", f"all accounts together hold {total} instead of 0")
        yield from self._overdue_holds(bank)

    def _overdue_holds(self, bank: Bank) -> Iterator[Finding]:
        """Holds still open at a message after their end: the bank ends what is over before it does anything.

        The undoing of a completion may open one again whose time is over; it ends at the next message.
        """
        newest = bank.store.row(_NEWEST)
        if newest is None:
            return
        open_too_long = [row[0] for row in bank.store.rows(_OVERDUE, (newest["received_at"],))]
        self._overdue = {
            hold_id: self._overdue.get(hold_id, newest["payment_id"]) for hold_id in open_too_long
        }
        for hold_id, seen_at in self._overdue.items():
            if seen_at < newest["payment_id"]:
                yield Finding("holds", f"hold {hold_id} has outlived its time")

    def of_payments(self, bank: Bank) -> Iterator[Finding]:
        """What stands has moved its amount once; what does not stand has moved nothing on the whole."""
        for payment in bank.payments.chosen("", ()):
            moves = self._of_payment.pop(payment.payment_id, [])
            net: dict[int, int] = defaultdict(int)
            for _, entries in moves:
                for account_id, amount_minor in entries.items():
                    net[account_id] += amount_minor
            plan = BY_KIND.get(payment.kind)
            has_side = plan is not None and plan.side is not Side.NONE
            stands = has_side and payment.state is PaymentState.APPROVED
            moved = sum(amount_minor for amount_minor in net.values() if amount_minor > 0)
            if moved != (payment.moved_minor if stands else 0) or (stands and len(moves) != 1):
                yield Finding("books", f"{payment} has moved {moved} in {len(moves)} postings")
        if self._of_payment:
            yield Finding("books", f"postings for payments that are not there: {sorted(self._of_payment)}")
