"""What selects each message: MTI, F3, F25 and F60.1, as data. Source: iso8583-pos section 2.2.

PIN verification is posterm's own message (docs/decisions): the published tables have none, because today's
networks send the PIN with the purchase. It takes codes that no published message uses.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MessagePlan:
    """One kind of request."""

    mti: str
    processing_code: str  # F3
    condition_code: str  # F25
    type_code: str  # F60.1


AUTHORISATION = MessagePlan("0100", "030000", "06", "10")
PIN_VERIFICATION = MessagePlan("0100", "330000", "06", "01")
COMPLETION = MessagePlan("0220", "000000", "06", "24")
PURCHASE = MessagePlan("0200", "000000", "00", "22")
REVERSAL_MTI = "0400"
SIGN_IN_MTI = "0800"
