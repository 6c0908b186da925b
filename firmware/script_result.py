"""The advice of what a card did with the issuer's script (0620): the hook for chip cards.

It is stored in the commit of the transaction whose answer brought the script, and goes before the next
transaction, behind reversals. Sources: iso8583-pos sections 4, 7.1, 7.3 and 10.
"""

from __future__ import annotations

from firmware.journal import Draft
from firmware.messages import script_result
from firmware.records import OutgoingKind, OutgoingState, Payment
from firmware.settings import TerminalSettings

MTI = "0620"


def store(draft: Draft, settings: TerminalSettings, payment: Payment, chip_data: bytes) -> None:
    """Put the advice into the outbox. `chip_data`: field 55 with tag DF31, at most 255 bytes.

    Raises ValueError for longer data: nothing was stored.
    """
    if not 0 < len(chip_data) <= 255:
        raise ValueError("field 55 of a script result has 1 to 255 bytes (iso8583-pos section 10)")
    fields = script_result(settings, payment, draft.next_stan())
    draft.add_outgoing(
        OutgoingKind.SCRIPT_RESULT, payment, MTI, fields, OutgoingState.DUE, chip_data=chip_data.hex()
    )
