"""A request as the authoriser reads it: the message's fields checked once and given their names.

Checks of form only (response code 30); whether the content is allowed is decided elsewhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from wire.errors import TrackError, WireError
from wire.iso8583 import IsoMessage
from wire.pan import Pan
from wire.security_data import SecurityData
from wire.track import Track2

FieldValue = str | bytes

_DIGIT_FIELDS: Final[Mapping[int, int]] = {3: 6, 4: 12, 11: 6, 14: 4, 22: 3, 23: 3, 25: 2, 26: 2, 53: 16}
"""Fields of digits alone, with their fixed lengths."""

SM4_PIN_USAGE: Final = b"22\x00\x10"
"""How field 62 begins when it holds an SM4 PIN block: usage 22, tag 00, length 16 (section 3.4)."""

_FINANCIAL_CLASSES: Final = frozenset("1246")
"""Second digit of the MTI of messages that carry a MAC and are remembered."""


@dataclass(frozen=True, slots=True)
class OriginalReference:
    """Field 61: the message that this one refers to. Zeros mean "not known"."""

    batch: str
    trace: str
    date_mmdd: str

    def names_day(self, date_mmdd: str) -> bool:
        """Whether this may be the day: it is given and the same, or not given."""
        return self.date_mmdd in {"", "0000", date_mmdd}

    @property
    def names_a_message(self) -> bool:
        """Whether batch and trace are given."""
        return self.trace != "000000"


@dataclass(frozen=True, slots=True)
class CardData:
    """What the request says about the card. The last two are empty when no track was sent."""

    pan: Pan
    expiry_yymm: str
    service_code: str
    discretionary: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """A well-formed request and the moment it arrived (`now`, the bank's clock)."""

    message: IsoMessage
    now: datetime
    mid: str
    tid: str
    trace: str
    type_code: str
    batch: str
    network_code: str
    ic_condition: str
    takes_partial: bool = False
    protected: SecurityData = field(default_factory=SecurityData)
    """What field 59 says."""
    deciphered_number: str = ""
    """The card number that came enciphered in field 59."""

    @property
    def mti(self) -> str:
        """The message type, four digits."""
        return self.message.mti

    @property
    def is_financial(self) -> bool:
        """Whether it must carry a MAC: 01xx, 02xx, 04xx and 06xx."""
        return self.mti[1] in _FINANCIAL_CLASSES

    @property
    def selector(self) -> tuple[str, str, str, str]:
        """What decides the transaction: MTI, processing code (F3), condition (F25), type (60.1)."""
        return (self.mti, self.text(3), self.text(25), self.type_code)

    @property
    def amount_minor(self) -> int:
        """Field 4 in minor units; 0 when absent."""
        return int(self.text(4) or "0")

    @property
    def pin_block(self) -> bytes | None:
        """The enciphered PIN block, or None: field 52, or the 16 bytes that fields 59 or 62 have for it."""
        block = self.binary(52)
        if block is None or any(block):
            return block
        usage_22 = self.binary(62) or b""
        if usage_22.startswith(SM4_PIN_USAGE):
            return usage_22[len(SM4_PIN_USAGE) :]
        return self.protected.pin_block or block

    @property
    def is_swiped(self) -> bool:
        """Whether the card was read from its stripe (entry mode 02x)."""
        return self.text(22).startswith("02")

    @property
    def names_card(self) -> bool:
        """Whether the message itself says which card: track 2, clear or protected, or field 2."""
        return bool(self.text(35) or self.card_number or self.protected.track2)

    @property
    def card_number(self) -> str:
        """The card number that came beside the track or instead of it, "" for none."""
        return self.deciphered_number or self.text(2)

    @property
    def original(self) -> OriginalReference | None:
        """Field 61, or None when it is absent."""
        text = self.text(61)
        return OriginalReference(text[:6], text[6:12], text[12:16]) if text else None

    def text(self, field: int) -> str:
        """A text field, "" when absent."""
        value = self.message.fields.get(field, "")
        return value if isinstance(value, str) else ""

    def binary(self, field: int) -> bytes | None:
        """A binary field, None when absent."""
        value = self.message.fields.get(field)
        return value if isinstance(value, bytes) else None

    def lacks(self, fields: frozenset[int]) -> bool:
        """Whether one of `fields` is absent."""
        return not fields <= self.message.fields.keys()

    def digest(self) -> bytes:
        """What makes a repeat recognisable: SHA-256 of all but the MAC and what goes with each sending.

        A repeat under DUKPT has a key serial number of its own.
        """
        fields = [(number, value) for number, value in self.message.fields.items() if number not in {59, 64}]
        if 59 in self.message.fields:
            protected = replace(self.protected, ksn=b"", card_number=b"").encode()
            fields += [(59, protected)] if protected else []
        if self.deciphered_number:
            fields.append((2, self.deciphered_number))
        return hashlib.sha256(repr((self.mti, fields)).encode("utf-8")).digest()


def security_data(message: IsoMessage) -> SecurityData:
    """What field 59 says; nothing when it is absent or holds something else."""
    data = message.fields.get(59)
    try:
        return SecurityData.parse(data) if isinstance(data, bytes) else SecurityData()
    except WireError:
        return SecurityData()


def read_request(message: IsoMessage, now: datetime) -> Request | None:
    """The request in `message`, or None if a field has not the form that the table above or F60/F61 ask for.

    F60 is read by its length: 60.1 to 60.3 (11 digits) always, 60.4 to 60.6 when they are there.
    """
    fields = message.fields
    for number, length in _DIGIT_FIELDS.items():
        if number in fields and not _is_digits(fields[number], length):
            return None
    private = fields.get(60)
    if not isinstance(private, str) or len(private) < 11 or not _is_digits(private, len(private)):
        return None
    original = fields.get(61, "0" * 12)
    if not isinstance(original, str) or len(original) < 12 or not _is_digits(original, len(original)):
        return None
    request = Request(
        message=message,
        now=now,
        mid=str(fields.get(42, "")),
        tid=str(fields.get(41, "")),
        trace=str(fields.get(11, "")),
        type_code=private[:2],
        batch=private[2:8],
        network_code=private[8:11],
        ic_condition=private[12:13] or "0",
        takes_partial=private[13:14] == "1",
        protected=security_data(message),
    )
    if request.is_financial and request.lacks(frozenset({3, 11, 41, 42})):
        return None
    return request


def read_card(request: Request, track2: str) -> CardData | None:
    """The card that track 2 (clear nibbles, "" when not sent) or field 2 names; None if neither names one.

    The track wins over field 2, as the stripe was really there. An expiry that is no date names no card.
    """
    try:
        if track2:
            track = Track2.parse(track2.upper().replace("D", "="))
            return CardData(track.pan, track.expiry_yymm, track.service_code, track.discretionary)
        expiry_yymm = request.text(14)
        is_date = _is_digits(expiry_yymm, 4) and "01" <= expiry_yymm[2:] <= "12"
        return CardData(Pan(request.card_number), expiry_yymm, "") if is_date or not expiry_yymm else None
    except (TrackError, WireError):
        return None


def _is_digits(value: FieldValue, length: int) -> bool:
    return isinstance(value, str) and len(value) == length and value.isascii() and value.isdigit()
