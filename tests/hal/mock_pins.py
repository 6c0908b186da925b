"""GPIO pins without a Raspberry Pi: gpiozero's own mock pins."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

gpiozero = pytest.importorskip("gpiozero", reason="gpiozero is not installed: pip install 'posterm[pi]'")
mock = pytest.importorskip("gpiozero.pins.mock")


class HeldPin(mock.MockPWMPin):  # type: ignore[misc,name-defined] # gpiozero may be missing
    """A pin whose pull resistor is weaker than what drives it: gpiozero's own follows its resistor."""

    def _set_pull(self, value: str) -> None:
        driven: bool = self.state
        super()._set_pull(value)
        if self.is_held:
            self._state = driven

    is_held = False

    def drive_low(self) -> None:
        self.is_held = True
        super().drive_low()


@contextmanager
def mock_pins() -> Iterator[Any]:
    """Mock pins for every device of gpiozero that is made meanwhile."""
    before, factory = gpiozero.Device.pin_factory, mock.MockFactory(pin_class=HeldPin)
    gpiozero.Device.pin_factory = factory
    try:
        yield factory
    finally:
        gpiozero.Device.pin_factory = before
        factory.reset()
