"""hal.api.LinkPort, for every backend. A new backend adds a line to RIGS: the device and its far side."""

import os
import select
import tty
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from hal.api import BytesReceived, LinkPort, PortLost, PortRestored
from hal.serial.port import PyserialPort
from hal.virtual.clock import VirtualClock
from hal.virtual.serial_port import VirtualSerialPort

ALL_BYTES = bytes(range(256))


@dataclass
class PortRig:
    port: LinkPort
    clock: VirtualClock
    feed: Callable[[bytes], None]
    take_output: Callable[[], bytes]
    unplug: Callable[[], None]
    plug: Callable[[], None]


class PtyFarSide:
    """The other end of a pseudo-terminal, under a name that stays when the cable is pulled and put back."""

    def __init__(self, name: Path) -> None:
        self.name = name
        self._master = -1

    def plug(self) -> None:
        self._master, slave = os.openpty()
        tty.setraw(slave)
        self.name.symlink_to(os.ttyname(slave))
        self._slave = slave

    def unplug(self) -> None:
        if self._master >= 0:
            os.close(self._slave)
            os.close(self._master)
            self.name.unlink()
            self._master = -1

    def feed(self, data: bytes) -> None:
        os.write(self._master, data)

    def take_output(self) -> bytes:
        output = b""  # the kernel may hand it over in several pieces
        while select.select([self._master], [], [], 0.05)[0]:
            output += os.read(self._master, 65_536)
        return output


def _virtual(_folder: Path, _stack: ExitStack) -> PortRig:
    port = VirtualSerialPort()
    return PortRig(port, VirtualClock(), port.feed, port.take_output, port.unplug, port.plug)


def _pty(folder: Path, stack: ExitStack) -> PortRig:
    far, clock = PtyFarSide(folder / "ttyTEST"), VirtualClock()
    far.plug()
    stack.callback(far.unplug)
    return PortRig(PyserialPort(str(far.name), clock), clock, far.feed, far.take_output, far.unplug, far.plug)


RIGS: dict[str, Callable[[Path, ExitStack], PortRig]] = {"virtual": _virtual, "pty": _pty}


@pytest.fixture(params=RIGS)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PortRig]:
    with ExitStack() as stack:
        rig = RIGS[request.param](tmp_path, stack)
        rig.port.open()
        stack.callback(rig.port.close)
        yield rig


def _received(rig: PortRig) -> bytes:
    events = list(rig.port.poll())
    assert all(isinstance(event, BytesReceived) for event in events)
    return b"".join(event.data for event in events if isinstance(event, BytesReceived))


def test_every_byte_value_comes_in_unchanged(rig: PortRig) -> None:
    rig.feed(ALL_BYTES)
    assert _received(rig) == ALL_BYTES
    assert _received(rig) == b""


def test_every_byte_value_goes_out_unchanged(rig: PortRig) -> None:
    rig.port.write(ALL_BYTES[:100])
    rig.port.write(ALL_BYTES[100:])
    assert rig.take_output() == ALL_BYTES
    assert rig.take_output() == b""


def test_received_bytes_are_not_printed(rig: PortRig) -> None:
    rig.feed(b"6225880123456783")
    assert "6225880123456783" not in repr(list(rig.port.poll()))


def test_reports_a_lost_port_once_and_its_return(rig: PortRig) -> None:
    rig.unplug()
    assert list(rig.port.poll()) == [PortLost()]
    assert list(rig.port.poll()) == []
    rig.port.write(b"dropped")
    rig.plug()
    rig.clock.advance(10_000)
    assert list(rig.port.poll()) == [PortRestored()]
    assert rig.take_output() == b""
    rig.port.write(b"sent")
    rig.feed(b"received")
    assert rig.take_output() == b"sent"
    assert _received(rig) == b"received"


def test_remembers_its_line_rate(rig: PortRig) -> None:
    assert rig.port.bits_per_s == 115_200


def test_the_rate_can_be_changed_and_bytes_go_on(rig: PortRig) -> None:
    assert rig.port.set_rate(921_600)
    rig.port.write(ALL_BYTES)
    assert rig.take_output() == ALL_BYTES
    rig.feed(b"back")
    assert _received(rig) == b"back"
    assert rig.port.bits_per_s == 115_200, "the rate of the next opening"


def test_a_lost_port_has_no_rate_to_change(rig: PortRig) -> None:
    rig.unplug()
    rig.port.poll()
    assert not rig.port.set_rate(921_600)
