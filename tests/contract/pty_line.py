"""A peripheral in software on a pseudo-terminal, for the rigs of serial drivers."""

import fcntl
import struct
import termios
import time
from contextlib import ExitStack

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
