"""The dot font, text in columns, and canvases: hal.raster."""

import io
import zlib

import pytest
from PIL import Image

from hal.api import Align
from hal.raster import font
from hal.raster.canvas import Canvas, opaque
from hal.raster.font import Face, FontError, glyph
from hal.raster.qr import QrTooLongError, qr_dots, qr_modules, qr_size
from hal.raster.width import char_columns, cut, indent, text_columns, visible, wrap
from tools.make_font import gb2312, pack, read_hex

# Lines of unifont.hex 15.0.01.
PUBLISHED = {
    "A": "0000000018242442427E424242420000",
    "中": "01000100010001003FF8210821082108210821083FF821080100010001000100",
}


@pytest.mark.parametrize("char", PUBLISHED)
def test_glyphs_are_those_of_unifont(char: str) -> None:
    width = 8 * char_columns(char)
    bits = "".join("01"[dot] for row in glyph(char) for dot in row)
    assert f"{int(bits, 2):0{len(bits) // 4}X}" == PUBLISHED[char]
    assert [len(row) for row in glyph(char)] == [width] * 16


def test_all_of_gb2312_and_latin_1_is_there() -> None:
    assert len(gb2312()) == 7445  # 6763 hanzi and 682 others: GB 2312-80
    for point in [*gb2312(), *range(0x20, 0x7F), *range(0xA0, 0xAD), *range(0xAE, 0x100)]:
        assert font.has_glyph(chr(point)), f"U+{point:04X}"


def test_every_glyph_fills_its_columns() -> None:
    for point in font._load():
        char = chr(point)
        assert len(glyph(char)[0]) == 8 * max(1, char_columns(char)), f"U+{point:04X}"


def test_an_unknown_character_is_a_box_of_its_width() -> None:
    assert not font.has_glyph("\u0e01")
    narrow, wide = glyph("\u0e01"), glyph("\u9fff")  # Thai; a hanzi outside GB 2312
    assert [len(narrow[0]), len(wide[0])] == [8, 16]
    assert narrow[2] == bytes([0, 1, 1, 1, 1, 1, 1, 0])
    assert narrow[5] == bytes([0, 1, 0, 0, 0, 0, 1, 0])
    assert narrow[0] == narrow[15] == bytes(8)


@pytest.mark.parametrize(
    ("face", "column_dots", "height_dots"), [(Face(3, 3), 12, 24), (Face(4, 4), 16, 32), (Face(6, 3), 24, 24)]
)
def test_larger_faces_have_whole_cells(face: Face, column_dots: int, height_dots: int) -> None:
    assert (face.column_dots, face.height_dots) == (column_dots, height_dots)
    for char, columns in (("W", 1), ("國", 2), ("金", 2), ("█", 1)):
        rows = glyph(char, face)
        assert len(rows) == height_dots
        assert {len(row) for row in rows} == {column_dots * columns}


def test_strokes_keep_one_thickness_at_24_dots() -> None:
    """The two stems of H lie on columns 1 and 6 of 8; scaled plainly one would be thinner than the other."""
    across = glyph("H", Face(3, 3))[8]
    assert across == bytes([0, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 0])


def test_bold_adds_ink_and_closes_no_gap_of_one_dot() -> None:
    plain, bold = glyph("目", Face(3, 3)), glyph("目", Face(3, 3, bold=True))
    assert sum(map(sum, bold)) > sum(map(sum, plain))
    assert glyph("A", Face(bold=True)) != glyph("A")
    assert glyph("目", Face(bold=True)) == glyph("目")  # no room at 16 dots
    assert font._bolder(0b10100) == 0b10110  # the gap in the middle stays, the right side grows


def test_faces_of_unknown_size_are_refused() -> None:
    with pytest.raises(ValueError, match="known are"):
        Face(5, 5)


def test_a_damaged_font_is_named() -> None:
    good = font.HEADER.pack(font.MAGIC, 1, 0) + zlib.compress(b"\x41\x00" + bytes(range(16)))
    assert font.unpack(good) == {0x41: bytes(range(16))}
    for bad in (
        b"",
        good[:-3],
        b"X" + good[1:],
        font.HEADER.pack(font.MAGIC, 2, 0) + good[font.HEADER.size :],
    ):
        with pytest.raises(FontError, match="damaged"):
            font.unpack(bad)


def test_the_packer_needs_all_of_gb2312() -> None:
    with pytest.raises(ValueError, match="GB 2312 are missing, first U\\+"):
        pack(read_hex(f"0041:{PUBLISHED['A']}\n4E2D:{PUBLISHED['中']}\n"))


def test_the_packer_writes_what_the_font_reads() -> None:
    whole = {point: bytes(16 * char_columns(chr(point))) for point in gb2312()} | {0x41: bytes(range(16))}
    whole[0x42] = bytes(32)  # too wide for its column: left out
    assert font.unpack(pack(whole)) == {point: dots for point, dots in whole.items() if point != 0x42}


# --- columns -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("", 0),
        ("RMB 12.34", 9),
        ("金额", 4),
        ("，。！", 6),
        ("ＰＯＳ", 6),
        ("é·×", 3),
        ("①", 2),
        ("e\u0301", 1),
    ],
)
def test_columns_of_text(text: str, columns: int) -> None:
    assert text_columns(text) == columns


def test_cut_never_halves_a_character() -> None:
    assert [cut("金额12", columns) for columns in range(7)] == ["", "", "金", "金", "金额", "金额1", "金额12"]
    assert cut("abc", 2) == "ab"


def test_indent() -> None:
    assert [indent("金额", 9, align) for align in Align] == [0, 2, 5]
    assert [indent("too long", 4, align) for align in Align] == [0, 0, 0]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", [""]),
        ("ten column", ["ten column"]),
        ("eleven colum", ["eleven", "colum"]),
        ("abcdefghijklm", ["abcdefghij", "klm"]),
        ("本人确认以上", ["本人确认以", "上"]),
        ("确认abcdefgh", ["确认", "abcdefgh"]),
        ("a b  c       d", ["a b  c", "d"]),
        ("  indented text", ["  indented", "text"]),
        ("         x y", ["         x", "y"]),
    ],
)
def test_wrap_to_ten_columns(text: str, lines: list[str]) -> None:
    assert wrap(text, 10) == lines


def test_wrap_loses_no_ink_and_ends_at_any_width() -> None:
    text = "交易 approved 金额RMB12.34，无法 aVeryLongWordIndeed " * 3
    for columns in range(2, 40):
        lines = wrap(text, columns)
        assert "".join(lines).replace(" ", "") == text.replace(" ", "")
        assert all(text_columns(line) <= columns for line in lines)
    with pytest.raises(ValueError, match="2 or more"):
        wrap(text, 1)


def test_control_characters_are_seen_not_obeyed() -> None:
    assert visible("a\nb\x1b[2Jc\u3000") == "a\ufffdb\ufffd[2Jc\u3000"


# --- canvas ------------------------------------------------------------------------------------------


def pixels(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png)).convert("RGBA")


def test_png_is_what_pillow_reads() -> None:
    canvas = Canvas(5, 3)
    canvas.fill(1, 1, 2, 1, 1)
    image = pixels(canvas.png([(255, 255, 255, 0), opaque(0x102030)], dots_per_mm=8))
    assert image.size == (5, 3)
    assert image.getpixel((1, 1)) == (0x10, 0x20, 0x30, 255)
    assert image.getpixel((0, 0)) == (255, 255, 255, 0)
    assert [dot for dot in canvas.dots if dot] == [1, 1]


def test_what_lies_outside_is_cut_off() -> None:
    canvas = Canvas(4, 4)
    canvas.fill(-2, -2, 3, 3, 7)
    canvas.fill(3, 3, 9, 9, 8)
    canvas.fill(4, 0, 2, 2, 9)
    canvas.draw(-1, 1, (bytes([1, 1, 1]),), ink=5)
    canvas.draw(2, 2, (bytes([1, 1, 1]), bytes([1, 1, 1]), bytes([1])), ink=6)
    canvas.draw(-9, 0, (bytes([1]),), ink=9)
    assert canvas.dots == bytes([7, 0, 0, 0, 5, 5, 0, 0, 0, 0, 6, 6, 0, 0, 6, 6])


def test_enlarged_repeats_dots() -> None:
    canvas = Canvas(2, 2)
    canvas.dots[:] = bytes([1, 2, 3, 4])
    assert canvas.enlarged(2).dots == bytes([1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4])


def test_text_moves_by_its_columns() -> None:
    canvas = Canvas(40, 16)
    assert canvas.text(0, 0, "a金e\u0301") == 32
    assert any(canvas.dots)


def test_qr_is_as_large_as_fits_with_its_quiet_zone() -> None:
    modules = len(qr_modules("12345678"))
    assert modules == 21  # version 1
    size = qr_size("12345678", 90)
    assert size is not None
    assert (size.scale, size.quiet_modules) == (3, 4)
    dots = qr_dots("12345678", size)
    assert len(dots) == len(dots[0]) == (21 + 8) * 3
    assert not any(map(any, dots[:12]))
    assert dots[12][12 : 12 + 21] == bytes([1] * 21)  # the edge of the first finder pattern
    assert qr_size("12345678", 28) is None
    narrow = qr_size("12345678", 46, quiet_modules_min=1)
    assert narrow is not None
    assert (narrow.scale, narrow.quiet_modules) == (2, 1)


def test_too_much_for_a_qr() -> None:
    with pytest.raises(QrTooLongError, match="3000 characters"):
        qr_size("x" * 3000, 1000)
