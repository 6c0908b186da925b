"""The random numbers of the machine that the terminal runs on."""

from __future__ import annotations

import os

from hal.device import QuietDevice


class OsRng(QuietDevice):
    """The operating system's cryptographic random source."""

    def token(self, length_bytes: int) -> bytes:
        """`length_bytes` unpredictable bytes. ValueError when negative."""
        if length_bytes < 0:
            raise ValueError("a token cannot have a negative length")
        return os.urandom(length_bytes)
