"""A real pcscd in namespaces of its own, and cards put into its readers: virtual ones over TCP, serial ones.

The namespaces keep it away from the machine's own pcscd, and its TCP port from everybody else. Needs root.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import functools
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from hal.cards.card import ChipCard
from hal.peripherals.card_turns import HEADER_BYTES, CardTurns
from wire.iso7816.apdu import CommandApdu
from wire.iso7816.atr import T0

_CLONE_NEWNET = 0x40000000
_DRIVERS = Path("/usr/lib/pcsc/drivers/serial")
VPCD = _DRIVERS / "libifdvpcd.so"
TWIN = _DRIVERS / "libccidtwin.so"
VPCD_PORT = 35_963
_POWER_OFF, _POWER_ON, _RESET, _ATR = 0, 1, 2, 4
_START_S = 5.0


@functools.cache
def why_not(driver: Path) -> str:
    """Why a pcscd with this driver cannot be had here; empty when it can."""
    packages = {VPCD: "vsmartcard-vpcd", TWIN: "libccid"}
    try:
        import smartcard.scard  # noqa: F401
    except ImportError:
        return "pyscard is not installed: pip install 'posterm[pcsc]'"
    if shutil.which("pcscd") is None:
        return "pcscd is not installed: apt install pcscd"
    if not driver.exists():
        return f"{driver.name} is not there: apt install {packages[driver]}"
    done = subprocess.run(["unshare", "--mount", "--net", "true"], capture_output=True, check=False)
    return "" if done.returncode == 0 else "namespaces need root"


@contextlib.contextmanager
def pcscd(folder: Path, *entries: str) -> Iterator[int]:
    """Run a pcscd with these reader entries, found by every client in this process; gives its process id."""
    config = folder / "readers"
    config.mkdir(parents=True)
    for number, entry in enumerate(entries):
        (config / f"reader{number}").write_text(entry)
    prepare = 'mount -t tmpfs none /run && ip link set lo up && exec "$@"'
    command = ["unshare", "--mount", "--net", "sh", "-c", prepare, "sh"]
    daemon = [*command, "pcscd", "--foreground", "--config", str(config)]
    process = subprocess.Popen(daemon, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _point_clients_to(Path(f"/proc/{process.pid}/root/run/pcscd/pcscd.comm"), process)
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def _point_clients_to(wanted: Path, process: subprocess.Popen[bytes]) -> None:
    """The client library remembers its socket's name: so that is a link, the same in every test."""
    until_s = time.monotonic() + _START_S
    while not wanted.exists():
        assert process.poll() is None, "pcscd ended at once"
        assert time.monotonic() < until_s, "pcscd did not start"
        time.sleep(0.01)
    name = _socket_name()
    name.unlink(missing_ok=True)
    name.symlink_to(wanted)
    os.environ["PCSCLITE_CSOCK_NAME"] = str(name)


@functools.cache
def _socket_name() -> Path:
    folder = tempfile.mkdtemp(prefix="posterm-pcscd-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder) / "pcscd.comm"


def wait_for_readers() -> list[str]:
    """The readers' names, once pcscd has found some."""
    from hal.pi.pcsc import pcsc_readers

    until_s = time.monotonic() + _START_S
    while not (names := pcsc_readers()):
        assert time.monotonic() < until_s, "pcscd found no reader"
        time.sleep(0.02)
    return names


def vpcd_entry(name: str = "Chip Reader", port: int = VPCD_PORT) -> str:
    return f'FRIENDLYNAME "{name}"\nDEVICENAME /dev/null:{port}\nCHANNELID {port}\nLIBPATH {VPCD}\n'


def twin_entry(device: str) -> str:
    return f'FRIENDLYNAME "Serial Twin"\nDEVICENAME {device}:GemPCTwin\nCHANNELID 1\nLIBPATH {TWIN}\n'


class VpcdHand:
    """Puts cards into vpcd's reader: a connection is a card, closing it takes the card out.

    vpcd gives what a host sends as it is: turns of T=0 to a card of T=0, whole commands to one of T=1.
    """

    def __init__(self, pid: int, port: int = VPCD_PORT) -> None:
        self._pid = pid
        self._port = port
        self._connection: socket.socket | None = None
        self._thread: threading.Thread | None = None

    def insert(self, card: ChipCard) -> None:
        self._connection = _connect_inside(self._pid, self._port)
        self._thread = threading.Thread(target=_serve, args=(self._connection, card), daemon=True)
        self._thread.start()

    def remove(self) -> None:
        assert self._connection is not None
        assert self._thread is not None
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()
        self._thread.join(2)
        self._connection = None

    def close(self) -> None:
        if self._connection is not None:
            self.remove()


def _connect_inside(pid: int, port: int) -> socket.socket:
    """A connection in pcscd's network namespace; a namespace is a thread's."""
    found: list[socket.socket] = []

    def connect() -> None:
        with open(f"/proc/{pid}/ns/net") as namespace:  # noqa: PTH123 setns wants its descriptor
            assert ctypes.CDLL(None).setns(namespace.fileno(), _CLONE_NEWNET) == 0
        until_s = time.monotonic() + _START_S
        while not found and time.monotonic() < until_s:
            with contextlib.suppress(ConnectionRefusedError):
                found.append(socket.create_connection(("127.0.0.1", port), 5))
                return
            time.sleep(0.01)

    thread = threading.Thread(target=connect)
    thread.start()
    thread.join()
    (connection,) = found
    connection.settimeout(None)
    return connection


def _serve(connection: socket.socket, card: ChipCard) -> None:
    atr = card.reset(warm=False)
    turns = CardTurns(card)
    with contextlib.suppress(OSError, EOFError):
        while True:
            message = _read(connection, struct.unpack(">H", _read(connection, 2))[0])
            if len(message) > 1:
                time.sleep(_time_s(card, message))
                answer = _turn(turns, message) if atr.protocols[0] == T0 else _whole(card, message)
            elif message[0] == _ATR:
                answer = atr.encode()
            else:
                atr = card.reset(warm=message[0] == _RESET) if message[0] in {_POWER_ON, _RESET} else atr
                turns = CardTurns(card)
                continue
            connection.sendall(struct.pack(">H", len(answer)) + answer)


def _time_s(card: ChipCard, message: bytes) -> float:
    return card.time_ms(CommandApdu(message[0], message[1])) / 1000


def _turn(turns: CardTurns, message: bytes) -> bytes:
    return turns.answer(message[:HEADER_BYTES].ljust(HEADER_BYTES, b"\0"), message[HEADER_BYTES:])


def _whole(card: ChipCard, message: bytes) -> bytes:
    return card.execute(CommandApdu.decode(message)).encode()


def _read(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)  # else each command takes 44 ms
        part = connection.recv(count - len(data))
        if not part:
            raise EOFError
        data += part
    return data
