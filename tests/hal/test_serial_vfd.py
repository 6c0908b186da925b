"""The driver of customer displays against the display in software, and the firmware's own screens on it."""

import pytest

from firmware.screen_values import ScreenValues
from firmware.screens import SCREEN_NAMES, render
from hal.api import Align, Screen, ScreenLine
from hal.cores.characters import cell_rows, in_latin
from hal.peripherals.vfd import CommandSet, Vfd
from hal.serial.vfd import Characters, SerialVfd
from hal.virtual.clock import VirtualClock
from tests.hal.serial_bench import URL, Bench, connect

SETS: tuple[CommandSet, ...] = ("cd5220", "epson")
TOTAL = Screen((ScreenLine("Total", Align.CENTRE), ScreenLine("RMB 12.34", Align.RIGHT)))


def display_on(
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    *,
    characters: Characters = "cp437",
    brightness: int = 4,
) -> SerialVfd:
    connect(monkeypatch, bench)
    far = bench.peripheral
    assert isinstance(far, Vfd)
    display = SerialVfd(
        URL, bench.clock, command_set=far.command_set, characters=characters, brightness=brightness
    )
    display.open()
    return display


@pytest.mark.parametrize("command_set", SETS)
def test_a_screen_gets_onto_the_glass(monkeypatch: pytest.MonkeyPatch, command_set: CommandSet) -> None:
    bench = Bench(far := Vfd(command_set))
    display = display_on(bench, monkeypatch, brightness=2)
    display.show(TOTAL)
    bench.run(display, 200)
    assert far.rows == ("       Total        ", "           RMB 12.34")
    assert (far.brightness, far.cursor_is_on, far.unknown_bytes) == (2, False, 0)


def test_only_what_changes_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(Vfd("epson"))
    display = display_on(bench, monkeypatch)
    display.show(TOTAL)
    bench.run(display, 500)
    before = bench.sent_bytes
    display.show(Screen((TOTAL.lines[0], ScreenLine("RMB 12.35", Align.RIGHT))))
    display.show(Screen((TOTAL.lines[0], ScreenLine("RMB 12.35", Align.RIGHT))))
    bench.run(display, 100)
    assert bench.sent_bytes - before == len(b"\x1f$\x01\x02") + 20


@pytest.mark.parametrize("command_set", SETS)
def test_every_screen_of_the_firmware_fits(command_set: CommandSet, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(far := Vfd(command_set), bits_per_s=115_200)
    display = display_on(bench, monkeypatch)
    for name in sorted(SCREEN_NAMES):
        screen = render(name, ScreenValues(amount_minor=1234), columns=20, rows=2, language="en")
        display.show(screen)
        bench.run(display, 50)
        shown = far.text.split("\n")
        assert [line.strip() for line in shown if line.strip()] == [
            line.text.strip() for line in screen.lines if line.text.strip()
        ]


@pytest.mark.parametrize("command_set", SETS)
def test_a_terminal_that_is_switched_off_leaves_nothing_on_the_glass(
    monkeypatch: pytest.MonkeyPatch, command_set: CommandSet
) -> None:
    bench = Bench(far := Vfd(command_set))
    display = display_on(bench, monkeypatch)
    display.show(TOTAL)
    bench.run(display, 500)
    display.close()
    bench.clock.advance(10)
    bench.turn()
    assert far.text == "\n"
    display.open()
    bench.run(display, 500)
    assert far.text == "\n"


@pytest.mark.parametrize("command_set", SETS)
def test_the_cable_pulled_in_a_screen_is_made_good(
    monkeypatch: pytest.MonkeyPatch, command_set: CommandSet
) -> None:
    bench = Bench(far := Vfd(command_set))
    display = display_on(bench, monkeypatch)
    bench.run(display, 200)
    display.show(TOTAL)
    bench.run(display, 10)
    bench.unplug()
    bench.run(display, 100)
    assert not display.self_test().ok
    display.show(Screen((ScreenLine("Swipe card"),)))
    far.receive(b"\x00\r\x1b@", bench.now_ms)  # its power went with the cable
    bench.plug()
    bench.run(display, 10_000)
    assert far.text == "Swipe card\n"


@pytest.mark.parametrize("command_set", SETS)
def test_the_next_screen_is_right_after_noise(
    monkeypatch: pytest.MonkeyPatch, command_set: CommandSet
) -> None:
    """Bytes lost in one screen damage that screen; a whole new screen is right, whatever state they left."""
    bench = Bench(far := Vfd(command_set))
    display = display_on(bench, monkeypatch)
    bench.run(display, 200)
    display.show(Screen((ScreenLine("x" * 20), ScreenLine("y" * 20))))
    bench.lose_bytes(3)
    bench.run(display, 200)
    display.show(TOTAL)
    bench.run(display, 200)
    assert far.rows == ("       Total        ", "           RMB 12.34")


@pytest.mark.parametrize(
    ("characters", "shows_chinese", "shown"),
    [("cp437", False, "???? ¥1.00"), ("cp858", False, "???? ¥1.00"), ("gb18030", True, "金额 ¥1.00")],
)
def test_code_pages(
    monkeypatch: pytest.MonkeyPatch, characters: Characters, *, shows_chinese: bool, shown: str
) -> None:
    bench = Bench(far := Vfd("epson", multibyte=shows_chinese))
    display = display_on(bench, monkeypatch, characters=characters)
    assert display.shows_chinese is shows_chinese
    display.show(Screen((ScreenLine("金额 ¥1.00"),)))
    bench.run(display, 200)
    assert far.rows[0].rstrip() == shown


def test_brightness_has_four_steps() -> None:
    with pytest.raises(ValueError, match="brightness is 1 to 4, not 5"):
        SerialVfd(URL, VirtualClock(), brightness=5)


@pytest.mark.parametrize("command_set", SETS)
@pytest.mark.parametrize(("percent", "brightness"), [(0, 1), (50, 3), (100, 4)])
def test_the_contrast_of_a_vfd_is_its_brightness(
    monkeypatch: pytest.MonkeyPatch, command_set: CommandSet, percent: int, brightness: int
) -> None:
    bench = Bench(far := Vfd(command_set))
    display = display_on(bench, monkeypatch)
    display.set_contrast(percent)
    bench.run(display, 100)
    assert (far.brightness, far.unknown_bytes) == (brightness, 0)


# --- rows of cells -----------------------------------------------------------------------------------


def test_double_lines_and_qr_codes_keep_their_places() -> None:
    screen = Screen((ScreenLine("A", double=True), ScreenLine("B")), qr="https://pay.example/1")
    assert [row.strip() for row in cell_rows(screen, 20, 4)] == ["[QR]", "A", "", "B"]
    assert cell_rows(Screen(), 20, 2) == (" " * 20,) * 2
    assert cell_rows(Screen((ScreenLine("a\tb\x1b@"),)), 20, 1)[0].startswith("a\ufffdb\ufffd@")


def test_latin_keeps_the_width_of_what_it_cannot_say() -> None:
    assert in_latin("金é?x", "cp437") == b"??\x82?x"
    assert in_latin("\ufffd\u0301e", "cp437") == b"?e"
