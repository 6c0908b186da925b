"""A receipt printer behind a line, as the contract has it: the dialogue joined with a port.

A backend brings the port (anything that is a `hal.api.SerialPort`) and is otherwise this.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hal.api import (
    BytesReceived,
    Clock,
    DeviceEvent,
    PortLost,
    PortRestored,
    PrinterStatus,
    PrintItem,
    SelfTest,
    SerialPort,
)
from hal.device import QuietDevice
from hal.escpos.commands import Commands
from hal.escpos.dialogue import Dialogue
from hal.escpos.model import PrinterModel

_WAIT_STEPS = 10


class EscposPrinter(QuietDevice):
    """hal.api.Printer on any line.

    port_name: what errors call it. wait: waits until one of these files is readable, or so many seconds.
    `open` gives the printer `open_wait_ms` for its first word, so that the self-test after it knows; without
    `wait` it does not wait. A printer that is silent then is off-line, and looked for from then on.
    """

    def __init__(
        self,
        port: SerialPort,
        clock: Clock,
        model: PrinterModel,
        *,
        port_name: str,
        chinese: bool = True,
        wait: Callable[[Sequence[int], float], object] | None = None,
        open_wait_ms: int = 0,
    ) -> None:
        super().__init__()
        self.model = model
        self.columns = model.columns
        self._port = port
        self._port_name = port_name
        self._clock = clock
        self._wait = wait
        self._open_wait_ms = open_wait_ms
        self._dialogue = Dialogue(Commands(model, chinese=chinese), bits_per_s=port.bits_per_s)

    def open(self) -> None:
        """Take the port and ask the printer how it is. Raises DeviceMissing: the port is not there."""
        if self._is_open:
            return
        self._port.open()
        super().open()
        self._dialogue.connected(self._now_ms())
        self._flush()
        self._wait_for_first_word()

    def close(self) -> None:
        """Give the port back; an item being printed may or may not come out."""
        if self._is_open:
            self._dialogue.disconnected()
            self._dialogue.take_events()
        self._port.close()
        super().close()

    def self_test(self) -> SelfTest:
        """What the printer said last; no paper is moved."""
        health = super().self_test()
        if not health.ok:
            return health
        status = self.status
        if status is PrinterStatus.OFFLINE:
            advice = "check its cable and power, and the line's rate"
            return SelfTest(ok=False, detail=f"printer at {self._port_name}: offline: {advice}")
        known = self._dialogue.health
        detail = (known.detail if known else "") or status.value.replace("_", " ")
        return SelfTest(
            ok=status is PrinterStatus.READY, detail=f"{self.model.name}, {self.columns} columns, {detail}"
        )

    def poll(self) -> Sequence[DeviceEvent]:
        """What happened since the last call."""
        if not self._is_open:
            return ()
        self._work()
        return self._dialogue.take_events()

    def deadline_ms(self) -> int | None:
        """When an answer is late, or the port wants to be polled."""
        if not self._is_open:
            return None
        moments = (self._dialogue.deadline_ms(), self._port.deadline_ms())
        return min((at_ms for at_ms in moments if at_ms is not None), default=None)

    def filenos(self) -> Sequence[int]:
        """The port's descriptors."""
        return self._port.filenos()

    def submit(self, *items: PrintItem) -> None:
        """Start printing items; ItemPrinted for each, or PrintStopped, follows from `poll`.

        Raises DeviceFault while other items are being printed; those go on.
        """
        self._work()
        self._dialogue.submit(items, self._now_ms())
        self._flush()

    def cancel(self) -> int:
        """Forget the items that are not begun; returns how many answers will still come."""
        return self._dialogue.cancel()

    @property
    def status(self) -> PrinterStatus:
        """The printer's state as it was last heard."""
        return self._dialogue.status if self._is_open else PrinterStatus.OFFLINE

    @property
    def paper_low(self) -> bool:
        """True when the sensor before the end of the roll says so."""
        health = self._dialogue.health
        return health is not None and (health.paper_low or health.paper_out)

    def send_aside(self, data: bytes) -> None:
        """Send a command for another device in the printer: its buzzer. Nothing may be printed by it."""
        self._dialogue.send_aside(data, self._now_ms())
        self._flush()

    def _work(self) -> None:
        """Hear what there is, do what is due, say what there is to say."""
        for event in self._port.poll():
            match event:
                case BytesReceived(data):
                    self._dialogue.receive(data, self._now_ms())
                case PortLost():
                    self._dialogue.disconnected()
                case PortRestored():
                    self._dialogue.connected(self._now_ms())
                case _:
                    pass
        self._dialogue.advance(self._now_ms())
        self._flush()

    def _flush(self) -> None:
        if output := self._dialogue.take_output():
            self._port.write(output)

    def _now_ms(self) -> int:
        return self._clock.monotonic_ms()

    def _wait_for_first_word(self) -> None:
        step_s = self._open_wait_ms / _WAIT_STEPS / 1000
        for _ in range(_WAIT_STEPS):
            filenos = self._port.filenos()
            if self._dialogue.is_settled or self._wait is None:
                return
            self._wait(filenos, step_s)
            self._work()
