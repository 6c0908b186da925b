"""The raw HID reader: reports as MagTek's manual draws them, on a socket in place of /dev/hidraw0."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.api import CardRead, CardReadFailed, DeviceMissing, ReadFailure, TrackData
from hal.pi import hidraw_magstripe
from hal.pi.hidraw_magstripe import HidrawMagstripeReader, hidraw_devices, tracks_of
from hal.virtual.clock import VirtualClock
from wire.track import Track1, Track2

TRACK1 = "B6225880123456783^LI/MEI^30122010000000000000000123000000"
TRACK2 = "6225880123456783=30122011234500000"
READ = CardRead(TrackData(Track1.parse(TRACK1), Track2.parse(TRACK2)))


def report(*tracks: str, errors: tuple[int, ...] = (), field_bytes: int = 110, rest: bytes = b"") -> bytes:
    """Decode status 0 to 2, data length 3 to 5, card encode type 6, then a padded field for each track."""
    padded = (*tracks, "", "", "")[:3]
    status = bytes(int(number in errors) for number in (1, 2, 3))
    fields = b"".join(track.encode().ljust(field_bytes, b"\0") for track in padded)
    return status + bytes(map(len, padded)) + b"\0" + fields + rest


GOOD = report(f"%{TRACK1}?", f";{TRACK2}?")


def test_the_report_s_size_is_the_manual_s() -> None:
    assert len(GOOD) == 337


@pytest.mark.parametrize(
    ("data", "tracks"),
    [
        (GOOD, {1: TRACK1, 2: TRACK2}),
        (report(f"%{TRACK1}?", f";{TRACK2}?", field_bytes=112, rest=bytes(100)), {1: TRACK1, 2: TRACK2}),
        (report("", f";{TRACK2}?", errors=(1,)), {1: ReadFailure.UNREADABLE, 2: TRACK2}),
        (report(errors=(1, 2, 3)), dict.fromkeys((1, 2, 3), ReadFailure.UNREADABLE)),
        (report(), {}),
        (b"", {}),
        (GOOD[:300], {}),
    ],
)
def test_reports(data: bytes, tracks: dict[int, object]) -> None:
    assert tracks_of(data) == tracks


@given(st.binary(max_size=600))
def test_any_report_gives_tracks_or_none(data: bytes) -> None:
    assert set(tracks_of(data)) <= {1, 2, 3}


class FakeHidraw:
    def __init__(self) -> None:
        self.is_plugged = True
        self.far: socket.socket | None = None

    def opened(self, name: str) -> int:
        if not self.is_plugged:
            raise DeviceMissing(f"card reader {name}: it is not there")
        self.far, near = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        near.setblocking(False)
        return near.detach()

    def swipe(self, data: bytes) -> None:
        assert self.far is not None
        self.far.send(data)

    def close(self) -> None:
        if self.far is not None:
            self.far.close()

    def unplug(self) -> None:
        assert self.far is not None
        self.is_plugged = False
        self.far.close()


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHidraw]:
    fake = FakeHidraw()
    monkeypatch.setattr(hidraw_magstripe, "_opened", fake.opened)
    yield fake
    fake.close()


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def reader(fake: FakeHidraw, clock: VirtualClock) -> Iterator[HidrawMagstripeReader]:
    reader = HidrawMagstripeReader("usb:0801:0002", clock)
    reader.open()
    reader.arm()
    yield reader
    reader.close()


def test_each_report_is_a_swipe(reader: HidrawMagstripeReader, fake: FakeHidraw) -> None:
    fake.swipe(report(errors=(2,)))
    fake.swipe(GOOD)
    assert list(reader.poll()) == [CardReadFailed(ReadFailure.UNREADABLE), READ]


def test_a_pulled_reader_is_looked_for_and_found(
    reader: HidrawMagstripeReader, fake: FakeHidraw, clock: VirtualClock
) -> None:
    fake.unplug()
    assert list(reader.poll()) == []
    assert not reader.self_test().ok
    clock.advance(1_000)
    assert list(reader.poll()) == []
    assert reader.deadline_ms() == 2_000
    fake.is_plugged = True
    clock.advance(1_000)
    reader.poll()
    assert (reader.self_test().ok, reader.deadline_ms()) == (True, None)
    fake.swipe(GOOD)
    assert list(reader.poll()) == [READ]


def test_devices_are_found_by_their_identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "hidraw3" / "device"
    folder.mkdir(parents=True)
    (folder / "uevent").write_text(
        "DRIVER=hid-generic\nHID_ID=0003:00000801:00000002\nHID_NAME=Mag-Tek USB Swipe\n"
    )
    (tmp_path / "hidraw4").mkdir()
    (found,) = hidraw_devices(tmp_path)
    assert (found.path, found.identity, found.description) == (
        "/dev/hidraw3",
        "usb:0801:0002",
        "Mag-Tek USB Swipe",
    )
    monkeypatch.setattr(hidraw_magstripe, "hidraw_devices", lambda: [found])
    with pytest.raises(DeviceMissing, match=r"no such raw HID device: plug it in \(there is /dev/hidraw3"):
        HidrawMagstripeReader("usb:0acd:0500", VirtualClock()).open()
    with pytest.raises(DeviceMissing, match="it is not there"):
        HidrawMagstripeReader("/dev/hidraw99", VirtualClock()).open()


def test_no_permission_names_the_udev_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(DeviceMissing, match=r"udev rule of docs/raspberry-pi\.md"):
        HidrawMagstripeReader("/dev/hidraw0", VirtualClock()).open()
