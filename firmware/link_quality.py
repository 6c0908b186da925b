"""How good the line to the host link is, in bars, from what the session counts."""

from __future__ import annotations

from dataclasses import dataclass

BARS_MAX = 4
WINDOW_MS = 60_000
"""What happened longer ago than this, and up to twice as long, does not count any more."""

_SHARES = ((1, 4), (5, 3), (20, 2))  # (less than so many percent of the frames spoilt, bars)


@dataclass(frozen=True, slots=True)
class _Sample:
    at_ms: int
    good: int = 0
    spoilt: int = 0


class LinkQuality:
    """The quality over the last minute or two."""

    def __init__(self) -> None:
        self._older = self._newer = _Sample(0)

    def bars(self, spoilt: int, good: int, *, is_up: bool, now_ms: int) -> int:
        """0 for a line that is down, else 1 to 4: by the share of frames that were spoilt or repeated.

        `spoilt` and `good` are the counts of frames since the session object was made.
        """
        if good < self._newer.good:
            self._older = self._newer = _Sample(now_ms)  # the counters began anew
        if now_ms - self._newer.at_ms >= WINDOW_MS:
            self._older, self._newer = self._newer, _Sample(now_ms, good, spoilt)
        return bars_of(good - self._older.good, spoilt - self._older.spoilt) if is_up else 0


def bars_of(good: int, spoilt: int) -> int:
    """The bars for so many good frames and so many spoilt or repeated ones; a silent line is good."""
    percent = 100 * spoilt / max(1, good + spoilt)
    return next((bars for limit, bars in _SHARES if percent < limit), 1)
