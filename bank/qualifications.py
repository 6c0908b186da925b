"""What a merchant may do: words in its contract, and the transactions and entry modes that each allows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bank.payments import PaymentKind as Kind
from bank.request import Request
from bank.schemes import is_domestic

_AUTHORISE_FIRST: Final = frozenset(
    {Kind.AUTHORISATION, Kind.PIN_VERIFICATION, Kind.COMPLETION, Kind.COMPLETION_VOID}
)
"""The messages of a purchase that is authorised first; a pre-authorisation begins with the same."""

ALLOWS: Final[Mapping[str, frozenset[Kind]]] = {
    "purchase": frozenset({Kind.PURCHASE, Kind.PURCHASE_VOID}) | _AUTHORISE_FIRST,
    "balance": frozenset({Kind.BALANCE}),
    "refund": frozenset({Kind.REFUND}),
    "preauth": frozenset({Kind.AUTHORISATION_CANCEL, Kind.COMPLETION_REQUEST}) | _AUTHORISE_FIRST,
    "offline": frozenset({Kind.OFFLINE_SALE}),
    "tips": frozenset({Kind.ADJUSTMENT}),
    "manual": frozenset(),
    "foreign": frozenset(),
}
"""Qualification -> kinds of transactions. `manual`: cards whose number is keyed; `foreign`: foreign cards."""

QUALIFICATIONS: Final = tuple(ALLOWS)
_ALLOWED_BY: Final = {kind: {name for name in ALLOWS if kind in ALLOWS[name]} for kind in Kind}
ALWAYS: Final = frozenset({Kind.SCRIPT_RESULT})
_KEYED: Final = "01"  # the first two digits of F22


def lacks_qualification(held: frozenset[str], kind: Kind, request: Request, organisation: str) -> bool:
    """Whether the merchant may not do this: 58."""
    if kind in ALWAYS:
        return False
    if held.isdisjoint(_ALLOWED_BY[kind]):
        return True
    if request.text(22).startswith(_KEYED) and "manual" not in held:
        return True
    return not is_domestic(organisation) and "foreign" not in held
