from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial
import serial.rfc2217

from host_link.errors import PortBusy, PortMissing, PortVanished
from host_link.handshake import Role
from host_link.port_holder import holders
from host_link.ports import NullModem, Port, open_port
from host_link.session import Channel, MessageDelivered, MessageReceived, Session


def read_all(port: Port, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = port.read(timeout_s=5.0)
        assert piece, "nothing came within five seconds"
        data += piece
    return data


def talk_over(one: str, two: str) -> None:
    """Two sessions over two real ports: 20 messages each way."""
    ports = [open_port(name) for name in (one, two)]
    sessions = [Session(role, nonce=7, bits_per_s=10_000_000) for role in Role]
    payloads = [os.urandom(size * 97) for size in range(20)]
    got: list[list[bytes]] = [[], []]
    delivered = [0, 0]
    for session in sessions:
        session.open(now_ms=now_ms())
        for payload in payloads:
            session.send(Channel.HOST, payload, now_ms=now_ms())
    give_up_ms = now_ms() + 20_000
    while min(delivered) < len(payloads) and now_ms() < give_up_ms:
        for index, (port, session) in enumerate(zip(ports, sessions, strict=True)):
            session.receive(port.read(timeout_s=0.001), now_ms=now_ms())
            session.on_deadline(now_ms=now_ms())
            while event := session.next_event():
                if isinstance(event, MessageReceived):
                    got[index].append(event.payload)
                delivered[index] += isinstance(event, MessageDelivered)
            port.write(session.bytes_to_send(now_ms=now_ms()))
    for port in ports:
        port.close()
    assert got == [payloads, payloads]
    assert [session.counters.noise_pieces for session in sessions] == [0, 0]


def now_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def test_the_link_works_over_a_pair_of_pseudo_terminals(null_modem: NullModem) -> None:
    talk_over(null_modem.path_a, null_modem.path_b)


def test_the_link_works_over_socat(socat_pair: tuple[str, str]) -> None:
    talk_over(*socat_pair)


def test_a_pseudo_terminal_carries_every_byte_unchanged(null_modem: NullModem) -> None:
    one, two = open_port(null_modem.path_a), open_port(null_modem.path_b)
    one.write(bytes(range(256)))
    assert read_all(two, 256) == bytes(range(256))
    assert one.fileno() is not None
    for port in (one, two, one):
        port.close()


def test_the_tap_sees_both_directions_and_a_pulled_cable_loses_bytes() -> None:
    seen: list[tuple[str, bytes]] = []
    modem = NullModem(tap=lambda end, data: seen.append((end, data)))
    one, two = open_port(modem.path_a), open_port(modem.path_b)
    one.write(b"request")
    two.write(b"answer")
    assert modem.pump(timeout_s=1.0) == len(b"requestanswer")
    assert (two.read(), one.read()) == (b"request", b"answer")
    modem.unplug()
    one.write(b"lost")
    modem.plug()
    one.write(b"heard")
    modem.pump(timeout_s=1.0)
    assert two.read() == b"heard"
    assert seen == [("a", b"request"), ("b", b"answer"), ("a", b"heard")]
    for port in (one, two, modem):
        port.close()
    modem.close()


def test_a_port_that_nobody_reads_drops_bytes_and_does_not_block() -> None:
    modem = NullModem()
    port = open_port(modem.path_a)
    for _ in range(100):
        port.write(bytes(1000))
    assert 0 < sum(iter(modem.pump, 0)) < 100_000
    port.close()
    modem.close()


def test_a_socket_is_a_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = open_port(f"socket://127.0.0.1:{server.getsockname()[1]}")
        peer, _ = server.accept()
        with peer:
            peer.sendall(b"in")
            assert read_all(port, 2) == b"in"
            port.write(b"out")
            assert peer.recv(3) == b"out"
        with pytest.raises(PortVanished, match="is gone"):
            port.read(timeout_s=5.0)
        port.close()


def test_loop_is_a_port_without_a_descriptor() -> None:
    port = open_port("loop://")
    port.write(b"round")
    assert (port.fileno(), read_all(port, 5)) == (None, b"round")
    port.close()


def test_errors_say_what_to_do(tmp_path: Path, null_modem: NullModem) -> None:
    with pytest.raises(PortMissing, match="connect it, or check its name"):
        open_port(str(tmp_path / "ttyUSB7"))
    with pytest.raises(PortMissing, match="not a port name"):
        open_port("carrier-pigeon://loft")
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]
    with pytest.raises(PortMissing, match="start the other side first"):
        open_port(f"socket://127.0.0.1:{number}")
    holder = open_port(null_modem.path_a)
    with pytest.raises(PortBusy, match="in use by another process"):
        open_port(null_modem.path_a)
    holder.close()
    open_port(null_modem.path_a).close()


def test_a_port_whose_other_side_is_gone_has_vanished() -> None:
    modem = NullModem()
    port = open_port(modem.path_a)
    modem.close()
    with pytest.raises(PortVanished):
        port.read()
    with pytest.raises(PortVanished):
        port.write(b"x")
    port.close()


def test_a_unix_socket_is_a_port(tmp_path: Path) -> None:
    path = tmp_path / "line"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        port = open_port(f"unix://{path}")
        peer, _ = server.accept()
        with peer:
            assert port.read() == b""
            peer.sendall(b"in")
            assert read_all(port, 2) == b"in"
            port.write(b"out")
            assert peer.recv(3) == b"out"
            assert port.fileno() is not None
        with pytest.raises(PortVanished, match="is gone"):
            port.read(timeout_s=5.0)
        port.close()
        port.close()
    with pytest.raises(PortMissing, match="start the other side first"):
        open_port(f"unix://{tmp_path / 'nobody'}")


class Rfc2217Server:
    """A serial port server for one client: pyserial's own server side over a port that echoes."""

    def __init__(self) -> None:
        self._device = serial.serial_for_url("loop://", timeout=0.01)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"rfc2217://127.0.0.1:{self._listener.getsockname()[1]}"
        self._client: socket.socket | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def bits_per_s(self) -> int:
        return int(self._device.baudrate)

    def write(self, data: bytes) -> None:
        """What the port manager says to the client."""
        assert self._client is not None
        self._client.sendall(data)

    def _serve(self) -> None:
        self._client, _ = self._listener.accept()
        manager = serial.rfc2217.PortManager(self._device, self)  # type: ignore[arg-type] # stubs take the client for the port
        self._client.settimeout(0.01)
        while not self._ended.is_set():
            with contextlib.suppress(TimeoutError):
                self._device.write(b"".join(manager.filter(self._client.recv(1024))))
            if data := self._device.read(self._device.in_waiting or 1):
                self.write(b"".join(manager.escape(data)))

    def hang_up(self) -> None:
        if not self._ended.is_set():
            self._ended.set()
            self._thread.join()
            assert self._client is not None
            self._client.shutdown(socket.SHUT_RDWR)
            self._client.close()

    def close(self) -> None:
        self.hang_up()
        self._listener.close()
        self._device.close()


@pytest.fixture
def serial_server() -> Iterator[Rfc2217Server]:
    server = Rfc2217Server()
    yield server
    server.close()


@pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")  # in pyserial itself
def test_a_port_of_another_machine_carries_every_byte(serial_server: Rfc2217Server) -> None:
    far = open_port(serial_server.url, 38_400)
    assert serial_server.bits_per_s == 38_400
    assert far.fileno() is None
    assert far.read() == b""
    far.write(bytes(range(256)))  # 255 is telnet's escape
    assert read_all(far, 256) == bytes(range(256))
    assert far.set_rate(57_600)
    assert serial_server.bits_per_s == 57_600
    serial_server.hang_up()
    with pytest.raises(PortVanished, match="rfc2217"):
        far.read(timeout_s=5.0)
    far.close()


def test_a_busy_port_is_named_with_the_process_that_holds_it(null_modem: NullModem) -> None:
    program = """import fcntl, sys
port = open(sys.argv[1])
fcntl.flock(port, fcntl.LOCK_EX)
print(flush=True)
sys.stdin.read()"""
    command = [sys.executable, "-c", program, null_modem.path_a]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        holder = next(holder for holder in holders(null_modem.path_a) if holder.pid == process.pid)
        with pytest.raises(PortBusy) as refused:
            open_port(null_modem.path_a)
        process.communicate()
    assert str(refused.value) == (
        f"{null_modem.path_a} is in use by {holder.name} (process {process.pid}): "
        "end that one, or choose another port"
    )
    assert "python" in holder.name


def test_nobody_holds_what_is_not_there(tmp_path: Path) -> None:
    assert holders(str(tmp_path / "ttyUSB0")) == []
