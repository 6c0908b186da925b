"""How long to wait before the next attempt: twice as long each time, and never all at the same moment."""

from __future__ import annotations

from collections.abc import Callable

FIRST_MS = 500
LONGEST_MS = 30_000


class Backoff:
    """Exponential back-off with jitter.

    `random` gives a number from 0 up to, not including, 1 (as `random.Random.random` does). Each wait is
    between half of its limit and the limit, so that many gateways that lost the same bank do not come back
    in the same moment. The limits are `first_ms`, 2 x `first_ms`, 4 x ... up to `longest_ms`.
    """

    def __init__(
        self, random: Callable[[], float], *, first_ms: int = FIRST_MS, longest_ms: int = LONGEST_MS
    ) -> None:
        self._random = random
        self._first_ms = first_ms
        self._longest_ms = longest_ms
        self._limit_ms = first_ms

    def next_ms(self) -> int:
        """The wait before the next attempt; the one after it will be longer."""
        limit_ms = self._limit_ms
        self._limit_ms = min(2 * limit_ms, self._longest_ms)
        return limit_ms // 2 + int(self._random() * (limit_ms - limit_ms // 2))

    def reset(self) -> None:
        """It worked: begin anew next time."""
        self._limit_ms = self._first_ms
