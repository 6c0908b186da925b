"""When to say HELLO: often at first, ever more seldom when nobody is there, often again at a sign of life."""

from __future__ import annotations

EAGER_US = 3_000_000
"""So long after the start, and after anything heard, HELLO is said as often as the line bears."""
INTERVAL_MAX_US = 1_000_000


class HelloTimer:
    """The timer of one end. `interval_us`: the shortest time between two HELLOs.

    `due_us` is when to say the next one; None while there is no reason to.
    """

    def __init__(self, interval_us: int) -> None:
        self.due_us: int | None = None
        self._least_us = interval_us
        self._interval_us = interval_us
        self._eager_until_us = 0

    def begin(self, now_us: int) -> None:
        """Look for a peer: say it at once."""
        self.hurry(now_us)
        self.due_us = now_us

    def answer(self, now_us: int) -> None:
        """Say it at once, as somebody waits for it."""
        self.due_us = now_us

    def hurry(self, now_us: int) -> None:
        """There is reason to think that somebody is there: say it often again, if at all."""
        self._interval_us = self._least_us
        self._eager_until_us = now_us + EAGER_US
        if self.due_us is not None:
            self.due_us = min(self.due_us, now_us + self._least_us)

    def said(self, sent_us: int, *, again: bool) -> None:
        """It has been said. `again`: until it is answered, the time between two doubling after a while."""
        if sent_us >= self._eager_until_us:
            self._interval_us = min(2 * self._interval_us, max(INTERVAL_MAX_US, self._least_us))
        self.due_us = sent_us + self._interval_us if again else None

    def stop(self) -> None:
        """The peer is found, or not looked for any more."""
        self.due_us = None
