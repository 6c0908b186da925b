"""Keeping secrets in buffers that can be erased, and erasing them, as far as Python allows.

Keys and PIN digits live in `SecretBytes` that are overwritten after use, and are handed on as views, never as
`bytes` or `str`, which nobody can overwrite. Whoever prints one, a crash reporter with the local variables of
every frame for example, learns its length. What stays out of reach: the cipher library's key schedule,
which is freed but perhaps not overwritten, pages that the operating system swapped out, and a core dump
taken while a key is in use. A terminal with real cardholders needs a secure element for that.
"""

from __future__ import annotations


class SecretBytes(bytearray):
    """A buffer that does not print what it holds. A slice of it is a plain bytearray: take a view instead."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"SecretBytes({len(self)} bytes)"

    __str__ = __repr__


def wipe(buffer: bytearray) -> None:
    """Overwrite `buffer` with zeros; its length stays, so no old copy is left behind by a reallocation."""
    buffer[:] = bytes(len(buffer))


def xor_in_place(buffer: bytearray, other: bytes | bytearray | memoryview) -> None:
    """Combine `other` with the beginning of `buffer`, byte by byte: no longer number holds the result."""
    for place, byte in enumerate(other):
        buffer[place] ^= byte
