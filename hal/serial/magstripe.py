"""A magnetic-stripe reader that sends its tracks as text over a serial port."""

from __future__ import annotations

from collections.abc import Sequence

from hal.api import CardRemoved, Clock, DeviceEvent
from hal.cores.swipe import Sensor, SwipeFormat, SwipeStream, outcome
from hal.serial.behind_port import DeviceBehindPort
from hal.serial.opening import FlowControl, Parity


class SerialMagstripeReader(DeviceBehindPort):
    """hal.api.CardReader over a serial port; `hal.cores.swipe` says what such readers send.

    `prefix`, `suffix`: what the reader sends before and after each swipe. `has_lrc`: it sends each track's
    check character, which is checked. `has_sensor`: it tells whether a card is in its slot. A reader whose
    cable is pulled in the middle of a swipe has read nothing; a card that was in its slot counts as
    removed.
    """

    def __init__(
        self,
        url: str,
        clock: Clock,
        *,
        bits_per_s: int = 9_600,
        parity: Parity = "none",
        data_bits: int = 8,
        stop_bits: int = 1,
        flow_control: FlowControl = "none",
        prefix: str = "",
        suffix: str = "",
        has_lrc: bool = False,
        has_sensor: bool = False,
    ) -> None:
        super().__init__(
            url,
            clock,
            bits_per_s=bits_per_s,
            parity=parity,
            data_bits=data_bits,
            stop_bits=stop_bits,
            flow_control=flow_control,
        )
        self._stream = SwipeStream(SwipeFormat(prefix, suffix, has_lrc, has_sensor))
        self._armed = False
        self._card_present = False
        self._events: list[DeviceEvent] = []

    def arm(self) -> None:
        """From now on a card makes events; what was swiped before makes none."""
        self._listen()
        self._forget_swipes()
        self._armed = True

    def disarm(self) -> None:
        """From now on none does, and what was read but not polled is forgotten. CardRemoved still comes."""
        self._listen()
        self._forget_swipes()
        self._armed = False

    @property
    def armed(self) -> bool:
        """True while a card makes events."""
        return self._armed

    @property
    def card_present(self) -> bool:
        """True while the sensor says that a card is in the slot."""
        return self._card_present

    def poll(self) -> Sequence[DeviceEvent]:
        """Return what the reader has sent since the last call."""
        self._listen()
        events, self._events = self._events, []
        return events

    def deadline_ms(self) -> int | None:
        """When a swipe counts as over, or the port wants to be polled."""
        moments = (self._stream.deadline_ms(), super().deadline_ms())
        return min((at_ms for at_ms in moments if at_ms is not None), default=None)

    def close(self) -> None:
        """Disarm, forget everything, and give the port back."""
        self._armed = self._card_present = False
        self._stream.reset()
        self._events.clear()
        super().close()

    def _listen(self) -> None:
        now_ms = self._clock.monotonic_ms()
        for data in self._received():
            self._stream.feed(data, now_ms)
        self._stream.settle(now_ms)
        for item in self._stream.take():
            if isinstance(item, Sensor):
                self._on_sensor(card_in=item is Sensor.CARD_IN)
            elif self._armed:
                self._events.append(outcome(item.tracks, held=item.held))

    def _on_sensor(self, *, card_in: bool) -> None:
        if self._card_present and not card_in:
            self._events.append(CardRemoved())
        self._card_present = card_in

    def _forget_swipes(self) -> None:
        self._stream.reset()
        self._events = [event for event in self._events if isinstance(event, CardRemoved)]

    def _on_lost(self) -> None:
        self._stream.reset()
        self._on_sensor(card_in=False)
