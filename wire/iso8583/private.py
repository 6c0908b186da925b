"""What is inside the UnionPay fields that have an inside: 44, 48, 54, 60, 61 and, of chip uploads, 62.

Each class is one field: `encode()` gives the field's text, `parse()` takes it apart and raises CodecError.
Parts are texts of fixed length, one after the other; parts at the end may be absent, none in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from itertools import accumulate
from typing import Self

from wire.errors import CodecError, PanError
from wire.money import AMOUNT_MINOR_MAX
from wire.pan import Pan

_F60_DIGITS = (2, 6, 3, 1, 1, 1, 3)
_F61_DIGITS = (6, 6, 4, 2, 11)


@dataclass(frozen=True, slots=True)
class F60:
    """Field 60: what kind of message this is.

    `transaction_type` 60.1, `batch` 60.2, `network_code` 60.3 (000 in financial messages),
    `read_capability` 60.4 (2 magnetic stripe only), `ic_condition` 60.5 (2 the chip failed before),
    `partial_approval` 60.6, `account_type` 60.7. Management messages end with 60.3, financial ones with
    60.5; 8, 11, 12, 13, 14 and 17 digits are met in practice.
    """

    transaction_type: str
    batch: str
    network_code: str = "000"
    read_capability: str = ""
    ic_condition: str = ""
    partial_approval: str = ""
    account_type: str = ""

    def encode(self) -> str:
        """Return the digits of field 60. Raises CodecError."""
        return _join(60, _F60_DIGITS, astuple(self), at_least=2)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Take field 60 apart; an absent network code is "". Raises CodecError: bad_length, bad_character."""
        transaction_type, batch, network_code, *rest = _split(60, _F60_DIGITS, text, at_least=2)
        return cls(transaction_type, batch, network_code, *rest)


@dataclass(frozen=True, slots=True)
class F61:
    """Field 61: the message that this one is about.

    `batch` 61.1, `trace` 61.2, `date_mmdd` 61.3, `auth_mode` 61.4 (00 terminal, 01 telephone, 02 stand-in),
    `auth_institution` 61.5. Refunds and completions by authorisation code send zeros for batch and trace.
    """

    batch: str
    trace: str
    date_mmdd: str = ""
    auth_mode: str = ""
    auth_institution: str = ""

    def encode(self) -> str:
        """Return the digits of field 61: 12, 16, 18 or 29. Raises CodecError."""
        return _join(61, _F61_DIGITS, astuple(self), at_least=2)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Take field 61 apart. Raises CodecError: bad_length, bad_character."""
        return cls(*_split(61, _F61_DIGITS, text, at_least=2))


@dataclass(frozen=True, slots=True)
class F44:
    """Field 44 of an answer: the institution codes of issuer and acquirer, up to 11 characters each."""

    issuer: str
    acquirer: str
    reserved: str = ""

    def encode(self) -> str:
        """Return 25 characters, each part filled with blanks. Raises CodecError: bad_length."""
        for part, length_max in ((self.issuer, 11), (self.acquirer, 11), (self.reserved, 3)):
            if len(part) > length_max:
                raise CodecError("bad_length", 44, f"a part of it is longer than {length_max}")
        return f"{self.issuer:11}{self.acquirer:11}{self.reserved:3}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Take field 44 apart; hosts that leave fill away are understood. Raises CodecError: bad_length."""
        if len(text) > 25:
            raise CodecError("bad_length", 44, "it holds up to 25 characters")
        return cls(text[:11].rstrip(), text[11:22].rstrip(), text[22:].rstrip())


@dataclass(frozen=True, slots=True)
class F54:
    """Field 54 of a balance answer. `amount_minor` is negative where the account is in debit."""

    amount_minor: int
    currency: str = "156"
    account_type: str = "00"
    amount_type: str = "02"  # available balance

    def encode(self) -> str:
        """Return 20 characters. Raises CodecError: bad_length, bad_character."""
        kind = _join(54, (2, 2, 3), (self.account_type, self.amount_type, self.currency), at_least=3)
        return kind + ("D" if self.amount_minor < 0 else "C") + _digits(54, abs(self.amount_minor), 12)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Take one balance apart. Raises CodecError: bad_length, bad_character, bad_format."""
        sign = text[7:8]
        account_type, amount_type, currency, amount = _split(
            54, (2, 2, 3, 12), text[:7] + text[8:], at_least=4
        )
        if sign not in {"C", "D"}:
            raise CodecError("bad_format", 54, "the sign of the balance is neither C nor D")
        return cls(-int(amount) if sign == "D" else int(amount), currency, account_type, amount_type)


@dataclass(frozen=True, slots=True)
class Totals:
    """Settlement totals of one kind of cards. `result` in answers: 1 balanced, 2 not balanced, 3 error."""

    debit_amount_minor: int = 0
    debit_count: int = 0
    credit_amount_minor: int = 0
    credit_count: int = 0
    result: int = 0


_TOTALS_DIGITS = (12, 3, 12, 3, 1)


@dataclass(frozen=True, slots=True)
class F48Totals:
    """Field 48 of a settlement (0500, 0510): totals of domestic and of foreign cards, 62 digits."""

    domestic: Totals
    foreign: Totals = Totals()

    def encode(self) -> str:
        """Return 62 digits. Raises CodecError: bad_length for totals that do not fit."""
        numbers = [*astuple(self.domestic), *astuple(self.foreign)]
        return "".join(
            _digits(48, number, size) for number, size in zip(numbers, _TOTALS_DIGITS * 2, strict=True)
        )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Take field 48 of a settlement apart. Raises CodecError: bad_length, bad_character."""
        numbers = [int(part) for part in _split(48, _TOTALS_DIGITS * 2, text, at_least=10)]
        return cls(Totals(*numbers[:5]), Totals(*numbers[5:]))


@dataclass(frozen=True, slots=True)
class Detail:
    """One record of a batch upload: `card_kind` 00 domestic, 01 foreign; the trace of its request.

    `pan` is None, zeros on the wire, from a terminal that keeps no card numbers.
    """

    card_kind: str
    trace: str
    pan: Pan | None
    amount_minor: int


_DETAIL_DIGITS = 40
_DETAILS_MAX = 8  # more do not fit field 48


@dataclass(frozen=True, slots=True)
class F48Details:
    """Field 48 of a batch upload (0320, 201): how many records, then 40 digits each (section 8.2)."""

    details: tuple[Detail, ...]

    def encode(self) -> str:
        """Return the digits: 2 and 40 for each of up to 8 records. Raises CodecError."""
        if len(self.details) > _DETAILS_MAX:
            raise CodecError("bad_length", 48, f"it holds up to {_DETAILS_MAX} records")
        records = (
            _join(48, (2, 6), (one.card_kind, one.trace), at_least=2)
            + (one.pan.reveal() if one.pan else "").rjust(20, "0")
            + _digits(48, one.amount_minor, 12)
            for one in self.details
        )
        return _digits(48, len(self.details), 2) + "".join(records)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Take the records apart. Raises CodecError: bad_length, bad_character."""
        count = text[:2]
        if not (count.isascii() and count.isdigit()) or len(text) != 2 + int(count) * _DETAIL_DIGITS:
            raise CodecError("bad_length", 48, "its length is not that of as many records as it says")
        return cls(tuple(cls._record(text[at : at + 40]) for at in range(2, len(text), _DETAIL_DIGITS)))

    @staticmethod
    def _record(text: str) -> Detail:
        kind, trace, pan, amount = _split(48, (2, 6, 20, 12), text, at_least=4)
        try:
            return Detail(kind, trace, Pan(pan.lstrip("0")) if int(pan) else None, int(amount))
        except PanError:
            raise CodecError("bad_format", 48, "a record of it names no card") from None


@dataclass(frozen=True, slots=True)
class ChipUpload:
    """Field 62 of a chip upload (0320): usage 6, an approved transaction's certificate, or 7, a failed one.

    `response`: 00 with usage 6; 11 or 13 declined offline, 05 the issuer was not authenticated (usage 7).
    `failure`: with usage 7 the cryptogram's kind (1 AAC, 2 the issuer's) and its result (0 or 2).
    """

    usage: str
    card_kind: str
    response: str
    amount_minor: int
    currency: str = "156"
    failure: str = ""

    def encode(self) -> bytes:
        """Return 21 bytes (usage 6) or 23 (usage 7). Raises CodecError."""
        if (self.usage, len(self.failure)) not in {("6", 0), ("7", 2)}:
            raise CodecError("bad_format", 62, "usage 6 has no failure, usage 7 has one of two digits")
        parts = (f"{self.usage}1", self.card_kind, self.response, _digits(62, self.amount_minor, 12))
        sizes = (2, 2, 2, 12, 3, 2)[: 6 if self.failure else 5]
        return _join(62, sizes, (*parts, self.currency, *filter(None, [self.failure])), at_least=5).encode()

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Take it apart. Raises CodecError: bad_length, bad_character, bad_format."""
        text = data.decode("ascii", errors="replace")
        usage, kind, response, amount, currency, failure = _split(62, (2, 2, 2, 12, 3, 2), text, at_least=5)
        if (usage, len(failure)) not in {("61", 0), ("71", 2)}:
            raise CodecError("bad_format", 62, "it is neither a certificate nor a failed transaction")
        return cls(usage[0], kind, response, int(amount), currency, failure)


def _join(number: int, sizes: Sequence[int], parts: Sequence[str], *, at_least: int) -> str:
    text = "".join(parts)
    # They come out again as they went in only where each has its length and none in between is empty.
    if _split(number, sizes, text, at_least=at_least) != list(parts):
        raise CodecError("bad_length", number, "a part of it has a wrong length, or one in between is absent")
    return text


def _split(number: int, sizes: Sequence[int], text: str, *, at_least: int) -> list[str]:
    ends = list(accumulate(sizes))
    if len(text) not in ends[at_least - 1 :]:
        raise CodecError("bad_length", number, f"it has one of the lengths {ends[at_least - 1 :]}")
    if not (text.isascii() and text.isdigit()):
        raise CodecError("bad_character", number, "it holds something that is no digit")
    return [text[end - size : end] for end, size in zip(ends, sizes, strict=True)]


def _digits(number: int, value: int, size: int) -> str:
    if not 0 <= value <= min(AMOUNT_MINOR_MAX, 10**size - 1):
        raise CodecError("bad_length", number, f"a number in it does not fit {size} digits")
    return f"{value:0{size}d}"
