"""Answers: which fields of a request come back, and which the bank adds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from bank.request import FieldValue
from wire.iso8583 import IsoMessage, response_mti, swap_tpdu
from wire.iso8583.profile import Profile, profile

APPROVED: Final = "00"
SUCCESSES: Final = frozenset({"00", "10", "11", "A2", "A4", "A5", "A6"})
"""The plain success, the partial one and the flawed ones: each of them is done (section 12)."""

UNDECIDED: Final = frozenset({"68", "90", "91", "92", "96", "98", "A0"})
"""Class E and a wrong MAC: nothing was decided, and the same message may do later (section 12)."""

_ECHOED: Final = (2, 3, 4, 11, 14, 23, 25, 41, 42, 49, 53, 60)
"""Fields that an answer repeats. F2 only if it was sent: a swiped card's number need not travel again."""


_SETTLEMENT: Final = "0500"
"""The one request whose answer has no F39: its field 48 says how it went (section 8.1)."""

_STAMPED: Final[Mapping[tuple[str, str], frozenset[int]]] = {
    ("0820", "301"): frozenset({12, 13}),
    **{
        (mti, code): frozenset()
        for mti, codes in (
            ("0820", ("362", "372", "373", "382")),
            ("0800", ("360", "361", "364", "370", "371", "380", "381")),
        )
        for code in codes
    },
}
"""(MTI, 60.3) -> which of F12 F13 F32 F37 the answer has, where that is not all of them (section 4)."""


@dataclass(frozen=True, slots=True)
class BankPolicy:
    """What one bank does differently from the next."""

    acquirer_code: str = "08960000"
    """Field 32, and the second half of field 44."""
    issuer_code: str = "01020000"
    """The first half of field 44."""
    scheme: str = "CUP"
    """Field 63.1 where no card is known; else it is the card's organisation."""
    issuer_remark: str = "POSTERM DEMO BANK"
    """Issuer's part of field 63.2, at most 20 bytes in GBK; printed on the slip as a remark."""
    hold_lifetime: timedelta = timedelta(days=1)
    """How long an amount stays set aside whose PIN is still to come; a pre-authorisation lasts longer."""
    pin_formats: str = "0134"
    """The ISO 9564-1 formats of PIN blocks that are taken; any other is answered with 99."""
    profile: Profile = field(default_factory=profile)
    """What acquirers do differently, shared with the terminals."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the bank decided: field 39 and what goes with it.

    `pan_sealed`, `organisation`: of its card, where that is known; the latter as field 63.1 names it.
    `moved_minor`: what was really moved or held, where that is not the amount asked for.
    """

    code: str
    auth_code: str | None = None
    pan_sealed: bytes | None = None
    organisation: str = ""
    original_id: int | None = None
    moved_minor: int | None = None
    fields: Mapping[int, FieldValue] = field(default_factory=dict)

    @property
    def approved(self) -> bool:
        """Whether it was done: the plain success, or one of the others."""
        return self.code in SUCCESSES


def answer_envelope(request: IsoMessage, policy: BankPolicy, requirement: str = "0") -> tuple[str, str]:
    """TPDU and header of the answer; digit 6 of the header is the processing requirement."""
    tpdu = swap_tpdu(request.tpdu) if policy.profile.swaps_tpdu else request.tpdu
    return tpdu, request.header[:5] + requirement + request.header[6:]


def answer_message(
    request: IsoMessage,
    outcome: Outcome,
    *,
    rrn: str,
    policy: BankPolicy,
    now: datetime,
    requirement: str = "0",
) -> IsoMessage:
    """The answer without its MAC: what is echoed, the bank's clock, its references, the decision.

    `requirement`: the digit of the header that tells the terminal what it is to do (section 1.1).
    """
    fields: dict[int, FieldValue] = {
        number: request.fields[number] for number in _ECHOED if number in request.fields
    }
    clock, day = now.strftime("%H%M%S %m%d").split()
    stamps = {12: clock, 13: day, 32: policy.acquirer_code, 37: rrn}
    network_code = str(request.fields.get(60, ""))[8:11]
    stamped = _STAMPED.get((request.mti, network_code), stamps.keys())
    fields |= {number: value for number, value in stamps.items() if number in stamped}
    if request.mti == _SETTLEMENT:
        fields[15] = day
    else:
        fields[39] = outcome.code
    if request.mti[1] in "1246":
        fields[15] = day
        fields[44] = policy.issuer_code.ljust(11) + policy.acquirer_code.ljust(11)
        fields[63] = (outcome.organisation or policy.scheme) + (_remark(policy) if outcome.approved else "")
    if outcome.auth_code is not None:
        fields[38] = outcome.auth_code
    fields |= outcome.fields
    tpdu, header = answer_envelope(request, policy, requirement)
    return IsoMessage(response_mti(request.mti), fields, tpdu=tpdu, header=header)


def _remark(policy: BankPolicy) -> str:
    """Field 63.2: the issuer's text, filled to 20 bytes (a Chinese character takes two); "" for none."""
    if not policy.issuer_remark:
        return ""
    fill = 20 - len(policy.issuer_remark.encode("gbk"))
    return policy.issuer_remark + " " * max(fill, 0)
