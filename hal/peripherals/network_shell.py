"""A peripheral in software behind a TCP port that speaks RFC 2217, control lines included.

For what a pseudo-terminal cannot carry: a reader that is reset by RTS, a buzzer on DTR. Programs on pyserial
open it as `rfc2217://127.0.0.1:PORT`. Telnet and RFC 2217 themselves are pyserial's.
"""

from __future__ import annotations

import contextlib
import socket
from typing import Any

from hal.peripherals.api import DeviceLines, HostLines, LinePeripheral, Peripheral

_READ_BYTES = 4096
_UNSENT_BYTES_MAX = 65_536


class NetworkShell:
    """A peripheral behind 127.0.0.1, for one host at a time. `port` 0: any free one.

    A peripheral without control lines has them all on, and is not told of the host's.

    Whoever has the shell turns it: `turn` whenever one of `filenos` is readable or its deadline has come.
    """

    def __init__(self, peripheral: Peripheral, *, port: int = 0) -> None:
        """Listen. Raises OSError when the port is taken."""
        self.peripheral = peripheral
        self._listener = socket.create_server(("127.0.0.1", port))
        self._listener.setblocking(False)
        self._host: _Host | None = None

    @property
    def path(self) -> str:
        """The URL that a program on pyserial opens."""
        return f"rfc2217://127.0.0.1:{self._listener.getsockname()[1]}"

    def filenos(self) -> tuple[int, ...]:
        """What to wait on."""
        host = self._host
        return (self._listener.fileno(),) if host is None else (host.connection.fileno(),)

    def deadline_ms(self) -> int | None:
        """When to turn although nothing came in."""
        return self.peripheral.deadline_ms()

    def turn(self, now_ms: int) -> bool:
        """Carry over what waits in both directions, bytes and lines; whether bytes moved."""
        if self._host is None:
            self._accept()
        heard = self._host.read(self.peripheral, now_ms) if self._host is not None else b""
        if heard is None:
            self._drop()
            heard = b""
        self.peripheral.receive(heard, now_ms)
        said = self.peripheral.take_output()
        if self._host is not None and not self._host.write(said, _lines_of(self.peripheral)):
            self._drop()
        return bool(heard or said)

    def close(self) -> None:
        """Hang up and stop listening. May be called twice."""
        self._drop()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            connection, _ = self._listener.accept()
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._host = _Host(connection)

    def _drop(self) -> None:
        host, self._host = self._host, None
        if host is not None:
            host.connection.close()


class _Line:
    """What pyserial's PortManager takes for a serial port; the host's settings are noted, not obeyed."""

    def __init__(self) -> None:
        self.baudrate, self.parity, self.bytesize, self.stopbits = 115_200, "N", 8, 1
        self.xonxoff = self.rtscts = self.break_condition = False
        self.dtr = self.rts = True
        self.cts = self.dsr = self.cd = self.ri = False

    def reset_input_buffer(self) -> None:
        """Nothing is kept."""

    def reset_output_buffer(self) -> None:
        """Nothing is kept."""


class _Host:
    """One connection, and where its control lines stand."""

    def __init__(self, connection: socket.socket) -> None:
        from serial.rfc2217 import PortManager

        self.connection = connection
        self._unsent = bytearray()
        self._line = _Line()
        line: Any = self._line
        us: Any = self  # it writes to us
        self._manager = PortManager(line, us)

    def read(self, peripheral: Peripheral, now_ms: int) -> bytes | None:
        """What the host sent, while its lines are handed on as they change; None when it hung up."""
        try:
            arrived = self.connection.recv(_READ_BYTES)
        except BlockingIOError:
            return b""
        except OSError:
            return None
        if not arrived:
            return None
        heard, before = bytearray(), (self._line.dtr, self._line.rts)
        for byte in arrived:
            heard += b"".join(self._manager.filter(bytes([byte])))
            lines = (self._line.dtr, self._line.rts)
            if lines != before:
                peripheral.receive(bytes(heard), now_ms)  # what was sent before the line moved
                heard.clear()
                if isinstance(peripheral, LinePeripheral):
                    peripheral.set_host_lines(HostLines(dtr=lines[0], rts=lines[1]), now_ms)
                before = lines
        return bytes(heard)

    def write_lines(self, lines: DeviceLines) -> None:
        """Tell the host how the peripheral's lines stand, when they have changed."""
        self._line.cts, self._line.dsr, self._line.cd = lines.cts, lines.dsr, lines.dcd
        self._manager.check_modem_lines()

    def write(self, said: bytes, lines: DeviceLines | None = None) -> bool:
        """Send the peripheral's bytes and lines; False when the host is gone.

        PortManager calls it too, with Telnet's own bytes and nothing else.
        """
        if lines is None:
            self._unsent += said
            return True
        self.write_lines(lines)
        self._unsent += b"".join(self._manager.escape(said))
        del self._unsent[_UNSENT_BYTES_MAX:]  # nobody reads: a device's buffer is small
        try:
            while self._unsent:
                del self._unsent[: self.connection.send(self._unsent)]
        except BlockingIOError:
            return True
        except OSError:
            return False
        return True


def _lines_of(peripheral: Peripheral) -> DeviceLines:
    return peripheral.lines if isinstance(peripheral, LinePeripheral) else DeviceLines()
