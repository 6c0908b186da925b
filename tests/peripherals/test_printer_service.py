"""The printer as a service: slips become files, and what happens is told."""

import io
from pathlib import Path

from PIL import Image

from hal.peripherals.api import LinePeripheral
from hal.peripherals.printer import SoftwarePrinter
from hal.peripherals.printer_service import PrinterService


def test_slips_become_pictures_and_texts(tmp_path: Path) -> None:
    told: list[str] = []
    printer = SoftwarePrinter(speed_mm_per_s=0)
    service = PrinterService(printer, tmp_path / "out", notify=told.append)
    peripheral: LinePeripheral = service
    peripheral.receive(b"one\n\x1dV\x00two\n\x1bp\x01\x0a\x0a\x07\x1dV\x01three\n", 0)
    printer.open_cover()
    peripheral.receive(b"", 0)
    printer.close_cover()
    peripheral.receive(b"\x10\x04\x01", 0)
    assert peripheral.take_output() == b"\x12"
    assert peripheral.deadline_ms() is None
    service.finish()
    folder = tmp_path / "out"
    assert sorted(path.name for path in folder.iterdir()) == [
        f"slip-000{number}.{suffix}" for number in (1, 2, 3) for suffix in ("png", "txt")
    ]
    assert [(folder / f"slip-000{n}.txt").read_text("utf-8") for n in (1, 2, 3)] == [
        "one\n",
        "two\n",
        "three\n",
    ]
    with Image.open(io.BytesIO((folder / "slip-0001.png").read_bytes())) as image:
        assert image.width > 576
    assert told == [
        "drawer 1 opened, pulse of 20 ms",
        "buzzer: 1 times 100 ms",
        f"slip cut: {folder}/slip-0001.png",
        f"slip cut: {folder}/slip-0002.png",
        "printer: off-line, cover open",
        "printer: on-line",
        f"slip torn off: {folder}/slip-0003.png",
    ]


def test_numbers_go_on_when_slips_come_faster_than_they_are_kept(tmp_path: Path) -> None:
    service = PrinterService(SoftwarePrinter(speed_mm_per_s=0, flow_control="none"), tmp_path)
    service.receive(b"".join(b"%d\n\x1dV\x00" % number for number in range(1, 61)), 0)
    assert (tmp_path / "slip-0060.txt").read_text("utf-8") == "60\n"
    assert not (tmp_path / "slip-0010.txt").exists()
    assert len(list(tmp_path.glob("*.txt"))) == 50
