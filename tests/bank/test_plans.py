"""The table of plans against the specification's own (iso8583-pos section 2.2), read from the document."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from bank.payments import PaymentKind
from bank.plans import BY_KIND, PLANS, AmountRule, CardFrom, Effect, PinRule, Plan, Side
from bank.qualifications import ALLOWS, ALWAYS
from tests.arch.house import ROOT

SPEC = (ROOT / "docs/spec/iso8583-pos.md").read_text("utf-8")
TABLE = SPEC.split("### 2.2 ")[1].split("### 2.3")[0]
NOT_HERE = {
    "chip offline (electronic-cash) sale upload",
    "offline (EC) refund",
    *("instalment sale / void 分期", "points sale / void / query", "reservation sale / void 预约"),
    *("EC load: bound / cash / unbound", "EC cash-load void"),
}
"""Rows of products that posterm does not have: purses, instalments, points, reservations."""


@dataclass(frozen=True)
class SpecRow:
    name: str
    selectors: tuple[tuple[str, str, str, str], ...]
    reversible: bool
    side: str


def spec_rows() -> list[SpecRow]:
    rows = []
    for line in TABLE.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 7 and re.fullmatch(r"\d{4}/\d{4}", cells[1]) and cells[0] not in NOT_HERE:
            types = re.findall(r"\d\d", cells[4])
            if re.fullmatch(r"\d{6}", cells[2]):
                selectors = tuple((cells[1][:4], cells[2], cells[3], one) for one in types)
                rows.append(SpecRow(cells[0], selectors, cells[5] == "yes", cells[6]))
    return rows


def test_every_row_was_found() -> None:
    assert len(spec_rows()) == 11


@pytest.mark.parametrize("row", spec_rows(), ids=lambda row: row.name)
def test_a_row_of_the_specification_is_a_plan(row: SpecRow) -> None:
    for selector in row.selectors:
        plan = PLANS[selector]
        assert plan.reversible is row.reversible
        expected = (
            {Side.RAISES if plan.kind is PaymentKind.ADJUSTMENT else Side(row.side)}
            if row.side != "no"
            else {Side.NONE}
        )
        assert {plan.side} == expected


def test_no_plan_is_made_up_but_the_missions_own() -> None:
    told = {selector for row in spec_rows() for selector in row.selectors}
    assert PLANS.keys() - told == {("0100", "330000", "06", "01")}, "docs/decisions 0002"


@pytest.mark.parametrize("plan", BY_KIND.values(), ids=lambda plan: plan.kind.value)
def test_a_plan_makes_sense(plan: Plan) -> None:
    """Whatever moves money back or finishes a thing has an original; whoever looks at funds has a card."""
    has_original = plan.original is not None
    needs_original = plan.effect in {
        Effect.CREDIT,
        Effect.RELEASE,
        Effect.COMPLETE,
        Effect.TIP,
        Effect.NOTE_PIN,
    }
    assert has_original or not needs_original
    assert has_original or plan.card is CardFrom.MESSAGE
    assert not plan.funds or plan.card is CardFrom.MESSAGE
    assert plan.side in {Side.NONE, Side.DEBIT, Side.CREDIT, Side.RAISES}
    moves = {
        Effect.DEBIT: Side.DEBIT,
        Effect.COMPLETE: Side.DEBIT,
        Effect.CREDIT: Side.CREDIT,
        Effect.TIP: Side.RAISES,
    }
    assert plan.side is moves.get(plan.effect, Side.NONE)
    if plan.original is not None and plan.effect is Effect.CREDIT:
        assert plan.original.amount in {AmountRule.FULL, AmountRule.REST}
    assert plan.pin is not PinRule.NEEDED or 52 in plan.required


def test_every_kind_has_a_plan_and_a_qualification() -> None:
    kinds = set(PaymentKind) - {PaymentKind.UNKNOWN}
    assert BY_KIND.keys() == kinds
    assert set().union(*ALLOWS.values()) | ALWAYS == kinds
