"""Erasing secrets from memory, as far as Python allows.

Keys and PIN digits live in `bytearray`s that are overwritten after use, and are handed on as views, never as
`bytes` or `str`, which nobody can overwrite. What stays out of reach: the cipher library's key schedule,
which is freed but perhaps not overwritten, pages that the operating system swapped out, and a core dump
taken while a key is in use. A terminal with real cardholders needs a secure element for that.
"""

from __future__ import annotations


def wipe(buffer: bytearray) -> None:
    """Overwrite `buffer` with zeros; its length stays, so no old copy is left behind by a reallocation."""
    buffer[:] = bytes(len(buffer))
