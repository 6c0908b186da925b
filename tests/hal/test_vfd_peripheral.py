"""The display in software against the published command tables, written as a POS program sends them."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hal.peripherals.vfd import MARQUEE_STEP_MS, CommandSet, Vfd, commands_of

SETS: tuple[CommandSet, ...] = ("cd5220", "epson")
TWENTY = b"12345678901234567890"


def shown(command_set: CommandSet, *sent: bytes) -> tuple[str, str]:
    vfd = Vfd(command_set)
    for data in sent:
        vfd.receive(data, 0)
    upper, lower = vfd.rows
    return upper.rstrip(), lower.rstrip()


@pytest.mark.parametrize(
    ("sent", "upper", "lower"),
    [
        (b"\x1b@\x0cTOTAL", "TOTAL", ""),
        (b"\x0c" + TWENTY + b"next", TWENTY.decode(), "next"),  # the cursor goes on in the lower row
        (b"\x0c" + TWENTY * 2 + b"A", "A" + TWENTY.decode()[1:], TWENTY.decode()),  # overwrite mode wraps
        (b"\x0bAB\x08C", "AC", ""),  # BS
        (b"\x0bA\x09B", "A B", ""),  # HT
        (b"\x0bAB\x0aC", "AB", "  C"),  # LF keeps the column
        (b"\x0bAB\x0a\x0dC", "AB", "C"),  # CR
        (b"\x0bupper\x0a\x0dlower\x18!", "upper", "!"),  # CAN clears its row
        (b"\x0b\x08Z", "", " " * 19 + "Z"),  # left of home is the bottom
        (b"text\x0c", "", ""),
    ],
)
@pytest.mark.parametrize("command_set", SETS)
def test_what_both_sets_have(command_set: CommandSet, sent: bytes, upper: str, lower: str) -> None:
    assert shown(command_set, sent) == (upper, lower)


@pytest.mark.parametrize(
    ("sent", "upper", "lower"),
    [
        (b"\x1bQA" + b"Apples     1.00\r" + b"\x1bQBTotal      1.00\r", "Apples     1.00", "Total      1.00"),
        (b"\x1bQA" + TWENTY + b"more\r", TWENTY.decode(), ""),
        (b"\x1bQAfirst\r\x1bQAsecond\r", "second", ""),
        (b"\x1buAhello\r\x1buBworld\r", "hello", "world"),
        (b"\x1bl\x05\x02here", "", "    here"),
        (b"\x1bl\x00\x03here", "here", ""),  # no such place
        (b"\x0b\x1b[B\x1b[Cx\x1b[A\x1b[Ly\x1b[Rz", "y" + " " * 18 + "z", " x"),
        (b"\x1b[K*\x1b[H+", "+", " " * 19 + "*"),
        (b"\x1b\x12" + TWENTY * 2 + b"X", TWENTY.decode(), "X"),  # vertical scroll
        (b"\x1b\x13" + TWENTY + b"X", TWENTY.decode()[1:] + "X", ""),  # horizontal scroll
        (b"\x1bQAhalf\x0cnew", "new", ""),  # CLR ends the string mode
        (b"\x1b=\x01printed\x1b=\x02shown", "shown", ""),  # bytes for the printer on the same line
    ],
)
def test_the_cd5220_set(sent: bytes, upper: str, lower: str) -> None:
    assert shown("cd5220", sent) == (upper, lower)


@pytest.mark.parametrize(
    ("sent", "upper", "lower"),
    [
        (b"\x1f$\x05\x02here", "", "    here"),
        (
            b"\x1f$\x01\x01a\x1f\x0ab\x1fBc\x1f\x0dd\x1f$\x01\x01e",
            "e" + " " * 18 + "d",
            " b" + " " * 17 + "c",
        ),
        (b"\x1f\x02" + TWENTY * 2 + b"X", TWENTY.decode(), "X"),
        (b"\x1f\x03" + TWENTY + b"XY", TWENTY.decode()[2:] + "XY", ""),
        (b"\x1bt\x00\x9d 1.00", "¥ 1.00", ""),  # PC437
        (b"\x1bt\x13\xd5 1.00", "€ 1.00", ""),  # PC858
        (b"\x1fT\x0c\x05", "", " " * 15 + "12:05"),
        (b"\x1bW\x01\x01\x01\x01\x05\x02text", "text", ""),
        (b"\x1b&\x01AA\x05\x00\x00\x00\x00\x00text", "text", ""),
        (b"\x1f.1\x1f;2", "12", ""),
    ],
)
def test_the_epson_set(sent: bytes, upper: str, lower: str) -> None:
    assert shown("epson", sent) == (upper, lower)


def test_a_chinese_display_counts_two_columns_a_character() -> None:
    vfd = Vfd("epson", multibyte=True)
    vfd.receive(b"\x0c" + "金额 12.34".encode("gb18030"), 0)
    assert vfd.rows[0].rstrip() == "金额 12.34"
    assert Image.open(BytesIO(vfd.png())).size == (3 * 191, 3 * 46)


def test_running_text_runs_and_ends_with_the_next_character() -> None:
    vfd = Vfd("cd5220")
    vfd.receive(b"\x1bQDsale today\r", 1_000)
    assert vfd.rows[0].rstrip() == "sale today"
    assert vfd.deadline_ms() == 1_000 + MARQUEE_STEP_MS
    vfd.receive(b"", 1_000 + 5 * MARQUEE_STEP_MS)
    assert vfd.rows[0].rstrip() == "today"
    vfd.receive(b"", 1_000 + 25 * MARQUEE_STEP_MS)
    assert vfd.rows[0] == " " * 5 + "sale today" + " " * 5
    vfd.receive(b"\x0c", 10_000)
    assert (vfd.deadline_ms(), vfd.text) == (None, "\n")


def test_light_bell_and_marks() -> None:
    vfd = Vfd("epson")
    vfd.receive(b"\x07\x07\x1fX\x02\x1fC\x01\x1f#\x01\x03\x1f#\x01\x14\x1f#\x00\x03\x1fE\x0a", 0)
    assert (vfd.bells, vfd.brightness, vfd.cursor_is_on, vfd.annunciators) == (2, 2, True, {20})
    assert vfd.is_lit
    vfd.receive(b"", 500)  # 10 times 50 ms
    assert not vfd.is_lit
    vfd.receive(b"\x1fX\x09\x1b@", 500)
    assert (vfd.brightness, vfd.is_lit, vfd.annunciators) == (4, True, set())


def lit_dots(picture: bytes) -> int:
    """How many dots of the picture are bright: the teal of the tube."""
    image = Image.open(BytesIO(picture)).convert("RGBA")
    data = image.tobytes()
    return sum(1 for at in range(1, len(data), 4) if data[at] > 90)


def test_the_picture_shows_what_is_lit() -> None:
    vfd = Vfd("epson")
    empty = lit_dots(vfd.png(scale=1))
    assert empty == 0
    vfd.receive(b"8" * 40, 0)
    text = lit_dots(vfd.png(scale=1))
    assert text > 40 * 20
    vfd.receive(b"\x0b\x1fr\x01" + b"8" * 20, 0)
    assert lit_dots(vfd.png(scale=1)) > text
    vfd.receive(b"\x1fE\xff", 0)
    assert lit_dots(vfd.png(scale=1)) == 0  # switched off


@pytest.mark.parametrize("command_set", SETS)
def test_every_command_of_the_tables_is_carried_out(command_set: CommandSet) -> None:
    """No command leaves bytes behind that would be shown as text."""
    for code, (name, count) in commands_of(command_set).items():
        if name in {"define", "upper_row", "lower_row", "marquee", "pointed", "time"}:
            continue
        arguments = bytes((2,)) * count
        assert shown(command_set, b"\x0c" + code + arguments) == ("", ""), name


@given(st.sampled_from(SETS), st.lists(st.binary(max_size=80), max_size=8))
def test_any_bytes_give_two_rows_and_a_reset_gives_an_empty_screen(
    command_set: CommandSet, pieces: list[bytes]
) -> None:
    vfd, whole = Vfd(command_set), Vfd(command_set)
    for now_ms, piece in enumerate(pieces):
        vfd.receive(piece, now_ms)
        assert [len(row) for row in vfd.rows] == [20, 20]
    whole.receive(b"".join(pieces), max(len(pieces) - 1, 0))
    assert vfd.rows == whole.rows  # pieces of any length
    assert vfd.take_output() == b""
    vfd.receive(bytes(300) + b"\r\x0c\x1b=\x02\x0c" + b"\x1b@", 100)
    vfd.png(scale=1)
