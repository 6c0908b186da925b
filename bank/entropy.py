"""Where the bank's random values come from: a device that is passed in, never the global generator."""

from __future__ import annotations

import hashlib
import secrets
from typing import Protocol


class Entropy(Protocol):
    """A source of random bytes for working keys and authorisation codes."""

    def token(self, length_bytes: int) -> bytes:
        """`length_bytes` unpredictable bytes."""


class SystemEntropy:
    """The operating system's generator: for a bank that runs as a service."""

    def token(self, length_bytes: int) -> bytes:
        """`length_bytes` bytes from the operating system."""
        return secrets.token_bytes(length_bytes)


class SeededEntropy:
    """Bytes that follow from a seed alone, the same on every machine: for tests and simulations.

    SHA-256 in counter mode: block n is SHA-256(seed, n), each call starts a new block.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._block_count = 0

    def token(self, length_bytes: int) -> bytes:
        """`length_bytes` bytes; the same sequence of calls gives the same bytes."""
        data = b""
        while len(data) < length_bytes:
            data += hashlib.sha256(b"%d/%d" % (self._seed, self._block_count)).digest()
            self._block_count += 1
        return data[:length_bytes]
