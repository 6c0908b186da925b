"""What is inside the UnionPay fields that have an inside: 44, 48, 54, 60 and 61.

Each class is one field: `encode()` gives the field's text, `parse()` takes it apart and raises CodecError.
Parts are texts of fixed length, one after the other; parts at the end may be absent, none in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from itertools import accumulate
from typing import Self

from wire.errors import CodecError
from wire.money import AMOUNT_MINOR_MAX

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
