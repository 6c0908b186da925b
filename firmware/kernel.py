"""The kernel: one queue, named timers, one watchdog. It runs each event to completion and has no thread.

It knows no clock: `now_ms` comes in, the next deadline goes out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from operator import itemgetter
from typing import Any, Generic, TypeVar

SIGNALS_PER_RUN_MAX = 10_000
"""A run that handles more signals than this is going in circles: a payment takes about a hundred."""


class WatchdogExpired(Exception):
    """The firmware went in circles. The journal is consistent; power the terminal on again."""


Signal = TypeVar("Signal")
_moment: Callable[[tuple[int, Any]], int] = itemgetter(0)


class Kernel(Generic[Signal]):
    """A run-to-completion queue of signals, and timers that post one when they are due."""

    def __init__(self) -> None:
        self._queue: deque[tuple[str, Signal]] = deque()  # with the timer that posted it, "" for none
        self._timers: dict[str, tuple[int, Signal]] = {}
        self._first_ms: int | None = None  # the earliest of them: asked for at every step

    def post(self, signal: Signal) -> None:
        """Queue a signal behind those that wait."""
        self._queue.append(("", signal))

    def post_first(self, signal: Signal) -> None:
        """Put a signal before those that wait: what it says makes them meaningless."""
        self._queue.appendleft(("", signal))

    def arm(self, name: str, at_ms: int, signal: Signal) -> None:
        """At `at_ms`, post `signal`. A timer of that name that was armed before is forgotten (`disarm`)."""
        self._forget_rung(name)
        self._timers[name] = (at_ms, signal)
        self._find_first()

    def disarm(self, name: str) -> None:
        """Forget a timer, also one that has rung and waits in the queue; no error when there is none."""
        if self._timers.pop(name, None) is not None:
            self._find_first()
        self._forget_rung(name)

    def deadline_ms(self) -> int | None:
        """The earliest timer."""
        return self._first_ms

    def timer_ms(self, name: str) -> int | None:
        """When this timer rings; None when it is not armed."""
        timer = self._timers.get(name)
        return None if timer is None else timer[0]

    def run(self, handle: Callable[[Signal], None], *, now_ms: int) -> bool:
        """Post what is due and handle every signal, those included that are posted meanwhile.

        Returns whether there was any. Raises WatchdogExpired when it does not come to rest.
        """
        if self._first_ms is not None and self._first_ms <= now_ms:
            self._post_due(now_ms)
        handled = 0
        while self._queue:
            if (handled := handled + 1) > SIGNALS_PER_RUN_MAX:
                raise WatchdogExpired(f"{SIGNALS_PER_RUN_MAX} events in one run")
            handle(self._queue.popleft()[1])
        return handled > 0

    def _forget_rung(self, name: str) -> None:
        if self._queue:
            self._queue = deque(entry for entry in self._queue if entry[0] != name)

    def _post_due(self, now_ms: int) -> None:
        due = sorted((at_ms, name) for name, (at_ms, _) in self._timers.items() if at_ms <= now_ms)
        for _, name in due:
            self._queue.append((name, self._timers.pop(name)[1]))
        self._find_first()

    def _find_first(self) -> None:
        self._first_ms = min(map(_moment, self._timers.values()), default=None)
