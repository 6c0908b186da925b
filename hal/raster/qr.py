"""QR codes as dots."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from hal.raster.font import Rows

QUIET_MODULES = 4
"""The light margin that a reader needs around the code (ISO/IEC 18004, section 6.3.8)."""


class QrTooLongError(ValueError):
    """More data than the largest QR code holds."""


@lru_cache(maxsize=16)
def qr_modules(data: str) -> Rows:
    """The code's modules without the quiet zone, 1 for dark; at least error correction level M (15 %).

    Raises QrTooLongError. Source: ISO/IEC 18004.
    """
    import segno

    try:
        code = segno.make_qr(data, error="m", boost_error=True)
    except segno.DataOverflowError as error:
        raise QrTooLongError(f"{len(data)} characters do not fit a QR code; shorten the text") from error
    return tuple(bytes(row) for row in code.matrix)


@lru_cache(maxsize=16)
def qr_symbol(data: bytes, level: str, *, is_micro: bool = False) -> Rows:
    """The modules of bytes with the error correction "L", "M", "Q" or "H". Raises QrTooLongError."""
    import segno

    try:
        code = segno.make(data, error=level, micro=is_micro, boost_error=False)
    except ValueError as error:  # also DataOverflowError; micro codes have no level H, and take little
        raise QrTooLongError(f"{len(data)} bytes do not fit such a QR code") from error
    return tuple(bytes(row) for row in code.matrix)


@dataclass(frozen=True, slots=True)
class QrSize:
    """How large a code is drawn: dots a module, and the width of its quiet zone in modules."""

    scale: int
    quiet_modules: int


def qr_size(data: str, side_dots: int, *, quiet_modules_min: int = QUIET_MODULES) -> QrSize | None:
    """The largest size at which the code fits a square of `side_dots`; None when it does not fit.

    The quiet zone is narrowed down to `quiet_modules_min` only where that allows larger modules.
    Raises QrTooLongError.
    """
    modules = len(qr_modules(data))
    sizes = [
        QrSize(side_dots // (modules + 2 * quiet), quiet)
        for quiet in range(QUIET_MODULES, quiet_modules_min - 1, -1)
    ]
    best = max(sizes, key=lambda size: size.scale)  # the first of equals: the widest quiet zone
    return best if best.scale else None


def qr_dots(data: str, size: QrSize) -> Rows:
    """The code with its quiet zone, `size.scale` dots a module. Raises QrTooLongError."""
    modules = qr_modules(data)
    margin = bytes(size.quiet_modules * size.scale)
    blank = bytes((len(modules) + 2 * size.quiet_modules) * size.scale)
    rows = [margin + _stretched(row, size.scale) + margin for row in modules for _ in range(size.scale)]
    air = [blank] * (size.quiet_modules * size.scale)
    return (*air, *rows, *air)


def _stretched(row: bytes, scale: int) -> bytes:
    line = bytearray(len(row) * scale)
    for offset in range(scale):
        line[offset::scale] = row
    return bytes(line)
