"""The virtual display: what is seen of a screen, as text and as dots."""

import io
from pathlib import Path

import pytest
from PIL import Image

from hal.api import Align, Screen, ScreenLine
from hal.raster.paints import COLOURS
from hal.raster.screen import Grid, Layout, Paint, draw, lay_out
from hal.raster.width import text_columns
from hal.virtual.clock import VirtualClock
from hal.virtual.display import VirtualDisplay

LCD = Grid(columns=16, rows=4)
COLOUR = Grid(columns=40, rows=15)
URL = "https://pay.example/t/12345678"


def show(*lines: ScreenLine, qr: str | None = None, grid: Grid = LCD) -> Layout:
    return lay_out(Screen(lines, qr), grid)


def lines(*texts: str) -> tuple[ScreenLine, ...]:
    return tuple(map(ScreenLine, texts))


def test_text_is_cut_at_the_right_and_at_the_bottom() -> None:
    layout = show(*lines("twelve columns and more", "请输入密码然后按确认键", "three", "four", "five"))
    assert layout.text == "twelve columns a\n请输入密码然后按\nthree\nfour"


def test_double_lines_take_two_rows_and_two_columns_a_column() -> None:
    layout = show(
        ScreenLine("one"),
        ScreenLine("成功 approved", Align.CENTRE, double=True),
        ScreenLine("RMB", Align.RIGHT, double=True),
    )
    assert [(placed.row, placed.column, placed.text) for placed in layout.lines] == [
        (0, 0, "one"),
        (1, 0, "成功 app"),  # the last line finds only one row
    ]


@pytest.mark.parametrize(
    ("align", "double", "column"),
    [
        (Align.LEFT, False, 0),
        (Align.CENTRE, False, 6),
        (Align.RIGHT, False, 12),
        (Align.CENTRE, True, 4),
        (Align.RIGHT, True, 8),
    ],
)
def test_alignment(align: Align, double: bool, column: int) -> None:
    assert show(ScreenLine("金额", align, double=double)).lines[0].column == column


def test_control_characters_do_not_break_the_line() -> None:
    assert show(*lines("a\nb")).text == "a\ufffdb"


def test_a_qr_code_stands_below_little_text() -> None:
    layout = show(ScreenLine("Scan", inverse=True), qr=URL, grid=COLOUR)
    assert layout.qr is not None
    assert layout.qr.y >= 16
    assert abs(layout.qr.x * 2 + len(layout.qr.dots) - 320) <= 1  # in the middle


def test_a_qr_code_stands_beside_much_text_which_is_cut() -> None:
    long = "a line that is longer than half of the display"
    layout = show(ScreenLine("Scan", inverse=True), *lines(*[long] * 14), qr=URL, grid=COLOUR)
    assert layout.qr is not None
    assert layout.qr.x + len(layout.qr.dots) == 320
    for placed in layout.lines:
        beside = placed.row * 16 < layout.qr.y + len(layout.qr.dots) and layout.qr.y < placed.row * 16 + 16
        assert len(placed.text) * 8 <= (layout.qr.x if beside else 320)
    assert {len(placed.text) for placed in layout.lines} == {4, layout.qr.x // 8, 40}


def test_a_qr_code_on_the_lcd_has_modules_of_two_dots() -> None:
    layout = show(*lines("Scan to pay", "RMB 1.00", "扫码支付"), qr=URL)
    assert layout.qr is not None
    assert len(layout.qr.dots) == 62  # version 3: 29 modules, one module of quiet zone
    assert layout.text == "Scan to \nRMB 1.00\n扫码支付"  # eight columns are left


def test_a_qr_code_covers_a_header_only_to_grow_readable() -> None:
    header = ScreenLine("SCAN", inverse=True)
    on_lcd = show(header, *lines("RMB"), qr=URL)
    assert on_lcd.qr is not None
    assert (on_lcd.qr.y, len(on_lcd.qr.dots)) == (0, 62)
    on_colour = show(header, *lines(*["text"] * 14), qr=URL, grid=COLOUR)
    assert on_colour.qr is not None
    assert on_colour.qr.y >= 16


@pytest.mark.parametrize("data", ["x" * 400, "x" * 3000], ids=["too large here", "too large anywhere"])
def test_a_qr_code_that_does_not_fit_is_announced(data: str) -> None:
    layout = show(*lines("one", "two", "three"), qr=data)
    assert layout.qr is None
    assert layout.text.splitlines() == ["[QR]", "one", "two", "three"]


def test_inverse_lines_are_bars_across_the_display() -> None:
    layout = show(ScreenLine("HEAD", inverse=True), ScreenLine("plain"), ScreenLine("BAR", inverse=True))
    dots = draw(layout, LCD)
    rows = [dots.dots[y * 128 : y * 128 + 128] for y in range(64)]
    assert rows[0] == bytes([Paint.HEADER_BAR]) * 128
    assert set(rows[8]) == {Paint.HEADER_BAR, Paint.HEADER_TEXT}
    assert set(b"".join(rows[16:32])) == {Paint.GROUND, Paint.TEXT}
    assert set(b"".join(rows[32:48])) == {Paint.BAR, Paint.BAR_TEXT}
    assert set(b"".join(rows[48:])) == {Paint.GROUND}


def test_headings_have_an_ink_of_their_own() -> None:
    dots = draw(show(ScreenLine("OK", double=True)), LCD)
    assert set(dots.dots) == {Paint.GROUND, Paint.HEADING}


def test_history_keeps_when_what_was_shown() -> None:
    clock = VirtualClock()
    display = VirtualDisplay(clock=clock, model="mono128x64")
    first, second = Screen(lines("one")), Screen(lines("two"))
    clock.advance(100)
    display.show(first)
    display.show(first)
    clock.advance(50)
    display.show(second)
    assert display.history == [(100, first), (150, second)]
    assert display.screen == second
    assert display.text == "two"


def test_unknown_models_are_refused() -> None:
    with pytest.raises(ValueError, match="known are mono128x64, colour320x240"):
        VirtualDisplay(clock=VirtualClock(), model="vfd")


def test_image_has_one_pixel_a_dot_in_the_colours_of_the_panel() -> None:
    display = VirtualDisplay(clock=VirtualClock(), model="colour320x240")
    display.show(Screen((ScreenLine("SALE", inverse=True), *lines("text"))))
    image = display.image().convert("RGB")
    assert image.size == (320, 240)
    assert image.getpixel((319, 0)) == COLOURS[Paint.HEADER_BAR][:3]
    assert image.getpixel((319, 239)) == COLOURS[Paint.GROUND][:3]


@pytest.mark.parametrize(("model", "scale"), [("mono128x64", 6), ("mono128x64", 1), ("colour320x240", 2)])
def test_png_shows_every_dot_at_its_scale(tmp_path: Path, model: str, scale: int) -> None:
    """Whatever is around them: dark dots of the screen are dark in the picture, light ones light."""
    display = VirtualDisplay(clock=VirtualClock(), model=model)
    display.show(Screen(lines("授权 OK", "RMB 1.00"), qr=None))
    path = tmp_path / "screen.png"
    written = display.png(path, scale=scale)
    assert path.read_bytes() == written
    picture = Image.open(io.BytesIO(written)).convert("RGBA").convert("L")
    dots = display.dots()
    left = (picture.width - dots.width * scale) // 2
    top = (picture.height - dots.height * scale) // 2
    for y in range(32):
        for x in range(dots.width):
            shade = picture.getpixel((left + x * scale, top + y * scale))
            assert isinstance(shade, int)
            assert (shade < 100) == (dots.dots[y * dots.width + x] == Paint.TEXT)


@pytest.mark.parametrize("text", ["12.34", "¥ 12.34", "RMB 12.34", "金额 12.34"])
@pytest.mark.parametrize("double", [False, True])
def test_the_middle_is_found_to_the_dot(text: str, double: bool) -> None:
    placed = show(ScreenLine(text, Align.CENTRE, double=double), grid=COLOUR).lines[0]
    text_dots = text_columns(text) * (16 if double else 8)
    assert placed.x == 320 - text_dots - placed.x


def test_words_on_the_bar_at_the_top_stand_in_its_middle() -> None:
    """The margin belongs to the bar: as much of it is above the cells as below them."""
    display = VirtualDisplay(clock=VirtualClock(), model="colour320x240")
    display.show(Screen((ScreenLine("小样咖啡馆", inverse=True),)))
    picture = Image.open(io.BytesIO(display.png(scale=1))).convert("RGBA").convert("RGB")
    column = picture.width - 20  # right of the words
    colours = [picture.getpixel((column, y)) for y in range(picture.height)]
    bar = [y for y, colour in enumerate(colours) if colour == COLOURS[Paint.HEADER_BAR][:3]]
    text = COLOURS[Paint.HEADER_TEXT][:3]
    words = [y for y in bar if text in [picture.getpixel((x, y)) for x in range(8, 100)]]
    assert words[0] - bar[0] >= 3
    assert abs((words[0] - bar[0]) - (bar[-1] - words[-1])) <= 1


@pytest.mark.parametrize("model", ["mono128x64", "colour320x240"])
def test_contrast_is_seen_and_the_usual_one_is_the_picture_as_always(model: str) -> None:
    def spread(percent: int | None) -> int:
        display = VirtualDisplay(clock=VirtualClock(), model=model)
        display.show(Screen(lines("金额 12.34")))
        if percent is not None:
            display.set_contrast(percent)
        picture = Image.open(io.BytesIO(display.png())).convert("RGBA").crop((40, 40, 140, 140)).convert("L")
        low, high = picture.getextrema()
        return int(high) - int(low)  # type: ignore[arg-type]

    assert spread(0) < spread(30) < spread(50) == spread(None) <= spread(100)
