"""The answer to reset (ATR), which a chip card gives when it gets power, taken apart and put together.

    TS T0 [TA1 TB1 TC1 TD1] [TA2 TB2 TC2 TD2] ... historical bytes [TCK]

The upper half of T0 and of each TD says which of the next four bytes are there, the lower half of T0 counts
the historical bytes, that of a TD names a protocol. TCK makes the XOR of T0 to TCK zero; it is missing where
T=0 is the only protocol named. Source: ISO/IEC 7816-3:2006, section 8; what EMV forbids of it: `atr_emv`
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import xor
from typing import Literal

from wire.errors import AtrError

__all__ = ["Atr", "AtrError", "InterfaceBytes", "bytes_missing"]

ATR_BYTES_MAX = 33
HISTORICAL_BYTES_MAX = 15
DIRECT, INVERSE = 0x3B, 0x3F
T0, T1, T_GLOBAL = 0, 1, 15

_FI = (372, 372, 558, 744, 1116, 1488, 1860, None, None, 512, 768, 1024, 1536, 2048, None, None)
_DI = (None, 1, 2, 4, 8, 16, 32, 64, 12, 20, None, None, None, None, None, None)
_FIDI_DEFAULT, _FI_DEFAULT = 0x11, 372
_WI_DEFAULT, _IFSC_DEFAULT, _BWI_DEFAULT, _CWI_DEFAULT = 10, 32, 4, 13

_A, _B, _C, _D = 0x10, 0x20, 0x40, 0x80


def clock_rate(fidi: int) -> tuple[int, int] | None:
    """Fi (clock cycles a bit takes) and Di (by how much fewer they are) of TA1; None when reserved."""
    fi, di = _FI[fidi >> 4], _DI[fidi & 0x0F]
    return (fi, di) if fi and di else None


@dataclass(frozen=True, slots=True)
class InterfaceBytes:
    """TAi, TBi, TCi and the protocol that TDi names; None: there is no TDi, this is the last group."""

    ta: int | None = None
    tb: int | None = None
    tc: int | None = None
    protocol: int | None = None

    @property
    def indicator(self) -> int:
        """Which bytes of this group are there: the upper half of T0, or of the TD before."""
        given = ((self.ta, _A), (self.tb, _B), (self.tc, _C), (self.protocol, _D))
        return sum(bit for value, bit in given if value is not None)


@dataclass(frozen=True, slots=True)
class Atr:
    """One answer to reset. `groups[0]` holds TA1, TB1, TC1, TD1.

    >>> str(Atr((InterfaceBytes(tb=0, tc=0),)))
    '3B600000'
    """

    groups: tuple[InterfaceBytes, ...] = (InterfaceBytes(),)
    historical: bytes = b""
    inverse: bool = False

    def __post_init__(self) -> None:
        if len(self.historical) > HISTORICAL_BYTES_MAX:
            raise AtrError("bad_length", f"an ATR has at most {HISTORICAL_BYTES_MAX} historical bytes")
        *inner, last = [group.protocol is not None for group in self.groups] or [True]
        if last or not all(inner):
            raise AtrError("bad_format", "every group of interface bytes but the last one names a protocol")
        if len(self.encode()) > ATR_BYTES_MAX:
            raise AtrError("bad_length", f"an ATR has at most {ATR_BYTES_MAX} bytes")

    def __str__(self) -> str:
        return self.encode().hex().upper()

    # --- bytes ---

    def encode(self) -> bytes:
        """The ATR's bytes as their meaning is: TS is 3F with the inverse convention."""
        body = bytearray([self.groups[0].indicator | len(self.historical)])
        for place, group in enumerate(self.groups):
            body += bytes(value for value in (group.ta, group.tb, group.tc) if value is not None)
            if group.protocol is not None:
                body.append(self.groups[place + 1].indicator | group.protocol)
        body += self.historical
        if self.has_check:
            body.append(reduce(xor, body))
        return bytes([INVERSE if self.inverse else DIRECT]) + bytes(body)

    @classmethod
    def decode(cls, data: bytes) -> Atr:
        """Take an ATR apart.

        Raises AtrError: truncated, bad_format (TS), trailing_data, bad_lrc (TCK), bad_length (over 33 bytes).
        """
        if data[:1] and data[0] not in {DIRECT, INVERSE}:
            raise AtrError("bad_format", "an ATR begins with 3B or 3F")
        missing = bytes_missing(data)
        if missing > 0:
            raise AtrError("truncated", "the ATR ends before its last byte")
        if missing < 0:
            raise AtrError("trailing_data", "there are bytes behind the ATR")
        groups, position = _read_groups(data)
        atr = cls(tuple(groups), data[position : position + (data[1] & 0x0F)], data[0] == INVERSE)
        if atr.has_check and reduce(xor, data[1:]):
            raise AtrError("bad_lrc", "the check byte TCK does not fit the ATR")
        return atr

    # --- meaning ---

    @property
    def protocols(self) -> tuple[int, ...]:
        """The protocols offered, the card's first choice first, without T=15; T=0 where none is named."""
        named = dict.fromkeys(group.protocol for group in self.groups if group.protocol is not None)
        return tuple(number for number in named if number != T_GLOBAL) or (T0,)

    @property
    def has_check(self) -> bool:
        """True when a TCK follows."""
        return any(group.protocol not in {T0, None} for group in self.groups)

    def interface_byte(self, letter: Literal["A", "B", "C"], group: int) -> int | None:
        """TA, TB or TC of a group, counted from 1; None when it is not there."""
        if not 1 <= group <= len(self.groups):
            return None
        found = self.groups[group - 1]
        return {"A": found.ta, "B": found.tb, "C": found.tc}[letter]

    @property
    def fidi(self) -> int:
        """TA1: the speed that the card can do; 11 where it says nothing."""
        return _FIDI_DEFAULT if self.groups[0].ta is None else self.groups[0].ta

    @property
    def specific_protocol(self) -> int | None:
        """The protocol of TA2, which the card uses at once (specific mode); None: it can be negotiated."""
        ta2 = self.interface_byte("A", 2)
        return None if ta2 is None else ta2 & 0x0F

    @property
    def protocol(self) -> int:
        """The protocol that holds right after the ATR, without PPS."""
        return self.protocols[0] if self.specific_protocol is None else self.specific_protocol

    @property
    def speed_at_once(self) -> tuple[int, int]:
        """Fi and Di that hold right after the ATR, without PPS; 372 and 1 unless TA2 says otherwise."""
        ta2 = self.interface_byte("A", 2)
        explicit = ta2 is not None and not ta2 & 0x10
        return (clock_rate(self.fidi) if explicit else None) or (_FI_DEFAULT, 1)

    @property
    def extra_guard_time(self) -> int:
        """TC1: bit times that the terminal waits beyond 12 between characters; 255: as few as can be."""
        tc1 = self.groups[0].tc
        return 0 if tc1 is None else tc1

    @property
    def waiting_integer(self) -> int:
        """TC2: WI of T=0."""
        return self.interface_byte("C", 2) or _WI_DEFAULT

    @property
    def work_wait_cycles(self) -> int:
        """T=0: clock cycles within which the card sends its next character (10.2)."""
        fi, _ = clock_rate(self.fidi) or (_FI_DEFAULT, 1)
        return 960 * max(fi, _FI_DEFAULT) * self.waiting_integer

    @property
    def block_wait_cycles(self) -> int:
        """T=1: clock cycles within which the card begins its next block (11.4.3), without the 11 etu."""
        return 960 * _FI_DEFAULT << self.waiting_integers[0]

    @property
    def ifsc(self) -> int:
        """TA of T=1: how many bytes of a block the card can take."""
        return _or_default(self._t1_group.ta, _IFSC_DEFAULT)

    @property
    def waiting_integers(self) -> tuple[int, int]:
        """TB of T=1: BWI (until the card answers a block) and CWI (between its characters)."""
        tb = _or_default(self._t1_group.tb, _BWI_DEFAULT << 4 | _CWI_DEFAULT)
        return tb >> 4, tb & 0x0F

    @property
    def t1_uses_crc(self) -> bool:
        """TC of T=1: a CRC behind each block instead of an LRC."""
        return bool((self._t1_group.tc or 0) & 1)

    @property
    def _t1_group(self) -> InterfaceBytes:
        """The first group from the third on that follows a TD naming T=1 (8.2.3)."""
        pairs = zip(self.groups[1:], self.groups[2:], strict=False)
        return next((group for before, group in pairs if before.protocol == T1), InterfaceBytes())


def bytes_missing(data: bytes) -> int:
    """How many more bytes an ATR that begins like this has for certain; negative: how many are too many.

    0 means that it is whole. For a reader that takes an ATR off the line byte by byte.
    """
    if len(data) < 2:
        return 2 - len(data)
    needed, indicator, checked = 2, data[1], False
    while indicator & 0xF0:
        position = needed + (indicator & (_A | _B | _C)).bit_count()
        needed += (indicator & 0xF0).bit_count()
        if not indicator & _D:
            break
        if position >= len(data) or needed > ATR_BYTES_MAX:
            return max(1, min(needed, ATR_BYTES_MAX + 1) - len(data))
        indicator = data[position]
        checked = checked or indicator & 0x0F != T0
    return needed + (data[1] & 0x0F) + checked - len(data)


def _read_groups(data: bytes) -> tuple[Sequence[InterfaceBytes], int]:
    """The interface bytes of an ATR that is long enough, and where they end."""
    groups, indicator, position = [], data[1], 2
    while True:
        values, position = _read_values(data, position, indicator)
        protocol = data[position] & 0x0F if indicator & _D else None
        groups.append(InterfaceBytes(values[0], values[1], values[2], protocol))
        if protocol is None:
            return groups, position
        indicator = data[position]
        position += 1


def _read_values(data: bytes, position: int, indicator: int) -> tuple[list[int | None], int]:
    following: Iterator[int] = iter(data[position:])
    values = [next(following) if indicator & bit else None for bit in (_A, _B, _C)]
    return values, position + sum(value is not None for value in values)


def _or_default(value: int | None, default: int) -> int:
    return default if value is None else value
