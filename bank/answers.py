"""Answers: which fields of a request come back, and which the bank adds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from bank.request import FieldValue
from wire.iso8583 import IsoMessage, response_mti, swap_tpdu
from wire.pan import Pan

APPROVED: Final = "00"

_ECHOED: Final = (2, 3, 4, 11, 14, 23, 25, 41, 42, 49, 53, 60)
"""Fields that an answer repeats. F2 only if it was sent: a swiped card's number need not travel again."""


@dataclass(frozen=True, slots=True)
class BankPolicy:
    """What one bank does differently from the next."""

    acquirer_code: str = "08960000"
    """Field 32, and the second half of field 44."""
    issuer_code: str = "01020000"
    """The first half of field 44."""
    scheme: str = "CUP"
    """Field 63.1, three characters."""
    issuer_remark: str = "POSTERM DEMO BANK"
    """Issuer's part of field 63.2, at most 20 bytes in GBK; printed on the slip as a remark."""
    hold_lifetime: timedelta = timedelta(days=1)
    """How long an authorised amount stays set aside when nothing more is heard."""
    pin_formats: str = "0134"
    """The ISO 9564-1 formats of PIN blocks that are taken; any other is answered with 99."""
    completion_percent_max: int = 100
    """The largest completion, in percent of the authorised amount."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the bank decided: field 39 and what goes with it."""

    code: str
    auth_code: str | None = None
    pan: Pan | None = None
    original_id: int | None = None
    fields: Mapping[int, FieldValue] = field(default_factory=dict)

    @property
    def approved(self) -> bool:
        """Whether the code is the plain success."""
        return self.code == APPROVED


def answer_envelope(request: IsoMessage) -> tuple[str, str]:
    """TPDU and header of the answer: addresses swapped, processing requirement (digit 6) at 0."""
    return swap_tpdu(request.tpdu), request.header[:5] + "0" + request.header[6:]


def answer_message(
    request: IsoMessage, outcome: Outcome, *, rrn: str, policy: BankPolicy, now: datetime
) -> IsoMessage:
    """The answer without its MAC: what is echoed, the bank's clock, its references, the decision."""
    fields: dict[int, FieldValue] = {
        number: request.fields[number] for number in _ECHOED if number in request.fields
    }
    fields |= {12: now.strftime("%H%M%S"), 13: now.strftime("%m%d"), 39: outcome.code}
    fields |= {32: policy.acquirer_code, 37: rrn}
    if request.mti[1] in "124":
        fields[15] = now.strftime("%m%d")
        fields[44] = policy.issuer_code.ljust(11) + policy.acquirer_code.ljust(11)
        fields[63] = _remark(policy) if outcome.approved else policy.scheme
    if outcome.auth_code is not None:
        fields[38] = outcome.auth_code
    fields |= outcome.fields
    tpdu, header = answer_envelope(request)
    return IsoMessage(response_mti(request.mti), fields, tpdu=tpdu, header=header)


def _remark(policy: BankPolicy) -> str:
    """Field 63: scheme and the issuer's text, filled to 20 bytes (a Chinese character takes two)."""
    if not policy.issuer_remark:
        return policy.scheme
    fill = 20 - len(policy.issuer_remark.encode("gbk"))
    return policy.scheme + policy.issuer_remark + " " * max(fill, 0)
