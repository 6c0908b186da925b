"""Images of ESC/POS as rows of dots, and the memories that printers keep them in."""

from __future__ import annotations

from dataclasses import dataclass, field

from hal.raster.font import Rows

ROWS_MAX = 2400
"""Height of an image; higher ones are dropped, as printers do (Epson, GS v 0: yH is 8 at most)."""

MEMORY_BYTES_MAX = 1024 * 1024
"""Room for the images of each kind of memory; what does not fit is not stored."""

_DOTS_OF_BYTE = tuple(bytes(byte >> bit & 1 for bit in range(7, -1, -1)) for byte in range(256))


def from_raster(data: bytes, width_bytes: int, height: int) -> Rows:
    """Rows of bytes, the highest bit at the left."""
    return tuple(
        b"".join(_DOTS_OF_BYTE[byte] for byte in data[at : at + width_bytes])
        for at in range(0, width_bytes * height, width_bytes)
    )


def from_columns(data: bytes, height_bytes: int) -> Rows:
    """Columns of bytes from the left, the highest bit at the top."""
    columns = [
        b"".join(_DOTS_OF_BYTE[byte] for byte in data[at : at + height_bytes])
        for at in range(0, len(data) - height_bytes + 1, height_bytes)
    ]
    return tuple(bytes(row) for row in zip(*columns, strict=True))


def cropped(rows: Rows, width: int) -> Rows:
    """What fits the width."""
    return tuple(row[:width] for row in rows) if rows and len(rows[0]) > width else rows


@dataclass(slots=True)
class ImageMemory:
    """Images by a key; the oldest is forgotten when the room is used up."""

    images: dict[object, Rows] = field(default_factory=dict)
    used_bytes: int = 0

    def store(self, key: object, rows: Rows) -> None:
        """Keep an image in place of what had its key; one that is empty or too large is not kept."""
        self.forget(key)
        size = _size(rows)
        if not size or size > MEMORY_BYTES_MAX or len(rows) > ROWS_MAX:
            return
        while self.used_bytes + size > MEMORY_BYTES_MAX:
            self.forget(next(iter(self.images)))
        self.images[key] = rows
        self.used_bytes += size

    def forget(self, key: object) -> None:
        """Drop an image if it is there."""
        self.used_bytes -= _size(self.images.pop(key, ()))

    def clear(self) -> None:
        """Drop all."""
        self.images.clear()
        self.used_bytes = 0


def _size(rows: Rows) -> int:
    return len(rows) * len(rows[0]) if rows else 0
