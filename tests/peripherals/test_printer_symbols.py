"""Bar codes and QR codes as the printer draws them, read back by zbar; images dot by dot."""

import pytest

from hal.api import Symbology
from hal.raster.barcode import BarcodeError, bars
from tests.peripherals.printing import dots, only_slip, picture, printed, texts
from tests.peripherals.zbar import read_codes

BARS = [
    (b"\x1dkA\x0b01234567890", "UPC-A 012345678905", ("EAN13", "0012345678905")),
    (b"\x1dkB\x0804252614", "UPC-E 04252614", ("EAN13", "0042100005264")),
    (b"\x1dkB\x0b04210000526", "UPC-E 04252614", ("EAN13", "0042100005264")),
    (b"\x1dkC\x0d4006381333931", "EAN-13 4006381333931", ("EAN13", "4006381333931")),
    (b"\x1dk\x024006381333931\x00", "EAN-13 4006381333931", ("EAN13", "4006381333931")),
    (b"\x1dkD\x071234567", "EAN-8 12345670", ("EAN8", "12345670")),
    (b"\x1dk\x04AB-12 $%/+.\x00", "CODE39 AB-12 $%/+.", ("CODE39", "AB-12 $%/+.")),
    (b"\x1dkE\x06*AB12*", "CODE39 *AB12*", ("CODE39", "AB12")),
    (b"\x1dkF\x0a0123456789", "ITF 0123456789", ("I25", "0123456789")),
    (b"\x1dkG\x08A012-$:B", "CODABAR A012-$:B", ("CODABAR", "A012-$:B")),
    (b"\x1dkH\x08Code 93!", "CODE93 Code 93!", ("CODE93", "Code 93!")),
    (b"\x1dkI\x0a{BCode 128", "CODE128 Code 128", ("CODE128", "Code 128")),
    (b"\x1dkI\x06{B{{ab", "CODE128 {ab", ("CODE128", "{ab")),
    (b"\x1dkI\x05{C\x0c\x22\x38", "CODE128 123456", ("CODE128", "123456")),
    (b"\x1dkI\x0a{AAB{BabCD", "CODE128 ABabCD", ("CODE128", "ABabCD")),
    (b"\x1dkO\x04auto", "CODE128 auto", ("CODE128", "auto")),
]


@pytest.mark.parametrize(("data", "text", "read"), BARS, ids=lambda value: str(value)[:24])
@pytest.mark.parametrize("module_dots", [2, 3])
def test_bar_codes_are_read_by_another_program(
    data: bytes, text: str, read: tuple[str, str], module_dots: int
) -> None:
    printer = printed(b"\x1ba\x01\x1dw" + bytes([module_dots]) + b"\x1dh\x50" + data)
    assert [line.text.strip() for line in only_slip(printer).lines] == [f"[{text}]"]
    assert read_codes(picture(only_slip(printer))) == [read]


@pytest.mark.parametrize("level", [48, 49, 50, 51])
@pytest.mark.parametrize("module_dots", [2, 3, 8])
def test_qr_codes_are_read_by_another_program(level: int, module_dots: int) -> None:
    data = b"https://pay.example/?id=Ab1"
    stored = b"\x1d(k" + (len(data) + 3).to_bytes(2, "little") + b"1P0" + data
    options = b"\x1d(k\x03\x001C%c\x1d(k\x03\x001E%c" % (module_dots, level)
    slip = only_slip(printed(b"\x1ba\x01" + options + stored + b"\x1d(k\x03\x001Q0"))
    assert slip.text.strip() == "[QR https://pay.example/?id=Ab1]"
    assert read_codes(picture(slip)) == [("QRCODE", data.decode())]


@pytest.mark.parametrize(
    "data",
    [
        b"\x1dkC\x05abcde",
        b"\x1dkA\x03123",
        b"\x1dkB\x0b01234567890",  # no short form
        b"\x1dkF\x03123",
        b"\x1dkG\x04X12X",
        b"\x1dkI\x03abc",  # no code set
        b"\x1dkI\x05{Cab\x7f",
        b"\x1dkI\x00",
        b"\x1dkE\xff" + b"A" * 255,  # wider than any paper
        b"\x1d(k\x0a\x1c1P0" + b"A" * 7_175 + b"\x1d(k\x03\x001Q0",  # more than a QR code holds
        b"\x1d(k\x03\x001Q0",  # nothing stored
    ],
)
def test_what_cannot_be_drawn_prints_nothing(data: bytes) -> None:
    assert texts(data + b"after") == ["after"]


def test_codes_that_are_not_modelled_leave_a_frame_with_their_data() -> None:
    data = b"\x1d(k\x07\x000P0data\x1d(k\x03\x000Q0"
    slip = only_slip(printed(data))
    assert slip.text == "[PDF417 data]"
    assert sum(slip.canvas().dots) > 500


@pytest.mark.parametrize(
    ("symbology", "data"),
    [
        (Symbology.CODE128, "收据"),
        (Symbology.CODE93, "é"),
        (Symbology.CODE39, "a*b"),
        (Symbology.UPC_E, "91234"),
        (Symbology.UPC_E, "2123456"),
        (Symbology.EAN8, "١٢٣٤٥٦٧"),
        (Symbology.CODE128, ""),
    ],
)
def test_refusals_do_not_repeat_the_data(symbology: Symbology, data: str) -> None:
    with pytest.raises(BarcodeError) as refused:
        bars(symbology, data)
    assert not data or data not in str(refused.value)


# --- images ------------------------------------------------------------------------------------------

PATTERN = [[1, 0, 1, 0, 1, 0, 1, 0], [0, 1, 1, 1, 1, 1, 1, 0], [1, 0, 0, 0, 0, 0, 0, 1]]
RASTER = b"\xaa\x7e\x81"
COLUMNS = bytes(sum(PATTERN[y][x] << (7 - y) for y in range(3)) for x in range(8))


def drawn(data: bytes, width: int, height: int) -> list[list[int]]:
    return [row[:width] for row in dots(only_slip(printed(data)))[:height]]


def stretched(times_x: int, times_y: int) -> list[list[int]]:
    return [[dot for dot in row for _ in range(times_x)] for row in PATTERN for _ in range(times_y)]


@pytest.mark.parametrize(
    ("data", "times_x", "times_y"),
    [
        (b"\x1dv0\x00\x01\x00\x03\x00" + RASTER, 1, 1),
        (b"\x1dv0\x03\x01\x00\x03\x00" + RASTER, 2, 2),
        (b"\x1dv0\x31\x01\x00\x03\x00" + RASTER, 2, 1),
        (b"\x1d(L\x0d\x000p0\x01\x011\x08\x00\x03\x00" + RASTER + b"\x1d(L\x02\x0002", 1, 1),
        (b"\x1d8L\x0d\x00\x00\x000p0\x02\x021\x08\x00\x03\x00" + RASTER + b"\x1d(L\x02\x0002", 2, 2),
        (b"\x1d(L\x12\x000q0\x01\x011\x08\x00\x03\x00" + COLUMNS + b"\x1d(L\x02\x0002", 1, 1),
        (b"\x1b*\x01\x08\x00" + COLUMNS + b"\n", 1, 3),
        (b"\x1b*\x00\x08\x00" + COLUMNS + b"\n", 2, 3),
        (b"\x1b*\x21\x08\x00" + b"".join(bytes([byte, 0, 0]) for byte in COLUMNS) + b"\n", 1, 1),
        (b"\x1b*\x20\x08\x00" + b"".join(bytes([byte, 0, 0]) for byte in COLUMNS) + b"\n", 2, 1),
        (b"\x1d*\x01\x01" + COLUMNS + b"\x1d/\x00", 1, 1),
        (b"\x1cq\x01\x01\x00\x01\x00" + COLUMNS + b"\x1b@\x1cp\x01\x03", 2, 2),
        (b"\x1d(L\x0e\x000C0ab\x01\x08\x00\x03\x001" + RASTER + b"\x1d(L\x06\x000Eab\x01\x01", 1, 1),
    ],
)
def test_every_way_to_send_an_image_gives_its_dots(data: bytes, times_x: int, times_y: int) -> None:
    expected = stretched(times_x, times_y)
    assert drawn(data, 8 * times_x, 3 * times_y) == expected


def test_images_stand_where_text_would_and_are_cut_off_at_the_right() -> None:
    right = dots(only_slip(printed(b"\x1ba\x02\x1dv0\x00\x01\x00\x03\x00" + RASTER)))
    assert [row[-8:] for row in right] == PATTERN
    wide = only_slip(printed(b"\x1dv0\x00\x50\x00\x01\x00" + b"\xff" * 80))
    assert dots(wide) == [[1] * 576]
    assert wide.text == "[image 640x1]"


@pytest.mark.parametrize(
    "data",
    [
        b"\x1dv0\x00\x01\x00\xff\xff" + b"\xff" * 65_535,  # higher than printers take
        b"\x1dv0\x00\x00\x00\x03\x00",
        b"\x1b*\x05\x01\x00\xff",
        b"\x1d(L\x0d\x000p0\x01\x011\xff\x0f\x03\x00" + RASTER + b"\x1d(L\x02\x0002",  # too few bytes
        b"\x1cp\x07\x00",
        b"\x1d/\x00",
    ],
)
def test_images_that_are_none_print_nothing(data: bytes) -> None:
    assert texts(data + b"after") == ["after"]
