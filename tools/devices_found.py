"""What is plugged into this machine, and which backend would drive it: read from sysfs, without any library.

Nothing is opened and nothing is written: looking disturbs no device and needs no permission. What cannot be
known by looking (what hangs behind a serial adapter) is said to be unknown; `tools.devices_asked` asks.
"""

from __future__ import annotations

import contextlib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path

from hal.pi.hidraw_magstripe import hidraw_devices
from hal.serial.opening import ports_of_this_machine

_EV_KEY_BITS = "capabilities/key"
_KEYPAD_KEYS = frozenset(range(71, 84)) - {74, 78}  # KEY_KP7 to KEY_KPDOT, without - and +
_LETTER_KEYS = frozenset(range(16, 26))  # KEY_Q to KEY_P
_READER_WORDS = ("mag", "swipe", "card", "msr", "reader", "idtech", "rfid")


@dataclass(frozen=True, slots=True)
class Found:
    """A device: where it is, what it seems to be, and how a profile would choose it (`kind` "": unknown)."""

    where: str
    name: str
    identity: str = ""  # usb:VENDOR:PRODUCT[:SERIAL]
    kind: str = ""
    backend: str = ""
    options: Mapping[str, object] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """The same for programs."""
        return {
            "where": self.where,
            "name": self.name,
            "identity": self.identity,
            "kind": self.kind,
            "backend": self.backend,
            "options": dict(self.options),
        }


@cache
def known_devices() -> Mapping[str, Mapping[str, str]]:
    """`known_devices.toml`: VENDOR:PRODUCT -> name, kind and backend."""
    return tomllib.loads((resources.files("tools") / "known_devices.toml").read_text("utf-8"))


def found_devices(root: Path = Path("/")) -> list[Found]:
    """Everything that a terminal could use. `root`: of the file system that is looked into."""
    found = [
        *_serial_ports(),
        *_input_devices(root),
        *_hidraw(root),
        *_usb_printers(root),
        *_boards_own(root),
    ]
    return sorted(found, key=lambda device: device.where)


def _serial_ports() -> Iterator[Found]:
    for port in ports_of_this_machine():
        known = known_devices().get(_vendor_product(port.identity), {})
        yield Found(port.path, known.get("name") or _shown(port.description) or "serial port", port.identity)


def _input_devices(root: Path) -> Iterator[Found]:
    for folder in sorted((root / "sys/class/input").glob("event*")):
        with contextlib.suppress(OSError):
            name = _shown((folder / "device/name").read_text("utf-8", "replace"))
            ids = [(folder / "device/id" / part).read_text().strip() for part in ("vendor", "product")]
            keys = _bits((folder / "device" / _EV_KEY_BITS).read_text())
            identity = f"usb:{ids[0]}:{ids[1]}"
            kind = _kind_of_input(identity, name, keys)
            options = {"device": identity} if kind else {}
            yield Found(f"/dev/input/{folder.name}", name, identity, kind, "evdev" if kind else "", options)


def _kind_of_input(identity: str, name: str, keys: frozenset[int]) -> str:
    known = known_devices().get(_vendor_product(identity))
    if known is not None and known["backend"] == "evdev":
        return known["kind"]
    if not keys >= _KEYPAD_KEYS:
        return ""
    if any(word in name.lower() for word in _READER_WORDS):
        return "card_reader"
    return "keypad" if not keys & _LETTER_KEYS else ""


def _hidraw(root: Path) -> Iterator[Found]:
    for device in hidraw_devices(root / "sys/class/hidraw"):
        known = known_devices().get(_vendor_product(device.identity), {})
        is_reader = known.get("backend") == "hidraw"
        yield Found(
            device.path,
            known["name"] if is_reader else _shown(device.description),
            device.identity,
            "card_reader" if is_reader else "",
            "hidraw" if is_reader else "",
            {"device": device.identity} if is_reader else {},
        )


def _usb_printers(root: Path) -> Iterator[Found]:
    """Printers that the kernel's usblp has; the same device is also reached by its USB identity."""
    for folder in sorted((root / "sys/class/usbmisc").glob("lp*")):
        with contextlib.suppress(OSError):
            usb = (folder / "device").resolve().parent
            ids = [(usb / name).read_text().strip() for name in ("idVendor", "idProduct")]
            identity = f"usb:{ids[0]}:{ids[1]}"
            known = known_devices().get(_vendor_product(identity), {})
            product = usb / "product"
            own_name = _shown(product.read_text("utf-8", "replace")) if product.exists() else "USB printer"
            name = known.get("name") or own_name
            where = f"/dev/usb/{folder.name}"
            yield Found(where, name, identity, "printer", "lp", {"path": where})


def _boards_own(root: Path) -> Iterator[Found]:
    """Buses, pins and screens: what hangs there cannot be seen."""
    for pattern, name in (
        ("i2c-*", "I2C bus: an OLED or a character LCD may be on it (i2cdetect)"),
        ("spidev*", "SPI bus: an LCD may be on it"),
        ("gpiochip*", "GPIO pins: buzzer, lights, tamper switch"),
    ):
        for device in sorted((root / "dev").glob(pattern)):
            yield Found(f"/dev/{device.name}", name)
    for folder in sorted((root / "sys/class/graphics").glob("fb*")):
        with contextlib.suppress(OSError, ValueError):
            width, height = map(int, (folder / "virtual_size").read_text().split(","))
            options = {"device": f"/dev/{folder.name}", "width": width, "height": height}
            name = f"screen of {width} by {height} dots"
            yield Found(f"/dev/{folder.name}", name, "", "display", "framebuffer", options)


def _shown(text: str) -> str:
    """A name that a device gives itself, fit for a terminal and for a comment: one line, nothing to obey."""
    return "".join(character if character.isprintable() else "?" for character in text.strip())


def _vendor_product(identity: str) -> str:
    return ":".join(identity.removeprefix("usb:").split(":")[:2])


def _bits(text: str) -> frozenset[int]:
    """A capability bitmap of sysfs: words in hexadecimal, the lowest last."""
    bits = 0
    for word in text.split():
        bits = bits << 64 | int(word, 16)
    return frozenset(number for number in range(bits.bit_length()) if bits >> number & 1)
