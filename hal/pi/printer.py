"""Receipt printers on USB: ESC/POS, as `hal.escpos` speaks it, over usblp or the endpoints themselves."""

from __future__ import annotations

import re
import select
from collections.abc import Sequence
from typing import Literal

from hal.api import Clock
from hal.escpos.model import printer_model
from hal.escpos.printer import EscposPrinter
from hal.pi.printer_line import LpLine, PrinterLine, UsbLine

Characters = Literal["gb18030", "latin"]

_IDENTITY = re.compile(r"usb:([0-9a-fA-F]{1,4}):([0-9a-fA-F]{1,4})")


class _PrinterOnUsb(EscposPrinter):
    """What both have in common."""

    def __init__(
        self,
        line: PrinterLine,
        name: str,
        clock: Clock,
        model: str,
        characters: Characters,
        open_wait_ms: int,
    ) -> None:
        super().__init__(
            line,
            clock,
            printer_model(model),
            port_name=name,
            chinese=characters == "gb18030",
            wait=_wait if open_wait_ms else None,
            open_wait_ms=open_wait_ms,
        )


class LpPrinter(_PrinterOnUsb):
    """hal.api.Printer through the kernel's driver usblp.

    path: `/dev/usb/lp0`. model, characters, open_wait_ms: as `hal.serial.printer.SerialPrinter` has them.
    Raises ValueError, DeviceMissing.
    """

    def __init__(
        self,
        path: str,
        clock: Clock,
        *,
        model: str = "80mm",
        characters: Characters = "gb18030",
        open_wait_ms: int = 500,
    ) -> None:
        super().__init__(LpLine(path, clock), path, clock, model, characters, open_wait_ms)


class UsbPrinter(_PrinterOnUsb):
    """hal.api.Printer through python-escpos and libusb (extra `pi`), where usblp is not wanted.

    device: `usb:VENDOR:PRODUCT`, as `lsusb` shows it. model, characters, open_wait_ms: as
    `hal.serial.printer.SerialPrinter` has them. Raises ValueError, DeviceMissing.
    """

    def __init__(
        self,
        device: str,
        clock: Clock,
        *,
        model: str = "80mm",
        characters: Characters = "gb18030",
        open_wait_ms: int = 500,
    ) -> None:
        identity = _IDENTITY.fullmatch(device)
        if identity is None:
            raise ValueError(f"{device!r} is no USB identity: write usb:VENDOR:PRODUCT, as lsusb shows it")
        line = UsbLine(int(identity[1], 16), int(identity[2], 16), clock)
        super().__init__(line, device, clock, model, characters, open_wait_ms)


def _wait(filenos: Sequence[int], timeout_s: float) -> None:
    """Until something can be read; libusb has no file to wait for: then it is the time alone."""
    select.select(filenos, (), (), timeout_s)
