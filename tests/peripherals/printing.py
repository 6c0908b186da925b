"""What the tests of the printer in software share: one that prints at once, and pictures of its paper."""

import io
from pathlib import Path

from PIL import Image

from hal.peripherals.printer import SoftwarePrinter
from hal.peripherals.printer_paper import PrintedLine, PrintedSlip

VECTORS = Path(__file__).parents[1] / "vectors"
PRODUCERS = VECTORS / "escpos-producers"


def instant(model: str = "80mm", **options: object) -> SoftwarePrinter:
    """A printer that takes no time and any number of bytes at once."""
    return SoftwarePrinter(model=model, speed_mm_per_s=0, flow_control="none", **options)  # type: ignore[arg-type]


def printed(*data: bytes, model: str = "80mm", **options: object) -> SoftwarePrinter:
    """The printer after it got these bytes; what stands on a line that was not ended is printed too."""
    printer = instant(model, **options)
    for piece in (*data, b"\x0c"):
        printer.receive(piece, 0)
    return printer


def lines(*data: bytes, **options: object) -> list[PrintedLine]:
    """Every line of every slip."""
    return [line for slip in printed(*data, **options).slips for line in slip.lines]  # type: ignore[arg-type]


def texts(*data: bytes, **options: object) -> list[str]:
    return [line.text for line in lines(*data, **options)]


def only_slip(printer: SoftwarePrinter) -> PrintedSlip:
    (slip,) = printer.slips
    return slip


def picture(slip: PrintedSlip, scale: int = 1) -> Image.Image:
    """The slip in grey, as a scanner sees it."""
    with Image.open(io.BytesIO(slip.png(scale=scale))) as image:
        paper = Image.new("RGBA", image.size, (252, 250, 244, 255))
        paper.alpha_composite(image.convert("RGBA"))
        return paper.convert("L")


def dots(slip: PrintedSlip) -> list[list[int]]:
    """Row by row, 1 for black."""
    canvas = slip.canvas()
    return [list(canvas.dots[at : at + canvas.width]) for at in range(0, len(canvas.dots), canvas.width)]
