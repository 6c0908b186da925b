"""What every device behind a serial port has in common: the port, its loss and its return."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hal.api import BytesReceived, Clock, PortLost, PortRestored, SelfTest
from hal.device import QuietDevice
from hal.serial.opening import FlowControl, Parity
from hal.serial.port import PyserialPort


class DeviceBehindPort(QuietDevice):
    """A device that speaks over a port of its own (`hal.serial.port.PyserialPort` has the options).

    A driver calls `_received` in its `poll` for the bytes that came in, and says in `_on_lost` and
    `_on_restored` what becomes of it when the cable is pulled and plugged in again. The port looks for
    itself meanwhile.
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
    ) -> None:
        super().__init__()
        self._clock = clock
        self._port = PyserialPort(
            url,
            clock,
            bits_per_s=bits_per_s,
            parity=parity,
            data_bits=data_bits,
            stop_bits=stop_bits,
            flow_control=flow_control,
        )

    def open(self) -> None:
        """Take the port. Raises DeviceMissing."""
        self._port.open()
        super().open()

    def close(self) -> None:
        """Give the port back."""
        self._port.close()
        super().close()

    def self_test(self) -> SelfTest:
        """Report whether the port is there. What is plugged into it, most devices do not tell."""
        return self._port.self_test()

    def deadline_ms(self) -> int | None:
        """When the port wants to be polled."""
        return self._port.deadline_ms()

    def filenos(self) -> Sequence[int]:
        """The port's descriptor."""
        return self._port.filenos()

    def send_aside(self, data: bytes) -> None:
        """Send something that belongs to another device on this line: a buzzer's command."""
        self._port.write(data)

    def _received(self) -> Iterator[bytes]:
        for event in self._port.poll():
            match event:
                case BytesReceived(data):
                    yield data
                case PortLost():
                    self._on_lost()
                case PortRestored():
                    self._on_restored()

    def _on_lost(self) -> None:
        """The cable was pulled."""

    def _on_restored(self) -> None:
        """The cable is back; the device behind it may have lost its power meanwhile."""
