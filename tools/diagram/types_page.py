"""docs/transactions.md: every type of transaction, made from the plans."""

from __future__ import annotations

from collections.abc import Iterator

from firmware.texts import text
from firmware.txn.plans import PLANS, Amount, Ask, Delivery, Plan, Totals

OPENING = """<!-- Made by `python -m tools.diagram.document` from firmware/txn/plans.py: change that file. -->

# Types of transaction

All types run on one machine, [the transaction table](states.md); a type is a row of `firmware/txn/plans.py`.
`posterm diagram --type refund -o refund.svg` draws one type's path. What selects each message is from
[iso8583-pos](spec/iso8583-pos.md), section 2.2; a purchase that is authorised first sends 0100, a PIN
verification and 0220 instead ([decision 2](decisions/0002-pin-verification-message.md)).

| type | | message, F3, F25, F60.1 | asks for | who | reversed | totals | switch |
|---|---|---|---|---|---|---|---|
"""
CLOSING = """
A stored type is decided at the terminal; its advice follows when there is time, at the latest before the
next sale once `offline_kept_max` are stored, or before the settlement. A void and a tip name their original
by its voucher number; all others by what is on the original's slip, and the terminal adds batch and trace
where it has the original in its own journal. "Raises": the tip adds to its original's amount in the totals.
"""
_ASKS = {
    Ask.ORIGINAL: "voucher no.",
    Ask.REFERENCE: "reference no.",
    Ask.AUTHORISATION_CODE: "authorisation code",
    Ask.ORIGINAL_DATE: "date",
    Ask.AMOUNT: "amount",
    Ask.CARD: "card",
    Ask.PIN: "PIN",
}


def page() -> str:
    """The page's text."""
    return OPENING + "".join(f"{_row(plan)}\n" for plan in PLANS.values()) + CLOSING


def _row(plan: Plan) -> str:
    return "| " + " | ".join(_cells(plan)) + " |"


def _cells(plan: Plan) -> Iterator[str]:
    message = plan.message
    yield f"`{plan.name}`"
    yield text("zh", f"slip.kind.{plan.name}") if plan.has_slip else "余额查询"
    selector = f"{message.mti} {message.processing_code} {message.condition_code} {message.type_code}"
    yield selector + (", stored" if plan.delivery is Delivery.STORED else "")
    yield ", ".join(
        "tip" if ask is Ask.AMOUNT and plan.amount is Amount.TIP else _ASKS[ask] for ask in plan.asks
    )
    yield plan.authority.value
    yield "yes" if plan.reversible else "no"
    yield "–" if plan.totals is Totals.NONE else plan.totals.value
    yield str(plan.switch)
