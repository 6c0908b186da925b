"""A driver's port wired straight to a peripheral in software: virtual time, control lines, no descriptors."""

from collections.abc import Sequence
from typing import Literal

from hal.api import BytesReceived, DeviceEvent, PortLost, PortRestored
from hal.device import QuietDevice
from hal.peripherals.api import HostLines, Peripheral
from hal.peripherals.phoenix_reader import PhoenixReader
from hal.serial.opening import ModemLines
from hal.virtual.clock import VirtualClock


class WiredPort(QuietDevice):
    """hal.serial.contact_line.ControlledPort. The far side works when it is written to or polled."""

    def __init__(self, far: Peripheral, clock: VirtualClock) -> None:
        super().__init__()
        self.bits_per_s = 115_200
        self.speeds: list[tuple[int, str]] = []
        self.written = bytearray()
        self.refuses_speed = False
        self.damage_next_write = False
        self._far = far
        self._clock = clock
        self._plugged = True
        self._arrived = bytearray()
        self._lines = HostLines()
        self._moves: list[DeviceEvent] = []

    def write(self, data: bytes) -> None:
        if self._plugged and self._is_open:
            self.written += data
            if self.damage_next_write:
                self.damage_next_write = False
                data = data[:-1] + bytes([data[-1] ^ 0x01])
            self._turn(data)

    def poll(self) -> Sequence[DeviceEvent]:
        self._turn(b"")
        events, self._moves = self._moves, []
        if self._arrived:
            events.append(BytesReceived(bytes(self._arrived)))
            self._arrived.clear()
        return events

    def deadline_ms(self) -> int | None:
        if self._arrived:
            return self._clock.monotonic_ms()
        return self._far.deadline_ms() if self._plugged else None

    def _turn(self, data: bytes) -> None:
        if self._plugged:
            self._far.receive(data, self._clock.monotonic_ms())
            self._arrived += self._far.take_output()

    def set_speed(self, bits_per_s: int, parity: Literal["even", "odd"]) -> bool:
        self.speeds.append((bits_per_s, parity))
        return not self.refuses_speed

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> bool:
        if not isinstance(self._far, PhoenixReader):
            return False
        self._lines = HostLines(
            dtr=self._lines.dtr if dtr is None else dtr, rts=self._lines.rts if rts is None else rts
        )
        self._far.set_host_lines(self._lines, self._clock.monotonic_ms())
        return True

    @property
    def marks_damage(self) -> bool:
        return isinstance(self._far, PhoenixReader) and self._far.marks_damage

    def modem_lines(self) -> ModemLines | None:
        if not isinstance(self._far, PhoenixReader) or not self._plugged:
            return None
        lines = self._far.lines
        return ModemLines(cts=lines.cts, dsr=lines.dsr, dcd=lines.dcd)

    def unplug(self) -> None:
        self._plugged = False
        self._arrived.clear()
        self._moves.append(PortLost())

    def plug(self) -> None:
        self._plugged = True
        self._moves.append(PortRestored())
