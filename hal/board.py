"""The board: one typed bundle of all devices. The firmware is given a board and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from operator import attrgetter

from hal import api
from hal.smart_card import SmartCardSlot


@dataclass(frozen=True, slots=True)
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
        return [event for device in _all_of(self) for event in device.poll()]

    def deadline_ms(self) -> int | None:
        """The earliest moment at which some device wants to be polled."""
        deadlines = [at_ms for device in _all_of(self) if (at_ms := device.deadline_ms()) is not None]
        return min(deadlines, default=None)


_KINDS = tuple(item.name for item in fields(Board))
_all_of: Callable[[Board], tuple[api.Device, ...]] = attrgetter(*_KINDS)
