"""What every device of every backend can do (hal.api.Device)."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hal.api import Device
from hal.peripherals.printer import SoftwarePrinter
from hal.profile import Profile, load_profile
from hal.registry import BACKENDS, build_device
from tests.contract.pty_line import served_on_pty

PTY = "a pseudo-terminal"

OPTIONS: dict[tuple[str, str], dict[str, str]] = {
    ("serial_port", "serial"): {"url": PTY},
    ("display", "vfd"): {"url": PTY},
    ("keypad", "serial"): {"url": PTY},
    ("card_reader", "serial"): {"url": PTY},
    ("buzzer", "serial"): {"url": PTY, "command": "bel"},
    ("printer", "serial"): {"url": PTY},
}
"""What a backend must be told."""

CARRIERS: dict[tuple[str, str], tuple[str, str]] = {
    ("buzzer", "in-display"): ("display", "vfd"),
    ("buzzer", "in-printer"): ("printer", "serial"),
}
"""Backends that live inside another one."""

ELSEWHERE = {("smart_card", "ccid"), ("smart_card", "phoenix")} | {
    key for key, target in BACKENDS.items() if target.startswith("hal.pi.")
}
"""Backends that need more than a pseudo-terminal to be opened: their own tests are in tests/hal."""


def profile_of(kind: str, backend: str, pty: str) -> Profile:
    """A profile with this backend, told what it must be told."""
    profile = load_profile("virtual")
    for one in filter(None, (CARRIERS.get((kind, backend)), (kind, backend))):
        options = {name: pty if value is PTY else value for name, value in OPTIONS.get(one, {}).items()}
        profile = profile.with_device(*one, **options)
    return profile


@pytest.fixture(params=[key for key in BACKENDS if key not in ELSEWHERE], ids=".".join)
def device(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Device]:
    """Each registered backend, made as a profile makes it, not opened."""
    kind, backend = request.param
    with served_on_pty(SoftwarePrinter()) as pty:  # a printer is asked how it is; others take any far side
        device = build_device(profile_of(kind, backend, pty), kind, state_folder=tmp_path)
        yield device
        device.close()


def test_opens_and_closes_any_number_of_times(device: Device) -> None:
    device.close()
    device.open()
    device.open()
    assert device.self_test().ok
    device.close()
    device.close()
    device.open()
    assert device.self_test().ok


def test_has_nothing_to_say_when_nothing_happened(device: Device) -> None:
    device.open()
    assert list(device.poll()) == []
    assert device.deadline_ms() is None


def test_self_test_of_a_closed_device_raises_nothing(device: Device) -> None:
    device.self_test()
    device.open()
    device.close()
    device.self_test()


def test_names_files_to_wait_for(device: Device) -> None:
    device.open()
    for descriptor in device.filenos():
        os.fstat(descriptor)
    device.close()
    assert list(device.filenos()) == []
