"""Buzzers on serial lines: when which line is switched, which bytes ring a bell, and who carries them."""

import pytest

from hal.api import Beep, ItemPrinted, PrintText
from hal.peripherals.printer import SoftwarePrinter
from hal.peripherals.printer_mechanism import Beeped
from hal.peripherals.vfd import Vfd
from hal.profile import ProfileError, load_profile
from hal.registry import build_device
from hal.serial.buzzer import BuzzerInDisplay, BuzzerInPrinter, SerialBuzzer, esc_b
from hal.serial.printer import SerialPrinter
from hal.serial.vfd import SerialVfd
from tests.hal.serial_bench import URL, Bench, connect
from tests.hal.test_serial_keypad import Typist


@pytest.mark.parametrize("line", ["rts", "dtr"])
def test_a_control_line_is_on_as_long_as_each_tone(monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    bench = Bench(Typist())
    connect(monkeypatch, bench)
    buzzer = SerialBuzzer(URL, bench.clock, command="rts" if line == "rts" else "dtr")
    buzzer.open()
    bench.lines_driven.clear()
    buzzer.sound(Beep.AUTHORISED)  # 120 ms, 80 ms of silence, 120 ms
    buzzer.sound(Beep.KEY)  # waits for its end, and 100 ms
    bench.run(buzzer, 1_000)
    assert bench.lines_driven == [
        (0, line, True),
        (120, line, False),
        (200, line, True),
        (320, line, False),
        (420, line, True),
        (440, line, False),
    ]
    assert buzzer.deadline_ms() is None


def test_closing_switches_a_sounding_line_off(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(Typist())
    connect(monkeypatch, bench)
    buzzer = SerialBuzzer(URL, bench.clock)
    buzzer.open()
    buzzer.sound(Beep.ERROR)
    buzzer.close()
    assert bench.lines_driven[-1] == (0, "rts", False)


def test_the_cable_pulled_in_a_beep_leaves_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(Typist())
    connect(monkeypatch, bench)
    buzzer = SerialBuzzer(URL, bench.clock)
    buzzer.open()
    buzzer.sound(Beep.ERROR)
    bench.unplug()
    bench.run(buzzer, 2_000)
    bench.plug()
    bench.run(buzzer, 10_000)
    assert bench.lines_driven[-1][1:] == ("rts", False)
    assert buzzer.self_test().ok


@pytest.mark.parametrize(
    ("beep", "sent"),
    [
        (Beep.KEY, b"\x1bB\x01\x01"),
        (Beep.AUTHORISED, b"\x1bB\x02\x03"),  # two beeps of 150 ms
        (Beep.SUCCESS, b"\x1bB\x01\x06"),
        (Beep.ERROR, b"\x1bB\x01\x09"),
        (Beep.ALERT, b"\x1bB\x03\x03"),
    ],
)
def test_esc_b_counts_beeps_and_units_of_50_ms(beep: Beep, sent: bytes) -> None:
    assert esc_b(beep) == sent


def test_the_bell_of_the_display_rings_once_a_beep(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(far := Vfd())
    connect(monkeypatch, bench)
    display = SerialVfd(URL, bench.clock)
    display.open()
    buzzer = BuzzerInDisplay(display, bench.clock)
    buzzer.open()
    buzzer.sound(Beep.AUTHORISED)
    bench.run(display, 150)
    assert far.bells == 1
    assert buzzer.deadline_ms() is not None
    bench.clock.advance(100)
    buzzer.poll()
    bench.run(display, 100)
    assert far.bells == 2


def test_the_bell_of_the_printer_rings_while_it_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(far := SoftwarePrinter(speed_mm_per_s=0), bits_per_s=115_200)
    connect(monkeypatch, bench)
    printer = SerialPrinter(URL, bench.clock, bits_per_s=115_200, open_wait_ms=0)
    printer.open()
    bench.run(printer, 500)
    buzzer = BuzzerInPrinter(printer, bench.clock)
    buzzer.open()
    printer.submit(PrintText("Total 12.34"))
    buzzer.sound(Beep.AUTHORISED)
    assert ItemPrinted() in bench.run(printer, 3_000)
    beeps = [event for event in far.take_events() if isinstance(event, Beeped)]
    assert [(beep.times, beep.duration_ms) for beep in beeps] == [(2, 150)]
    assert "Total 12.34" in far.slips[-1].text


def test_a_pseudo_terminal_has_no_line_to_switch() -> None:
    import os

    from hal.virtual.clock import VirtualClock

    master, slave = os.openpty()
    buzzer = SerialBuzzer(os.ttyname(slave), VirtualClock())
    buzzer.open()
    assert buzzer.self_test().detail.endswith("has no line rts")
    buzzer.close()
    os.close(master)
    os.close(slave)


def test_a_display_without_a_line_cannot_ring() -> None:
    profile = load_profile("virtual").with_device("buzzer", "in-display")
    with pytest.raises(ProfileError, match="display cannot ring a bell: take a display on a serial line"):
        build_device(profile, "buzzer")
