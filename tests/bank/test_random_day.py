"""Days of random traffic with every type of transaction, lost messages, repeats and reversals.

A model of a few lines says what each sale is worth; the bank's books, the totals of each batch and the
payouts must agree with it, whatever the order of messages and whatever got lost.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from bank.payouts import FEES, PAYOUTS
from bank.provision import demo_bank
from tests.bank.clerk import Clerk, Request, results
from tests.bank.test_random_traffic import exchange
from tests.bank.till import NOW
from wire.iso8583 import IsoMessage
from wire.iso8583.private import Totals

OPENING_MINOR = 1_000_000
ROUNDS = 40
BATCHES = 3


@dataclass
class Sale:
    """A sale that stands, by the answer that names it."""

    answer: IsoMessage
    amount_minor: int
    is_completion: bool = False
    is_offline: bool = False
    batch: str = ""
    voided: bool = False
    tip_minor: int = 0
    refunded_minor: int = 0

    @property
    def untouched(self) -> bool:
        return not (self.voided or self.tip_minor or self.refunded_minor)

    @property
    def rest_minor(self) -> int:
        return self.amount_minor + self.tip_minor - self.refunded_minor


@dataclass
class Day:
    """The clerk, the dice and what must come out."""

    clerk: Clerk
    dice: random.Random
    sales: list[Sale] = field(default_factory=list)
    holds: list[tuple[IsoMessage, int]] = field(default_factory=list)
    debits: list[int] = field(default_factory=list)
    credits: list[int] = field(default_factory=list)
    tips_minor: int = 0
    kinds_seen: set[str] = field(default_factory=set)

    def send(self, mti: str, fields: Request) -> IsoMessage:
        answer = exchange(self.clerk, self.dice, mti, fields)
        assert answer.text(39) == "00", (mti, answer)
        self.kinds_seen.add(" ".join((mti, str(fields[3]), str(fields[25]), str(fields[60])[:2])))
        return answer

    def undone(self, fields: Request) -> bool:
        """Perhaps reverse what was just sent."""
        if self.dice.random() > 0.3:
            return False
        assert exchange(self.clerk, self.dice, "0400", self.clerk.reversal_fields(fields)).text(39) == "00"
        return True

    def some_sale(self, *, untouched: bool, of_batch: bool, completion: bool | None = None) -> Sale | None:
        found = [
            one
            for one in self.sales
            if not one.voided
            and (one.untouched or not untouched)
            and (one.batch == self.clerk.batch or not of_batch)
            and completion in {None, one.is_completion}
        ]
        return self.dice.choice(found) if found else None

    def sold(self, answer: IsoMessage, amount_minor: int, **what: bool) -> None:
        self.sales.append(Sale(answer, amount_minor, batch=self.clerk.batch, **what))
        self.debits.append(amount_minor)

    # --- what may happen -------------------------------------------------------------------------

    def purchase(self) -> None:
        amount_minor = self.dice.randint(100, 2000)
        fields = self.clerk.purchase_fields(amount_minor=amount_minor)
        answer = self.send("0200", fields)
        if not self.undone(fields):
            self.sold(answer, amount_minor)

    def offline_sale(self) -> None:
        fields = self.clerk.offline_fields(amount_minor=self.dice.randint(100, 2000))
        self.sold(self.send("0220", fields), int(str(fields[4])), is_offline=True)

    def authorise_first(self) -> None:
        amount_minor = self.dice.randint(100, 2000)
        authorised = self.send("0100", self.clerk.authorise_fields(amount_minor=amount_minor))
        self.send("0100", self.clerk.verify_fields(authorised))
        completed = self.send("0220", self.clerk.completion_fields(authorised))
        named = self.dice.choice((authorised, completed))
        self.sold(named, amount_minor, is_completion=True)

    def preauth(self) -> None:
        fields = self.clerk.preauth_fields(amount_minor=self.dice.randint(100, 2000))
        held = self.send("0100", fields)
        if not self.undone(fields):
            self.holds.append((held, int(str(fields[4]))))

    def cancel(self) -> None:
        if self.holds:
            held = self.dice.choice(self.holds)
            fields = self.clerk.cancel_fields(held[0])
            self.send("0100", fields)
            if not self.undone(fields):
                self.holds.remove(held)

    def completion(self) -> None:
        if self.holds:
            held = self.dice.choice(self.holds)
            amount_minor = self.dice.randint(1, held[1] * 115 // 100)
            fields = self.clerk.finish_fields(held[0], amount_minor)
            answer = self.send("0200", fields)
            if not self.undone(fields):
                self.holds.remove(held)
                self.sold(answer, amount_minor, is_completion=True)

    def void(self) -> None:
        sale = self.some_sale(untouched=True, of_batch=True)
        if sale is None or sale.is_offline:
            return
        fields = (self.clerk.void_completion_fields if sale.is_completion else self.clerk.void_fields)(
            sale.answer
        )
        self.send("0200", fields | {4: f"{sale.amount_minor:012d}"})
        if not self.undone(fields | {4: f"{sale.amount_minor:012d}"}):
            sale.voided = True
            self.credits.append(sale.amount_minor)

    def refund(self) -> None:
        sale = self.some_sale(untouched=False, of_batch=False)
        if sale is not None and sale.rest_minor > 0:
            amount_minor = self.dice.randint(1, sale.rest_minor)
            self.send("0220", self.clerk.refund_fields(sale.answer, amount_minor))
            sale.refunded_minor += amount_minor
            self.credits.append(amount_minor)

    def tip(self) -> None:
        sale = self.some_sale(untouched=True, of_batch=True)
        if sale is not None and sale.amount_minor >= 100:
            tip_minor = self.dice.randint(1, sale.amount_minor * 15 // 100)
            self.send("0220", self.clerk.adjust_fields(sale.answer, tip_minor, sale.amount_minor + tip_minor))
            sale.tip_minor = tip_minor
            self.tips_minor += tip_minor

    def balance(self) -> None:
        self.send("0200", self.clerk.balance_fields())

    def script_result(self) -> None:
        sale = self.some_sale(untouched=False, of_batch=True)
        if sale is not None:
            fields = self.clerk.linked("000000 00 00", sale.answer)
            del fields[35]
            del fields[38]
            fields |= {
                32: "08960000",
                55: b"\xdf\x31\x05\x20\x00\x00\x00\x01",
                60: f"00{self.clerk.batch}95150",
            }
            self.send("0620", fields)

    # --- the end ---------------------------------------------------------------------------------

    def end(self) -> int:
        """Settle, pay out, and compare; what the merchant was due before fees."""
        totals = Totals(
            sum(self.debits) + self.tips_minor, len(self.debits), sum(self.credits), len(self.credits)
        )
        assert results(self.clerk.settle(totals)) == (1, 1)
        assert self.clerk.end("207", 0).text(39) == "00"
        self.debits, self.credits, self.tips_minor = [], [], 0
        return totals.debit_amount_minor - totals.credit_amount_minor


WHAT = (
    "purchase",
    "purchase",
    "offline_sale",
    "authorise_first",
    "preauth",
    "preauth",
    "cancel",
    "completion",
)
WHAT_ELSE = ("completion", "void", "void", "refund", "tip", "balance", "script_result")


@pytest.mark.parametrize("seed", range(4))
def test_days_of_everything_end_with_right_books(seed: int) -> None:
    dice = random.Random(seed)
    clerk = Clerk(demo_bank(now=NOW))
    clerk.sign_in()
    day = Day(clerk, dice)
    due_minor = 0
    for _ in range(BATCHES):
        for _ in range(ROUNDS):
            getattr(day, dice.choice(WHAT + WHAT_ELSE))()
            clerk.later(seconds=dice.randint(1, 60))
        due_minor += day.end()
        clerk.bank.payouts.pay_all(now=clerk.now)
        assert clerk.bank.verify().findings == ()
        clerk.later(hours=8)

    worth_minor = sum(0 if sale.voided else sale.rest_minor for sale in day.sales)
    assert worth_minor == due_minor
    assert clerk.balance_minor() == OPENING_MINOR - worth_minor
    held_minor = sum(amount_minor for _, amount_minor in day.holds)
    assert clerk.available_minor() == clerk.balance_minor() - held_minor
    books = {account.name: account.balance_minor for account in clerk.bank.accounts()}
    assert sum(books.values()) == 0
    assert books[f"merchant {clerk.mid}"] + books[PAYOUTS] + books[FEES] == worth_minor
    assert books[PAYOUTS] == sum(payout.net_minor for payout in clerk.bank.payouts.payouts())
    assert len(day.kinds_seen) >= 12, "every type was met"
    clerk.bank.close()
