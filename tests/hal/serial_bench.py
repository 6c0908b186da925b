"""A driver and a peripheral in software, joined by a serial line in virtual time: rate, noise, cable.

The driver opens its port as ever; what it gets is one end of the line instead of a device of the machine.
"""

from random import Random

import pytest

from hal.api import Device, DeviceEvent, DeviceMissing, PortGone
from hal.peripherals.api import Peripheral
from hal.serial.opening import LineSettings, ModemLines, OpenPort
from hal.virtual.clock import VirtualClock
from host_link.line import DuplexLine, Line

URL = "/dev/ttyBENCH"
QUIET: dict[str, float] = {}


class Bench:
    """One cable. `noise`: options of host_link.line.Line, for both directions."""

    def __init__(
        self,
        peripheral: Peripheral,
        *,
        bits_per_s: int = 9_600,
        seed: int = 1,
        noise: dict[str, float] = QUIET,
    ) -> None:
        self.peripheral = peripheral
        self.clock = VirtualClock()
        self.is_plugged = True
        self.settings: LineSettings | None = None
        self.lines_driven: list[tuple[int, str, bool]] = []
        rng = Random(seed)
        self._line = DuplexLine(
            *(Line(rng, bits_per_s=bits_per_s, **noise) for _ in range(2))  # type: ignore[arg-type]
        )
        self.cable_number = 0
        self.sent_bytes = 0
        self._to_lose = 0

    def open_port(self, url: str, settings: LineSettings, *, connect_timeout_s: float) -> OpenPort:
        if not self.is_plugged:
            raise DeviceMissing(f"serial port {url}: it is not there: plug it in")
        self.settings = settings
        return _End(self, self.cable_number)

    def unplug(self) -> None:
        """Pull the cable: what is on it is lost."""
        self.is_plugged = False
        self.cable_number += 1
        self.turn()
        self._line.a_to_b.read(self.now_ms + 60_000)
        self._line.b_to_a.read(self.now_ms + 60_000)

    def plug(self) -> None:
        self.is_plugged = True

    def lose_bytes(self, count: int) -> None:
        """The next bytes that reach the peripheral are lost."""
        self._to_lose += count

    @property
    def now_ms(self) -> int:
        return self.clock.monotonic_ms()

    def turn(self) -> None:
        """Let the peripheral hear and say what it can at this moment."""
        heard = self._line.a_to_b.read(self.now_ms)
        lost = min(self._to_lose, len(heard))
        self._to_lose -= lost
        heard = heard[lost:]
        self.peripheral.receive(heard if self.is_plugged else b"", self.now_ms)
        said = self.peripheral.take_output()
        if self.is_plugged:
            self._line.b_to_a.write(said, self.now_ms)

    def step(self, until_ms: int) -> None:
        """Let time pass until something can happen, or until this moment."""
        self.turn()
        deadlines = (until_ms, self.peripheral.deadline_ms(), self._line.deadline_ms())
        soonest_ms = min(at_ms for at_ms in deadlines if at_ms is not None)
        self.clock.advance_to(min(max(self.now_ms + 1, soonest_ms), max(until_ms, self.now_ms)))
        self.turn()

    def run(self, device: Device, duration_ms: int) -> list[DeviceEvent]:
        """Let time pass, for driver and peripheral; what the driver said meanwhile."""
        events: list[DeviceEvent] = []
        end_ms = self.now_ms + duration_ms
        while True:
            self.turn()
            events += device.poll()
            self.turn()
            if self.now_ms >= end_ms:
                return events
            deadlines = (
                device.deadline_ms(),
                self.peripheral.deadline_ms(),
                self._line.deadline_ms(),
                end_ms,
            )
            soonest_ms = min(at_ms for at_ms in deadlines if at_ms is not None)
            self.clock.advance_to(max(self.now_ms + 1, soonest_ms))


class _End:
    """The host's end of the line (hal.serial.opening.OpenPort)."""

    def __init__(self, bench: Bench, cable_number: int) -> None:
        self._bench = bench
        self._cable_number = cable_number

    def _check(self) -> None:
        if self._cable_number != self._bench.cable_number:
            raise PortGone(f"serial port {URL} is gone")

    def fileno(self) -> int:
        return 0  # nobody waits on it: the bench polls whenever the line has something

    def read(self) -> bytes:
        self._check()
        return self._bench._line.b_to_a.read(self._bench.now_ms)

    def write(self, data: bytes | bytearray) -> int:
        self._check()
        self._bench._line.a_to_b.write(bytes(data), self._bench.now_ms)
        self._bench.sent_bytes += len(data)
        return len(data)

    def apply(self, settings: LineSettings) -> bool:
        self._check()
        self._bench.settings = settings
        return True

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> bool:
        self._check()
        for name, value in (("dtr", dtr), ("rts", rts)):
            if value is not None:
                self._bench.lines_driven.append((self._bench.now_ms, name, value))
        return True

    def marks_damage(self) -> bool:
        return False

    def lines(self) -> ModemLines | None:
        self._check()
        far = getattr(self._bench.peripheral, "lines", None)
        return None if far is None else ModemLines(cts=far.cts, dsr=far.dsr, dcd=far.dcd)

    def close(self) -> None:
        pass


def connect(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    """From now on drivers that open a port get the bench's."""
    monkeypatch.setattr("hal.serial.port.open_port", bench.open_port)
