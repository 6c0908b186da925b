"""The bank's state tables in the shape that the diagrams are made from.

The bank does not know the firmware, so its tables have a shape of their own (`bank.states`): no screens, no
timers, no keys. Here they get the columns that a picture needs.
"""

from __future__ import annotations

from bank.merchant_states import MERCHANT_TABLE
from bank.merchant_states import MerchantStatus as Status
from bank.states import StateRow, StateRule, StateTable
from firmware.txn.schema import Group, Kind, Row, Rule, Table

_GROUPS = {
    Status.APPLIED: Group.START,
    Status.IN_REVIEW: Group.START,
    Status.REJECTED: Group.START,
    Status.ACTIVE: Group.IN_SERVICE,
    Status.SUSPENDED: Group.IN_SERVICE,
    Status.CLOSED: Group.END,
}


def merchant_table() -> Table:
    """A merchant's way, as `posterm bank merchant` takes it."""
    return _adapted(MERCHANT_TABLE)


def _adapted(table: StateTable) -> Table:
    return Table(
        name=table.name,
        title=table.title,
        initial=table.initial,
        rows=tuple(_row(row) for row in table.rows),
        events=table.events,
        rules=tuple(_rule(rule) for rule in table.rules),
        ignored=dict(table.refused),
    )


def _row(row: StateRow) -> Row:
    kind = Kind.ENDED_BADLY if row.ended else Kind.RESTING
    return Row(row.state, _GROUPS[Status(row.state.value)], kind, screen="", meaning=row.meaning)


def _rule(rule: StateRule) -> Rule:
    """A rule that refuses stays where it is, and says why as its effect."""
    effects = (rule.refuses.replace(" ", "_"),) if rule.refuses else ()
    return Rule(rule.source, rule.event, rule.target, rule.guard, rule.records, effects)
