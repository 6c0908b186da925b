"""The state tables against the design: waiting states, recovery, and what every path through them keeps.

The money test walks the transaction table itself, on every path, for every type of transaction and in both
flows, with the outbox beside it: whatever happens, a payment that ends leaves nothing half done.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from enum import Enum
from functools import cache
from types import SimpleNamespace

import pytest

from firmware.payment_entry import PaymentEntry
from firmware.records import Flow, Outcome, Payment, Reason
from firmware.settings import TerminalSettings
from firmware.txn import floor, settlement, terminal, transaction
from firmware.txn.plans import PLANS, Ask, Delivery, Plan, Totals
from firmware.txn.schema import Group, Kind, Recovery, Row, Rule, Table, ignore
from firmware.txn.transaction import Event, State
from hal.api import Beep

TABLES = {table.name: table for table in (transaction.TABLE, terminal.TABLE, settlement.TABLE, floor.TABLE)}
WAITING = [row for row in transaction.ROWS if row.kind is Kind.WAITING]


@pytest.fixture(params=TABLES)
def table(request: pytest.FixtureRequest) -> Table:
    return TABLES[request.param]


# --- whole tables ------------------------------------------------------------------------------------


def test_the_table_is_whole(table: Table) -> None:
    assert table.defects() == []


def test_every_state_has_one_row(table: Table) -> None:
    assert [row.state for row in table.rows] == list(type(table.initial))


def test_every_timeout_is_a_setting_with_a_sensible_value(table: Table) -> None:
    settings = {field.name: field.default for field in fields(TerminalSettings)}
    waits = {row.timeout: settings[row.timeout] for row in table.rows if row.timeout}
    assert waits
    assert all(isinstance(wait_ms, int) and 500 <= wait_ms <= 600_000 for wait_ms in waits.values()), waits


def test_every_state_and_every_ignored_pair_explains_itself(table: Table) -> None:
    assert [row.state for row in table.rows if not row.meaning] == []
    assert [pair for pair, reason in table.ignored.items() if not reason] == []


# --- the check for defects can fail ------------------------------------------------------------------


class _S(Enum):
    A = "a"
    B = "b"


class _E(Enum):
    GO = "go"
    TIMEOUT = "timeout"


_ROWS = (
    Row(_S.A, Group.ENTRY, Kind.WAITING, "", "result_ms"),
    Row(_S.B, Group.END, Kind.ENDED_WELL, ""),
)
_RULES = (Rule(_S.A, _E.GO, _S.B), Rule(_S.A, _E.TIMEOUT, _S.B))
_GOOD = Table("toy", "A toy", _S.A, _ROWS, tuple(_E), _RULES, ignore((_S.B,), _E, "it has ended"))


def test_the_toy_is_whole() -> None:
    assert _GOOD.defects() == []


@pytest.mark.parametrize(
    ("broken", "defect"),
    [
        (replace(_GOOD, rules=_RULES[:1]), "a on timeout: neither a rule nor ignored"),
        (replace(_GOOD, ignored=ignore(_S, _E, "all")), "a on go: both a rule and ignored"),
        (
            replace(_GOOD, rules=(replace(_RULES[0], guard="maybe"), _RULES[1])),
            "a on go: exactly the last rule must have no guard",
        ),
        (
            replace(_GOOD, rules=(_RULES[0], replace(_RULES[0], guard="never_asked"), _RULES[1])),
            "a on go: exactly the last rule must have no guard",
        ),
        (
            replace(_GOOD, rules=tuple(replace(rule, target=_S.A) for rule in _RULES)),
            "b: not reachable",
        ),
        (replace(_GOOD, rows=(replace(_ROWS[0], timeout=""), _ROWS[1])), "a: waits without a timeout"),
        (
            replace(_GOOD, rows=(_ROWS[0], replace(_ROWS[1], timeout="result_ms"))),
            "b: has ended and has a timeout",
        ),
        (
            replace(_GOOD, rows=(replace(_ROWS[0], kind=Kind.PASSING), _ROWS[1])),
            "a: lasts no time and has a timeout",
        ),
    ],
)
def test_each_kind_of_defect_is_found(broken: Table, defect: str) -> None:
    assert defect in broken.defects()


# --- waiting states (design, section 5) --------------------------------------------------------------


@pytest.mark.parametrize("row", WAITING, ids=lambda row: row.state.value)
def test_a_waiting_state_says_what_ends_the_wait(row: Row) -> None:
    """Screen, timeout, Cancel, card removed, recovery: no cell is empty."""
    assert row.screen
    assert row.timeout
    assert (row.state, Event.TIMEOUT) in transaction.TABLE.by_pair, "a timeout must always do something"
    for event in (Event.CANCEL, Event.CARD_REMOVED):
        decided = transaction.TABLE.by_pair.get((row.state, event)) or transaction.TABLE.ignored.get(
            (row.state, event)
        )
        assert decided
    assert row.recovery in (Recovery.NOTHING, Recovery.REVERSE, Recovery.STANDS)


RECOVERY = {
    Recovery.NOTHING: {
        State.OPENING,
        State.ORIGINAL,
        State.ORIGINAL_SHOWN,
        State.REFERENCE,
        State.AUTHORISATION_CODE,
        State.ORIGINAL_DATE,
        State.AMOUNT,
        State.CARD,
        State.CARD_NUMBER,
        State.EXPIRY,
        State.PURCHASE_PIN,
        State.CONNECTING,
    },
    Recovery.REVERSE: {
        State.AUTHORISING,
        State.AUTHORISED,
        State.PIN,
        State.VERIFYING_PIN,
        State.WRONG_PIN,
        State.PURCHASING,
        State.REVERSING,
    },
    Recovery.STANDS: {
        State.BALANCE_SHOWN,
        State.PRINTING,
        State.PRINTER_STOPPED,
        State.TEAR_OFF,
        State.COMPLETING,
    },
    Recovery.ENDED: {State.APPROVED, State.DECLINED, State.CANCELLED, State.TIMED_OUT, State.FAILED},
}


@pytest.mark.parametrize("recovery", RECOVERY, ids=lambda recovery: recovery.value)
def test_recovery_is_the_design_s(recovery: Recovery) -> None:
    assert {row.state for row in transaction.ROWS if row.recovery is recovery} == RECOVERY[recovery]


def test_cancel_ends_the_payment_or_the_paper_wherever_a_person_waits() -> None:
    deaf = {row.state for row in WAITING if (row.state, Event.CANCEL) in transaction.TABLE.ignored}
    assert deaf == {State.PRINTING, State.REVERSING}


# --- what leaves the terminal ------------------------------------------------------------------------


def test_the_reversal_is_durable_before_a_request_that_may_move_money_leaves() -> None:
    senders = [rule for rule in transaction.RULES if "send_request" in rule.effects]
    assert len(senders) == 2
    assert all({"assign_stan", "store_reversal"} <= set(rule.records) for rule in senders)


def test_a_reversal_is_released_with_its_reason_and_never_without() -> None:
    for rule in transaction.RULES:
        assert ("release_reversal" in rule.records) == (rule.reversal is not None)
        assert ("send_reversal" in rule.effects) == (rule.target is State.REVERSING)


def test_authorised_is_two_short_beeps() -> None:
    """Step 4 of the seven."""
    rules = [rule for rule in transaction.RULES if rule.target is State.AUTHORISED]
    assert [rule.effects for rule in rules] == [("beep_authorised",)]
    assert Beep.AUTHORISED.beep_count == 2


# --- every path of every type, in both flows ---------------------------------------------------------

TYPES = [
    (PLANS["purchase"], Flow.AUTHORISE_FIRST),
    *((plan, Flow.PIN_FIRST) for plan in PLANS.values()),
]
types = pytest.mark.parametrize(
    ("plan", "flow"), TYPES, ids=[f"{plan.name}-{flow.value}" for plan, flow in TYPES]
)
ASKS = {
    "asks_original": Ask.ORIGINAL,
    "asks_reference": Ask.REFERENCE,
    "asks_code": Ask.AUTHORISATION_CODE,
    "asks_date": Ask.ORIGINAL_DATE,
    "asks_amount": Ask.AMOUNT,
    "asks_card": Ask.CARD,
    "asks_pin": Ask.PIN,
}


@dataclass(frozen=True)
class Walk:
    """Where a payment stands, as far as its end depends on it."""

    plan: Plan
    flow: Flow
    state: Enum = State.OPENING
    reversal: str = ""  # "", "held" or "due"
    completion: str = ""  # "", "due" or "refused"
    outcome: Outcome | None = None
    reason: Reason = Reason.NONE

    def judge(self, guard: str) -> bool | None:
        """Whether the guard holds here; None when that depends on people, devices or settings."""
        known = {
            "": True,
            "is_stored": self.plan.delivery is Delivery.STORED,
            "is_irreversible": not self.plan.reversible,
            "may_be_done": not self.plan.reversible and self.plan.totals is not Totals.NONE,
            "has_slip": self.plan.has_slip,
            "pin_tries_left": None if Ask.PIN in self.plan.asks else False,
            "authorises_first": self.flow is Flow.AUTHORISE_FIRST,
            "owes_completion": bool(self.completion),
            "ends_declined": self.outcome is Outcome.DECLINED,
            "ends_cancelled": self.outcome is Outcome.CANCELLED,
            "ends_timed_out": self.outcome is Outcome.TIMED_OUT,
        }
        return known.get(guard) if guard not in ASKS else self._asks(ASKS[guard])

    def _asks(self, ask: Ask) -> bool | None:
        if ask not in self.plan.asks or (ask is Ask.PIN and self.flow is Flow.AUTHORISE_FIRST):
            return False
        may_be_left_out = self.plan.originals and ask in (Ask.CARD, Ask.PIN)
        return None if may_be_left_out else True

    def after(self, rule: Rule) -> "Walk":
        reason = rule.reason if rule.reason is not Reason.NONE else self.reason
        new = replace(self, state=rule.target, outcome=rule.outcome or self.outcome, reason=reason)
        for record in rule.records:
            new = new._with(record)
        return new

    def _with(self, record: str) -> "Walk":
        match record:
            case "store_reversal":
                assert self.reversal == ""
                return replace(self, reversal="held" if self.plan.reversible else "")
            case "release_reversal":
                assert self.reversal == "held"
                return replace(self, reversal="due")
            case "drop_reversal":
                assert self.reversal or not self.plan.reversible
                return replace(self, reversal="")
            case "store_completion":
                return replace(self, reversal="", completion="due")
            case "drop_completion":
                assert self.completion == "due"
                return replace(self, completion="")
            case "refuse_completion":
                return replace(self, completion="refused")
            case _:
                return self


def _steps(walk: Walk) -> Iterator[tuple[Rule, Walk]]:
    for event in Event:
        for rule in transaction.TABLE.by_pair.get((walk.state, event), ()):
            holds = walk.judge(rule.guard)
            if holds is not False:
                yield rule, walk.after(rule)
            if holds:
                break


@cache
def _walks(plan: Plan, flow: Flow) -> frozenset[Walk]:
    """Every situation that a payment can be in."""
    seen, front = {Walk(plan, flow)}, [Walk(plan, flow)]
    while front:
        new = {walk for _, walk in _steps(front.pop())} - seen
        seen |= new
        front.extend(new)
    return frozenset(seen)


@types
def test_every_payment_ends_with_its_outcome_and_nothing_half_done(plan: Plan, flow: Flow) -> None:
    ended = [walk for walk in _walks(plan, flow) if walk.state in transaction.ENDED]
    never = {State.DECLINED} if plan.delivery is Delivery.STORED else set()
    never |= {State.FAILED} if plan.name == "adjustment" else set()  # it asks for no card that could fail
    assert {walk.state for walk in ended} == set(transaction.ENDED) - never
    for walk in ended:
        assert walk.outcome is not None, walk
        assert walk.outcome.value == walk.state.value, walk
        assert walk.reversal != "held", "a held reversal would never be sent"
        if walk.state is State.APPROVED:
            assert walk.reversal == "", "an approved payment must not be reversed"
        else:
            assert walk.completion == "", "a payment that failed must not be completed"
            assert walk.reason is not Reason.NONE, "a person must be told why"


@types
def test_each_type_takes_the_steps_that_its_plan_asks_for_and_no_others(plan: Plan, flow: Flow) -> None:
    reached = {walk.state for walk in _walks(plan, flow)}
    asked = {state for state, guard, _ in transaction.ASKED if guard_may_hold(plan, flow, guard)}
    assert reached & {state for state, _, _ in transaction.ASKED} == asked
    assert (State.AUTHORISING in reached) == (flow is Flow.AUTHORISE_FIRST)
    assert (State.PURCHASING in reached) == (flow is Flow.PIN_FIRST and plan.delivery is Delivery.ONLINE)
    assert (State.REVERSING in reached) == plan.reversible
    assert (State.PRINTING in reached) == plan.has_slip


@types
@pytest.mark.parametrize("asks_card", [False, True])
@pytest.mark.parametrize("asks_pin", [False, True])
def test_what_the_terminal_asks_for_is_an_order_that_the_table_has_rules_for(
    plan: Plan, flow: Flow, *, asks_card: bool, asks_pin: bool
) -> None:
    """The table has rules for the orders of the plans only: the settings must not ask in another one."""
    settings = replace(TerminalSettings(), void_asks_card=asks_card, void_asks_pin=asks_pin)
    payment = Payment(1, flow, amount_minor=0, kind=plan.name)
    work = SimpleNamespace(payment=payment, parts=SimpleNamespace(settings=settings))
    asked = PaymentEntry.asks.__get__(work)
    assert asked in set(plan.orders())


def guard_may_hold(plan: Plan, flow: Flow, guard: str) -> bool:
    return Walk(plan, flow).judge(guard) is not False


@types
def test_what_recovery_does_fits_what_is_stored(plan: Plan, flow: Flow) -> None:
    """Power may fail in any situation: the recovery column must fit the outbox as it is then."""
    for walk in _walks(plan, flow):
        recovery = transaction.TABLE.by_state[walk.state].recovery
        if recovery is Recovery.NOTHING:
            assert not walk.reversal, walk
            assert not walk.completion, walk
        elif recovery is Recovery.REVERSE and walk.state is not State.WRONG_PIN:
            # a wrong PIN in the pin-first flow was a definite answer: nothing is left to undo there
            assert walk.reversal in (("held", "due") if plan.reversible else ("",)), walk
        elif recovery is Recovery.STANDS:
            assert walk.reversal == "", walk
            assert walk.outcome is Outcome.APPROVED, walk


def test_a_stored_completion_is_only_dropped_or_refused_by_the_bank() -> None:
    for walk in _walks(PLANS["purchase"], Flow.AUTHORISE_FIRST):
        for rule, after in _steps(walk):
            if walk.completion == "due" and after.completion != "due":
                assert rule.event in (Event.HOST_APPROVED, Event.HOST_DECLINED), rule


# --- the terminal around a payment -------------------------------------------------------------------


def test_no_payment_begins_before_sign_in_and_outbox_have_been_asked_about() -> None:
    """The rules before the one that begins a payment take every case in which it must not begin."""
    begins = [rule for rule in terminal.RULES if rule.target is terminal.State.IN_TRANSACTION]
    assert begins
    for rule in begins:
        rules = terminal.TABLE.by_pair[rule.source, rule.event]
        asked_before = {earlier.guard for earlier in rules[: rules.index(rule)]}
        if rule.event is terminal.Event.SALE_KEY:
            assert {"must_sign_in", "owes_before_sale", "settlement_open"} <= asked_before
        else:
            assert "outbox_due_after" in asked_before


def test_a_tampered_terminal_does_nothing_any_more() -> None:
    sources = {
        rule.source
        for rule in terminal.RULES
        if rule.event is terminal.Event.TAMPERED and "wipe_keys" in rule.effects
    }
    assert sources == set(terminal.State) - {terminal.State.TAMPERED}
    assert [rule for rule in terminal.RULES if rule.source is terminal.State.TAMPERED] == []


def test_nothing_in_the_terminal_table_forgets_a_reversal() -> None:
    """Only an approving answer settles; every other answer counts an attempt or leaves the outbox alone."""
    forgetting = [rule for rule in terminal.RULES if "settle_outgoing" in rule.records]
    assert forgetting
    assert {rule.event for rule in forgetting} == {terminal.Event.HOST_APPROVED}
