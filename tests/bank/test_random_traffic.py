"""Random traffic with lost messages, repeats and reversals, judged by a model of a few lines.

The model knows only what a payment may end as: money moved once, or not at all. Whatever the order of
messages, the bank's books must agree with it, and balance.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from bank.faults import Fault, FaultKind
from bank.provision import demo_bank
from tests.bank.till import NOW, Till
from wire.iso8583 import IsoMessage

OPENING_MINOR = 1_000_000
ROUNDS = 60


@dataclass
class Model:
    """What the terminal was told, by trace: money that moved, payments undone, holds left open."""

    moved: dict[str, int] = field(default_factory=dict)
    undone: set[str] = field(default_factory=set)
    open_holds: set[str] = field(default_factory=set)


def exchange(till: Till, dice: random.Random, mti: str, fields: dict[int, str | bytes]) -> IsoMessage:
    """Send until an answer arrives: requests and answers get lost, and some are sent again for no reason."""
    if dice.random() < 0.3:
        lost = dice.choice((FaultKind.SILENT_BEFORE_POSTING, FaultKind.SILENT_AFTER_POSTING))
        till.bank.faults.add(Fault(lost, count=dice.randint(1, 3)))
    answer = None
    while answer is None:
        answer = till.exchange(mti, fields)
    if dice.random() < 0.3:
        again = till.exchange(mti, fields)
        assert again is None or again.text(39) == answer.text(39)
    till.bank.faults.clear()
    return answer


def one_payment(till: Till, dice: random.Random, model: Model) -> None:
    amount_minor = dice.randint(1, 2000)
    fields = till.authorise_fields(amount_minor=amount_minor)
    trace = str(fields[11])
    if dice.random() < 0.1:  # the terminal gives up before the request ever arrives, and reverses
        assert exchange(till, dice, "0400", till.reversal_fields(fields)).text(39) == "25"
        assert exchange(till, dice, "0100", fields).text(39) == "22"
        model.undone.add(trace)
        return
    authorised = exchange(till, dice, "0100", fields)
    assert authorised.text(39) == "00"
    for _ in range(dice.choice((0, 0, 1))):
        assert exchange(till, dice, "0100", till.verify_fields(authorised, "000000")).text(39) == "55"
    end = dice.choice(("complete", "complete", "reverse", "abandon"))
    if end == "complete":
        assert exchange(till, dice, "0100", till.verify_fields(authorised)).text(39) == "00"
        assert exchange(till, dice, "0220", till.completion_fields(authorised)).text(39) == "00"
        model.moved[trace] = amount_minor
        assert exchange(till, dice, "0400", till.reversal_fields(fields)).text(39) == "22"
    elif end == "reverse":
        assert exchange(till, dice, "0400", till.reversal_fields(fields, "06")).text(39) == "00"
        assert exchange(till, dice, "0220", till.completion_fields(authorised)).text(39) == "22"
        model.undone.add(trace)
    else:
        model.open_holds.add(trace)
    if end != "complete":  # no right PIN has cleared the count
        with till.bank.store.transaction():
            till.bank.cards.set_pin_tries_used(till.bank.cards.named("good"), 0)


def one_purchase(till: Till, dice: random.Random, model: Model) -> None:
    amount_minor = dice.randint(1, 2000)
    fields = till.purchase_fields(amount_minor=amount_minor)
    trace = str(fields[11])
    assert exchange(till, dice, "0200", fields).text(39) == "00"
    if dice.random() < 0.4:
        assert exchange(till, dice, "0400", till.reversal_fields(fields)).text(39) == "00"
        model.undone.add(trace)
    else:
        model.moved[trace] = amount_minor


@pytest.mark.parametrize("seed", range(6))
def test_every_payment_moves_its_money_once_or_not_at_all(seed: int) -> None:
    dice = random.Random(seed)
    till = Till(demo_bank(now=NOW))
    till.sign_in()
    model = Model()
    for _ in range(ROUNDS):
        if dice.random() < 0.1:
            till.sign_in()
        dice.choice((one_payment, one_purchase))(till, dice, model)
        till.later(seconds=dice.randint(1, 60))

    bank = till.bank
    assert bank.verify().findings == ()
    assert till.merchant_minor() == sum(model.moved.values())
    assert till.balance_minor() == OPENING_MINOR - sum(model.moved.values())
    assert len(bank.open_holds()) == len(model.open_holds)
    for trace, amount_minor in model.moved.items():
        books = bank.payment_ledger(till.tid, till.mid, till.batch, trace)
        assert ([posting.amount_minor for posting in books.postings], books.holds_left) == ([amount_minor], 0)
    for trace in model.undone:
        books = bank.payment_ledger(till.tid, till.mid, till.batch, trace)
        assert len(books.postings) in {0, 2}
        assert books.holds_left == 0
    totals = bank.batch_totals(till.tid, till.mid, till.batch)
    assert (totals.debit_count, totals.debit_minor) == (len(model.moved), sum(model.moved.values()))
    assert model.moved
    assert model.undone
    assert model.open_holds
    till.later(days=2)
    assert till.authorise(amount_minor=1).text(39) == "00"
    assert len(bank.open_holds()) == 1
    bank.close()
