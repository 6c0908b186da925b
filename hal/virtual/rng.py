"""Random numbers that are the same in every run with the same seed."""

from __future__ import annotations

import random

from hal.device import QuietDevice


class SeededRng(QuietDevice):
    """A repeatable source for simulations. Who knows the seed knows the numbers: never for real keys."""

    def __init__(self, *, seed: int = 0) -> None:
        super().__init__()
        self._random = random.Random(seed)

    def token(self, length_bytes: int) -> bytes:
        """`length_bytes` bytes; the n-th call returns the same in every run. ValueError when negative."""
        if length_bytes < 0:
            raise ValueError("a token cannot have a negative length")
        return self._random.randbytes(length_bytes)
