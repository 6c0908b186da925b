"""Where the time of a piece of work goes, by part: each moment counted once.

A part is entered by calling one of its methods and left when that returns; what it calls of another part
counts there. The parts lie inside one another (the terminal asks its storage, the bank its database), so only
the innermost one's clock runs.
"""

from __future__ import annotations

import functools
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

Entrance = tuple[type, str]
"""A class and the name of one of its methods."""


class Stopwatch:
    """The clocks of all parts. `rest` is what runs while no part does."""

    def __init__(self, rest: str) -> None:
        self._running = [rest]
        self._since_ns = time.perf_counter_ns()
        self._spent_ns: Counter[str] = Counter()

    def enter(self, part: str) -> None:
        """Stop the clock that runs, and start this part's."""
        self._charge()
        self._running.append(part)

    def leave(self) -> None:
        """Go back to the part from which this one was entered."""
        self._charge()
        self._running.pop()

    def shares(self) -> dict[str, float]:
        """What part of the whole each part has taken; they sum to 1."""
        self._charge()
        whole_ns = sum(self._spent_ns.values())
        return {part: spent_ns / whole_ns for part, spent_ns in self._spent_ns.items()}

    def _charge(self) -> None:
        now_ns = time.perf_counter_ns()
        self._spent_ns[self._running[-1]] += now_ns - self._since_ns
        self._since_ns = now_ns


@contextmanager
def watched(parts: Mapping[str, Sequence[Entrance]], stopwatch: Stopwatch) -> Iterator[None]:
    """While it lasts, every call of an entrance runs the clock of its part."""
    originals = [(owner, name, getattr(owner, name)) for ways in parts.values() for owner, name in ways]
    for part, ways in parts.items():
        for owner, name in ways:
            setattr(owner, name, _timed(getattr(owner, name), part, stopwatch))
    try:
        yield
    finally:
        for owner, name, original in originals:
            setattr(owner, name, original)


def _timed(method: Callable[..., Any], part: str, stopwatch: Stopwatch) -> Callable[..., Any]:
    @functools.wraps(method)
    def timed(*arguments: Any, **named: Any) -> Any:
        stopwatch.enter(part)
        try:
            return method(*arguments, **named)
        finally:
            stopwatch.leave()

    return timed
