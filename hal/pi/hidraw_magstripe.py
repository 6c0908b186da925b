"""A magnetic-stripe reader with a USB HID interface of its own (not a keyboard): one report a swipe.

The report is that of MagTek's USB HID swipe and insertion readers (USB HID Swipe Reader, Technical
Reference Manual, section 4, "Card data"), which other makers follow: three bytes of decode status, three
lengths, the encoding, then a field for each track. Linux passes reports on as they are (`/dev/hidraw*`): no
library is needed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hal.api import CardRemoved, Clock, DeviceEvent, DeviceMissing, ReadFailure, SelfTest
from hal.cores.swipe import outcome
from hal.device import QuietDevice, is_readable

SYSFS = Path("/sys/class/hidraw")
_STATUS, _LENGTH, _DATA = 0, 3, 7
_TRACK_BYTES, _LONG_TRACK_BYTES = 110, 112  # a field's size; the longer one in readers that also encrypt
_SHORT_REPORT_BYTES = _DATA + 3 * _TRACK_BYTES
_LONG_REPORT_BYTES = _DATA + 3 * _LONG_TRACK_BYTES
_READ_BYTES_MAX = 4096
_LOOK_AGAIN_MS = 1_000
_HID_ID = re.compile(r"^HID_ID=[0-9A-F]+:0*([0-9A-F]{4}):0*([0-9A-F]{4})$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class HidrawDevice:
    """A raw HID device of this machine. `identity`: usb:VENDOR:PRODUCT."""

    path: str
    identity: str
    description: str


def hidraw_devices(sysfs: Path = SYSFS) -> list[HidrawDevice]:
    """The raw HID devices that are there now, by path."""
    found = []
    for folder in sorted(sysfs.glob("hidraw*")):
        with contextlib.suppress(OSError):
            uevent = (folder / "device" / "uevent").read_text("utf-8", "replace")
            name = re.search(r"^HID_NAME=(.*)$", uevent, re.MULTILINE)
            identity = _HID_ID.search(uevent)
            if identity is not None:
                usb = f"usb:{identity[1]}:{identity[2]}".lower()
                found.append(HidrawDevice(f"/dev/{folder.name}", usb, name[1] if name else ""))
    return found


def tracks_of(report: bytes) -> dict[int, str | ReadFailure]:
    """The tracks of one report, by number. A track without data is left out.

    Anything that is too short to be a report has no tracks.
    """
    track_bytes = _LONG_TRACK_BYTES if len(report) >= _LONG_REPORT_BYTES else _TRACK_BYTES
    if len(report) < _SHORT_REPORT_BYTES:
        return {}
    tracks: dict[int, str | ReadFailure] = {}
    for index in range(3):
        start = _DATA + index * track_bytes
        length = min(report[_LENGTH + index], track_bytes)
        if report[_STATUS + index] & 1:
            tracks[index + 1] = ReadFailure.UNREADABLE
        elif length:
            text = report[start : start + length].decode("latin-1")
            tracks[index + 1] = text[1:].partition("?")[0]  # without its sentinels
    return tracks


class HidrawMagstripeReader(QuietDevice):
    """hal.api.CardReader on `/dev/hidrawN`, or on `usb:VENDOR:PRODUCT` wherever it is. Swipes only."""

    def __init__(self, device: str, clock: Clock) -> None:
        super().__init__()
        self._name = device
        self._clock = clock
        self._fileno: int | None = None
        self._armed = False
        self._events: list[DeviceEvent] = []
        self._look_at_ms: int | None = None

    def open(self) -> None:
        """Take the reader. Raises DeviceMissing."""
        if not self.is_open:
            self._fileno = _opened(self._name)
            super().open()

    def close(self) -> None:
        """Disarm, forget everything, and give the reader back."""
        self._release()
        self._armed, self._look_at_ms = False, None
        self._events.clear()
        super().close()

    def self_test(self) -> SelfTest:
        """Report whether the reader is there."""
        there = self._fileno is not None
        return SelfTest(ok=there, detail="" if there else f"card reader {self._name} is not there")

    def arm(self) -> None:
        """From now on a card makes events; what was swiped before makes none."""
        self._forget()
        self._armed = True

    def disarm(self) -> None:
        """From now on none does, and what was read but not polled is forgotten."""
        self._forget()
        self._armed = False

    @property
    def card_present(self) -> bool:
        """Never: what such a reader says about its slot is not used."""
        return False

    def poll(self) -> Sequence[DeviceEvent]:
        """Return what was swiped since the last call; look for the reader again when it is due."""
        if self._look_at_ms is not None and self._clock.monotonic_ms() >= self._look_at_ms:
            self._look_again()
        self._listen()
        events, self._events = self._events, []
        return events

    def deadline_ms(self) -> int | None:
        """When to look for a vanished reader."""
        return self._look_at_ms

    def filenos(self) -> Sequence[int]:
        """The reader's descriptor."""
        return () if self._fileno is None else (self._fileno,)

    def _listen(self) -> None:
        while self._fileno is not None and is_readable(self._fileno):
            try:
                report = os.read(self._fileno, _READ_BYTES_MAX)
            except BlockingIOError:
                return
            except OSError:
                report = b""
            if not report:
                self._release()
                self._look_at_ms = self._clock.monotonic_ms() + _LOOK_AGAIN_MS
            elif self._armed:
                self._events.append(outcome(tracks_of(report), held=False))

    def _forget(self) -> None:
        self._listen()
        self._events = [event for event in self._events if isinstance(event, CardRemoved)]

    def _look_again(self) -> None:
        try:
            self._fileno, self._look_at_ms = _opened(self._name), None
        except DeviceMissing:
            self._look_at_ms = self._clock.monotonic_ms() + _LOOK_AGAIN_MS

    def _release(self) -> None:
        fileno, self._fileno = self._fileno, None
        if fileno is not None:
            os.close(fileno)


def _opened(name: str) -> int:
    path = name
    if name.startswith("usb:"):
        known = hidraw_devices()
        path = next((device.path for device in known if device.identity == name.lower()), "")
        if not path:
            there = ", ".join(f"{device.path} ({device.identity})" for device in known) or "none at all"
            raise DeviceMissing(f"card reader {name}: no such raw HID device: plug it in (there is {there})")
    try:
        return os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in {errno.EACCES, errno.EPERM}:
            advice = "no permission: install the udev rule of docs/raspberry-pi.md"
        else:
            advice = "it is not there: plug it in (posterm devices list shows what is)"
        raise DeviceMissing(f"card reader {name}: {advice}") from None
