"""What every device of every backend can do (hal.api.Device)."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hal.api import Device
from hal.profile import load_profile
from hal.registry import BACKENDS, build_device

SERIAL = ("serial_port", "serial")


@pytest.fixture(params=BACKENDS, ids=".".join)
def device(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Device]:
    """Each registered backend, made as a profile makes it, not opened."""
    kind, backend = request.param
    profile = load_profile("virtual").with_device(kind, backend)
    descriptors: tuple[int, ...] = ()
    if (kind, backend) == SERIAL:
        descriptors = os.openpty()
        profile = profile.with_options(kind, url=os.ttyname(descriptors[1]))
    device = build_device(profile, kind, state_folder=tmp_path)
    yield device
    device.close()
    for descriptor in descriptors:
        os.close(descriptor)


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
