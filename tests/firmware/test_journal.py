"""The journal: all of a commit or nothing, across failures and power cuts, and what it gives to be sent."""

import json
from dataclasses import fields, replace
from typing import Literal

import pytest

from firmware.journal import COUNTER_MAX, READ_KEPT_MAX, Counters, Draft, Journal, JournalDamaged
from firmware.records import Flow, Outcome, Outgoing, OutgoingKind, OutgoingState, Payment, Reason
from hal.api import Delete, Put, StorageFailed, StorageVersion
from hal.virtual.power import PowerCut
from hal.virtual.storage import MemoryStorage

PAYMENT = Payment(
    7,
    Flow.PIN_FIRST,
    amount_minor=1234,
    state="declined",
    batch="000003",
    stan="000041",
    pan_masked="622588******6783",
    host_text="谢谢",
    outcome=Outcome.DECLINED,
    reason=Reason.BANK_DECLINED,
    reversed=True,
)


@pytest.fixture
def storage() -> MemoryStorage:
    memory = MemoryStorage()
    memory.open()
    return memory


def loaded(storage: MemoryStorage) -> Journal:
    journal = Journal(storage)
    journal.load()
    return journal


def content(journal: Journal) -> tuple[Counters, Payment | None, dict[int, Outgoing], list[Payment]]:
    return journal.counters, journal.payment, journal.outbox, list(journal.payments())


def sell(draft: Draft, kind: OutgoingKind = OutgoingKind.REVERSAL) -> None:
    """A payment with a message in the outbox, as the firmware drafts it."""
    number = draft.counters.payment_number + 1
    draft.counters = replace(draft.counters, payment_number=number)
    draft.payment = replace(PAYMENT, number=number, stan=draft.next_stan())
    draft.add_outgoing(kind, draft.payment, "0400", {11: draft.payment.stan, 4: "12"}, OutgoingState.DUE)


def sold(storage: MemoryStorage) -> Journal:
    journal = loaded(storage)
    draft = journal.draft()
    sell(draft)
    journal.commit(draft)
    return journal


def test_a_new_storage_is_an_empty_journal(storage: MemoryStorage) -> None:
    assert content(loaded(storage)) == (Counters(), None, {}, [])


def test_a_voucher_number_used_twice_in_a_batch_means_the_newer_payment(storage: MemoryStorage) -> None:
    """Traces begin anew after 999999; payments that are not kept any more leave gaps."""
    journal = loaded(storage)
    for _ in range(3):
        draft = journal.draft()
        sell(draft)
        journal.commit(draft)
    draft = journal.draft()
    draft.counters = replace(draft.counters, stan=0)
    sell(draft)
    journal.commit(draft)
    storage.commit([Delete("payment", "00000003")])
    found = [journal.payment_of(batch=PAYMENT.batch, stan=f"{stan:06d}") for stan in (1, 2, 3)]
    assert [one.number if one else None for one in found] == [4, 2, None]
    assert journal.payment_of(batch="000004", stan="000001") is None


def test_what_was_committed_is_read_again_the_same(storage: MemoryStorage) -> None:
    journal = sold(storage)
    again = loaded(storage)
    assert content(again) == content(journal)
    assert again.payment is not None
    assert again.payment.host_text == "谢谢"
    assert again.outbox[1].fields == {"11": "000001", "4": "12"}


def test_records_survive_json_field_by_field() -> None:
    entry = Outgoing(3, OutgoingKind.COMPLETION, 7, "0220", {"11": "000042"}, OutgoingState.REFUSED, 2)
    assert Payment.from_json(PAYMENT.to_json()) == PAYMENT
    assert Outgoing.from_json(entry.to_json()) == entry


def test_a_draft_is_not_the_journal(storage: MemoryStorage) -> None:
    journal = sold(storage)
    before = content(journal)
    draft = journal.draft()
    sell(draft)
    del draft.outbox[1]
    assert content(journal) == before
    assert content(loaded(storage)) == before


def test_a_failed_commit_changes_nothing_and_may_be_tried_again(storage: MemoryStorage) -> None:
    journal = sold(storage)
    before = content(journal)
    draft = journal.draft()
    sell(draft)
    storage.fail_at(storage.commits + 1)
    with pytest.raises(StorageFailed):
        journal.commit(draft)
    assert content(journal) == before
    assert content(loaded(storage)) == before

    journal.commit(draft)
    assert journal.counters.payment_number == 2
    assert content(loaded(storage)) == content(journal)


@pytest.mark.parametrize(("when", "payments"), [("before", 1), ("after", 2)])
def test_a_power_cut_leaves_all_of_a_commit_or_nothing(
    storage: MemoryStorage, when: Literal["before", "after"], payments: int
) -> None:
    journal = sold(storage)
    draft = journal.draft()
    sell(draft, OutgoingKind.COMPLETION)
    draft.outbox.pop(1)
    storage.power_cut_at(storage.commits + 1, when)
    with pytest.raises(PowerCut):
        journal.commit(draft)

    storage.open()
    again = loaded(storage)
    assert again.counters.payment_number == payments
    assert again.counters.stan == payments
    assert len(list(again.payments())) == payments
    assert list(again.outbox) == [payments]


def test_no_change_is_no_write(storage: MemoryStorage) -> None:
    journal = sold(storage)
    commits = storage.commits
    journal.commit(journal.draft())
    assert storage.commits == commits


def test_only_the_difference_is_written(storage: MemoryStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = sold(storage)
    draft = journal.draft()
    del draft.outbox[1]
    assert draft.payment is not None
    draft.payment = replace(draft.payment, reversed=False)
    written: list[tuple[type, str, str]] = []
    monkeypatch.setattr(
        storage, "commit", lambda changes: written.extend((type(one), one.table, one.key) for one in changes)
    )
    journal.commit(draft)
    assert written == [(Put, "payment", "00000001"), (Delete, "outbox", "00000001")]


def test_an_older_payment_can_change_too(storage: MemoryStorage) -> None:
    journal = sold(storage)
    draft = journal.draft()
    sell(draft)
    journal.commit(draft)
    older = journal.read_payment(1)
    assert older is not None
    draft = journal.draft()
    draft.older[1] = replace(older, completed=True)
    journal.commit(draft)
    assert [payment.completed for payment in loaded(storage).payments()] == [True, False]
    assert journal.payment is not None
    assert journal.payment.number == 2


def test_a_payment_is_read_anew_when_it_has_changed_and_only_then(storage: MemoryStorage) -> None:
    """What is stored is asked each time, whoever has changed it: by a commit, or under the journal."""
    journal = sold(storage)
    (first,) = journal.payments()
    assert journal.read_payment(1) is first
    draft = journal.draft()
    draft.payment = replace(first, mark="voided")
    journal.commit(draft)
    assert list(journal.payments()) == [replace(first, mark="voided")]
    changed = json.dumps(first.to_json() | {"mark": "adjusted"}).encode()
    storage.commit([Put("payment", "00000001", changed)])
    assert journal.read_payment(1) == replace(first, mark="adjusted")
    storage.commit([Put("payment", "00000001", b"no record")])
    with pytest.raises(JournalDamaged, match="payment/00000001"):
        journal.read_payment(1)
    storage.commit([Delete("payment", "00000001")])
    assert journal.read_payment(1) is None


def test_what_a_commit_has_changed_is_read_as_another_journal_reads_it(storage: MemoryStorage) -> None:
    journal = sold(storage)
    draft = journal.draft()
    older = draft.payment
    assert older is not None
    draft.older[older.number] = replace(older, mark="adjusted", tip_minor=10)
    sell(draft)
    journal.commit(draft)
    kept = [journal.read_payment(number) for number in (1, 2)]
    assert kept == [loaded(storage).read_payment(number) for number in (1, 2)]
    assert [(one.number, one.tip_minor) for one in kept if one is not None] == [(1, 10), (2, 0)]


def test_a_changed_record_is_the_one_that_dataclasses_would_make() -> None:
    changed = PAYMENT.changed(amount_minor=5, outcome=Outcome.APPROVED)
    assert changed == replace(PAYMENT, amount_minor=5, outcome=Outcome.APPROVED)
    assert list(changed.to_json()) == list(PAYMENT.to_json()) == [item.name for item in fields(Payment)]
    assert PAYMENT.amount_minor == 1234
    with pytest.raises(TypeError, match="Payment has no amount"):
        PAYMENT.changed(amount=5)


def test_more_payments_than_are_kept_in_memory_are_all_read(storage: MemoryStorage) -> None:
    journal = sold(storage)
    record = json.dumps(PAYMENT.to_json()).encode()
    numbers = range(1, READ_KEPT_MAX + 3)
    storage.commit([Put("payment", f"{number:08d}", record) for number in numbers])
    assert len(list(journal.payments())) == len(list(journal.payments())) == len(numbers)


def test_reversals_are_due_first_and_each_kind_in_its_order(storage: MemoryStorage) -> None:
    journal = loaded(storage)
    draft = journal.draft()
    kinds = (
        OutgoingKind.COMPLETION,
        OutgoingKind.REVERSAL,
        OutgoingKind.COMPLETION,
        OutgoingKind.REVERSAL,
        OutgoingKind.REVERSAL,
        OutgoingKind.COMPLETION,
    )
    for kind in kinds:
        sell(draft, kind)
    draft.outbox[5] = replace(draft.outbox[5], state=OutgoingState.HELD)
    draft.outbox[6] = replace(draft.outbox[6], state=OutgoingState.REFUSED)
    journal.commit(draft)
    assert [entry.number for entry in loaded(storage).due()] == [2, 4, 1, 3]


def test_the_outbox_keeps_its_order_beyond_nine_messages(storage: MemoryStorage) -> None:
    """The storage sorts by text."""
    journal = loaded(storage)
    draft = journal.draft()
    for _ in range(12):
        sell(draft)
    journal.commit(draft)
    assert [entry.number for entry in loaded(storage).due()] == list(range(1, 13))


def test_the_trace_counts_from_000001_and_wraps(storage: MemoryStorage) -> None:
    """iso8583-pos section 3.1: 000001 to 999999, then again from 000001; 000000 never."""
    draft = loaded(storage).draft()
    assert [draft.next_stan(), draft.next_stan()] == ["000001", "000002"]
    draft.counters = replace(draft.counters, stan=COUNTER_MAX - 1)
    assert [draft.next_stan(), draft.next_stan(), draft.next_stan()] == ["999999", "000001", "000002"]


def test_numbers_go_on_after_a_restart(storage: MemoryStorage) -> None:
    sold(storage)
    draft = loaded(storage).draft()
    sell(draft)
    assert draft.payment is not None
    assert (draft.payment.number, draft.payment.stan) == (2, "000002")
    assert list(draft.outbox) == [1, 2]


def test_another_version_s_journal_is_refused_and_untouched(storage: MemoryStorage) -> None:
    sold(storage)
    storage.commit([Put("terminal", "journal_version", b"9")])
    before = storage.snapshot()
    with pytest.raises(StorageVersion, match="version 9") as caught:
        loaded(storage)
    assert "state folder" in str(caught.value), "it says what to do"
    assert storage.snapshot() == before


def test_the_first_commit_writes_the_version(storage: MemoryStorage) -> None:
    sold(storage)
    assert storage.get("terminal", "journal_version") == b"2"


# --- damage ------------------------------------------------------------------------------------------


def damage(storage: MemoryStorage, table: str, key: str, **values: object) -> None:
    """Put something else into a stored record."""
    stored = storage.get(table, key)
    assert stored is not None
    storage.commit([Put(table, key, json.dumps({**json.loads(stored), **values}).encode())])


@pytest.mark.parametrize(
    ("table", "key", "values"),
    [
        ("terminal", "counters", {"stan": "SECRET"}),
        ("terminal", "counters", {"signed_in": 1}),
        ("terminal", "counters", {"SECRET": 1}),
        ("outbox", "00000001", {"kind": "SECRET"}),
        ("outbox", "00000001", {"attempts": None}),
        ("outbox", "00000001", {"fields": {"11": 41}}),
        ("outbox", "00000001", {"fields": {"SECRET": "41"}}),
        ("outbox", "00000001", {"number": 2}),
        ("payment", "00000001", {"state": "SECRET"}),
        ("payment", "00000001", {"amount_minor": "SECRET"}),
        ("payment", "00000001", {"reversed": "no"}),
        ("payment", "00000001", {"outcome": "SECRET"}),
    ],
)
def test_a_damaged_record_is_named_and_not_shown(
    storage: MemoryStorage, table: str, key: str, values: dict[str, object]
) -> None:
    sold(storage)
    damage(storage, table, key, **values)
    with pytest.raises(JournalDamaged, match=f"record {table}/{key} is damaged: restore") as refused:
        loaded(storage)
    assert "SECRET" not in str(refused.value)
    assert refused.value.code == "H320"


@pytest.mark.parametrize("content", [b"", b"{", b"7", b"[]", b"null", b"\xff"])
@pytest.mark.parametrize(
    ("table", "key"), [("terminal", "counters"), ("outbox", "x"), ("payment", "00000001")]
)
def test_a_record_that_is_none_is_refused(
    storage: MemoryStorage, table: str, key: str, content: bytes
) -> None:
    sold(storage)
    storage.commit([Put(table, key, content)])
    before = storage.snapshot()
    with pytest.raises(JournalDamaged, match=f"record {table}/{key} is damaged"):
        loaded(storage)
    assert storage.snapshot() == before


def test_changes_of_other_tables_are_durable_with_the_rest_or_not_at_all(storage: MemoryStorage) -> None:
    journal = loaded(storage)
    draft = journal.draft()
    sell(draft)
    draft.extra.append(Put("operator", "01", b"x"))
    storage.fail_at(1)
    with pytest.raises(StorageFailed):
        journal.commit(draft)
    assert storage.get("operator", "01") is None
    journal.commit(draft)
    assert storage.get("operator", "01") == b"x"
    assert journal.payment == draft.payment
