"""Patterns of beeps over time, for a buzzer that can only be switched on and off."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from hal.api import Beep, Tone

GAP_MS = 100
"""Silence between two patterns, so that a person can tell them apart."""


class TonePlayer:
    """What a buzzer with one voice does when: patterns that overlap are played one after the other."""

    def __init__(self) -> None:
        self._coming: deque[tuple[int, Tone]] = (
            deque()
        )  # when each tone starts; a silence ends the one before
        self._busy_until_ms = 0

    def add(self, beep: Beep, now_ms: int) -> None:
        """Play a pattern, at once or after those that were asked for before."""
        at_ms = max(now_ms, self._busy_until_ms)
        for tone in beep.value:
            self._coming.append((at_ms, tone))
            at_ms += tone.duration_ms
        self._coming.append((at_ms, Tone(0, 0)))
        self._busy_until_ms = at_ms + GAP_MS

    def due(self, now_ms: int) -> Iterator[Tone]:
        """What has to begin by now, in order: a tone, or with frequency 0 silence."""
        while self._coming and self._coming[0][0] <= now_ms:
            yield self._coming.popleft()[1]

    def deadline_ms(self) -> int | None:
        """When something begins next."""
        return self._coming[0][0] if self._coming else None

    def clear(self) -> None:
        """Play nothing more."""
        self._coming.clear()
        self._busy_until_ms = 0
