"""`posterm devices`: what is found in a sysfs made for it, what is chosen, what is asked, what is tested."""

import json
import os
import threading
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from hal.cards.file_card import FileCard
from hal.peripherals.ccid_reader import SerialCcidReader
from hal.peripherals.vfd import Vfd
from hal.profile import load_profile, parse_profile
from hal.registry import build_board
from tests.contract.pty_line import served_on_pty
from tests.hal.reader_on_pty import ReaderOnPty
from tests.tools.test_cli import exit_code, refused
from tools.devices_asked import ask, guess, listen
from tools.devices_command import profile_of
from tools.devices_found import Found, found_devices
from tools.profile_text import profile_text
from wire.iso7816.atr import Atr, InterfaceBytes

NUMBER_PAD_KEYS = sum(1 << code for code in (14, 28, *range(71, 84), 96, 98))
KEYBOARD_KEYS = sum(1 << code for code in range(1, 128))


def words(bits: int) -> str:
    """A bitmap as sysfs writes it: words of 64 bits, the highest first."""
    parts = []
    while bits:
        parts.append(f"{bits & (1 << 64) - 1:x}")
        bits >>= 64
    return " ".join(reversed(parts)) + "\n"


def add_input(root: Path, number: int, name: str, vendor: str, product: str, keys: int) -> None:
    device = root / f"sys/class/input/event{number}/device"
    (device / "id").mkdir(parents=True)
    (device / "capabilities").mkdir()
    (device / "name").write_text(f"{name}\n")
    (device / "id/vendor").write_text(f"{vendor}\n")
    (device / "id/product").write_text(f"{product}\n")
    (device / "capabilities/key").write_text(words(keys))


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file system of a Pi with a number pad, two readers, a keyboard, a printer and a screen."""
    monkeypatch.setattr("tools.devices_found.ports_of_this_machine", list)
    add_input(tmp_path, 0, "SEM USB Keypad", "1a2c", "4e24", NUMBER_PAD_KEYS)
    add_input(tmp_path, 1, "Mag-Tek USB Swipe Reader", "0801", "0001", KEYBOARD_KEYS)
    add_input(tmp_path, 2, "Logitech Keyboard", "046d", "c31c", KEYBOARD_KEYS)
    add_input(tmp_path, 3, "vc4-hdmi", "0000", "0000", 0)
    hid = tmp_path / "sys/class/hidraw/hidraw0/device"
    hid.mkdir(parents=True)
    (hid / "uevent").write_text("HID_ID=0003:00000801:00000002\nHID_NAME=Mag-Tek\n")
    usb = tmp_path / "sys/devices/usb1/1-1"
    (usb / "1-1:1.0").mkdir(parents=True)
    for name, text in (("idVendor", "0416"), ("idProduct", "5011"), ("product", "USB Printing Support")):
        (usb / name).write_text(f"{text}\n")
    lp = tmp_path / "sys/class/usbmisc/lp0"
    lp.mkdir(parents=True)
    (lp / "device").symlink_to(usb / "1-1:1.0")
    fb = tmp_path / "sys/class/graphics/fb0"
    fb.mkdir(parents=True)
    (fb / "virtual_size").write_text("800,480\n")
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/i2c-1").touch()
    (tmp_path / "dev/gpiochip0").touch()
    return tmp_path


def test_everything_that_is_plugged_in_is_found(root: Path) -> None:
    found = {device.where: (device.kind, device.backend, device.identity) for device in found_devices(root)}
    assert found == {
        "/dev/fb0": ("display", "framebuffer", ""),
        "/dev/gpiochip0": ("", "", ""),
        "/dev/hidraw0": ("card_reader", "hidraw", "usb:0801:0002"),
        "/dev/i2c-1": ("", "", ""),
        "/dev/input/event0": ("keypad", "evdev", "usb:1a2c:4e24"),
        "/dev/input/event1": ("card_reader", "evdev", "usb:0801:0001"),
        "/dev/input/event2": ("", "", "usb:046d:c31c"),
        "/dev/input/event3": ("", "", "usb:0000:0000"),
        "/dev/usb/lp0": ("printer", "lp", "usb:0416:5011"),
    }


def test_a_device_s_own_name_cannot_write_into_profile_or_terminal(root: Path) -> None:
    name = "pad\x1b[2J\n[devices.tamper]\nbackend = 'virtual'"
    add_input(root, 9, name, "1a2c", "ffff", NUMBER_PAD_KEYS)
    found = [device for device in found_devices(root) if device.where == "/dev/input/event9"]
    assert found[0].name == "pad?[2J?[devices.tamper]?backend = 'virtual'"
    profile, notes = profile_of(load_profile("headless"), found)
    assert parse_profile("x", profile_text(profile, notes)).devices["tamper"].options == {
        "key_file": "device-key.json"
    }


def test_a_profile_chooses_what_is_clear_and_names_what_is_not(root: Path) -> None:
    profile, notes = profile_of(load_profile("headless"), found_devices(root))
    assert profile.devices["keypad"].options == {"device": "usb:1a2c:4e24"}
    assert profile.devices["display"].options == {"device": "/dev/fb0", "width": 800, "height": 480}
    assert profile.devices["card_reader"].backend == "virtual"
    assert notes["card_reader"].startswith(
        "several were found, choose one: /dev/hidraw0 or /dev/input/event1"
    )
    assert notes["buzzer"] == "none was found: this one is virtual, nobody can touch or see it"
    assert "clock" not in notes


@pytest.mark.parametrize("name", ["headless", "serial", "serial-loopback", "pi"])
def test_a_profile_s_text_reads_as_the_profile(name: str) -> None:
    profile = load_profile(name)
    again = parse_profile(name, profile_text(profile, {"display": "a note"}))
    assert again == profile


def test_the_list_is_for_people_and_programs(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tools.devices_found.found_devices", lambda: found_devices(root))
    assert exit_code("devices", "list") == 0
    assert "/dev/input/event0  keypad.evdev" in capsys.readouterr().out
    assert exit_code("devices", "list", "--json") == 0
    assert {"where", "kind", "options"} <= json.loads(capsys.readouterr().out)[0].keys()
    monkeypatch.setattr("tools.devices_found.found_devices", list)
    assert exit_code("devices", "list") == 0
    assert "nothing is plugged in" in capsys.readouterr().out


def test_identify_writes_a_profile_that_makes_a_board(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    found = [device for device in found_devices(root) if device.kind == "card_reader"][:1]
    monkeypatch.setattr("tools.devices_found.found_devices", lambda: found)
    output = tmp_path / "till.toml"
    assert exit_code("devices", "identify", "-o", str(output)) == 0
    assert "card_reader: found: MagTek swipe reader, HID" in capsys.readouterr().err
    board = build_board(load_profile(output), state_folder=tmp_path)
    assert type(board.card_reader).__name__ == "HidrawMagstripeReader"


# --- asking and listening ----------------------------------------------------------------------------


class FarEnd:
    """The master of a pseudo-terminal, answering in a thread as a device does."""

    def __init__(self, question: bytes, answer: bytes) -> None:
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        self.port = Found(os.ttyname(self.slave), "serial port")
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._answer, args=(question, answer), daemon=True)
        self._thread.start()

    def _answer(self, question: bytes, answer: bytes) -> None:
        """Answer the question; without one, say it again and again, as a person presses a key."""
        heard = b""
        while len(heard) < len(question):
            heard += os.read(self.master, 100)
        while heard == question and not self._stopped.wait(0.02):
            os.write(self.master, answer)
            if question:
                return

    def close(self) -> None:
        self._stopped.set()
        self._thread.join(10)
        os.close(self.slave)
        os.close(self.master)


@pytest.fixture
def far_ends() -> Iterator[list[FarEnd]]:
    ends: list[FarEnd] = []
    yield ends
    for end in ends:
        end.close()


def test_a_printer_answers(far_ends: list[FarEnd]) -> None:
    far_ends.append(FarEnd(b"\x10\x04\x01", b"\x16"))
    found = ask(far_ends[0].port)
    assert (found.kind, found.backend) == ("printer", "serial")
    assert found.options == {"url": far_ends[0].port.where, "bits_per_s": 9_600}


def test_a_reader_and_a_keypad_tell_by_themselves(far_ends: list[FarEnd]) -> None:
    far_ends += [FarEnd(b"", b"%E?;6225880123456783=3012201?\r"), FarEnd(b"", b"7")]
    found = listen([end.port for end in far_ends], 10.0, tell=lambda _: None)
    assert [device.kind for device in found] == ["card_reader", "keypad"]
    assert not any("6225" in repr(device) for device in found)


def test_identify_asks_and_listens(
    far_ends: list[FarEnd], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    far_ends += [FarEnd(b"\x10\x04\x01", b"\x12"), FarEnd(b"", b"7")]
    monkeypatch.setattr("tools.devices_command._is_serial", lambda _device: True)
    monkeypatch.setattr("tools.devices_found.found_devices", lambda: [end.port for end in far_ends])
    assert exit_code("devices", "identify", "--ask", "--listen", "10") == 0
    out, err = capsys.readouterr()
    profile = parse_profile("till", out)
    assert profile.devices["printer"].options["url"] == far_ends[0].port.where
    assert profile.devices["keypad"].options["url"] == far_ends[1].port.where
    assert "press a key or swipe a card at each device" in err


@pytest.mark.parametrize(
    ("heard", "kind"),
    [
        (b"", ""),
        (b"%E?", "card_reader"),
        (b";123=456?\r", "card_reader"),
        (b"12\r", "keypad"),
        (b"\xff\x00", ""),
    ],
)
def test_guesses(heard: bytes, kind: str) -> None:
    assert guess(heard) == kind


# --- testing -----------------------------------------------------------------------------------------


def test_every_device_of_a_profile_is_tested(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("devices", "test", "--profile", "headless", "--state", str(tmp_path), "--json") == 0
    results = json.loads(capsys.readouterr().out)
    assert all(result["ok"] for result in results)
    assert list(tmp_path.iterdir()) == []  # no key and no memory was made
    arguments = ("--profile", "headless", "--state", str(tmp_path), "--try", "printer", "buzzer")
    assert exit_code("devices", "test", *arguments) == 0
    assert "a line was printed" in capsys.readouterr().out


def test_a_missing_device_ends_in_2_and_the_others_are_tested(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    profile = load_profile("headless").with_device("keypad", "serial", url="/dev/ttyNOTHERE7")
    path = tmp_path / "till.toml"
    path.write_text(profile_text(profile, {}))
    assert exit_code("devices", "test", "--profile", str(path), "--state", str(tmp_path)) == 2
    out = capsys.readouterr().out
    assert "keypad       serial     FAILED" in out
    assert "printer      virtual    ok" in out


def test_a_bell_in_a_display_is_rung_with_its_display_open(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vfd = Vfd()
    with served_on_pty(vfd) as pty:
        profile = load_profile("headless").with_device("display", "vfd", url=pty)
        path = tmp_path / "till.toml"
        path.write_text(profile_text(profile.with_device("buzzer", "in-display"), {}))
        assert exit_code("devices", "test", "--profile", str(path), "--try", "buzzer") == 0
    assert "two short beeps were sounded" in capsys.readouterr().out
    assert vfd.bells == 2


def test_an_unknown_device_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(capsys, "devices", "test", "--profile", "headless", "--try", "keypd")
    assert "did you mean 'keypad'" in line


def test_a_card_is_tried(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reader = ReaderOnPty(SerialCcidReader())
    try:
        reader.insert(FileCard(Atr((InterfaceBytes(tc=1),))))
        path = tmp_path / "till.toml"
        profile = load_profile("headless").with_device("smart_card", "ccid", url=reader.path)
        path.write_text(profile_text(profile, {}))
        arguments = ("--profile", str(path), "--state", str(tmp_path), "--try", "smart_card")
        assert exit_code("devices", "test", *arguments) == 0
        out = capsys.readouterr().out
        assert "T=0, ATR 3B4001; not EMV: TC1: a guard time other than 00 and FF" in out
        reader.work(lambda reader: setattr(reader.faults, "mute", True))
        assert exit_code("devices", "test", *arguments) == 1
        assert "FAILED  mute" in capsys.readouterr().out
    finally:
        reader.close()
