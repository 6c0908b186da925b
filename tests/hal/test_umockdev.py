"""Input devices and raw HID readers as the kernel shows them: ioctls, grabbing and events, faked by umockdev.

The driver runs in a process of its own under umockdev-run, which puts devices into /dev and /sys for that
process alone; what comes of it is printed as JSON.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.hal.fake_input import KEYS_OF_CHARACTERS, ecodes
from tests.hal.test_hidraw_magstripe import report

pytestmark = pytest.mark.skipif(shutil.which("umockdev-run") is None, reason="umockdev is not installed")

TRACK2 = "6225880123456783=30122011234500000"

INPUT_DEVICE = """P: /devices/platform/pos/input/input5/event5
N: input/event5
E: DEVNAME=/dev/input/event5
E: SUBSYSTEM=input
A: dev=13:69
L: device=..

P: /devices/platform/pos/input/input5
E: SUBSYSTEM=input
A: name=POS keypad
A: id/vendor=1209
A: id/product=0001
A: capabilities/key=ffffffffffffffff fffffffffffffffe
"""

HIDRAW_DEVICE = """P: /devices/pci/usb1/1-1/1-1:1.0/0003:0801:0002.0001/hidraw/hidraw3
N: hidraw3
E: DEVNAME=/dev/hidraw3
E: SUBSYSTEM=hidraw
A: dev=241:3
L: device=../../../0003:0801:0002.0001

P: /devices/pci/usb1/1-1/1-1:1.0/0003:0801:0002.0001
E: SUBSYSTEM=hid
E: DRIVER=hid-generic
E: HID_ID=0003:00000801:00000002
E: HID_NAME=Mag-Tek USB Swipe Reader
"""

DRIVE = """
import json, select, sys
from hal.api import Key
from hal.host.clock import SystemClock
from hal.registry import backend_class
kind, backend, device, wanted = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
driver = backend_class(kind, backend)(device, SystemClock())
told = {"events": [], "secure": []}
if kind == "card_reader":  # before it is opened: what is typed may be there at once
    driver.arm()
else:
    driver.begin_secure_entry(lambda key: told["secure"].append(key.value))
driver.open()
told["test"] = driver.self_test().ok
while len(told["events"]) + len(told["secure"]) < wanted:
    ready, _, _ = select.select(driver.filenos(), [], [], 10)
    told["events"] += [repr(event) for event in driver.poll()]
    if not ready:
        break
driver.close()
print(json.dumps(told))
"""


def bits(codes: Iterable[int], size: int) -> str:
    return sum(1 << code for code in codes).to_bytes(size, "little").hex().upper()


def text(value: str) -> str:
    return value.encode().ljust(256, b"\0").hex().upper()


def ioctls() -> str:
    """What the kernel answers about the device, as python-evdev asks it."""
    rows = [
        "@DEV /dev/input/event5",
        "EVIOCGVERSION 0 01000100",
        "EVIOCGID 0 0300091201000001",
        f"EVIOCGNAME(0) 11 {text('POS keypad')}",
        f"EVIOCGPHYS(0) 14 {text('posterm/input0')}",
        f"EVIOCGUNIQ(0) 1 {text('')}",
        f"EVIOCGBIT(0) 8 {bits([0, 1, 4], 4)}",
        f"EVIOCGBIT(1) 96 {bits(range(1, 128), 96)}",
        f"EVIOCGBIT(4) 8 {bits([4], 96)}",
        "EVIOCGPROP(0) 8 00000000",
        "EVIOCGEFFECTS 0 00000000",
    ]
    return "\n".join(rows) + "\n"


def events(strokes: Iterable[tuple[str, bool]]) -> str:
    """Keys by name, each with or without shift, 4 ms apart."""
    lines, at_s = [], 0.1
    for name, shifted in strokes:
        codes = [(ecodes.ecodes[f"KEY_{name}"], 1), (ecodes.ecodes[f"KEY_{name}"], 0)]
        if shifted:
            codes = [(ecodes.KEY_LEFTSHIFT, 1), *codes, (ecodes.KEY_LEFTSHIFT, 0)]
        for code, value in codes:
            lines.append(f"E: {at_s:.6f} 0001 {code:04x} {value:04d}")
            lines.append(f"E: {at_s:.6f} 0000 0000 0000")
            at_s += 0.002
    return "\n".join(lines) + "\n"


def driven(folder: Path, options: list[str], *arguments: str) -> dict[str, object]:
    command = ["umockdev-run", *options, "--", sys.executable, "-W", "error", "-c", DRIVE, *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, cwd=Path(__file__).parents[2]
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, object] = json.loads(done.stdout)
    assert told["test"]
    return told


def input_options(folder: Path, strokes: Iterable[tuple[str, bool]]) -> list[str]:
    for name, content in (("umockdev", INPUT_DEVICE), ("ioctl", ioctls()), ("events", events(strokes))):
        (folder / f"device.{name}").write_text(content)
    return [
        *("--device", str(folder / "device.umockdev")),
        *("--ioctl", f"/dev/input/event5={folder / 'device.ioctl'}"),
        *("--evemu-events", f"/dev/input/event5={folder / 'device.events'}"),
    ]


@pytest.mark.parametrize("name", ["/dev/input/event5", "usb:1209:0001"])
def test_a_keypad_is_grabbed_and_its_digits_go_into_the_sink(tmp_path: Path, name: str) -> None:
    strokes = [(key, False) for key in ("KP1", "KP9", "4", "KPENTER")]
    told = driven(tmp_path, input_options(tmp_path, strokes), "keypad", "evdev", name, "4")
    assert told["secure"] == ["1", "9", "4", "enter"]
    assert told["events"] == []


def test_a_wedge_reader_types_a_card(tmp_path: Path) -> None:
    strokes = [KEYS_OF_CHARACTERS[character] for character in f";{TRACK2}?\r"]
    options = input_options(tmp_path, strokes)
    told = driven(tmp_path, options, "card_reader", "evdev", "/dev/input/event5", "1")
    assert "Track2(622588******6783=" in str(told["events"])


def test_a_raw_reader_sends_its_reports(tmp_path: Path) -> None:
    (tmp_path / "device.umockdev").write_text(HIDRAW_DEVICE)
    encoded = "".join(
        f"^{chr(byte + 64)}" if byte < 32 else "^`" if byte == 94 else chr(byte)
        for byte in report("", f";{TRACK2}?")
    )
    (tmp_path / "reader.script").write_text(f"d 0 /dev/hidraw3\nr 100 {encoded}\n")
    options = [
        *("--device", str(tmp_path / "device.umockdev")),
        *("--script", f"/dev/hidraw3={tmp_path / 'reader.script'}"),
    ]
    told = driven(tmp_path, options, "card_reader", "hidraw", "usb:0801:0002", "1")
    assert "Track2(622588******6783=" in str(told["events"])
