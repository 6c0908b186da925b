"""Bytes that nobody here wrote: what other people's libraries send, printed and looked at.

`tests/vectors/escpos-producers/` holds the bytes of three JavaScript libraries, and how receiptline itself
draws its two receipts; `make.mjs` there makes them again. python-escpos makes its bytes here and now.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

import pytest
from PIL import Image

from hal.peripherals.printer_mechanism import Beeped, DrawerKicked, PaperCut
from hal.peripherals.printer_paper import PrintedSlip
from tests.peripherals.ocr import read_text
from tests.peripherals.printing import PRODUCERS, dots, only_slip, picture, printed
from tests.peripherals.zbar import read_codes

SLIPS = {
    "receiptline-english": """\
[image 96x48]

              RECEIPT
         03/18/2024, 12:34:56 PM
╭──────────────────────┬──────┬──────────╮
│Beer                  │  2  │     12.98│
│Chips                 │  1  │      3.50│
│Bread                 │  1  │      2.20│
├───────────────────┬──┴──────┴──────────┤
│TOTAL         │     18.68│
│CASH               │               20.00│
│CHANGE             │                1.32│
╰───────────────────┴────────────────────╯
[EAN-13 1234567890128]
[image 116x116]""",
    "receiptline-chinese": """\
                  签购单
           北京市海淀区中关村大街一号
               电话 010-12345678
────────────────────────────────────────────────
商品名称                   数量             金额
────────────────────────────────────────────────
绿茶                        2             12.00
苹果（红富士）              1              8.50
牛奶                        3             36.90
────────────────────────────────────────────────
合计                 57.40
应收                                       57.40
已付款
    谢谢惠顾，欢迎再次光临
[CODE128 20240318001]""",
    "node-thermal-printer": """\
                  CORNER SHOP
                Café Müller, 5 €
------------------------------------------------
Espresso                                    2.40
Croissant                    2            5.20
underlined
inverse
upside down
QUAD
3x4
font B is small
[CODE128 NTP-12345]
[QR https://node.example/thermal]
[MaxiCode maxi]
[PDF417 pdf417 data]""",
    "receipt-printer-encoder-raster": """\
                 RECEIPT
         žluťoučký kůň, Ελληνικά, 10 €
════════════════════════════════════════════════
Item one                                   10.00
Item two                                   12.50
Total                                      22.50
┌──────────────────────────────────────┐
│               in a box               │
└──────────────────────────────────────┘
underline invert
the other font
[image 64x32]

[EAN-13 3130630574613]

[CODE39 ABC-1234]

[QR https://encoder.example/]""",
}
SLIPS["receipt-printer-encoder-column"] = SLIPS["receipt-printer-encoder-raster"].replace(
    "[image 64x32]", "[image 64x24]\n[image 64x24]"
)
CODES = {
    "receiptline-english": [("EAN13", "1234567890128"), ("QRCODE", "https://receiptline.example/1")],
    "receiptline-chinese": [("CODE128", "20240318001")],
    "node-thermal-printer": [("CODE128", "NTP-12345"), ("QRCODE", "https://node.example/thermal")],
    "receipt-printer-encoder-raster": [
        ("EAN13", "3130630574613"),
        ("CODE39", "ABC-1234"),
        ("QRCODE", "https://encoder.example/"),
    ],
}


def slip_of(name: str) -> PrintedSlip:
    return only_slip(printed((PRODUCERS / f"{name}.bin").read_bytes()))


@pytest.mark.parametrize("name", SLIPS)
def test_what_they_send_is_what_a_person_reads(name: str) -> None:
    """What the documents in make.mjs say, as their libraries set it."""
    assert slip_of(name).text.rstrip("\n") == SLIPS[name]


@pytest.mark.parametrize("name", SLIPS)
def test_no_command_of_theirs_is_strange(name: str) -> None:
    assert printed((PRODUCERS / f"{name}.bin").read_bytes()).skipped_commands == {}


@pytest.mark.parametrize("name", CODES)
def test_codes_are_read_by_another_program(name: str) -> None:
    assert read_codes(picture(slip_of(name))) == CODES[name]


def test_drawer_buzzer_and_cutter_of_a_producer() -> None:
    printer = printed((PRODUCERS / "node-thermal-printer.bin").read_bytes())
    assert printer.take_events() == [
        DrawerKicked(0, 54, 0),
        Beeped(2, 150, 0),
        PaperCut(partial=False, at_ms=0),
    ]


# --- receiptline's own picture of the same document --------------------------------------------------


def ink(image: Image.Image) -> list[list[int]]:
    """Rows of 0 and 1, without the light margin around."""
    box = Image.eval(image, lambda grey: 255 if grey < 128 else 0).getbbox()
    assert box is not None
    cut = image.crop(box)
    width = cut.width
    data = cut.tobytes()
    return [[int(grey < 128) for grey in data[at : at + width]] for at in range(0, len(data), width)]


def profile(rows: Sequence[Sequence[int]]) -> list[int]:
    """How much ink is around each row: in it, and in the four rows above and below."""
    sums = [sum(row) for row in rows]
    return [sum(sums[max(0, at - 4) : at + 5]) for at in range(len(sums))]


def correlation(one: Sequence[float], other: Sequence[float]) -> float:
    mean_one, mean_other = sum(one) / len(one), sum(other) / len(other)
    shared = sum((a - mean_one) * (b - mean_other) for a, b in zip(one, other, strict=True))
    spread = sum((a - mean_one) ** 2 for a in one) * sum((b - mean_other) ** 2 for b in other)
    return float(shared / spread**0.5)


def likeness(one: Sequence[int], other: Sequence[int], shift_max: int) -> float:
    """The best correlation of two profiles that may be shifted a little against each other."""
    found = []
    for shift in range(-shift_max, shift_max + 1):
        pairs = list(zip(one[max(0, shift) :], other[max(0, -shift) :], strict=False))
        found.append(correlation([a for a, _ in pairs], [b for _, b in pairs]))
    return max(found)


@pytest.mark.parametrize("name", ["receiptline-english", "receiptline-chinese"])
def test_the_picture_is_the_one_that_the_author_of_the_bytes_draws(name: str) -> None:
    """Same width and height, and ink in the same rows and columns. The fonts differ: dots cannot be compared.

    The measure is the correlation of the amounts of ink along the paper and across it, 1 for the same
    picture. Seen when this was written: along 0.93 and 0.95, across 0.98 and 0.99, heights 570 for 570 and
    520 for 513.
    """
    ours = ink(picture_of_dots(slip_of(name)))
    with Image.open(PRODUCERS / f"{name}.png") as image:
        theirs = ink(image.convert("L"))
    assert len(ours[0]) == pytest.approx(len(theirs[0]), abs=2)
    assert len(ours) == pytest.approx(len(theirs), abs=12)
    assert likeness(profile(ours), profile(theirs), 12) > 0.9
    across, theirs_across = (profile(list(zip(*rows, strict=True))) for rows in (ours, theirs))
    assert likeness(across, theirs_across, 2) > 0.95


def picture_of_dots(slip: PrintedSlip) -> Image.Image:
    rows = dots(slip)
    data = bytes(0 if dot else 255 for row in rows for dot in row)
    return Image.frombytes("L", (len(rows[0]), len(rows)), data)


# --- OCR ---------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "language", "words"),
    [
        ("receiptline-english", "eng", ["RECEIPT", "03/18/2024, 12:34:56 PM", "Beer", "Chips", "20.00"]),
        (
            "receiptline-chinese",
            "chi_sim",
            ["北京市海淀区中关村大街一号", "电话 010-12345678", "商品名称", "数量", "12.00"],
        ),
    ],
)
def test_text_is_read_by_ocr(name: str, language: str, words: list[str]) -> None:
    """A judge with worse eyes than people: of each text, two thirds of the characters must be found."""
    read = "".join(read_text(picture(slip_of(name), scale=2), language).split())
    for text in words:
        wanted = "".join(text.split())
        matcher = difflib.SequenceMatcher(None, read, wanted, autojunk=False)
        found = sum(block.size for block in matcher.get_matching_blocks())
        assert found >= len(wanted) * 2 / 3, (text, read)


# --- python-escpos -----------------------------------------------------------------------------------


def python_escpos(profile: str = "TM-T88V") -> Any:
    escpos = pytest.importorskip(
        "escpos.printer", reason="python-escpos is not installed: pip install 'posterm[pi]'"
    )
    return escpos.Dummy(profile=profile)


def test_python_escpos() -> None:
    device = python_escpos()
    device.set(align="center", bold=True, double_height=True, double_width=True)
    device.textln("SHOP")
    device.set_with_default()
    device.textln("naïve café, 5 €")
    device.set(underline=1, invert=True)
    device.textln("x")
    device.set_with_default()
    device.qr("https://py.example/", native=True, size=4)
    device.barcode("4006381333931", "EAN13", align_ct=False, pos="BELOW")
    device.ln(2)
    device.buzzer(2, 3)
    device.cashdraw(2)
    device.cut(mode="PART")
    printer = printed(device.output)
    slip = printer.slips[0]
    assert slip.text.split() == [
        "SHOP",
        "naïve",
        "café,",
        "5",
        "€",
        "x",
        "[QR",
        "https://py.example/]",
        "[EAN-13",
        "4006381333931]",
    ]
    assert [line.style.width for line in slip.lines[:2]] == [2, 1]
    assert printer.take_events() == [
        Beeped(2, 150, 0),
        DrawerKicked(0, 100, 0),
        PaperCut(partial=True, at_ms=0),
    ]
    assert printer.skipped_commands == {}
    assert read_codes(picture(slip)) == [("QRCODE", "https://py.example/"), ("EAN13", "4006381333931")]


@pytest.mark.parametrize("implementation", ["bitImageRaster", "graphics", "bitImageColumn"])
def test_python_escpos_images_are_the_same_dots_whichever_way_they_are_sent(implementation: str) -> None:
    device = python_escpos()
    image = Image.frombytes(
        "L", (64, 48), bytes(255 * ((x * 7 ^ y * 5) >> 7 & 1) for y in range(48) for x in range(64))
    )
    device.image(image, impl=implementation, center=False)
    rows = [row[:64] for row in dots(only_slip(printed(device.output)))][:48]
    assert rows == [[1 - ((x * 7 ^ y * 5) >> 7 & 1) for x in range(64)] for y in range(48)]


def test_python_escpos_believes_the_status() -> None:
    device = python_escpos()
    printer = printed()

    class Line(type(device)):  # type: ignore[misc]
        def _raw(self, msg: bytes) -> None:
            printer.receive(msg, 0)

        def _read(self) -> bytes:
            return printer.take_output()

    line = Line(profile="TM-T88V")
    assert (line.is_online(), line.paper_status()) == (True, 2)
    printer.load_paper(500)
    assert (line.is_online(), line.paper_status()) == (True, 1)
    printer.run_out_of_paper()
    assert (line.is_online(), line.paper_status()) == (False, 0)
