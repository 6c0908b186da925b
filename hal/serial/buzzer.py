"""Buzzers on a serial line: a bell in a printer or display, or a sounder on a control line.

`bel`: the byte BEL at the start of each beep (the device decides on tone and length). `esc-b`: `ESC B n t`,
n beeps of t times 50 ms, as many receipt printers have it. `rts`, `dtr`: a sounder between that control
line and ground, switched on for as long as a beep lasts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, runtime_checkable

from hal.api import Beep, Clock, Device, DeviceEvent, Display, Printer, SelfTest
from hal.cores.tones import TonePlayer
from hal.device import QuietDevice
from hal.serial.behind_port import DeviceBehindPort

BEL = b"\x07"
_ESC_B = b"\x1bB"
_ESC_B_UNIT_MS = 50
_ESC_B_MAX = 9  # printers take 1 to 9 for both numbers

Command = Literal["bel", "esc-b"]


@runtime_checkable
class _Carrier(Device, Protocol):
    """A device on a line that takes bytes for a buzzer."""

    def send_aside(self, data: bytes) -> None: ...


def esc_b(beep: Beep) -> bytes:
    """`ESC B n t` for a pattern: as many beeps, as long as its longest."""
    longest_ms = max(tone.duration_ms for tone in beep.value if tone.frequency_hz)
    count = min(beep.beep_count, _ESC_B_MAX)
    return _ESC_B + bytes((count, min(max(1, -(-longest_ms // _ESC_B_UNIT_MS)), _ESC_B_MAX)))


class _Bell:
    """Beeps as bytes for some carrier, at their time."""

    def __init__(self, command: Command, carrier: _Carrier, clock: Clock) -> None:
        self._command = command
        self._carrier = carrier
        self._clock = clock
        self._tones = TonePlayer()

    def sound(self, beep: Beep) -> None:
        if self._command == "esc-b":
            self._carrier.send_aside(esc_b(beep))  # the device plays one after the other
        else:
            self._tones.add(beep, self._clock.monotonic_ms())
            self.play()

    def play(self) -> None:
        for tone in self._tones.due(self._clock.monotonic_ms()):
            if tone.frequency_hz:
                self._carrier.send_aside(BEL)

    def deadline_ms(self) -> int | None:
        return self._tones.deadline_ms()

    def clear(self) -> None:
        self._tones.clear()


class _CarriedBuzzer(QuietDevice):
    """A bell inside another device of the board, which carries its bytes."""

    def __init__(self, command: Command, carrier: object, what: str, clock: Clock) -> None:
        super().__init__()
        if not isinstance(carrier, _Carrier):
            raise ValueError(f"the profile's {what} cannot ring a bell: take a {what} on a serial line")  # noqa: TRY004 - the profile's mistake
        self.carrier: Device = carrier
        """The device that the bell is in; the board opens, polls and closes it."""
        self._bell = _Bell(command, carrier, clock)

    def sound(self, beep: Beep) -> None:
        """Start the pattern."""
        self._bell.sound(beep)

    def poll(self) -> Sequence[DeviceEvent]:
        """Ring what is due; no events."""
        self._bell.play()
        return ()

    def deadline_ms(self) -> int | None:
        """When the bell rings next."""
        return self._bell.deadline_ms()

    def close(self) -> None:
        """Ring no more."""
        self._bell.clear()
        super().close()


class BuzzerInDisplay(_CarriedBuzzer):
    """hal.api.Buzzer: the bell of the customer display."""

    def __init__(self, display: Display, clock: Clock, *, command: Command = "bel") -> None:
        super().__init__(command, display, "display", clock)


class BuzzerInPrinter(_CarriedBuzzer):
    """hal.api.Buzzer: the bell of the receipt printer."""

    def __init__(self, printer: Printer, clock: Clock, *, command: Command = "esc-b") -> None:
        super().__init__(command, printer, "printer", clock)


class SerialBuzzer(DeviceBehindPort):
    """hal.api.Buzzer on a port of its own, by any of the four ways above."""

    def __init__(
        self,
        url: str,
        clock: Clock,
        *,
        bits_per_s: int = 9_600,
        command: Literal["bel", "esc-b", "rts", "dtr"] = "rts",
    ) -> None:
        super().__init__(url, clock, bits_per_s=bits_per_s)
        self._line = command if command in {"rts", "dtr"} else None
        self._bell = _Bell("esc-b" if command == "esc-b" else "bel", self, clock)
        self._tones = TonePlayer()
        self._has_line = True

    def open(self) -> None:
        """Take the port, silent. Raises DeviceMissing."""
        if not self.is_open:
            super().open()
            self._has_line = self._line is None or self._switch(on=False)

    def self_test(self) -> SelfTest:
        """Report a port that is away, or that has no control lines."""
        if self._has_line or not self._port.self_test().ok:
            return super().self_test()
        return SelfTest(ok=False, detail=f"serial port {self._port.url} has no line {self._line}")

    def sound(self, beep: Beep) -> None:
        """Start the pattern, or let it wait for the one that plays."""
        if self._line is None:
            self._bell.sound(beep)
        else:
            self._tones.add(beep, self._clock.monotonic_ms())
            self._play()

    def poll(self) -> Sequence[DeviceEvent]:
        """Switch what is due; no events."""
        for _ in self._received():
            pass
        self._bell.play()
        self._play()
        return ()

    def deadline_ms(self) -> int | None:
        """When something is to be switched next."""
        moments = (self._bell.deadline_ms(), self._tones.deadline_ms(), super().deadline_ms())
        return min((at_ms for at_ms in moments if at_ms is not None), default=None)

    def close(self) -> None:
        """Fall silent, and give the port back."""
        self._bell.clear()
        self._tones.clear()
        if self._line is not None:
            self._switch(on=False)
        super().close()

    def _play(self) -> None:
        for tone in self._tones.due(self._clock.monotonic_ms()):
            self._switch(on=bool(tone.frequency_hz))

    def _switch(self, *, on: bool) -> bool:
        lines: Mapping[str, bool] = {"rts": on} if self._line == "rts" else {"dtr": on}
        return self._port.set_lines(**lines)
