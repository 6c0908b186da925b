"""Serial ports beyond the contract: virtual losses, and what goes wrong with real ports."""

import os
import socket
import tty
from collections.abc import Iterator

import pytest

from hal.api import BytesReceived, DeviceEvent, DeviceMissing, PortLost, PortRestored
from hal.serial.port import PyserialPort
from hal.virtual.clock import VirtualClock
from hal.virtual.serial_port import VirtualSerialPort

# --- virtual -----------------------------------------------------------------------------------------


@pytest.fixture
def virtual() -> VirtualSerialPort:
    port = VirtualSerialPort(buffer_bytes_max=10)
    port.open()
    return port


def test_bytes_on_their_way_are_lost_with_the_cable(virtual: VirtualSerialPort) -> None:
    virtual.feed(b"in")
    virtual.write(b"out")
    virtual.unplug()
    virtual.feed(b"more")
    virtual.plug()
    virtual.feed(b"new")
    assert virtual.poll() == [PortLost(), PortRestored(), BytesReceived(b"new")]
    assert virtual.take_output() == b""
    assert virtual.dropped_bytes == len(b"in" + b"out" + b"more")


def test_plugging_twice_is_plugging_once(virtual: VirtualSerialPort) -> None:
    virtual.plug()
    virtual.unplug()
    virtual.unplug()
    virtual.plug()
    virtual.plug()
    assert virtual.poll() == [PortLost(), PortRestored()]


def test_full_buffers_drop_the_newest_bytes(virtual: VirtualSerialPort) -> None:
    virtual.feed(b"0123456")
    virtual.feed(b"789abc")
    virtual.write(b"0123456789abc")
    assert virtual.poll() == [BytesReceived(b"0123456789")]
    assert virtual.take_output() == b"0123456789"
    assert virtual.dropped_bytes == 6
    virtual.feed(b"again")
    assert virtual.poll() == [BytesReceived(b"again")]


def test_a_closed_port_takes_and_gives_nothing(virtual: VirtualSerialPort) -> None:
    virtual.feed(b"a")
    virtual.close()
    virtual.feed(b"b")
    virtual.write(b"c")
    virtual.open()
    assert virtual.poll() == []
    assert virtual.take_output() == b""


# --- on a pseudo-terminal ----------------------------------------------------------------------------


class Pty:
    def __init__(self) -> None:
        self.master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)

    def close(self) -> None:
        if self.master >= 0:
            os.close(self._slave)
            os.close(self.master)
            self.master = -1


@pytest.fixture
def pty() -> Iterator[Pty]:
    pty = Pty()
    yield pty
    pty.close()


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


def _opened(url: str, clock: VirtualClock) -> PyserialPort:
    port = PyserialPort(url, clock)
    port.open()
    return port


def test_one_process_has_the_port(pty: Pty, clock: VirtualClock) -> None:
    first = _opened(pty.path, clock)
    with pytest.raises(DeviceMissing, match=r"another process uses it: .*fuser"):
        _opened(pty.path, clock)
    first.close()
    _opened(pty.path, clock).close()


def test_a_full_line_never_blocks_and_nothing_is_lost(pty: Pty, clock: VirtualClock) -> None:
    port = _opened(pty.path, clock)
    sent = bytes(range(256)) * 400
    port.write(sent)
    assert port.deadline_ms() == 5  # something waits: poll soon
    received = b""
    while len(received) < len(sent):
        received += os.read(pty.master, 65_536)
        assert port.poll() == []
    assert received == sent
    assert port.deadline_ms() is None
    assert port.dropped_bytes == 0
    port.close()


def test_bytes_that_nobody_takes_are_dropped_in_the_end(pty: Pty, clock: VirtualClock) -> None:
    port = _opened(pty.path, clock)
    for _ in range(40):
        port.write(bytes(10_000))
    assert 400_000 - 262_144 - 70_000 < port.dropped_bytes < 400_000 - 262_144
    port.close()


def test_a_writer_notices_the_loss_too(pty: Pty, clock: VirtualClock) -> None:
    port = _opened(pty.path, clock)
    pty.close()
    port.write(b"lost")
    assert port.poll() == [PortLost()]
    assert port.filenos() == ()
    assert not port.self_test().ok
    port.close()
    assert port.deadline_ms() is None


def test_looks_for_a_lost_port_ever_more_rarely(pty: Pty, clock: VirtualClock) -> None:
    port = _opened(pty.path, clock)
    pty.close()
    assert port.poll() == [PortLost()]
    waits_ms = []
    for _ in range(7):
        before_ms, due_ms = clock.monotonic_ms(), port.deadline_ms()
        assert due_ms is not None
        waits_ms.append(due_ms - before_ms)
        clock.advance_to(due_ms)
        assert port.poll() == []
    assert waits_ms == [500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000]
    port.close()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("/dev/ttyNOTHERE7", r"it is not there: plug it in"),
        (__file__, "is it one\\?"),
        ("rfc2217://127.0.0.1:1", r"start the other side first"),
        ("gopher://127.0.0.1:1", r"socket://, rfc2217:// or another URL of pyserial"),
        ("spy:///dev/ttyNOTHERE7", r"it is not there: plug it in"),
        ("emulate:vfd", r"posterm devices emulate"),
        ("usb:no:hex", r"write it as usb:VENDOR:PRODUCT"),
        ("usb:dead:beef", r"no such adapter: plug it in"),
        ("socket://", r"write it as socket://HOST:PORT"),
        ("socket://host:port", r"write it as socket://HOST:PORT"),
    ],
)
def test_says_in_one_line_why_it_cannot_open(url: str, message: str, clock: VirtualClock) -> None:
    with pytest.raises(DeviceMissing, match=message) as caught:
        _opened(url, clock)
    assert "\n" not in str(caught.value)
    assert url in str(caught.value)


def test_a_rate_that_no_port_has_is_refused(pty: Pty, clock: VirtualClock) -> None:
    with pytest.raises(ValueError, match="positive"):
        PyserialPort(pty.path, clock, bits_per_s=0)
    with pytest.raises(DeviceMissing, match="cannot do 99999999999 bit/s"):
        PyserialPort(pty.path, clock, bits_per_s=99_999_999_999).open()


def test_the_far_side_sees_the_line_rate(pty: Pty, clock: VirtualClock) -> None:
    import termios

    port = PyserialPort(pty.path, clock, bits_per_s=9_600)
    port.open()
    assert termios.tcgetattr(pty.master)[4:6] == [termios.B9600, termios.B9600]
    port.close()


# --- over TCP ----------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        yield server


def _until_events(port: PyserialPort) -> list[DeviceEvent]:
    """Poll until something happens: the loopback delivers soon, but not at once."""
    import select

    while not (events := list(port.poll())):
        select.select(port.filenos(), [], [], 10)
    return events


def test_a_socket_is_a_serial_line_that_comes_back(server: socket.socket, clock: VirtualClock) -> None:
    port = _opened(f"socket://127.0.0.1:{server.getsockname()[1]}", clock)
    far, _ = server.accept()
    port.write(b"request")
    assert far.recv(100) == b"request"
    far.sendall(b"answer")
    assert _until_events(port) == [BytesReceived(b"answer")]
    far.close()
    assert _until_events(port) == [PortLost()]
    clock.advance(500)
    assert port.poll() == [PortRestored()]
    far, _ = server.accept()
    port.write(b"again")
    assert far.recv(100) == b"again"
    far.close()
    port.close()


def test_nobody_listening_is_said(server: socket.socket, clock: VirtualClock) -> None:
    url = f"socket://127.0.0.1:{server.getsockname()[1]}"
    server.close()
    with pytest.raises(DeviceMissing, match="start the other side first"):
        _opened(url, clock)
