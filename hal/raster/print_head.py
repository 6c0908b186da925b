"""The heat of a thermal print head.

Every black dot warms the head a little; it cools towards the room's temperature exponentially. The constants
are chosen, not measured: slips at a busy counter leave the head cool, half a minute of text at 300 mm/s
without a pause does not.
"""

from __future__ import annotations

from math import ceil, exp, log

ROOM_CELSIUS = 25.0
OVERHEATED_CELSIUS = 65.0
READY_CELSIUS = 55.0
"""An overheated head prints again from here on down; the distance keeps it from stuttering."""

_CELSIUS_PER_DOT = 3e-5  # a slip of 40 000 dots: 1.2 degrees
_TIME_CONSTANT_MS = 20_000


class PrintHead:
    """Temperature over time. Moments are the clock's monotonic milliseconds and never run backwards."""

    def __init__(self) -> None:
        self._rise_celsius = 0.0
        self._at_ms = 0
        self._resting = False

    def celsius(self, now_ms: int) -> float:
        """The temperature now."""
        return ROOM_CELSIUS + self._rise_celsius * exp((self._at_ms - now_ms) / _TIME_CONSTANT_MS)

    def warm(self, black_dots: int, now_ms: int) -> None:
        """Account for printed dots; an overheated head must rest from then on."""
        self.set_celsius(self.celsius(now_ms) + black_dots * _CELSIUS_PER_DOT, now_ms)

    def set_celsius(self, celsius: float, now_ms: int) -> None:
        """Bring the head to a temperature: a scripted fault, or its end."""
        self._rise_celsius = celsius - ROOM_CELSIUS
        self._at_ms = now_ms
        if celsius >= OVERHEATED_CELSIUS:
            self._resting = True

    def may_overheat(self, black_dots: int) -> bool:
        """Whether so many dots could overheat it, if they came so fast that it did not cool between them."""
        warmest = ROOM_CELSIUS + self._rise_celsius + black_dots * _CELSIUS_PER_DOT
        return self._resting or warmest >= OVERHEATED_CELSIUS

    def is_resting(self, now_ms: int) -> bool:
        """True from overheating until the head has cooled to `READY_CELSIUS`."""
        if self._resting and now_ms >= self.rested_at_ms():
            self._resting = False
        return self._resting

    def rested_at_ms(self) -> int:
        """When a head that nobody warms has cooled to `READY_CELSIUS`."""
        allowed = READY_CELSIUS - ROOM_CELSIUS
        if self._rise_celsius <= allowed:
            return self._at_ms
        return self._at_ms + ceil(_TIME_CONSTANT_MS * log(self._rise_celsius / allowed))
