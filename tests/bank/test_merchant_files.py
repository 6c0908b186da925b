"""Merchants from application to end: the table, every state with every event, and what terminals are told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from bank.authoriser import Bank
from bank.errors import MerchantRefusedError, RecordError
from bank.hsm import check_value
from bank.merchant_files import Application, MerchantFiles, Paper
from bank.merchant_states import MERCHANT_TABLE
from bank.merchant_states import MerchantEvent as Event
from bank.merchant_states import MerchantStatus as Status
from bank.provision import demo_bank
from bank.qualifications import QUALIFICATIONS
from bank.states import StateRow, StateRule, StateTable
from tests.bank.clerk import Clerk
from tests.bank.till import NOW, without

PAPERS = tuple(Paper.of(kind, f"ref-{kind}", kind.encode()) for kind in ("identity", "licence", "contract"))
WHOLE = Application(
    name="CORNER BOOKSHOP",
    name_local="街角书店",
    papers=PAPERS,
    qualifications=frozenset({"purchase", "refund"}),
    payout_account="6222000011112222",
    rate="small",
)
WAY_TO: Mapping[Status, tuple[Event, ...]] = {
    Status.APPLIED: (),
    Status.IN_REVIEW: (Event.REVIEW,),
    Status.REJECTED: (Event.REVIEW, Event.REJECT),
    Status.ACTIVE: (Event.REVIEW, Event.APPROVE),
    Status.SUSPENDED: (Event.REVIEW, Event.APPROVE, Event.SUSPEND),
    Status.CLOSED: (Event.CLOSE,),
}
LEADS_TO: Mapping[tuple[Status, Event], Status] = {
    (Status.APPLIED, Event.AMEND): Status.APPLIED,
    (Status.APPLIED, Event.REVIEW): Status.IN_REVIEW,
    (Status.APPLIED, Event.CLOSE): Status.CLOSED,
    (Status.IN_REVIEW, Event.AMEND): Status.IN_REVIEW,
    (Status.IN_REVIEW, Event.APPROVE): Status.ACTIVE,
    (Status.IN_REVIEW, Event.REJECT): Status.REJECTED,
    (Status.IN_REVIEW, Event.CLOSE): Status.CLOSED,
    (Status.REJECTED, Event.APPLY): Status.APPLIED,
    (Status.REJECTED, Event.CLOSE): Status.CLOSED,
    (Status.ACTIVE, Event.SUSPEND): Status.SUSPENDED,
    (Status.ACTIVE, Event.CLOSE): Status.CLOSED,
    (Status.SUSPENDED, Event.RESUME): Status.ACTIVE,
    (Status.SUSPENDED, Event.CLOSE): Status.CLOSED,
}
"""What each state and event leads to, written down by hand; every other pair is refused."""


@pytest.fixture
def bank() -> Iterator[Bank]:
    opened = demo_bank(now=NOW)
    yield opened
    assert opened.verify().ok
    opened.close()


def apply_for(bank: Bank, application: Application = WHOLE) -> str:
    return bank.files.apply(application, area="3201", category="5942", by="anna", now=NOW).mid


def step(bank: Bank, mid: str, event: Event, reason: str = "because") -> Status:
    return bank.files.take_step(mid, event, by="bert", now=NOW, reason=reason).status


def brought_to(bank: Bank, status: Status) -> str:
    mid = apply_for(bank)
    for event in WAY_TO[status]:
        step(bank, mid, event)
    assert bank.files.merchant(mid).status is status
    return mid


# --- the table ---------------------------------------------------------------------------------------


def test_the_table_is_whole() -> None:
    assert MERCHANT_TABLE.defects() == []


def test_every_guard_and_record_has_its_method() -> None:
    for rule in MERCHANT_TABLE.rules:
        assert not rule.guard or hasattr(MerchantFiles, f"_is_{rule.guard}")
        assert all(hasattr(MerchantFiles, f"_{record}") for record in rule.records)


def test_a_table_with_holes_is_told_so() -> None:
    rules = (
        StateRule(Status.APPLIED, Event.CLOSE, Status.CLOSED, "ready"),
        StateRule(Status.APPLIED, Event.CLOSE, Status.CLOSED),
        StateRule(Status.APPLIED, Event.CLOSE, Status.CLOSED),
    )
    rows = tuple(StateRow(state, "") for state in (Status.APPLIED, Status.CLOSED, Status.ACTIVE))
    table = StateTable("t", "T", Status.APPLIED, rows, (Event.CLOSE,), rules, {})
    assert table.defects() == [
        "closed on close: it needs a rule or a refusal, and not both",
        "active on close: it needs a rule or a refusal, and not both",
        "applied on close: exactly the last rule must have no guard",
        "active: not reachable",
    ]


@pytest.mark.parametrize("event", Event, ids=lambda event: event.value)
@pytest.mark.parametrize("status", Status, ids=lambda status: status.value)
def test_every_event_in_every_state(bank: Bank, status: Status, event: Event) -> None:
    mid = brought_to(bank, status)
    before = bank.files.history(mid)
    target = LEADS_TO.get((status, event))
    if target is not None:
        assert step(bank, mid, event) is target
        [entry] = bank.files.history(mid)[len(before) :]
        assert (entry.event, entry.state_then, entry.by_whom) == (event.value, target.value, "bert")
        return
    with pytest.raises(MerchantRefusedError) as refused:
        step(bank, mid, event)
    assert str(refused.value).startswith(f"merchant {mid} is {status.value}: ")
    assert bank.files.merchant(mid).status is status
    assert bank.files.history(mid) == before


# --- guards and records ------------------------------------------------------------------------------


def test_nobody_is_approved_without_papers_contract_and_account(bank: Bank) -> None:
    mid = apply_for(bank, Application(name="SHOP", papers=PAPERS[:1]))
    step(bank, mid, Event.REVIEW)
    with pytest.raises(MerchantRefusedError, match=r"\(missing: licence, contract, settlement account\)"):
        step(bank, mid, Event.APPROVE)
    rest = Application(papers=PAPERS[1:], payout_account="6222000011112222")
    bank.files.take_step(mid, Event.APPROVE, by="bert", now=NOW, application=rest)
    assert bank.files.merchant(mid).status is Status.ACTIVE
    assert [paper.kind for paper in bank.files.papers(mid)] == ["contract", "identity", "licence"]


@pytest.mark.parametrize(
    ("status", "event"), [(Status.IN_REVIEW, Event.REJECT), (Status.ACTIVE, Event.SUSPEND)]
)
def test_a_refusal_of_the_bank_has_a_reason(bank: Bank, status: Status, event: Event) -> None:
    mid = brought_to(bank, status)
    with pytest.raises(MerchantRefusedError, match="needs a reason"):
        step(bank, mid, event, reason=" ")
    step(bank, mid, event, reason="licence expired")
    assert bank.files.history(mid)[-1].reason == "licence expired"


def test_a_merchant_with_money_is_not_closed(bank: Bank) -> None:
    mid = brought_to(bank, Status.ACTIVE)
    account_id = bank.files.merchant(mid).account_id
    with bank.store.transaction():
        clearing = bank.ledger.clearing_account_id()
        bank.ledger.transfer("test", debit=clearing, credit=account_id, amount_minor=1, now=NOW)
    with pytest.raises(MerchantRefusedError, match="not settled and paid out"):
        step(bank, mid, Event.CLOSE)
    with bank.store.transaction():
        bank.ledger.transfer("test", debit=account_id, credit=clearing, amount_minor=1, now=NOW)
    assert step(bank, mid, Event.CLOSE) is Status.CLOSED


def test_numbers_are_given_out_once(bank: Bank) -> None:
    assert [apply_for(bank) for _ in range(2)] == ["898320159420001", "898320159420002"]
    tids = [bank.files.issue_terminal("898320159420001").terminal.tid for _ in range(2)]
    assert tids == ["10000001", "10000002"]


def test_the_own_account_is_stored_sealed(bank: Bank) -> None:
    mid = apply_for(bank)
    merchant = bank.files.merchant(mid)
    assert (merchant.payout_account_end, merchant.payout_holder) == ("2222", "CORNER BOOKSHOP")
    [row] = bank.store.rows("SELECT * FROM merchant WHERE mid = ?", (mid,))
    assert b"6222000011112222" not in bytes(row["payout_account_sealed"])
    assert bank.hsm.open_account(row["payout_account_sealed"]) == "6222000011112222"


@pytest.mark.parametrize(
    ("application", "words"),
    [
        (Application(name=""), "needs a name"),
        (Application(name="X", qualifications=frozenset({"gambling"})), "known are purchase"),
        (Application(name="X", rate="free"), "known are standard"),
        (Application(name="X", payout_account="12AB"), "8 to 32 digits"),
        (Application(name="X", papers=(Paper("licence", "", "0" * 64),)), "a kind and a reference"),
        (Application(name="X", papers=(Paper("licence", "1", "xyz"),)), "64 hex digits"),
    ],
)
def test_a_wrong_application_leaves_nothing(bank: Bank, application: Application, words: str) -> None:
    count = len(bank.merchants.merchants())
    with pytest.raises(RecordError, match=words):
        apply_for(bank, application)
    assert len(bank.merchants.merchants()) == count


# --- what terminals are told -------------------------------------------------------------------------


def test_an_approved_merchant_trades_with_the_key_of_its_components(bank: Bank) -> None:
    mid = brought_to(bank, Status.ACTIVE)
    issued = bank.files.issued
    assert issued is not None
    step(bank, mid, Event.SUSPEND)
    assert bank.files.issued is None, "the components are told once, by the step that made them"
    step(bank, mid, Event.RESUME)
    first, second = (bytes.fromhex(line.split()[0]) for line in issued.component_lines())
    tmk = bytes(a ^ b for a, b in zip(first, second, strict=True))
    assert check_value(tmk) == issued.check_value
    assert tmk.hex() not in repr(issued)
    clerk = Clerk(bank, mid=mid, tid=issued.terminal.tid, tmk=tmk)
    assert clerk.sign_in().text(39) == "00"
    assert clerk.purchase().text(39) == "00"


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.ACTIVE])
def test_only_an_active_merchant_is_served(clerk: Clerk, status: Status) -> None:
    assert clerk.purchase().text(39) == "00"
    with clerk.bank.store.transaction():
        clerk.bank.merchants.set_status(clerk.mid, status)
    assert clerk.purchase().text(39) == "03"
    assert clerk.sign_in().text(39) == "03"


def test_a_terminal_that_was_not_issued_is_refused(clerk: Clerk) -> None:
    clerk.tid = "10000009"
    assert clerk.purchase().text(39) == "97"


@pytest.mark.parametrize("missing", QUALIFICATIONS)
def test_what_the_contract_does_not_allow_is_58(clerk: Clerk, missing: str) -> None:
    with clerk.bank.store.transaction():
        clerk.bank.merchants.set_qualifications(clerk.mid, frozenset(QUALIFICATIONS) - {missing})
    sold = clerk.purchase()
    codes = {
        "purchase": sold.text(39),
        "balance": clerk.ask("0200", clerk.balance_fields()).text(39),
        "refund": clerk.refund(sold, 1).text(39) if missing != "purchase" else "00",
        "preauth": clerk.cancel(clerk.preauth()).text(39),
        "offline": clerk.ask("0220", clerk.offline_fields() | {22: "021"}).text(39),
        "manual": clerk.ask("0200", keyed(clerk)).text(39) if missing != "purchase" else "00",
        "tips": clerk.adjust(clerk.purchase(), 1).text(39) if missing != "purchase" else "00",
        "foreign": "00",
    }
    expected = dict.fromkeys(QUALIFICATIONS, "00")
    if missing != "foreign":
        expected[missing] = "58"
    assert codes == expected


def keyed(clerk: Clerk) -> dict[int, str | bytes]:
    offline = clerk.offline_fields()
    return without(clerk.purchase_fields(), 35) | {2: offline[2], 14: offline[14], 22: "011"}


def test_the_switches_of_a_terminal_follow_the_contract(clerk: Clerk) -> None:
    with clerk.bank.store.transaction():
        clerk.bank.merchants.set_qualifications(clerk.mid, frozenset({"purchase", "tips"}))
    parameters = clerk.manage("0800", "360", traced=False).binary(62)
    switches = bytes.fromhex("0E700000")  # bits 5 to 7 and 10 to 12, counted from the highest
    assert parameters.endswith(b"26" + switches + b"2710")
