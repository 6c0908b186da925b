"""posterm's own slips on the printer in software: read by OCR, and printed by a second emulator."""

import difflib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import posterm
from firmware.printing import PrintEvent, SlipPrinter
from hal.api import DeviceMissing, ItemPrinted, PrinterReady, PrinterStatus, PrintItem, PrintStopped
from hal.escpos.commands import Commands
from hal.escpos.model import printer_model
from hal.host.clock import SystemClock
from hal.peripherals.printer_paper import PrintedSlip
from hal.serial.printer import SerialPrinter
from tests.peripherals.ocr import read_text
from tests.peripherals.printing import picture, printed


def items(language: str) -> list[PrintItem]:
    """The cardholder's copy of a sale."""
    with posterm.start(language=language) as pos:
        posterm.sell(pos, "128.50", "good", ["123456"])
        return list(pos.devices.printer.slips[-1].items)


def sent(slip: list[PrintItem]) -> bytes:
    commands = Commands(printer_model("80mm"))
    return commands.prepare() + b"".join(piece for item in slip for piece in commands.pieces(item))


def on_paper(slip: list[PrintItem]) -> PrintedSlip:
    return printed(sent(slip)).finished[0]


def closeness(read: str, wanted: str) -> float:
    """How much of `wanted` is in `read`, in order: 1 is all of it. Spaces do not count."""
    wanted, read = ("".join(text.split()) for text in (wanted, read))
    blocks = difflib.SequenceMatcher(None, wanted, read, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks) / len(wanted)


@pytest.mark.slow
@pytest.mark.parametrize(("language", "tesseract", "least"), [("en", "eng", 0.85), ("zh", "chi_sim", 0.7)])
def test_ocr_reads_the_slip(language: str, tesseract: str, least: float) -> None:
    slip = on_paper(items(language))
    wanted = "".join(char for char in slip.text if char.isalnum())
    read = "".join(char for char in read_text(picture(slip, scale=2), tesseract) if char.isalnum())
    assert closeness(read, wanted) > least, read


# --- emupos ------------------------------------------------------------------------------------------


class Emupos:
    """emupos as a TM-T20III on a TCP port, as a program of its own: it needs Python 3.13."""

    def __init__(self, program: str, folder: Path) -> None:
        self.port, api_port = _free_port(), _free_port()
        self._program = program
        self._receipts = folder / "receipts"
        self._environment = os.environ | {"EMUPOS_API": f"http://127.0.0.1:{api_port}"}
        (folder / "emupos.yaml").write_text(
            f"""\
schema: 1
api: {{host: 127.0.0.1, port: {api_port}}}
devices:
  - id: front
    type: printer
    profile: epson-tm-t20iii
    connections: [{{tcp: {{port: {self.port}}}}}]
    receipts_dir: {self._receipts}
""",
            encoding="utf-8",
        )
        self.process = subprocess.Popen(
            [program, "run", "--config", "emupos.yaml"],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def fault(self, action: str, name: str) -> None:
        """Set or clear a fault."""
        command = [self._program, "fault", action, "front", name]
        subprocess.run(command, env=self._environment, check=True, capture_output=True)

    def receipt(self) -> str:
        """The text of its first receipt; empty while there is none."""
        return next((path.read_text("utf-8") for path in self._receipts.glob("*.txt")), "")


@pytest.fixture
def emupos(tmp_path: Path) -> Iterator[Emupos]:
    program = shutil.which("emupos")
    if program is None:
        pytest.skip("a second printer emulator: install emupos (Python 3.13 or later) and put it on the PATH")
    made = Emupos(program, tmp_path)
    try:
        yield made
    finally:
        made.process.terminate()
        made.process.wait(10)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.mark.slow
def test_our_driver_prints_on_a_second_emulator_and_hears_its_faults(emupos: Emupos) -> None:
    """The printer at the far end knows nothing of ours: its status, its confirmations, its words."""
    slip = items("en")
    printer = SerialPrinter(f"socket://127.0.0.1:{emupos.port}", SystemClock())
    eventually(lambda: opened(printer), "emupos does not listen")
    slips = SlipPrinter(printer)
    heard: list[PrintEvent | None] = []

    def turned(is_done: Callable[[], bool]) -> Callable[[], bool]:
        def turn() -> bool:
            heard.extend(
                slips.handle(event)
                for event in printer.poll()
                if isinstance(event, ItemPrinted | PrintStopped | PrinterReady)
            )
            return is_done()

        return turn

    eventually(turned(lambda: printer.status is PrinterStatus.READY), "it does not get ready")
    slips.start(slip)
    eventually(turned(lambda: PrintEvent.PRINTED in heard), "the slip is not printed")
    eventually(lambda: emupos.receipt() != "", "no receipt came out")
    assert emupos.receipt().split() == on_paper(slip).text.split()
    emupos.fault("set", "paper-out")
    eventually(turned(lambda: printer.status is PrinterStatus.PAPER_OUT), "the fault is not heard")
    emupos.fault("clear", "paper-out")
    eventually(turned(lambda: printer.status is PrinterStatus.READY), "its end is not heard")
    printer.close()


def opened(printer: SerialPrinter) -> bool:
    try:
        printer.open()
    except DeviceMissing:
        return False
    return True


def eventually(is_so: Callable[[], bool], otherwise: str) -> None:
    for _ in range(4_000):
        if is_so():
            return
        time.sleep(0.005)
    raise AssertionError(otherwise)
