"""Cards: what the bank holds about each, and why it may refuse one before any money is looked at."""

from __future__ import annotations

import sqlite3
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum

from bank.answers import APPROVED, SUCCESSES
from bank.errors import RecordError
from bank.hsm import Hsm
from bank.ledger import AccountKind, Ledger
from bank.qualifications import QUALIFICATIONS
from bank.store import BankStore, SqlValue, columns
from wire.pan import Pan

PIN_TRIES_LIMIT = 3


class CardStatus(Enum):
    """A card's standing, by the word used in listings and TOML files."""

    ACTIVE = "active"
    PICK_UP = "pick_up"
    INACTIVE = "inactive"
    LOST = "lost"
    STOLEN = "stolen"
    RESTRICTED = "restricted"
    REFERRED = "referred"
    FRAUD = "fraud"


REFUSALS = {
    CardStatus.PICK_UP: "04",
    CardStatus.INACTIVE: "21",
    CardStatus.LOST: "41",
    CardStatus.STOLEN: "43",
    CardStatus.RESTRICTED: "62",
    CardStatus.REFERRED: "01",
    CardStatus.FRAUD: "34",
}
"""The response code (field 39) of every standing but `active`."""


@dataclass(frozen=True, slots=True)
class CardTerms:
    """What an issuer has agreed for a card.

    `approval_code`: what its approvals say in F39, 00 or a flawed success. `partial_approval`: whether a
    part of an amount is approved where all of it is not there, if the terminal takes that. `forbids`: what
    its issuer allows nowhere, in the words of `bank.qualifications`. `daily_count_max`: debits a day.
    """

    approval_code: str = APPROVED
    partial_approval: bool = False
    forbids: frozenset[str] = frozenset()
    daily_count_max: int | None = None

    def check(self, name: str) -> None:
        """Raise RecordError when a word or a code in them is none."""
        unknown = sorted(self.forbids - set(QUALIFICATIONS))
        if unknown:
            known = ", ".join(QUALIFICATIONS)
            raise RecordError(f'card "{name}" cannot forbid "{unknown[0]}"; known are {known}')
        if self.approval_code not in SUCCESSES:
            raise RecordError(f'card "{name}": an approval says one of {", ".join(sorted(SUCCESSES))}')


@dataclass(frozen=True, slots=True)
class Card:
    """A card of this bank. `pan` masks itself; `pin_offset` is no PIN, but is kept out of the repr too.

    `pan_sealed`: the number as the HSM seals it, by which payments name it. `discretionary_sealed`: the end
    of track 2, with the card verification value, sealed too.
    """

    pan: Pan
    pan_sealed: bytes
    name: str
    holder: str
    expiry_yymm: str
    service_code: str
    status: CardStatus
    pin_offset: str
    pin_required: bool
    pin_tries_used: int
    pin_tries_limit: int
    amount_limit_minor: int | None
    account_id: int
    terms: CardTerms = CardTerms()
    discretionary_sealed: bytes | None = None

    def __repr__(self) -> str:
        return f"Card({self.name!r}, {self.pan.masked}, {self.status.value})"

    @property
    def pin_is_blocked(self) -> bool:
        """Whether the PIN tries are used up: no PIN is looked at any more."""
        return self.pin_tries_used >= self.pin_tries_limit

    def refusal(self, now: datetime) -> str | None:
        """The response code that refuses this card today whatever it wants to do, or None."""
        if self.status in REFUSALS:
            return REFUSALS[self.status]
        return "54" if is_expired(self.expiry_yymm, now) else None


def is_expired(expiry_yymm: str, now: datetime) -> bool:
    """Whether a card of this expiry is out of date: it is good to the last day of the month."""
    return now.date() > last_day(expiry_yymm)


def last_day(expiry_yymm: str) -> date:
    """The last day on which a card of this expiry is good. Raises ValueError if it is no YYMM."""
    if not (len(expiry_yymm) == 4 and expiry_yymm.isascii() and expiry_yymm.isdigit()):
        raise ValueError("an expiry date is four digits YYMM")
    year, month = 2000 + int(expiry_yymm[:2]), int(expiry_yymm[2:])
    if not 1 <= month <= 12:
        raise ValueError("an expiry date has a month from 01 to 12")
    return date(year, month, monthrange(year, month)[1])


class Cards:
    """The register of cards. Writing methods belong inside a store transaction."""

    def __init__(self, store: BankStore, ledger: Ledger, hsm: Hsm) -> None:
        self._store = store
        self._ledger = ledger
        self._hsm = hsm

    def add(
        self,
        name: str,
        pan: Pan,
        pin: str,
        *,
        expiry_yymm: str,
        now: datetime,
        holder: str = "",
        service_code: str = "120",
        status: CardStatus = CardStatus.ACTIVE,
        balance_minor: int = 0,
        amount_limit_minor: int | None = None,
        pin_required: bool = True,
        pin_tries_limit: int = PIN_TRIES_LIMIT,
        terms: CardTerms = CardTerms(),
        discretionary: str = "",
    ) -> Card:
        """Issue a card with an account of its own, funded from clearing. The PIN is kept as an offset only.

        Raises RecordError if the name or the PAN is taken or a value has the wrong form.
        """
        self._check(name, pan, expiry_yymm, service_code)
        if balance_minor < 0 or pin_tries_limit < 1:
            raise RecordError(f'card "{name}" cannot start with a negative balance or without PIN tries')
        terms.check(name)
        account_id = self._funded_account(name, balance_minor, now)
        self._store.execute(
            "INSERT INTO card (pan_sealed, name, holder, expiry_yymm, service_code, status, pin_offset,"
            " pin_required, pin_tries_limit, amount_limit_minor, account_id, approval_code, partial_approval,"
            " forbids, daily_count_max, discretionary_sealed)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self._hsm.seal_pan(pan),
                name,
                holder,
                expiry_yymm,
                service_code,
                status.value,
                self._hsm.pin_offset(pin, pan),
                int(pin_required),
                pin_tries_limit,
                amount_limit_minor,
                account_id,
                *_stored(terms),
                self._hsm.seal_discretionary(discretionary) if discretionary else None,
            ),
        )
        return self.named(name)

    def _funded_account(self, name: str, balance_minor: int, now: datetime) -> int:
        """The account of a new card, with its first money from clearing."""
        account_id = self._ledger.open_account(f"card {name}", AccountKind.CARDHOLDER)
        if balance_minor:
            self._ledger.transfer(
                "funding",
                debit=self._ledger.clearing_account_id(),
                credit=account_id,
                amount_minor=balance_minor,
                now=now,
            )
        return account_id

    def _check(self, name: str, pan: Pan, expiry_yymm: str, service_code: str) -> None:
        if not name:
            raise RecordError("a card needs a name")
        if self._store.row("SELECT 1 FROM card WHERE name = ?", (name,)):
            raise RecordError(f'there is already a card "{name}"')
        if self.find(pan):
            raise RecordError(f'the number of card "{name}" ({pan.masked}) is another card\'s')
        if not pan.luhn_valid:
            raise RecordError(f'the number of card "{name}" ({pan.masked}) has a wrong check digit')
        try:
            last_day(expiry_yymm)
        except ValueError as error:
            raise RecordError(f'card "{name}": {error}') from error
        if not (len(service_code) == 3 and service_code.isascii() and service_code.isdigit()):
            raise RecordError(f'card "{name}": a service code is three digits')

    def find(self, pan: Pan) -> Card | None:
        """The card with this number, or None if this bank does not hold it."""
        row = self._row(self._hsm.seal_pan(pan))
        return _card(row, pan) if row else None

    def find_sealed(self, pan_sealed: bytes | None) -> Card | None:
        """The card whose sealed number this is, or None."""
        row = self._row(pan_sealed)
        return self._card(row) if row else None

    def _row(self, pan_sealed: bytes | None) -> sqlite3.Row | None:
        return self._store.row("SELECT * FROM card WHERE pan_sealed = ?", (pan_sealed,))

    def named(self, name: str) -> Card:
        """The card with this name. Raises RecordError."""
        row = self._store.row("SELECT * FROM card WHERE name = ?", (name,))
        if row is None:
            raise RecordError(f'there is no card "{name}"')
        return self._card(row)

    def cards(self) -> list[Card]:
        """All cards, by name."""
        return [self._card(row) for row in self._store.rows("SELECT * FROM card ORDER BY name")]

    def set_status(self, name: str, status: CardStatus) -> None:
        """Change a card's standing. Raises RecordError if there is no such card."""
        self.named(name)
        self._store.execute("UPDATE card SET status = ? WHERE name = ?", (status.value, name))

    def set_terms(self, name: str, terms: CardTerms) -> None:
        """Change what was agreed for a card. Raises RecordError."""
        terms.check(name)
        self.named(name)
        self._store.execute(
            "UPDATE card SET approval_code = ?, partial_approval = ?, forbids = ?, daily_count_max = ?"
            " WHERE name = ?",
            (*_stored(terms), name),
        )

    def set_pin_tries_used(self, card: Card, tries_used: int) -> None:
        """Write the count of wrong PINs; 0 after a right one."""
        self._store.execute("UPDATE card SET pin_tries_used = ? WHERE name = ?", (tries_used, card.name))

    def _card(self, row: sqlite3.Row) -> Card:
        return _card(row, self._hsm.open_pan(row["pan_sealed"]))


def _card(row: sqlite3.Row, pan: Pan) -> Card:
    values = columns(row)
    return Card(
        pan=pan,
        pan_sealed=values["pan_sealed"],
        name=values["name"],
        holder=values["holder"],
        expiry_yymm=values["expiry_yymm"],
        service_code=values["service_code"],
        status=CardStatus(values["status"]),
        pin_offset=values["pin_offset"],
        pin_required=bool(values["pin_required"]),
        pin_tries_used=values["pin_tries_used"],
        pin_tries_limit=values["pin_tries_limit"],
        amount_limit_minor=values["amount_limit_minor"],
        account_id=values["account_id"],
        terms=CardTerms(
            values["approval_code"],
            bool(values["partial_approval"]),
            frozenset(filter(None, values["forbids"].split(","))),
            values["daily_count_max"],
        ),
        discretionary_sealed=values["discretionary_sealed"],
    )


def _stored(terms: CardTerms) -> tuple[SqlValue, ...]:
    """The columns approval_code, partial_approval, forbids, daily_count_max."""
    forbids = ",".join(sorted(terms.forbids))
    return (terms.approval_code, int(terms.partial_approval), forbids, terms.daily_count_max)
