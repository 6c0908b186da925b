"""What hangs on the pins of a Raspberry Pi: buzzer, lights and tamper switch, by gpiozero.

Pins have the numbers that gpiozero uses (BCM: "GPIO17" is 17). The pins' own threads are not used: outputs
are switched at their time by the firmware's only thread, and inputs are looked at whenever it polls.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from gpiozero import DigitalInputDevice, DigitalOutputDevice, PWMOutputDevice
from gpiozero.exc import BadPinFactory, GPIOZeroError, PinFactoryFallback

from hal.api import Beep, Clock, DeviceEvent, DeviceMissing, Led, Rng, Tone
from hal.cores.tones import TonePlayer
from hal.device import QuietDevice
from hal.device_key import KeyedTamper


@contextlib.contextmanager
def _taking(what: str) -> Iterator[None]:
    """Turn gpiozero's ways to say no into DeviceMissing, in one line."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PinFactoryFallback)  # what it tries in vain before it gives up
            yield
    except (BadPinFactory, ImportError):
        raise DeviceMissing(
            f"{what}: gpiozero finds no GPIO pins here: is this a Raspberry Pi, and is lgpio installed?"
        ) from None
    except GPIOZeroError as error:
        raise DeviceMissing(f"{what}: {' '.join(str(error).split())}: choose another pin") from None


class GpioBuzzer(QuietDevice):
    """hal.api.Buzzer on one pin.

    `sounder`: "active" makes its own tone, "passive" gets the tone's frequency by PWM.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        pin: int,
        sounder: Literal["active", "passive"] = "active",
        active_high: bool = True,
    ) -> None:
        super().__init__()
        self._clock = clock
        self._pin = pin
        self._is_passive = sounder == "passive"
        self._active_high = active_high
        self._output: DigitalOutputDevice | PWMOutputDevice | None = None
        self._tones = TonePlayer()

    def open(self) -> None:
        """Take the pin, silent. Raises DeviceMissing."""
        if self._output is None:
            kind = PWMOutputDevice if self._is_passive else DigitalOutputDevice
            with _taking(f"buzzer on GPIO{self._pin}"):
                self._output = kind(self._pin, active_high=self._active_high)
        super().open()

    def close(self) -> None:
        """Fall silent, and give the pin back."""
        self._tones.clear()
        output, self._output = self._output, None
        if output is not None:
            output.off()
            output.close()
        super().close()

    def sound(self, beep: Beep) -> None:
        """Start the pattern, or let it wait for the one that plays."""
        self._tones.add(beep, self._clock.monotonic_ms())
        self._play()

    def poll(self) -> Sequence[DeviceEvent]:
        """Switch what is due; no events."""
        self._play()
        return ()

    def deadline_ms(self) -> int | None:
        """When the pin is to be switched next."""
        return self._tones.deadline_ms()

    def _play(self) -> None:
        for tone in self._tones.due(self._clock.monotonic_ms()):
            self._switch(tone)

    def _switch(self, tone: Tone) -> None:
        if isinstance(self._output, PWMOutputDevice):
            if tone.frequency_hz:
                self._output.frequency = tone.frequency_hz
                self._output.value = 0.5
            else:
                self._output.off()
        elif self._output is not None:
            self._output.value = int(bool(tone.frequency_hz))


class GpioLeds(QuietDevice):
    """hal.api.Leds, one pin a light; a light without a pin is left out."""

    def __init__(
        self,
        *,
        power: int | None = None,
        link: int | None = None,
        card: int | None = None,
        alarm: int | None = None,
        active_high: bool = True,
    ) -> None:
        super().__init__()
        pins = {Led.POWER: power, Led.LINK: link, Led.CARD: card, Led.ALARM: alarm}
        self._pins = {led: pin for led, pin in pins.items() if pin is not None}
        if not self._pins:
            raise ValueError("name the pin of at least one light: power, link, card, alarm")
        self._active_high = active_high
        self._outputs: dict[Led, DigitalOutputDevice] = {}

    def open(self) -> None:
        """Take the pins, dark. Raises DeviceMissing; then none is taken."""
        for led, pin in self._pins.items():
            if led in self._outputs:
                continue
            try:
                with _taking(f"light {led.value} on GPIO{pin}"):
                    self._outputs[led] = DigitalOutputDevice(pin, active_high=self._active_high)
            except DeviceMissing:
                self.close()
                raise
        super().open()

    def close(self) -> None:
        """Go dark, and give the pins back."""
        for output in self._outputs.values():
            output.off()
            output.close()
        self._outputs.clear()
        super().close()

    def set(self, lit: frozenset[Led]) -> None:
        """Light exactly these."""
        for led, output in self._outputs.items():
            output.value = int(led in lit)


class GpioTamper(KeyedTamper):
    """hal.api.Tamper: a switch in the case on one pin, and the device key in a file that dies with it.

    The switch is closed to ground while the case is closed ("normally open" contacts held down by the lid):
    a cut wire looks like an open case. `closed_is_low` False is for the other kind. An open case at
    power-on is a trip. What is not noticed: a case that was opened and closed again while the terminal had
    no power.
    """

    def __init__(self, rng: Rng, *, pin: int, key_file: Path, closed_is_low: bool = True) -> None:
        super().__init__(rng, key_file=key_file)
        self._pin = pin
        self._closed_is_low = closed_is_low
        self._switch: DigitalInputDevice | None = None

    def open(self) -> None:
        """Take the pin and find or make the key. Raises DeviceMissing."""
        if self._switch is None:
            with _taking(f"tamper switch on GPIO{self._pin}"):
                self._switch = DigitalInputDevice(self._pin, pull_up=self._closed_is_low)
        try:
            super().open()
        except DeviceMissing:
            self._let_go()
            raise
        self._look()

    def close(self) -> None:
        """Take a last look at the switch, and give the pin back."""
        self._look()
        self._let_go()
        super().close()

    def poll(self) -> Sequence[DeviceEvent]:
        """Look at the switch; return TamperTripped once after a trip."""
        self._look()
        return super().poll()

    def device_key(self) -> bytes:
        """The 32 bytes, after a look at the switch. Raises Tampered once tripped."""
        self._look()
        return super().device_key()

    def _look(self) -> None:
        if self._switch is not None and not self._switch.is_active:
            self.trip("case opened")

    def _let_go(self) -> None:
        switch, self._switch = self._switch, None
        if switch is not None:
            with contextlib.suppress(GPIOZeroError):
                switch.close()
