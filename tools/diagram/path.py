"""One type of transaction's path through the transaction table: what is left when its plan is known.

A guard that the plan decides is taken as decided, and the rules and states that this leaves without a way to
them are dropped. What people, devices and the bank decide stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING

from firmware.records import Flow
from firmware.txn import transaction
from firmware.txn.plans import PLANS, Ask, Delivery, Plan, Totals

if TYPE_CHECKING:
    from firmware.txn.schema import Rule, Table

_ASKS: Mapping[str, Ask] = {
    "asks_original": Ask.ORIGINAL,
    "asks_reference": Ask.REFERENCE,
    "asks_code": Ask.AUTHORISATION_CODE,
    "asks_date": Ask.ORIGINAL_DATE,
    "asks_amount": Ask.AMOUNT,
    "asks_card": Ask.CARD,
    "asks_pin": Ask.PIN,
}


def path_of(kind: str, flow: Flow) -> Table:
    """The transaction table as the type `kind` takes it. `flow` matters to a purchase only."""
    table, plan = transaction.TABLE, PLANS[kind]
    if kind != "purchase":
        flow = Flow.PIN_FIRST
    rules = tuple(_decided(table, plan, flow))
    reached = _reached(table.initial, rules)
    return replace(
        table,
        title=f"{table.title}: {kind.replace('_', ' ')}",
        rows=tuple(row for row in table.rows if row.state in reached),
        rules=tuple(rule for rule in rules if rule.source in reached),
        ignored={pair: reason for pair, reason in table.ignored.items() if pair[0] in reached},
    )


def _decided(table: Table, plan: Plan, flow: Flow) -> Iterable[Rule]:
    """The rules that may be taken; one whose guard always holds has none any more."""
    for rules in table.by_pair.values():
        for rule in rules:
            holds = _holds(rule.guard, plan, flow)
            if holds is not False:
                yield replace(rule, guard="") if holds else rule
            if holds:
                break


def _holds(guard: str, plan: Plan, flow: Flow) -> bool | None:
    """What the plan says to a guard; None when it does not decide."""
    if guard in _ASKS:
        return _ASKS[guard] in plan.asks and not (guard == "asks_pin" and flow is Flow.AUTHORISE_FIRST)
    decided = {
        "": True,
        "authorises_first": flow is Flow.AUTHORISE_FIRST,
        "owes_completion": flow is Flow.AUTHORISE_FIRST,
        "is_stored": plan.delivery is Delivery.STORED,
        "is_irreversible": not plan.reversible,
        "may_be_done": not plan.reversible and plan.totals is not Totals.NONE,
        "has_slip": plan.has_slip,
    }
    if guard == "pin_tries_left" and Ask.PIN not in plan.asks:
        return False
    return decided.get(guard)


def _reached(initial: Enum, rules: Iterable[Rule]) -> set[Enum]:
    rules, reached, front = tuple(rules), {initial}, [initial]
    while front:
        state = front.pop()
        new = {rule.target for rule in rules if rule.source is state} - reached
        reached |= new
        front.extend(new)
    return reached
