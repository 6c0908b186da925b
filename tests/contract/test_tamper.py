"""hal.api.Tamper, for every backend. A new one adds a line to RIGS: the device, and how to open its case."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from hal.api import Tamper, Tampered, TamperTripped
from hal.virtual.rng import SeededRng
from hal.virtual.tamper import VirtualTamper


@dataclass
class TamperRig:
    tamper: Tamper
    trip: Callable[[str], None]


def _virtual(key_file: Path | None) -> TamperRig:
    tamper = VirtualTamper(SeededRng(), key_file=key_file)
    return TamperRig(tamper, tamper.trip)


def _gpio(folder: Path, stack: ExitStack) -> TamperRig:
    gpio = pytest.importorskip("hal.pi.gpio", reason="gpiozero: pip install 'posterm[pi]'")
    from tests.hal.mock_pins import mock_pins

    pin = stack.enter_context(mock_pins()).pin(17)
    pin.drive_low()
    tamper = gpio.GpioTamper(SeededRng(), pin=17, key_file=folder / "key.json")

    return TamperRig(tamper, lambda _cause: pin.drive_high())


RIGS: dict[str, Callable[[Path, ExitStack], TamperRig]] = {
    "virtual": lambda _folder, _stack: _virtual(None),
    "virtual-file": lambda folder, _stack: _virtual(folder / "key.json"),
    "gpio": _gpio,
}


@pytest.fixture(params=RIGS)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TamperRig]:
    with ExitStack() as stack:
        rig = RIGS[request.param](tmp_path, stack)
        rig.tamper.open()
        stack.callback(rig.tamper.close)
        yield rig


def test_the_key_is_32_bytes_and_stays(rig: TamperRig) -> None:
    key = rig.tamper.device_key()
    assert len(key) == 32
    assert key != bytes(32)
    rig.tamper.close()
    rig.tamper.open()
    assert rig.tamper.device_key() == key
    assert not rig.tamper.tripped


def test_a_trip_is_reported_once_and_takes_the_key(rig: TamperRig) -> None:
    rig.trip("case opened")
    rig.trip("case opened again")
    assert list(rig.tamper.poll()) == [TamperTripped("case opened")]
    assert list(rig.tamper.poll()) == []
    assert rig.tamper.tripped
    assert not rig.tamper.self_test().ok
    with pytest.raises(Tampered, match="case opened"):
        rig.tamper.device_key()


def test_stays_tripped_when_opened_again(rig: TamperRig) -> None:
    rig.trip("case opened")
    rig.tamper.close()
    rig.tamper.open()
    assert rig.tamper.tripped
    with pytest.raises(Tampered):
        rig.tamper.device_key()


def test_the_counter_only_goes_up_and_stays(rig: TamperRig) -> None:
    before = rig.tamper.counter()
    assert [rig.tamper.advance(), rig.tamper.advance()] == [before + 1, before + 2]
    rig.tamper.close()
    rig.tamper.open()
    assert rig.tamper.counter() == before + 2


def test_nothing_is_counted_after_a_trip(rig: TamperRig) -> None:
    before = rig.tamper.advance()
    rig.trip("case opened")
    with pytest.raises(Tampered):
        rig.tamper.advance()
    assert rig.tamper.counter() == before
