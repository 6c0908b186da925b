"""Tells systemd that the terminal is up and alive (sd_notify(3)); does nothing where nobody asked for it.

The unit says `Type=notify` and `WatchdogSec=`: systemd restarts a terminal whose loop stands still. The loop
calls `pet` each time it comes round, so what is watched is the firmware's own thread.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

_PETS_PER_TIMEOUT = 3


class Watchdog:
    """The notification socket of this process, as the environment names it."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        self._every_ms = _interval_ms(environment)
        self._pet_at_ms: int | None = None
        self._status = ""

    @property
    def every_ms(self) -> int | None:
        """How often `pet` must be called at least; None where nobody watches."""
        return self._every_ms

    def ready(self) -> None:
        """The terminal is switched on."""
        self._send("READY=1")

    def pet(self, now_ms: int, status: str = "") -> None:
        """The loop has come round at `now_ms` (monotonic). `status`: one line for `systemctl status`."""
        if status and status != self._status:
            self._status = status
            self._send(f"STATUS={status}")
        is_due = self._pet_at_ms is None or now_ms >= self._pet_at_ms
        if self._every_ms is not None and is_due:
            self._pet_at_ms = now_ms + self._every_ms
            self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """The terminal is being switched off."""
        self._send("STOPPING=1")

    def _send(self, state: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notifier:
            notifier.setblocking(False)  # a supervisor that does not read must not stop a payment
            try:
                notifier.sendto(state.encode(), address)
            except OSError:
                return  # nobody listens (any more): there is nobody to tell


def _interval_ms(environment: Mapping[str, str]) -> int | None:
    """A third of the timeout that systemd gives this very process, or None."""
    timeout_us = environment.get("WATCHDOG_USEC", "")
    is_ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    if not (timeout_us.isascii() and timeout_us.isdigit() and is_ours):
        return None
    return int(timeout_us) // 1000 // _PETS_PER_TIMEOUT or None
