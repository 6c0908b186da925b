"""The journal's bound: settled payments go, one needed never does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from firmware.journal import Journal
from firmware.records import Flow, Outcome, OutgoingKind, OutgoingState, Payment
from firmware.retention import GONE_AT_A_TIME_MAX, retire
from hal.virtual.storage import MemoryStorage

KEPT = 5


def pay(journal: Journal) -> None:
    """One more payment, as the terminal begins it."""
    draft = journal.draft()
    number = draft.counters.payment_number + 1
    draft.counters = replace(draft.counters, payment_number=number)
    draft.payment = Payment(number, Flow.PIN_FIRST, 100, state="approved", outcome=Outcome.APPROVED)
    retire(draft, kept=KEPT)
    journal.commit(draft)


def settle(journal: Journal) -> None:
    """Close the batch."""
    draft = journal.draft()
    draft.counters = replace(draft.counters, settled_up_to=draft.counters.payment_number)
    journal.commit(draft)


@pytest.fixture
def journal() -> Journal:
    storage = MemoryStorage()
    storage.open()
    journal = Journal(storage)
    journal.load()
    return journal


def numbers(journal: Journal) -> list[int]:
    return [payment.number for payment in journal.payments()]


def test_the_open_batch_is_kept_whole(journal: Journal) -> None:
    for _ in range(3 * KEPT):
        pay(journal)
    assert numbers(journal) == list(range(1, 3 * KEPT + 1))


def test_of_settled_batches_the_newest_are_kept(journal: Journal) -> None:
    for _ in range(3 * KEPT):
        pay(journal)
    settle(journal)
    pay(journal)
    assert len(numbers(journal)) == 3 * KEPT + 1 - GONE_AT_A_TIME_MAX, "a few at a time"
    for _ in range(3 * KEPT):
        pay(journal)
    assert numbers(journal) == list(range(3 * KEPT + 1, 6 * KEPT + 2)), "the settled ones are gone"
    assert journal.counters.oldest_payment == 3 * KEPT + 1


def test_a_day_after_day_the_journal_has_a_bound(journal: Journal) -> None:
    for _ in range(10):
        for _ in range(KEPT):
            pay(journal)
        settle(journal)
    assert len(numbers(journal)) == KEPT


def test_what_the_bank_must_still_hear_of_stays(journal: Journal) -> None:
    pay(journal)
    draft = journal.draft()
    assert draft.payment is not None
    draft.add_outgoing(OutgoingKind.REVERSAL, draft.payment, "0400", {}, OutgoingState.DUE)
    journal.commit(draft)
    settle(journal)
    for _ in range(3 * KEPT):
        pay(journal)
    assert numbers(journal)[0] == 1
    draft = journal.draft()
    draft.outbox.clear()
    journal.commit(draft)
    pay(journal)
    assert numbers(journal)[0] == 2


def test_the_slip_to_print_again_stays(journal: Journal) -> None:
    pay(journal)
    settle(journal)
    draft = journal.draft()
    draft.counters = replace(draft.counters, last_slip=1)
    journal.commit(draft)
    for _ in range(3 * KEPT):
        pay(journal)
    assert numbers(journal)[0] == 1
