"""Several terminals on one connection to the bank, told apart by the addresses in the TPDU.

A TPDU is 5 bytes: its id (60), the destination (the host's NII) and the source, two bytes each. The bank
swaps the two in its answer. So each port gets an address of its own, which stands as the source in what goes
to the bank; an answer's destination says whose it is, and the terminal gets back the source that it had
written. The message MAC begins behind the TPDU and is not touched.
"""

from __future__ import annotations

TPDU_BYTES = 5
_DESTINATION = slice(1, 3)
_SOURCE = slice(3, 5)


class TpduRouter:
    """The addresses of the ports: 0001 for the first, 0002 for the second, in BCD."""

    def __init__(self, port_count: int) -> None:
        if not 0 < port_count <= 9_999:
            raise ValueError(f"{port_count} ports: TPDU addresses suffice for 1 to 9999")
        self._addresses = [bytes.fromhex(f"{port + 1:04d}") for port in range(port_count)]
        self._ports = {address: port for port, address in enumerate(self._addresses)}
        self._own_sources = [b"\x00\x00"] * port_count

    def to_bank(self, port: int, message: bytes) -> bytes:
        """The message with the port's address as its source. It must hold a TPDU."""
        self._own_sources[port] = message[_SOURCE]
        return message[:3] + self._addresses[port] + message[TPDU_BYTES:]

    def to_terminal(self, message: bytes) -> tuple[int, bytes] | None:
        """Whose answer this is, and the answer with the terminal's own address; None: nobody's."""
        port = self._ports.get(message[_DESTINATION])
        if port is None or len(message) < TPDU_BYTES:
            return None
        return port, message[:1] + self._own_sources[port] + message[3:]
