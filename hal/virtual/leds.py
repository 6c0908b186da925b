"""Lights that remember."""

from __future__ import annotations

from collections import deque

from hal.api import Clock, Led
from hal.device import QuietDevice


class VirtualLeds(QuietDevice):
    """Lights whose changes are kept for whoever looks. Not modelled: blinking, brightness, a broken light."""

    def __init__(self, clock: Clock, *, history_max: int = 10_000) -> None:
        super().__init__()
        self._clock = clock
        self._lit: frozenset[Led] = frozenset()
        self._history: deque[tuple[int, frozenset[Led]]] = deque(maxlen=history_max)

    def set(self, lit: frozenset[Led]) -> None:
        """Light exactly these."""
        if lit != self._lit:
            self._history.append((self._clock.monotonic_ms(), lit))
        self._lit = lit

    @property
    def lit(self) -> frozenset[Led]:
        """What is lit now."""
        return self._lit

    def history(self) -> tuple[tuple[int, frozenset[Led]], ...]:
        """Every change as (when in clock milliseconds, what was lit from then on), oldest first."""
        return tuple(self._history)
