"""What the printer in software makes of text and layout: published streams, then every mode by itself."""

import json
import re
from typing import Any

import pytest

from hal.peripherals.printer_paper import PrintedLine, Style
from hal.peripherals.printer_text import UNREADABLE
from tests.peripherals.printing import VECTORS, dots, lines, only_slip, printed, texts

CASES = [
    case
    for case in json.loads((VECTORS / "escpos.json").read_text("utf-8"))["cases"]
    if "lines" in case["expected"]
]
WRAPPED = {
    "escpos-047": "a line of 52 characters on paper with 48 columns",
    "escpos-052": "margins and widths that leave less than the line",
}
IMAGE_LINES = {"escpos-030"}
"""Streams with an image on a line: for the vectors the line is empty."""


def without_spaces(text: str) -> str:
    return re.sub(r"\s", "", text)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_published_streams_give_their_lines(case: dict[str, Any]) -> None:
    """A tab is any run of spaces in the vectors; the place of aligned text is judged elsewhere."""
    data = bytes.fromhex(case["inputs"]["data"])
    everything = lines(b"first\n", data)[1:]  # paper on which nothing but feeds is done is no slip
    found = [line for line in everything if not line.is_graphic]
    if case["id"] in IMAGE_LINES:
        found = [PrintedLine("") for line in everything if line.is_graphic]
    expected = case["expected"]["lines"]
    if case["id"] in WRAPPED:
        assert without_spaces("".join(line.text for line in found)) == without_spaces(
            "".join(text for text, _ in expected)
        )
        return
    assert [(" ".join(line.text.split()), line.style.differing()) for line in found] == [
        (" ".join(text.split()), style) for text, style in expected
    ]


# --- characters --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\x1bt\x00\x9c\x9d \x80", "£¥ Ç"),  # CP437
        (b"\x1bt\x13\xd5", "€"),  # CP858
        (b"\x1bt\x10\x80 \xe9", "€ é"),  # Windows-1252
        (b"\x1bt\x11\x8f\xe0", "Пр"),  # CP866
        (b"\x1bt\xff\x80A", UNREADABLE + "A"),  # no such page
        (b"\x1bR\x02[]{}~", "ÄÜäüß"),  # Germany
        (b"\x1bR\x03#", "£"),  # United Kingdom
        (b"\x1c&\xc7\xa9\xb9\xba\xb5\xa5\x1c.\x9c", "签购单£"),
        (b"\x1c&A\xd6\xd0B\xce\xc4", "A中B文"),  # ASCII stays ASCII in Kanji mode
        (b"\x1c&\x81\x30\x81\x30", "\x80"),  # four bytes of GB 18030, here of a control character
        (b"\x1c&\xd6", UNREADABLE),  # half a character at the end
        (b"\x1c&\xd6\x1c.x", UNREADABLE + "x"),
        (b"\x1c&\xd6\x20x", UNREADABLE + " x"),
    ],
)
def test_characters(data: bytes, text: str) -> None:
    assert "".join(texts(data)) == text


def test_a_character_may_come_in_pieces() -> None:
    assert texts(b"\x1c&\xd6", b"\xd0\xce", b"\xc4\n") == ["中文"]


def test_printers_sold_in_china_need_no_command() -> None:
    assert texts(b"\x1b@\xd6\xd0", kanji_at_start=True) == ["中"]
    assert texts(b"\x1b@\xd6\xd0") == ["╓╨"]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [("shift_jis", "日本ｶﾅ"), ("big5", "繁體中文"), ("euc_kr", "한국어"), ("gb18030", "汉字𠀀")],
)
def test_the_double_bytes_of_other_countries(encoding: str, text: str) -> None:
    data = b"\x1c&" + text.encode(encoding) + b"\n"
    assert texts(data, kanji_encoding=encoding) == [text]


def test_a_line_breaks_where_the_paper_ends() -> None:
    assert texts(b"x" * 50) == ["x" * 48, "xx"]
    assert texts(b"x" * 50, model="58mm") == ["x" * 32, "x" * 18]
    assert texts(b"\x1bM\x01" + b"x" * 65) == ["x" * 64, "x"]
    assert texts(b"\x1d!\x10" + b"x" * 25) == ["x" * 24, "x"]
    assert texts(b"\x1c&" + "中".encode("gb18030") * 25) == ["中" * 24, "中"]


# --- modes and where things stand --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "style"),
    [
        (b"\x1bE\x01", Style(bold=True)),
        (b"\x1bG\x01", Style(bold=True)),
        (b"\x1b!\x38", Style(bold=True, width=2, height=2)),
        (b"\x1d!\x73", Style(width=8, height=4)),
        (b"\x1b-\x02", Style(underline=2)),
        (b"\x1bM\x31", Style(font=1)),
        (b"\x1ba\x31", Style(align=1)),
        (b"\x1dB\x01", Style(invert=True)),
    ],
)
def test_modes_are_set_and_taken_back(command: bytes, style: Style) -> None:
    first, second = lines(command + b"a\n\x1b@b\n")
    assert first.style == style
    assert second.style == Style()


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\x1ba\x01abcd", " " * 22 + "abcd"),
        (b"\x1ba\x02abcd", " " * 44 + "abcd"),
        (b"\x1ba\x01ab\x1ba\x00cd", " " * 22 + "abcd"),  # within a line it changes nothing
        (b"a\tb\tc", "a       b       c"),
        (b"\x1bD\x0a\x14\x00a\tb\tc\td", "a         b         cd"),
        (b"\x1b$\x78\x00x", " " * 10 + "x"),
        (b"ab\x1b\\\x18\x00c", "ab  c"),
        (b"ab\x1b\\\xf4\xffc", "abc"),  # one column back: over the b
        (b"\x1dL\x30\x00abc", "    abc"),
        (b"\x1dL\x30\x00\x1dW\x60\x00\x1ba\x02abc", " " * 9 + "abc"),
        (b"\x1d!\x01a\x1d!\x00b", "ab"),
        (b"a\x18b", "ab"),  # CAN does nothing outside of page mode
        (b"\x1bL\x18a\nb\x0c", "a|b"),
        (b"\x1bLa\nb\x1bSc", "c"),  # leaving page mode drops the page
        (b"\x1bLa\x1b\x0c\x1b\x0c\x1bSc", "a|a|c"),  # a page can be printed twice
    ],
)
def test_places(data: bytes, text: str) -> None:
    assert "|".join(texts(data)) == text


@pytest.mark.parametrize(
    ("data", "height_dots"),
    [
        (b"a\n", 30),
        (b"\n", 30),
        (b"\x1bd\x03", 90),
        (b"\x1bJ\x11", 17),
        (b"\x1b3\x50a\n", 80),
        (b"\x1b3\x00a\n", 24),  # never less than the characters are high
        (b"\x1b3\x50\x1b2a\n", 30),
        (b"\x1d!\x07a\n", 192),
        (b"\x1bM\x01a\n", 30),
        (b"\x1d!\x01a\x1d!\x00b\n", 48),
    ],
)
def test_heights(data: bytes, height_dots: int) -> None:
    assert only_slip(printed(data + b"\x1b@.\n")).canvas().height == height_dots + 30


def test_upside_down_is_the_line_turned_by_half() -> None:
    upright = dots(only_slip(printed(b"abc\n")))[:24]
    turned = dots(only_slip(printed(b"\x1b{\x01abc\n")))[:24]
    assert turned == [row[::-1] for row in upright[::-1]]


def test_inverse_and_underline_and_rotation() -> None:
    plain = [row[:12] for row in dots(only_slip(printed(b"a\n")))[:24]]
    inverse = [row[:12] for row in dots(only_slip(printed(b"\x1dB\x01a\n")))[:24]]
    underlined = [row[:12] for row in dots(only_slip(printed(b"\x1b-\x02a\n")))[:24]]
    rotated = [row[:24] for row in dots(only_slip(printed(b"\x1bV\x01a\n")))[:12]]
    assert inverse == [[1 - dot for dot in row] for row in plain]
    assert underlined == [*plain[:22], [1] * 12, [1] * 12]
    assert rotated == [list(column) for column in zip(*plain[::-1], strict=True)]


def test_sizes_beyond_two_enlarge_dot_by_dot() -> None:
    plain = [row[:12] for row in dots(only_slip(printed(b"a\n")))[:24]]
    large = dots(only_slip(printed(b"\x1d!\x23a\n")))
    assert [row[1 : 12 * 3 : 3] for row in large[1 : 24 * 4 : 4]] == plain


def test_a_character_of_ones_own() -> None:
    bar = b"\x1b&\x03AA\x02" + b"\xff\xff\xff" * 2  # two columns, full height
    rows = dots(only_slip(printed(bar + b"\x1b%\x01A\x1b%\x00\n")))
    assert [row[:4] for row in rows[:24]] == [[1, 1, 0, 0]] * 24
    assert dots(only_slip(printed(bar + b"A\n"))) == dots(only_slip(printed(b"A\n")))
