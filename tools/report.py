"""What became of one payment, from all sides: the terminal's journal, paper, sounds, the bank's books."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from bank.authoriser import Bank
from firmware.records import Outcome, Payment
from tools.bank_views import posting_row
from tools.station import Station
from wire.money import currency, format_amount


@dataclass(frozen=True, slots=True)
class SaleReport:
    """One payment's report. Texts are empty where there is nothing to say; amounts are in minor units.

    `reason` says why a payment did not end approved (`firmware.records.Reason`), or is the terminal's state
    when it began none. `stan` is the trace of the message that moved the money, `ledger` what the bank's
    books hold of this payment: postings, open holds, and whether the whole books balance. `beeps` are those
    of this payment, key clicks apart.
    """

    outcome: str  # approved, declined, cancelled, timed_out, failed
    response_code: str
    authorisation_code: str
    rrn: str
    stan: str
    batch: str
    amount_minor: int
    currency: str  # ISO 4217, three letters
    currency_numeric: str
    pan_masked: str
    states: Sequence[str]
    beeps: int
    slips: Sequence[str]
    ledger: Mapping[str, Any]
    flow: str
    reason: str
    reversed: bool
    completed: bool

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain values, in the order of the fields."""
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """The report for people, without the slips."""
        money = f"{self.currency} {format_amount(self.amount_minor, currency(self.currency).exponent)}"
        yield f"{self.outcome.replace('_', ' ').upper()}  {money}  {self.pan_masked}".rstrip()
        rows = {
            "reason": self.reason,
            "response code": self.response_code,
            "authorisation code": self.authorisation_code,
            "reference number": self.rrn,
            "trace and batch": f"{self.stan} {self.batch}".strip(),
            "reversed": "yes" if self.reversed else "",
            "flow": self.flow,
            "states": " > ".join(self.states),
            "beeps": str(self.beeps),
            "ledger": _ledger_line(self.ledger),
        }
        yield from (f"  {name:20}{value}" for name, value in rows.items() if value)


def _ledger_line(ledger: Mapping[str, Any]) -> str:
    movements = [
        f"{posting['kind']} {format_amount(posting['amount_minor'])} "
        f"({', '.join(_side(entry) for entry in posting['entries'])})"
        for posting in ledger["postings"]
    ]
    balance = "balanced" if ledger["balanced"] else "NOT BALANCED"
    return f"{'; '.join(movements) or 'no postings'}; holds left {ledger['holds_left']}; {balance}"


def _side(entry: Mapping[str, Any]) -> str:
    sign = "+" if entry["amount_minor"] > 0 else ""
    return f"{entry['account']} {sign}{format_amount(entry['amount_minor'])}"


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a station stood before a payment: what comes after it belongs to the payment."""

    payment_number: int
    beeps: int
    slips: int

    @classmethod
    def of(cls, station: Station) -> Self:
        """Where `station` stands now."""
        return cls(station.payment.number if station.payment else 0, station.beeps, len(station.slips))


@dataclass(frozen=True, slots=True)
class PaymentBooks:
    """What the bank's books hold of one payment."""

    postings: Sequence[Mapping[str, Any]] = field(default_factory=list)
    holds_left: int = 0
    balanced: bool = True


def books_of(station: Station, payment: Payment | None) -> PaymentBooks:
    """Ask the bank for its side of a payment."""
    settings = station.settings

    def look(bank: Bank) -> PaymentBooks:
        balanced = bank.verify().ok
        if payment is None or not payment.stan:
            return PaymentBooks(balanced=balanced)
        found = bank.payment_ledger(settings.terminal_id, settings.merchant_id, payment.batch, payment.stan)
        return PaymentBooks([posting_row(one) for one in found.postings], found.holds_left, balanced)

    return station.ask_bank(look)


def report_since(mark: Mark, station: Station, *, amount_minor: int) -> SaleReport:
    """The report of the payment that began after `mark`, or of none when the terminal began none."""
    payment = station.payment
    if payment is not None and payment.number <= mark.payment_number:
        payment = None
    record = payment or Payment(0, station.settings.flow, amount_minor, currency=station.settings.currency)
    outcome = record.outcome or Outcome.FAILED
    money = currency(record.currency)
    return SaleReport(
        outcome=outcome.value,
        response_code=record.response_code,
        authorisation_code=record.authorisation_code,
        rrn=record.rrn,
        stan=record.stan,
        batch=record.batch,
        amount_minor=record.amount_minor,
        currency=money.alpha,
        currency_numeric=money.numeric,
        pan_masked=record.pan_masked,
        states=station.states if payment else [],
        beeps=station.beeps - mark.beeps,
        slips=station.slips[mark.slips :],
        ledger=asdict(books_of(station, payment)),
        flow=record.flow.value,
        reason=record.reason.value if payment else station.state,
        reversed=record.reversed,
        completed=record.completed,
    )
