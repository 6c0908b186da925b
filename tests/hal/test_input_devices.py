"""USB keypads and keyboard-wedge readers: what they type, how they bounce, vanish and come back."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hal.api import CardRead, CardReadFailed, DeviceMissing, Key, KeyPressed, ReadFailure, TrackData
from hal.virtual.clock import VirtualClock
from tests.hal.fake_input import FakeInput, ecodes
from wire.track import Track1, Track2

drivers = pytest.importorskip("hal.pi.input_devices")

TRACK1 = "B6225880123456783^LI/MEI^30122010000000000000000123000000"
TRACK2 = "6225880123456783=30122011234500000"
READ = CardRead(TrackData(Track1.parse(TRACK1), Track2.parse(TRACK2)))


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeInput:
    fake = FakeInput()
    monkeypatch.setattr(drivers, "_grabbed", fake.grabbed)
    return fake


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def keypad(fake: FakeInput, clock: VirtualClock) -> Iterator[Any]:
    keypad = drivers.EvdevKeypad("/dev/input/event5", clock)
    keypad.open()
    yield keypad
    keypad.close()


def test_number_block_and_main_keys(keypad: Any, fake: FakeInput) -> None:
    fake.strike("KP1", "2", "KP0", "KP0", "KPDOT", "BACKSPACE", "KPMINUS", "ESC", "KPENTER", "F1", "UP", "A")
    names = ["1", "2", "0", "0", ".", "clear", "cancel", "cancel", "enter", "f1", "up"]
    assert list(keypad.poll()) == [KeyPressed(Key(name)) for name in names]


def test_the_kernel_s_repeat_is_ignored_and_ours_is_the_same_as_everywhere(
    keypad: Any, fake: FakeInput, clock: VirtualClock
) -> None:
    fake.send(ecodes.KEY_BACKSPACE, 1)
    for _ in range(20):
        fake.send(ecodes.KEY_BACKSPACE, 2)
    assert list(keypad.poll()) == [KeyPressed(Key.CLEAR)]
    assert keypad.deadline_ms() == 500
    clock.advance(600)
    assert list(keypad.poll()) == [KeyPressed(Key.CLEAR)] * 2
    fake.send(ecodes.KEY_BACKSPACE, 0)
    assert list(keypad.poll()) == []
    assert keypad.deadline_ms() is None


def test_the_kernel_s_times_tell_a_bounce_from_a_digit_typed_twice(keypad: Any, fake: FakeInput) -> None:
    """All is read at once, and late: only the times of the events tell."""
    for at_s, value in ((1.000, 1), (1.004, 0), (1.008, 1), (1.060, 0), (1.200, 1), (1.260, 0)):
        fake.seconds = at_s
        fake.send(ecodes.KEY_KP7, value)
    assert list(keypad.poll()) == [KeyPressed(Key.DIGIT_7)] * 2


def test_a_pulled_keypad_is_looked_for_and_found(keypad: Any, fake: FakeInput, clock: VirtualClock) -> None:
    fake.send(ecodes.KEY_DOWN, 1)
    assert list(keypad.poll()) == [KeyPressed(Key.DOWN)]
    fake.unplug()
    clock.advance(100)
    assert list(keypad.poll()) == []
    assert not keypad.self_test().ok
    assert list(keypad.filenos()) == []
    clock.advance(20_000)
    assert list(keypad.poll()) == []  # neither repeats nor stuck: nobody holds it
    fake.plug()
    due_ms = keypad.deadline_ms()
    assert due_ms is not None
    clock.advance_to(due_ms)
    keypad.poll()
    assert keypad.self_test().ok
    fake.strike("KP5")
    assert list(keypad.poll()) == [KeyPressed(Key.DIGIT_5)]


def test_keys_on_their_way_belong_to_the_mode_in_which_they_were_typed(keypad: Any, fake: FakeInput) -> None:
    sink: list[Key] = []
    fake.strike("KP1")
    keypad.begin_secure_entry(sink.append)
    fake.strike("KP2")
    assert list(keypad.poll()) == []
    fake.strike("KP3")
    keypad.end_secure_entry()
    assert (list(keypad.poll()), sink) == ([], [Key.DIGIT_2])


# --- the wedge reader --------------------------------------------------------------------------------


@pytest.fixture
def reader(fake: FakeInput, clock: VirtualClock) -> Iterator[Any]:
    reader = drivers.EvdevMagstripeReader("usb:0801:0001", clock)
    reader.open()
    reader.arm()
    yield reader
    reader.close()


def test_a_card_that_is_typed_is_read(reader: Any, fake: FakeInput) -> None:
    fake.type_text(f"%{TRACK1}?;{TRACK2}?\r%E?;E?\r")
    assert list(reader.poll()) == [READ, CardReadFailed(ReadFailure.UNREADABLE)]
    assert not reader.card_present


def test_a_reader_pulled_in_a_swipe_has_read_nothing(
    reader: Any, fake: FakeInput, clock: VirtualClock
) -> None:
    fake.type_text(f"%{TRACK1[:30]}")
    assert list(reader.poll()) == []
    fake.unplug()
    clock.advance(50)
    assert list(reader.poll()) == []
    fake.plug()
    clock.advance(2_000)
    assert list(reader.poll()) == []
    fake.type_text(f"%{TRACK1}?;{TRACK2}?\r")
    assert list(reader.poll()) == [READ]


# --- finding it --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("/dev/input/by-id/usb-none-event-kbd", r"it is not there: plug it in \(posterm devices list"),
        ("usb:zz:1", r"write it as usb:VENDOR:PRODUCT"),
        ("usb:dead:beef", r"no such device: plug it in"),
    ],
)
def test_says_in_one_line_what_is_missing(name: str, message: str, clock: VirtualClock) -> None:
    with pytest.raises(DeviceMissing, match=message) as caught:
        drivers.EvdevKeypad(name, clock).open()
    assert "\n" not in str(caught.value)


def test_the_node_that_types_is_taken_and_not_the_one_for_volume(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {"/dev/input/event4": [ecodes.KEY_VOLUMEUP], "/dev/input/event5": [ecodes.KEY_KP1]}

    def opened(path: str) -> SimpleNamespace:
        if path not in keys:
            raise PermissionError(13, "Permission denied")
        return SimpleNamespace(
            info=SimpleNamespace(vendor=0x1A2C, product=0x4E24),
            capabilities=lambda: {ecodes.EV_KEY: keys[path]},
            close=lambda: None,
        )

    monkeypatch.setattr(drivers.evdev, "list_devices", lambda: ["/dev/input/event3", *keys])
    monkeypatch.setattr(drivers.evdev, "InputDevice", opened)
    assert drivers._path_of("usb:1a2c:4e24") == "/dev/input/event5"


def test_a_file_that_is_no_input_device_is_refused(tmp_path: Path, clock: VirtualClock) -> None:
    path = tmp_path / "event5"
    path.write_bytes(b"")
    with pytest.raises(DeviceMissing, match="input device"):
        drivers.EvdevMagstripeReader(str(path), clock).open()
