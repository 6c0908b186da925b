"""A serial port whose other end is the test bench."""

from __future__ import annotations

from collections.abc import Sequence

from hal.api import BytesReceived, DeviceEvent, PortLost, PortRestored
from hal.device import QuietDevice


class VirtualSerialPort(QuietDevice):
    """Two byte queues and a cable that can be pulled.

    Not modelled: the time that bytes take (bits_per_s is only remembered), bit errors, modem lines. A line
    in software between two of these ports does that.
    """

    def __init__(
        self,
        *,
        bits_per_s: int = 115_200,
        max_bits_per_s: int | None = None,
        buffer_bytes_max: int = 65_536,
    ) -> None:
        super().__init__()
        self.bits_per_s = self.rate_now = bits_per_s
        self.max_bits_per_s = max_bits_per_s
        self.dropped_bytes = 0
        """How many bytes were lost to a pulled cable, a closed port or a full buffer, in both directions."""
        self._buffer_bytes_max = buffer_bytes_max
        self._plugged = True
        self._incoming = b""
        self._outgoing = b""
        self._events: list[DeviceEvent] = []

    # --- the terminal's side ---

    def write(self, data: bytes) -> None:
        """Queue bytes for the far side; dropped while the cable is out."""
        self._outgoing += self._taken(data, len(self._outgoing))

    def poll(self) -> Sequence[DeviceEvent]:
        """Return what happened to the cable, then what came in after it."""
        if not self._events and not self._incoming:
            return []
        events, self._events = self._events, []
        if self._incoming:
            events.append(BytesReceived(self._incoming))
            self._incoming = b""
        return events

    def set_rate(self, bits_per_s: int) -> bool:
        """Remember the rate as `rate_now`; bytes not yet fetched by the far side are dropped."""
        if not self._plugged or not self._is_open:
            return False
        self.dropped_bytes += len(self._outgoing)
        self._outgoing = b""
        self.rate_now = bits_per_s
        return True

    def open(self) -> None:
        """Take the port, at its first rate."""
        super().open()
        self.rate_now = self.bits_per_s

    def close(self) -> None:
        """Close the port. Bytes not yet fetched by either side are lost."""
        self._lose_buffers()
        super().close()

    # --- the far side and the test bench ---

    def feed(self, data: bytes) -> None:
        """Send bytes to the terminal; dropped while the cable is out or the port is closed."""
        self._incoming += self._taken(data, len(self._incoming))

    def take_output(self) -> bytes:
        """Fetch what the terminal has written since the last call."""
        output, self._outgoing = self._outgoing, b""
        return output

    def unplug(self) -> None:
        """Pull the cable: PortLost, and bytes on their way in either direction are lost."""
        if self._plugged:
            self._plugged = False
            self._lose_buffers()
            self._events.append(PortLost())

    def plug(self) -> None:
        """Put the cable back: PortRestored."""
        if not self._plugged:
            self._plugged = True
            self.rate_now = self.bits_per_s
            self._events.append(PortRestored())

    def _taken(self, data: bytes, waiting_bytes: int) -> bytes:
        """What of it goes into a buffer in which so much waits; the rest is dropped."""
        room = self._buffer_bytes_max - waiting_bytes if self._plugged and self._is_open else 0
        self.dropped_bytes += max(0, len(data) - room)
        return data[:room]

    def _lose_buffers(self) -> None:
        self.dropped_bytes += len(self._incoming) + len(self._outgoing)
        self._incoming = self._outgoing = b""
