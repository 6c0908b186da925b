"""When the peer was heard last, and what its silence makes due."""

from __future__ import annotations

KEEP_ALIVE_US = 1_000_000
SILENCE_US = 2_500_000
"""So long may the peer be silent before the link counts as down, and between two HELLOs from then on."""


class Liveness:
    """The timers of one end. `ask_interval_us`: the shortest time between two HELLOs to a silent peer."""

    def __init__(self, ask_interval_us: int) -> None:
        self._ask_interval_us = max(SILENCE_US, ask_interval_us)
        self._asked_us = 0
        self.hear(0)

    def hear(self, now_us: int) -> None:
        """The peer is there.

        `keep_alive_us` is when to ask whether it still is, `silent_us` when the link counts as down.
        """
        self.keep_alive_us = now_us + KEEP_ALIVE_US
        self.silent_us = now_us + SILENCE_US

    def asked(self, now_us: int) -> None:
        """A silent peer is asked who it is: it may be in another session, and take all else for noise."""
        self._asked_us = now_us

    @property
    def ask_us(self) -> int:
        """When to ask a silent peer who it is."""
        return max(self.silent_us, self._asked_us + self._ask_interval_us)
