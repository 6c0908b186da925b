"""A peripheral in software on a pseudo-terminal, for the rigs of serial drivers."""

import fcntl
import select
import struct
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from hal.api import Device
from hal.peripherals.api import Peripheral
from hal.peripherals.shell import PtyShell

_LOOKS_MAX = 10_000


class PtyLine:
    def __init__(self, peripheral: Peripheral, stack: ExitStack) -> None:
        self._shell = PtyShell(peripheral)
        self.path = self._shell.path
        stack.callback(self._shell.close)

    def deliver(self, device: Device, now_ms: int = 0) -> None:
        """Let the peripheral say what it has to say, and wait until all of it waits at the device's port."""
        (fileno,) = device.filenos()
        waiting, sent = _waiting_bytes(fileno), self._shell.sent_bytes
        self._shell.turn(now_ms)
        expected = waiting + self._shell.sent_bytes - sent
        for _ in range(_LOOKS_MAX):
            if _waiting_bytes(fileno) >= expected:
                return
            time.sleep(0.001)  # the system hands bytes over in a thread of its own
        raise AssertionError("the bytes did not arrive")


def _waiting_bytes(fileno: int) -> int:
    return int(struct.unpack("i", fcntl.ioctl(fileno, termios.FIONREAD, bytes(4)))[0])


@contextmanager
def served_on_pty(peripheral: Peripheral, shell: PtyShell | None = None) -> Iterator[str]:
    """The peripheral in real time, turned by a thread of its own; the path of its port."""
    shell = shell or PtyShell(peripheral)
    done = threading.Event()
    thread = threading.Thread(target=_turn, args=(shell, done))
    thread.start()
    try:
        yield shell.path
    finally:
        done.set()
        thread.join()
        shell.close()


def _turn(shell: PtyShell, done: threading.Event) -> None:
    while not done.is_set():
        now_ms = time.monotonic_ns() // 1_000_000
        shell.turn(now_ms)
        at_ms = shell.deadline_ms()
        wait_ms = 20 if at_ms is None else min(20, max(0, at_ms - now_ms))
        select.select([shell], [], [], wait_ms / 1000)
