from __future__ import annotations

from collections.abc import Iterator

import pytest

from bank.errors import LedgerError, RecordError
from bank.ledger import AccountKind, Ledger
from bank.store import BankStore
from tests.bank.till import NOW


@pytest.fixture
def store() -> Iterator[BankStore]:
    opened = BankStore.open(":memory:")
    with opened.transaction():
        yield opened
    opened.close()


@pytest.fixture
def ledger(store: BankStore) -> Ledger:
    return Ledger(store)


def test_a_transfer_moves_money_and_the_books_stay_right(ledger: Ledger) -> None:
    card = ledger.open_account("card", AccountKind.CARDHOLDER)
    shop = ledger.open_account("shop", AccountKind.MERCHANT)
    ledger.transfer("funding", debit=ledger.clearing_account_id(), credit=card, amount_minor=500, now=NOW)
    ledger.transfer("purchase", debit=card, credit=shop, amount_minor=120, now=NOW)
    balances = {account.name: account.balance_minor for account in ledger.accounts()}
    assert balances == {"card": 380, "shop": 120, "clearing": -500}
    assert [posting.amount_minor for posting in ledger.postings()] == [500, 120]
    audit = ledger.verify()
    assert (audit.ok, audit.account_count, audit.posting_count) == (True, 3, 2)


@pytest.mark.parametrize("entries", [{}, {1: 0}, {1: 5}, {1: 5, 2: -4}, {1: 5, 2: -5, 3: 0}])
def test_an_unbalanced_posting_is_refused(ledger: Ledger, entries: dict[int, int]) -> None:
    for name in ("a", "b", "c"):
        ledger.open_account(name, AccountKind.CARDHOLDER)
    with pytest.raises(LedgerError):
        ledger.post("wrong", entries, now=NOW)
    assert ledger.postings() == []


def test_a_transfer_of_nothing_or_less_is_refused(ledger: Ledger) -> None:
    for amount_minor in (0, -1):
        with pytest.raises(LedgerError):
            ledger.transfer("x", debit=1, credit=2, amount_minor=amount_minor, now=NOW)


def test_the_audit_finds_what_was_tampered_with(store: BankStore, ledger: Ledger) -> None:
    card = ledger.open_account("card", AccountKind.CARDHOLDER)
    ledger.transfer("funding", debit=ledger.clearing_account_id(), credit=card, amount_minor=500, now=NOW)
    store.execute("UPDATE account SET balance_minor = 501 WHERE account_id = ?", (card,))
    assert len(ledger.verify().findings) == 2  # the account, and the sum of all accounts
    store.execute("UPDATE account SET balance_minor = 500 WHERE account_id = ?", (card,))
    assert ledger.verify().ok
    store.execute("UPDATE entry SET amount_minor = 499 WHERE account_id = ?", (card,))
    assert [finding.split()[0] for finding in ledger.verify().findings] == ["posting", "account"]


def test_names_are_unique_and_unknown_ones_are_said(ledger: Ledger) -> None:
    ledger.open_account("card", AccountKind.CARDHOLDER)
    with pytest.raises(RecordError):
        ledger.open_account("card", AccountKind.MERCHANT)
    with pytest.raises(RecordError, match='"nobody"'):
        ledger.account_named("nobody")
    with pytest.raises(RecordError):
        ledger.account(99)
