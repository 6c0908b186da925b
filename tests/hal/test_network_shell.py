"""A peripheral behind RFC 2217, with pyserial's own client as the host."""

import select
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import serial

from hal.api import BytesReceived
from hal.cards.card import ATR_T0
from hal.cards.file_card import PIN, FileCard
from hal.host.clock import SystemClock
from hal.peripherals.api import DeviceLines, HostLines
from hal.peripherals.network_shell import NetworkShell
from hal.peripherals.phoenix_reader import PhoenixReader
from hal.serial.phoenix_slot import SerialPhoenixSlot
from hal.serial.port import PyserialPort
from hal.smart_card import ChipRemoved, ChipReset, CommandApdu
from tests.hal.slots import RealTimeRig

# pyserial 3.5 starts its thread the old way.
pytestmark = pytest.mark.filterwarnings(r"ignore:set(Daemon|Name)\(\):DeprecationWarning")

ALL_BYTES = bytes(range(256))


class Mirror:
    """hal.peripherals.api.LinePeripheral that says what it hears, and drives DSR as the host drives DTR."""

    def __init__(self) -> None:
        self.heard: list[bytes | HostLines] = []
        self.lines = DeviceLines(cts=False, dsr=True, dcd=False)
        self._output = b""

    def receive(self, data: bytes, now_ms: int) -> None:
        if data:
            self.heard.append(data)
        self._output += data

    def take_output(self) -> bytes:
        output, self._output = self._output, b""
        return output

    def deadline_ms(self) -> None:
        return None

    def set_host_lines(self, lines: HostLines, now_ms: int) -> None:
        self.heard.append(lines)
        self.lines = DeviceLines(cts=False, dsr=lines.dtr, dcd=False)


@pytest.fixture
def turned() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def turn(shell: NetworkShell, stack: ExitStack) -> None:
    """Turn a shell on a thread until the stack is closed."""
    stopping = threading.Event()

    def run() -> None:
        while not stopping.is_set():
            select.select(shell.filenos(), [], [], 0.005)
            shell.turn(time.monotonic_ns() // 1_000_000)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    stack.callback(shell.close)
    stack.callback(thread.join)
    stack.callback(stopping.set)


def received(port: PyserialPort, count: int) -> bytes:
    data, until_s = b"", time.monotonic() + 5
    while len(data) < count and time.monotonic() < until_s:
        data += b"".join(event.data for event in port.poll() if isinstance(event, BytesReceived))
        time.sleep(0.005)
    return data


def test_every_byte_and_both_lines_cross(turned: ExitStack) -> None:
    mirror = Mirror()
    shell = NetworkShell(mirror)
    turn(shell, turned)
    port = PyserialPort(shell.path, SystemClock())
    port.open()
    turned.callback(port.close)
    port.write(ALL_BYTES)
    assert received(port, 256) == ALL_BYTES
    port.set_lines(dtr=False)
    port.write(b"x")
    assert received(port, 1) == b"x"
    assert mirror.heard[-2:] == [HostLines(dtr=False, rts=True), b"x"], "in the order in which they came"
    lines = port.modem_lines()
    assert lines is not None
    assert (lines.dsr, lines.cts, lines.dcd) == (False, False, False)


def test_one_host_after_the_other(turned: ExitStack) -> None:
    shell = NetworkShell(Mirror())
    turn(shell, turned)
    for _ in range(2):
        with serial.serial_for_url(shell.path, timeout=5) as port:
            port.write(b"\xff\x00")
            assert port.read(2) == b"\xff\x00"


@pytest.mark.slow
def test_a_phoenix_reader_over_the_network(turned: ExitStack) -> None:
    reader = PhoenixReader()
    shell = NetworkShell(reader)
    turn(shell, turned)
    clock = SystemClock()
    slot = SerialPhoenixSlot(shell.path, clock)
    rig = RealTimeRig(slot, clock, reader, ATR_T0)
    turned.callback(rig.close)
    rig.start()
    assert slot.self_test().ok
    rig.insert(FileCard())
    assert rig.power_on() == ChipReset(ATR_T0)
    assert rig.send(CommandApdu(0, 0x20, 0, 0x80, PIN)) == (b"", 0x9000)
    assert rig.send("00A40000020002")[1] == 0x9000
    assert rig.send("00B2030400")[0] == bytes(range(255))
    rig.hand.remove()
    assert ChipRemoved() in rig.settle(ChipRemoved)
