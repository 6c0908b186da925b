"""Commands and responses of a chip card: APDUs, cases 1 to 4, short and extended.

Sources: ISO/IEC 7816-3 section 12.1 (the cases and their coding), ISO/IEC 7816-4 (status words). What is in a
command or a response may be a card number or a PIN: neither is printed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from wire.errors import ApduError

__all__ = ["ApduError", "CommandApdu", "ResponseApdu"]

HEADER_BYTES = 4
SHORT_DATA_BYTES_MAX = 255
SHORT_LE_MAX = 256
DATA_BYTES_MAX = 65_535
LE_MAX = 65_536

SW_OK = 0x9000


@dataclass(frozen=True, slots=True)
class CommandApdu:
    """One command. `le`: how many bytes of answer are wanted at most, 1 to 65536; None when none is.

    `extended`: lengths are coded in three and two bytes; always so when they do not fit one.
    Raises ApduError: bad_length.
    """

    cla: int
    ins: int
    p1: int = 0
    p2: int = 0
    data: bytes = field(default=b"", repr=False)
    le: int | None = None
    extended: bool = False

    def __post_init__(self) -> None:
        if not all(0 <= byte <= 0xFF for byte in (self.cla, self.ins, self.p1, self.p2)):
            raise ApduError("bad_length", "CLA, INS, P1 and P2 are one byte each")
        if len(self.data) > DATA_BYTES_MAX:
            raise ApduError("bad_length", f"a command carries at most {DATA_BYTES_MAX} bytes")
        if self.le is not None and not 1 <= self.le <= LE_MAX:
            raise ApduError("bad_length", f"a command asks for 1 to {LE_MAX} bytes")
        if len(self.data) > SHORT_DATA_BYTES_MAX or (self.le or 0) > SHORT_LE_MAX:
            object.__setattr__(self, "extended", True)

    @property
    def header(self) -> bytes:
        """CLA, INS, P1, P2."""
        return bytes([self.cla, self.ins, self.p1, self.p2])

    @property
    def case(self) -> int:
        """1: neither data nor answer; 2: an answer; 3: data; 4: both."""
        return 1 + (self.le is not None) + 2 * bool(self.data)

    def encode(self) -> bytes:
        """The command's bytes, as short as its coding allows."""
        if self.case == 1:
            return self.header
        if not self.extended:
            lc = bytes([len(self.data)]) if self.data else b""
            le = bytes([self.le & 0xFF]) if self.le is not None else b""
            return self.header + lc + self.data + le
        lc = len(self.data).to_bytes(2, "big") if self.data else b""
        le = (self.le & 0xFFFF).to_bytes(2, "big") if self.le is not None else b""
        return self.header + b"\0" + lc + self.data + le

    @classmethod
    def decode(cls, data: bytes) -> CommandApdu:
        """Take a command apart. Raises ApduError: truncated (no whole header), bad_length."""
        if len(data) < HEADER_BYTES:
            raise ApduError("truncated", f"a command begins with {HEADER_BYTES} bytes: CLA, INS, P1, P2")
        header, body = data[:HEADER_BYTES], data[HEADER_BYTES:]
        extended = len(body) > 2 and body[0] == 0
        content, le = _read_body(body[1:], 2) if extended else _read_body(body, 1)
        return cls(header[0], header[1], header[2], header[3], content, le, extended)


def _read_body(body: bytes, length_bytes: int) -> tuple[bytes, int | None]:
    """Data and Le of what follows the header; lengths take one byte, or two in the extended coding."""
    if not body:
        return b"", None
    first = int.from_bytes(body[:length_bytes], "big")
    rest = body[length_bytes:]
    if not rest:
        return b"", first or 1 << 8 * length_bytes
    behind = len(rest) - first
    if first == 0 or behind not in {0, length_bytes}:
        raise ApduError("bad_length", "the command's bytes do not fit the length that it gives for its data")
    if not behind:
        return rest, None
    return rest[:first], int.from_bytes(rest[first:], "big") or 1 << 8 * length_bytes


@dataclass(frozen=True, slots=True)
class ResponseApdu:
    """One response: data, perhaps none, and the status word."""

    data: bytes = field(repr=False)
    sw: int

    def __repr__(self) -> str:
        return f"ResponseApdu(<{len(self.data)} bytes>, sw={self.sw:04X})"

    @property
    def ok(self) -> bool:
        """True for 9000."""
        return self.sw == SW_OK

    def encode(self) -> bytes:
        """Data and status word."""
        return self.data + self.sw.to_bytes(2, "big")

    @classmethod
    def decode(cls, data: bytes) -> ResponseApdu:
        """Take a response apart. Raises ApduError: truncated."""
        if len(data) < 2:
            raise ApduError("truncated", "a response ends with a status word of two bytes")
        return cls(data[:-2], int.from_bytes(data[-2:], "big"))
