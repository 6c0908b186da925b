"""Cyclic redundancy checks of any width, by their parameters (the Rocksoft / RevEng model).

The plan of this file. A `Crc` is a row of the catalogue: width, polynomial, start value, reflection, final
XOR. `crcmod` calculates where it can: widths of 8, 16, 24, 32 and 64 bits with the same reflection on both
sides; everything else goes bit by bit. Source of the parameters: the RevEng catalogue.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

from wire.errors import FrameError

ByteOrder = Literal["big", "little"]

WIDTH_BITS_MAX = 128
_CRCMOD_WIDTHS = frozenset({8, 16, 24, 32, 64})


@dataclass(frozen=True)
class Crc:
    """The parameters of one CRC. Raises FrameError (bad_format) for parameters that make no CRC.

    >>> f"{CATALOGUE['CRC-16/KERMIT'].compute(b'123456789'):04X}"
    '2189'
    """

    name: str
    width_bits: int
    poly: int
    init: int
    refin: bool
    refout: bool
    xorout: int

    def __post_init__(self) -> None:
        if not 1 <= self.width_bits <= WIDTH_BITS_MAX:
            raise FrameError("bad_format", f"a CRC has 1 to {WIDTH_BITS_MAX} bits")
        if max(self.poly, self.init, self.xorout) >> self.width_bits:
            raise FrameError("bad_format", "a parameter of the CRC does not fit its width")
        if min(self.poly, self.init, self.xorout) < 0 or self.poly == 0:
            raise FrameError("bad_format", "a parameter of the CRC is negative, or its polynomial 0")

    @property
    def width_bytes(self) -> int:
        """How many bytes the check value takes."""
        return (self.width_bits + 7) // 8

    def compute(self, data: bytes) -> int:
        """The check value of `data`."""
        return self._function(data) if self._function else self._bitwise(data) ^ self.xorout

    def hex(self, data: bytes) -> str:
        """The check value in hex, as many digits as its bytes need."""
        return f"{self.compute(data):0{2 * self.width_bytes}X}"

    def residue(self) -> int:
        """The register, before the final XOR, behind any message that is followed by its own CRC.

        The CRC's bytes go low byte first when output is reflected, high byte first when it is not.
        """
        order: ByteOrder = "little" if self.refout else "big"
        codeword = self.compute(b"").to_bytes(self.width_bytes, order)
        return self.compute(codeword) ^ self.xorout

    def split(self, frame: bytes, byteorder: ByteOrder) -> bytes:
        """Return `frame` without the check value at its end. Raises FrameError: truncated, bad_crc."""
        if len(frame) < self.width_bytes:
            raise FrameError("truncated", "the frame is shorter than its CRC")
        data, check = frame[: -self.width_bytes], frame[-self.width_bytes :]
        if self.compute(data) != int.from_bytes(check, byteorder):
            raise FrameError("bad_crc", "the CRC at the end of the frame does not fit it")
        return data

    @cached_property
    def _function(self) -> Callable[[bytes], int] | None:
        if self.width_bits not in _CRCMOD_WIDTHS or self.refin != self.refout:
            return None
        return _crcmod_function(self)

    def _bitwise(self, data: bytes) -> int:
        register, top, mask = self.init, 1 << (self.width_bits - 1), (1 << self.width_bits) - 1
        for byte in data:
            for place in range(8) if self.refin else range(7, -1, -1):
                feedback = bool(register & top) ^ bool(byte >> place & 1)
                register = (register << 1) & mask
                if feedback:
                    register ^= self.poly
        return _reflected(register, self.width_bits) if self.refout else register


@lru_cache(maxsize=64)
def _crcmod_function(crc: Crc) -> Callable[[bytes], int]:
    # Imported here: it builds tables, and most programs that import this room check no CRC.
    import crcmod

    # crcmod wants the polynomial with its top bit, and the start value as it would be after the final XOR.
    start = _reflected(crc.init, crc.width_bits) if crc.refin else crc.init
    function: Callable[[bytes], int] = crcmod.mkCrcFun(
        crc.poly | 1 << crc.width_bits, initCrc=start ^ crc.xorout, rev=crc.refin, xorOut=crc.xorout
    )
    return function


def _reflected(value: int, width_bits: int) -> int:
    return int(f"{value:0{width_bits}b}"[::-1], 2)


CATALOGUE = {
    crc.name: crc
    for crc in (
        Crc("CRC-8/SMBUS", 8, 0x07, 0x00, False, False, 0x00),
        Crc("CRC-16/ARC", 16, 0x8005, 0x0000, True, True, 0x0000),
        Crc("CRC-16/IBM-3740", 16, 0x1021, 0xFFFF, False, False, 0x0000),  # also CCITT-FALSE: EMV QR
        Crc("CRC-16/IBM-SDLC", 16, 0x1021, 0xFFFF, True, True, 0xFFFF),  # HDLC and PPP
        Crc("CRC-16/ISO-IEC-14443-3-A", 16, 0x1021, 0xC6C6, True, True, 0x0000),
        Crc("CRC-16/KERMIT", 16, 0x1021, 0x0000, True, True, 0x0000),  # ZVT
        Crc("CRC-16/MODBUS", 16, 0x8005, 0xFFFF, True, True, 0x0000),
        Crc("CRC-16/USB", 16, 0x8005, 0xFFFF, True, True, 0xFFFF),
        Crc("CRC-16/XMODEM", 16, 0x1021, 0x0000, False, False, 0x0000),
        Crc("CRC-24/OPENPGP", 24, 0x864CFB, 0xB704CE, False, False, 0x000000),
        Crc("CRC-32/ISO-HDLC", 32, 0x04C11DB7, 0xFFFFFFFF, True, True, 0xFFFFFFFF),
        Crc("CRC-32/ISCSI", 32, 0x1EDC6F41, 0xFFFFFFFF, True, True, 0xFFFFFFFF),
        Crc("CRC-32/MPEG-2", 32, 0x04C11DB7, 0xFFFFFFFF, False, False, 0x00000000),
        Crc("CRC-64/ECMA-182", 64, 0x42F0E1EBA9EA3693, 0, False, False, 0),
    )
}
"""The checks that serial protocols and payment formats use most, by their catalogue names."""
