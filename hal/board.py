"""The board: one typed bundle of all devices. The firmware is given a board and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from operator import attrgetter
from typing import Any

from hal import api
from hal.device import QuietDevice
from hal.smart_card import SmartCardSlot


@dataclass(frozen=True)
class Board:
    """Every device of one terminal. The field's name is the device's kind in profiles."""

    clock: api.Clock
    storage: api.Storage
    rng: api.Rng
    tamper: api.Tamper
    display: api.Display
    leds: api.Leds
    keypad: api.Keypad
    buzzer: api.Buzzer
    card_reader: api.CardReader
    smart_card: SmartCardSlot
    printer: api.Printer
    serial_port: api.LinkPort

    @cached_property
    def _polls(self) -> tuple[Callable[[], Sequence[api.DeviceEvent]], ...]:
        """How to ask the devices that may have something to tell: done at every step of the firmware."""
        return _own("poll", _all_of(self))

    @cached_property
    def _deadlines(self) -> tuple[Callable[[], int | None], ...]:
        """How to ask the devices that may want to be polled at some moment."""
        return _own("deadline_ms", _all_of(self))

    def devices(self) -> Iterator[tuple[str, api.Device]]:
        """Every device with its kind, in the order in which they are opened."""
        return zip(_KINDS, _all_of(self), strict=True)

    def open(self) -> None:
        """Open all devices. Raises DeviceMissing; what was opened before it is closed again."""
        opened: list[api.Device] = []
        try:
            for _, device in self.devices():
                device.open()
                opened.append(device)
        except api.HalError:
            for device in reversed(opened):
                device.close()
            raise

    def close(self) -> None:
        """Close all devices, the last opened first."""
        for _, device in reversed(list(self.devices())):
            device.close()

    def poll(self) -> list[api.DeviceEvent]:
        """What happened on any device since the last call, device by device."""
        events: list[api.DeviceEvent] = []
        for poll in self._polls:
            events += poll()
        return events

    def deadline_ms(self) -> int | None:
        """The earliest moment at which some device wants to be polled."""
        soonest_ms: int | None = None
        for deadline_ms in self._deadlines:
            at_ms = deadline_ms()
            if at_ms is not None and (soonest_ms is None or at_ms < soonest_ms):
                soonest_ms = at_ms
        return soonest_ms


_KINDS = tuple(item.name for item in fields(Board))
_all_of: Callable[[Board], tuple[api.Device, ...]] = attrgetter(*_KINDS)


def _own(method: str, devices: tuple[api.Device, ...]) -> tuple[Callable[[], Any], ...]:
    """This method of those devices that do not leave it as quiet devices have it.

    It is asked of the device, for the class of a wrapper has none.
    """
    quiet = getattr(QuietDevice, method)
    of_each = (getattr(device, method) for device in devices)
    return tuple(bound for bound in of_each if getattr(bound, "__func__", None) is not quiet)
