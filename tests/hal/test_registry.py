"""From profile to board: what is made, what it is given, and what a mistake is answered with."""

import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Literal

import pytest

from hal import registry
from hal.api import Clock, DeviceMissing, Rng
from hal.device import QuietDevice
from hal.profile import Profile, ProfileError, load_profile, shipped_profiles
from hal.registry import BACKENDS, KINDS, backend_class, build_board, build_device, known_backends
from hal.virtual.clock import VirtualClock
from hal.virtual.keypad import VirtualKeypad
from hal.virtual.rng import SeededRng
from hal.virtual.storage import MemoryStorage, SqliteStorage
from hal.virtual.tamper import VirtualTamper

VIRTUAL = load_profile("virtual")


def test_every_kind_has_a_virtual_backend() -> None:
    assert [kind for kind in KINDS if (kind, "virtual") not in BACKENDS] == []
    assert {kind for kind, _ in BACKENDS} == set(KINDS)


@pytest.mark.parametrize("name", shipped_profiles())
def test_a_shipped_profile_becomes_a_board(name: str, tmp_path: Path) -> None:
    profile = load_profile(name)
    board = build_board(profile, state_folder=tmp_path)
    for kind, device in board.devices():
        assert type(device) is backend_class(kind, profile.devices[kind].backend)
    assert list(tmp_path.iterdir()) == []  # making devices opens nothing


def test_a_board_without_hardware_opens_works_and_closes(tmp_path: Path) -> None:
    board = build_board(load_profile("headless"), state_folder=tmp_path)
    board.open()
    assert [kind for kind, device in board.devices() if not device.self_test().ok] == []
    assert board.poll() == []
    board.close()
    assert {file.name for file in tmp_path.iterdir()} == {"terminal.db", "device-key.json"}


def test_devices_share_the_clock_of_the_board() -> None:
    board = build_board(VIRTUAL)
    board.open()
    assert isinstance(board.clock, VirtualClock)
    assert isinstance(board.keypad, VirtualKeypad)
    board.keypad.hold("5")
    board.clock.advance(10_000)
    assert len(board.poll()) == 2  # pressed, and stuck by the same clock


def test_ready_made_devices_replace_the_profiles() -> None:
    clock, storage = VirtualClock(), MemoryStorage()
    board = build_board(VIRTUAL, devices={"clock": clock, "storage": storage})
    assert board.clock is clock
    assert board.storage is storage
    assert isinstance(board.keypad, VirtualKeypad)
    board.keypad.open()
    board.keypad.hold("5")
    assert board.keypad.deadline_ms() == 10_000
    clock.advance(1)
    assert board.keypad.deadline_ms() == 10_000


def test_options_reach_the_device() -> None:
    profile = VIRTUAL.with_options("rng", seed=42).with_options("keypad", layout="compact")
    board = build_board(profile)
    assert board.rng.token(8) == SeededRng(seed=42).token(8)
    assert isinstance(board.keypad, VirtualKeypad)
    assert len(board.keypad.layout) == 4


def test_relative_paths_begin_in_the_state_folder(tmp_path: Path) -> None:
    profile = VIRTUAL.with_device("tamper", "virtual", key_file="keys/device.json")
    with pytest.raises(ProfileError, match=r"devices.tamper.key_file: .*state folder"):
        build_board(profile)
    (tmp_path / "keys").mkdir()
    tamper = build_device(profile, "tamper", state_folder=tmp_path)
    assert isinstance(tamper, VirtualTamper)
    tamper.open()
    assert (tmp_path / "keys" / "device.json").exists()


def test_absolute_paths_and_memory_need_no_state_folder(tmp_path: Path) -> None:
    for path in (str(tmp_path / "x.db"), ":memory:"):
        storage = build_device(VIRTUAL.with_device("storage", "sqlite", path=path), "storage")
        assert isinstance(storage, SqliteStorage)
        storage.open()
        storage.close()
    assert [file.name for file in tmp_path.iterdir()] == ["x.db"]


def test_one_device_can_be_made_alone() -> None:
    assert isinstance(build_device(VIRTUAL, "keypad"), VirtualKeypad)
    with pytest.raises(ProfileError, match=r"no device is called 'keypd' \(did you mean 'keypad'\?\)"):
        build_device(VIRTUAL, "keypd")


# --- mistakes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_must_be_chosen(kind: str) -> None:
    without = Profile("mine", {name: choice for name, choice in VIRTUAL.devices.items() if name != kind})
    with pytest.raises(ProfileError, match=rf"must choose a backend for '{kind}'.*one of .*virtual"):
        build_board(without)


@pytest.mark.parametrize(
    ("profile", "message"),
    [
        (VIRTUAL.with_device("scale", "virtual"), "no device is called 'scale'"),
        (VIRTUAL.with_device("printr", "virtual"), r"'printr' \(did you mean 'printer'\?\)"),
        (VIRTUAL.with_device("clock", "vitual"), r"no backend 'vitual' \(did you mean 'virtual'\?\)"),
        (VIRTUAL.with_device("clock", "atomic"), r"no backend 'atomic' \(known: host, virtual\)"),
        (VIRTUAL.with_options("rng", sed=1), r"no option 'sed' \(did you mean 'seed'\?\)"),
        (VIRTUAL.with_options("leds", clock=1), "no option 'clock'"),
        (VIRTUAL.with_options("rng", seed="1"), r"devices.rng.seed: '1' does not fit, it must be int"),
        (VIRTUAL.with_options("rng", seed=True), "seed: True does not fit, it must be int"),
        (VIRTUAL.with_options("keypad", layout="wide"), "it must be 'full' or 'compact'"),
        (VIRTUAL.with_options("tamper", device_key="00"), "cannot be set in a profile"),
        (VIRTUAL.with_device("serial_port", "serial"), "backend 'serial' needs the option 'url'"),
        (VIRTUAL.with_device("serial_port", "serial", url="x", bits_per_s=-1), "line rate is positive"),
    ],
)
def test_a_mistake_is_named(profile: Profile, message: str) -> None:
    with pytest.raises(ProfileError, match=message) as caught:
        build_board(profile)
    assert "\n" not in str(caught.value)


def test_choosing_virtual_imports_no_vendor_library() -> None:
    program = (
        "import sys; from hal.profile import load_profile; from hal.registry import build_board\n"
        "build_board(load_profile('virtual'))\n"
        "print([name for name in ('hal.serial.port', 'serial', 'PIL', 'segno') if name in sys.modules])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, check=True, capture_output=True, text=True
    )
    assert done.stdout == "[]\n"


# --- third parties -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Made:
    arguments: dict[str, object]


class AcmeReader(QuietDevice):
    """Takes everything that a constructor may ask for."""

    def __init__(
        self,
        port: Path,
        rng: Rng,
        *,
        clock: Clock,
        speed: float = 1.0,
        mode: Literal["swipe", "dip", 3] = "swipe",
        since: datetime | None = None,
    ) -> None:
        super().__init__()
        self.made = _Made({"port": port, "speed": speed, "mode": mode, "since": since})
        self.clock, self.rng = clock, rng


class CircleClock(QuietDevice):
    """Needs the rng, which needs the clock."""

    def __init__(self, rng: Rng) -> None:
        super().__init__()
        self.rng = rng


class CircleRng(QuietDevice):
    """Needs the clock, which needs the rng."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Entry points as an installed package of a third party would have them."""
    points = {
        "card_reader.acme": f"{__name__}:AcmeReader",
        "clock.circle": f"{__name__}:CircleClock",
        "rng.circle": f"{__name__}:CircleRng",
        "printer.broken": "acme_no_such_module:Printer",
        "printer.absent": f"{__name__}:NoSuchClass",
        "printer.value": f"{__name__}:VIRTUAL",
        "clock.virtual": f"{__name__}:CircleClock",  # ours cannot be replaced in silence
    }
    found = metadata.EntryPoints(
        metadata.EntryPoint(name, value, registry.ENTRY_POINT_GROUP) for name, value in points.items()
    )
    monkeypatch.setattr(metadata, "entry_points", lambda *, group: found.select(group=group))


@pytest.mark.usefixtures("installed")
def test_an_installed_backend_is_known_and_given_what_it_asks_for(tmp_path: Path) -> None:
    assert {"acme", "virtual"} < set(known_backends("card_reader"))
    since = datetime.fromisoformat("2030-01-01 00:00:00")
    profile = VIRTUAL.with_device("card_reader", "acme", port="/dev/x", speed=2, mode=3, since=since)
    board = build_board(profile, state_folder=tmp_path)
    reader = board.card_reader
    assert isinstance(reader, AcmeReader)
    assert reader.made == _Made({"port": Path("/dev/x"), "speed": 2.0, "mode": 3, "since": since})
    assert reader.clock is board.clock
    assert reader.rng is board.rng


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    "options", [{"mode": "tap"}, {"mode": 3.0}, {"since": "now"}, {"speed": "2"}, {"port": 1}]
)
def test_an_installed_backend_is_given_nothing_of_the_wrong_type(options: dict[str, object]) -> None:
    with pytest.raises(ProfileError, match="does not fit, it must be"):
        build_board(VIRTUAL.with_device("card_reader", "acme", **{"port": "/dev/x", **options}))


@pytest.mark.usefixtures("installed")
def test_a_circle_of_devices_is_named() -> None:
    with pytest.raises(ProfileError, match="circle: clock -> rng -> clock"):
        build_board(VIRTUAL.with_device("clock", "circle").with_device("rng", "circle"))


@pytest.mark.usefixtures("installed")
def test_our_names_cannot_be_taken_over() -> None:
    assert backend_class("clock", "virtual") is VirtualClock


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("backend", "message"),
    [
        ("broken", r"needs the Python module 'acme_no_such_module': install it"),
        ("absent", r"has no NoSuchClass"),
        ("value", r"is not a class"),
    ],
)
def test_a_backend_that_cannot_be_imported_is_missing(backend: str, message: str) -> None:
    with pytest.raises(DeviceMissing, match=message):
        backend_class("printer", backend)
