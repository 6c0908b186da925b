"""A serial port that comes back: the line to the host link, and to every device behind a serial port.

`hal.serial.opening` opens it. Here is what happens to it over time: bytes that wait, the port vanishing, the
port found again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from hal.api import (
    BytesReceived,
    Clock,
    DeviceEvent,
    DeviceMissing,
    PortGone,
    PortLost,
    PortRestored,
    SelfTest,
)
from hal.device import QuietDevice
from hal.serial.opening import FlowControl, LineSettings, ModemLines, OpenPort, Parity, open_port

_OUTGOING_BYTES_MAX = 262_144  # more than twice what the link ever has on its way
_WRITE_AGAIN_MS = 5  # how soon to try again when the operating system's buffer was full
_LOOK_AGAIN_MS = 10  # how often to look into a port without a descriptor
_PACED_BYTES = (
    64  # written at once under DTR/DSR pacing: a device that lowers its line takes more than twice this
)
_PACED_BITS = 11 * _PACED_BYTES
_RETRY_FIRST_MS, _RETRY_MAX_MS = 500, 8_000
_CONNECT_TIMEOUT_S = 3.0
_RECONNECT_TIMEOUT_S = 0.1  # happens inside poll(): a gateway on the same machine or LAN answers faster


class PyserialPort(QuietDevice):
    """hal.api.LinkPort on whatever `hal.serial.opening.open_port` opens.

    The port is taken for this process alone where the system can do that. When it vanishes, PortLost is
    reported once, and `poll` tries to open it again after 0.5 s, 1 s, 2 s … 8 s; a USB adapter named by its
    identity is found wherever it is plugged in then. Over TCP such a try may hold `poll` up for 0.1 s. Bytes
    that the system does not take at once wait here; over 256 KiB they are dropped.

    Flow control: XON/XOFF and RTS/CTS are the operating system's. "dsrdtr": nothing is sent while the other
    side has its DTR (our DSR) low, as receipt printers do it.

    `max_bits_per_s`: the fastest rate that may be agreed on with the other end. TCP has no rate.
    """

    def __init__(
        self,
        url: str,
        clock: Clock,
        *,
        bits_per_s: int = 115_200,
        max_bits_per_s: int | None = None,
        parity: Parity = "none",
        data_bits: int = 8,
        stop_bits: int = 1,
        flow_control: FlowControl = "none",
        mark_damage: bool = False,
    ) -> None:
        super().__init__()
        self.url = url
        self.settings = LineSettings(bits_per_s, parity, data_bits, stop_bits, flow_control, mark_damage)
        self.bits_per_s = bits_per_s
        self.max_bits_per_s = None if url.startswith("socket://") else max_bits_per_s
        self.dropped_bytes = 0
        """How many bytes given to `write` were dropped: port lost, or nobody took them."""
        self._clock = clock
        self._port: OpenPort | None = None
        self._outgoing = bytearray()
        self._events: list[DeviceEvent] = []
        self._host_lines: dict[str, bool] = {}
        self._retry_at_ms = 0
        self._paced_until_ms = 0
        self._retry_after_ms = _RETRY_FIRST_MS

    def open(self) -> None:
        """Take the port. Raises DeviceMissing: not there, no permission, in use, or a rate it cannot do."""
        if self._is_open:
            return
        self._port = open_port(self.url, self.settings, connect_timeout_s=_CONNECT_TIMEOUT_S)
        super().open()

    def close(self) -> None:
        """Give the port back. What was not sent yet is dropped."""
        self._release()
        self._events.clear()
        super().close()

    def self_test(self) -> SelfTest:
        """Report whether the port is there now."""
        there = self._port is not None
        return SelfTest(ok=there, detail="" if there else f"serial port {self.url} is not there")

    # --- bytes ---

    def write(self, data: bytes) -> None:
        """Send, or queue what the system does not take at once. While the port is lost, drop."""
        room = _OUTGOING_BYTES_MAX - len(self._outgoing) if self._port is not None else 0
        self._outgoing += data[:room]
        self.dropped_bytes += len(data[room:])
        self._work(self._send)

    @property
    def waiting_bytes(self) -> int:
        """How many bytes given to `write` the system has not taken yet."""
        return len(self._outgoing)

    def set_rate(self, bits_per_s: int) -> bool:
        """Set the open port to another rate, until it is lost; what waits here to be sent is dropped."""
        wanted = replace(self.settings, bits_per_s=bits_per_s)
        done: list[bool] = []
        self._work(lambda port: done.append(port.apply(wanted)))
        if done != [True]:
            self._work(lambda port: port.apply(self.settings))
            return False
        self.dropped_bytes += len(self._outgoing)
        self._outgoing.clear()
        return True

    def poll(self) -> Sequence[DeviceEvent]:
        """Send what waits, return what came in; look for the port again when it is due."""
        if self._is_open and self._port is None:
            self._try_again()
        self._work(self._send)
        self._work(self._receive)
        events, self._events = self._events, []
        return events

    def deadline_ms(self) -> int | None:
        """When to look for the port again, to offer waiting bytes again, or to look for bytes."""
        if self._is_open and self._port is None:
            return self._retry_at_ms
        if self._outgoing:
            return self._clock.monotonic_ms() + _WRITE_AGAIN_MS
        needs_looking = self._port is not None and self._port.fileno() is None
        return self._clock.monotonic_ms() + _LOOK_AGAIN_MS if needs_looking else None

    def filenos(self) -> Sequence[int]:
        """The port's file descriptor; none while the port is lost, or where it has none."""
        fileno = self._port.fileno() if self._port is not None else None
        return () if fileno is None else (fileno,)

    # --- control lines ---

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> bool:
        """Drive our control lines, now and whenever the port comes back; False where the port has none."""
        self._host_lines |= {name: value for name, value in (("dtr", dtr), ("rts", rts)) if value is not None}
        driven: list[bool] = []
        self._work(lambda port: driven.append(port.set_lines(dtr=dtr, rts=rts)))
        return driven == [True]

    def set_speed(self, bits_per_s: int, parity: Parity) -> bool:
        """Change rate and parity of the open port, as chip cards need it; False where the port has none.

        They stay when the port vanishes and comes back.
        """
        self.settings = replace(self.settings, bits_per_s=bits_per_s, parity=parity)
        self.bits_per_s = bits_per_s
        done: list[bool] = []
        self._work(lambda port: done.append(port.apply(self.settings)))
        return done == [True]

    def modem_lines(self) -> ModemLines | None:
        """The other side's control lines; None where the port has none, or is not there."""
        found: list[ModemLines | None] = [None]
        self._work(lambda port: found.append(port.lines()))
        return found[-1]

    @property
    def marks_damage(self) -> bool:
        """True where characters with wrong parity come marked (`LineSettings.mark_damage`)."""
        return self._port is not None and self._port.marks_damage()

    # --- its parts ---

    def _work(self, action: Callable[[OpenPort], object]) -> None:
        """Do something with the open port, and note its loss."""
        if self._port is None:
            return
        try:
            action(self._port)
        except (OSError, PortGone):
            self._release()
            self._events.append(PortLost())
            self._retry_after_ms = _RETRY_FIRST_MS
            self._retry_at_ms = self._clock.monotonic_ms() + self._retry_after_ms

    def _send(self, port: OpenPort) -> None:
        if self.settings.flow_control == "dsrdtr":
            self._send_paced(port)
            return
        while self._outgoing and (taken := port.write(self._outgoing)):
            del self._outgoing[:taken]

    def _send_paced(self, port: OpenPort) -> None:
        """A few bytes while the other side's DTR is on; more when those have left the system's buffer.

        All at once would be in that buffer, and on its way, when the other side lowers its line.
        """
        now_ms = self._clock.monotonic_ms()
        lines = port.lines()
        is_held = lines is not None and not lines.dsr
        if not self._outgoing or is_held or now_ms < self._paced_until_ms:
            return
        del self._outgoing[: port.write(self._outgoing[:_PACED_BYTES])]
        self._paced_until_ms = now_ms + -(-_PACED_BITS * 1000 // self.bits_per_s)

    def _receive(self, port: OpenPort) -> None:
        if data := port.read():
            self._events.append(BytesReceived(data))

    def _try_again(self) -> None:
        now_ms = self._clock.monotonic_ms()
        if now_ms < self._retry_at_ms:
            return
        try:
            self._port = open_port(self.url, self.settings, connect_timeout_s=_RECONNECT_TIMEOUT_S)
        except DeviceMissing:
            self._retry_after_ms = min(2 * self._retry_after_ms, _RETRY_MAX_MS)
            self._retry_at_ms = now_ms + self._retry_after_ms
        else:
            self._events.append(PortRestored())
            self.set_lines(**self._host_lines)

    def _release(self) -> None:
        port, self._port = self._port, None
        self.dropped_bytes += len(self._outgoing)
        self._outgoing.clear()
        if port is not None:
            port.close()
