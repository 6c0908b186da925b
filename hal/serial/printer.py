"""A receipt printer on a serial port: ESC/POS, as `hal.escpos` speaks it."""

from __future__ import annotations

import select
from collections.abc import Sequence
from typing import Literal

from hal.api import Clock
from hal.escpos.model import printer_model
from hal.escpos.printer import EscposPrinter
from hal.serial.opening import FlowControl, Parity
from hal.serial.port import PyserialPort


class SerialPrinter(EscposPrinter):
    """hal.api.Printer on a serial port (`hal.serial.opening.open_port` says which URLs there are).

    model: "58mm", "80mm", or a name of python-escpos' list (extra `printer`), such as "TM-T88V".
    flow_control: "xonxoff" or "dsrdtr" as the printer is set; the driver sends no more than a printer's
    buffer holds in any case. characters: "latin" for a printer without Chinese. Raises ValueError,
    DeviceMissing.
    """

    def __init__(
        self,
        url: str,
        clock: Clock,
        *,
        model: str = "80mm",
        characters: Literal["gb18030", "latin"] = "gb18030",
        bits_per_s: int = 9_600,
        parity: Parity = "none",
        data_bits: int = 8,
        stop_bits: int = 1,
        flow_control: FlowControl = "none",
        open_wait_ms: int = 500,
    ) -> None:
        port = PyserialPort(
            url,
            clock,
            bits_per_s=bits_per_s,
            parity=parity,
            data_bits=data_bits,
            stop_bits=stop_bits,
            flow_control=flow_control,
        )
        super().__init__(
            port,
            clock,
            printer_model(model),
            port_name=url,
            chinese=characters == "gb18030",
            wait=_wait_readable if open_wait_ms else None,
            open_wait_ms=open_wait_ms,
        )


def _wait_readable(filenos: Sequence[int], timeout_s: float) -> None:
    select.select(filenos, (), (), timeout_s)
