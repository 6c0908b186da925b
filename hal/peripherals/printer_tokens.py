"""A stream of ESC/POS cut into its commands, whoever sent it: what is known is known by its length.

The plan of this file. `Tokeniser` is fed bytes and asked for tokens, one at a time, so that a printer reads
no further than it prints. Lengths come from `escpos_grammar.toml`; a rule gets what is there of a command and
says how many bytes it needs in all, or how many it wants to see before it can say more. A command whose
parameters are longer than `PARAMETERS_MAX` is read to its end, and what is beyond is thrown away: then it is
no command any more but noise of known length. A byte after a prefix that no table knows is skipped with it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib import resources

PARAMETERS_MAX = 512 * 1024
"""Longest parameters that are kept: a raster of 576 dots may be 7,000 rows long."""

TEXT_MAX = 256
"""Bytes of text in one token."""

_NUL_TERMINATED_MAX = 256
"""Where a list without its NUL ends: more tab stops or bar-code characters than any printer takes."""

_PREFIXES = {0x10: "DLE", 0x1B: "ESC", 0x1C: "FS", 0x1D: "GS"}
_NAMES = {0x05: "ENQ", 0x04: "EOT", 0x14: "DC4", 0x18: "CAN", 0x0C: "FF", 0x20: "SP"}
_CONTROLS = {0x09: "HT", 0x0A: "LF", 0x0C: "FF", 0x0D: "CR", 0x18: "CAN", 0x07: "BEL"}


class TokenKind(Enum):
    """What a piece of the stream is."""

    TEXT = "text"
    COMMAND = "command"
    UNKNOWN = "unknown"  # a prefix with a byte that no command has: both are skipped
    TOO_LONG = "too_long"  # a command with more parameters than are kept


@dataclass(frozen=True, slots=True)
class Token:
    """A run of text, or a command with its name as in the reference ("ESC !", "GS ( k") and its parameters.

    Length bytes of "length2" and "length4" commands are not among the parameters.
    """

    kind: TokenKind
    name: str = ""
    data: bytes = b""


class Tokeniser:
    """The stream's end that was not understood yet, and the command that is being collected."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._collecting: _Collecting | None = None

    def feed(self, data: bytes) -> None:
        """Append what came in."""
        self._buffer += data

    def clear(self) -> None:
        """Forget everything that was not understood yet."""
        self._buffer.clear()
        self._collecting = None

    @property
    def waiting_bytes(self) -> int:
        """How many bytes stand in the buffer. A command's parameters leave it as they come."""
        return len(self._buffer)

    @property
    def is_within_command(self) -> bool:
        """True when the stream stops in the middle of a command."""
        return self._collecting is not None or bool(self._buffer)

    def next(self) -> Token | None:
        """The next token; None when it needs more bytes than there are."""
        while True:
            if self._collecting is not None:
                token = self._collect(self._collecting)
                if token is not None or self._collecting is not None:
                    return token
            if not self._buffer:
                return None
            first = self._buffer[0]
            if first in _PREFIXES:
                if len(self._buffer) < 2:
                    return None
                if (unknown := self._begin(first)) is not None:
                    return unknown
            elif first in _CONTROLS:
                del self._buffer[0]
                return Token(TokenKind.COMMAND, _CONTROLS[first])
            elif first < 0x20:
                del self._buffer[0]  # other control characters do nothing
            else:
                return self._text()

    def all(self) -> Iterator[Token]:
        """Every token that is complete."""
        while (token := self.next()) is not None:
            yield token

    def _text(self) -> Token:
        window = self._buffer[:TEXT_MAX]
        end = next((at for at, byte in enumerate(window) if byte < 0x20), len(window))
        del self._buffer[:end]
        return Token(TokenKind.TEXT, data=bytes(window[:end]))

    def _begin(self, prefix: int) -> Token | None:
        second = self._buffer[1]
        name = f"{_PREFIXES[prefix]} {_NAMES.get(second) or chr(second)}"
        rule = grammar().get(name)
        del self._buffer[:2]
        if rule is None:
            return Token(TokenKind.UNKNOWN, name, bytes([prefix, second]))
        self._collecting = _Collecting(name, rule)
        return None

    def _collect(self, command: _Collecting) -> Token | None:
        """Move what belongs to the command out of the buffer; its token once it is whole."""
        while not command.is_whole:
            if not self._buffer:
                return None
            taken = bytes(self._buffer[: command.wanted])
            del self._buffer[: len(taken)]
            command.take(taken)
        self._collecting = None
        return command.token()


class _Collecting:
    """A command whose parameters are still coming in."""

    def __init__(self, name: str, rule: _Rule) -> None:
        self._name = name
        self._rule = rule
        self._data = bytearray()
        self._too_long = False
        self.wanted = rule(b"")

    @property
    def is_whole(self) -> bool:
        """True when nothing more belongs to it."""
        return self.wanted == 0

    def take(self, data: bytes) -> None:
        """Take bytes, no more than `wanted`."""
        if self._too_long:
            self.wanted -= len(data)
            return
        self._data += data
        self.wanted = self._rule(bytes(self._data)) if len(data) >= self.wanted else self.wanted - len(data)
        if len(self._data) + self.wanted > PARAMETERS_MAX:
            self._too_long = True
            self._data.clear()

    def token(self) -> Token:
        """The command."""
        if self._too_long:
            return Token(TokenKind.TOO_LONG, self._name)
        name, data = _named(self._name, bytes(self._data))
        return Token(TokenKind.COMMAND, name, data)


def _named(name: str, data: bytes) -> tuple[str, bytes]:
    """The full name of a command whose function is a parameter, and what is left of the parameters."""
    match name:
        case "ESC (" | "FS (" | "GS (":
            return f"{name} {chr(data[0])}", data[3:]
        case "GS 8":
            return f"{name} {chr(data[0])}", data[5:]
        case "ESC c" | "GS C" | "GS g" | "GS v" | "GS Q" | "GS D" | "FS g":
            return f"{name} {chr(data[0])}", data[1:]
        case "ESC D":
            return name, data.removesuffix(b"\0")
        case "GS k" if data[0] < 0x41:
            return name, data[:1] + data[1:].removesuffix(b"\0")
        case _:
            return name, data


# --- lengths -----------------------------------------------------------------------------------------

_Rule = Callable[[bytes], int]
"""Given what is there of the parameters: how many bytes more; 0 when they are whole."""


@cache
def grammar() -> Mapping[str, _Rule]:
    """Every command by its name, with the rule for its length."""
    text = (resources.files("hal") / "peripherals" / "escpos_grammar.toml").read_text("utf-8")
    return {name: _rule(length) for name, length in tomllib.loads(text)["commands"].items()}


def _rule(length: int | str) -> _Rule:
    if isinstance(length, int):
        return lambda data: length - len(data)
    return _RULES[length]


def _after(head: int, size: Callable[[bytes], int]) -> _Rule:
    """`head` bytes, then as many as they say."""
    return lambda data: head - len(data) if len(data) < head else head + size(data) - len(data)


def _word(data: bytes, at: int) -> int:
    return data[at] | data[at + 1] << 8


def _up_to_nul(data: bytes) -> int:
    return 0 if data.endswith(b"\0") or len(data) >= _NUL_TERMINATED_MAX else 1


def _bar_code(data: bytes) -> int:
    """Up to m = 40h the data end with NUL; from 41h on a length stands before them."""
    if not data:
        return 1
    if data[0] < 0x41:
        return 1 if len(data) == 1 else _up_to_nul(data[1:])
    return _after(2, lambda head: head[1])(data)


def _characters(data: bytes) -> int:
    """ESC & y c1 c2, then for each character its width x and x times y bytes."""
    if len(data) < 3:
        return 3 - len(data)
    height, first, last = data[:3]
    at = 3
    for _ in range(first, last + 1):
        if at >= len(data):
            return at + 1 - len(data)
        at += 1 + data[at] * height
    return max(0, at - len(data))


def _nv_images(data: bytes) -> int:
    """FS q n, then n times xL xH yL yH and x times y times 8 bytes."""
    if not data:
        return 1
    at = 1
    for _ in range(data[0]):
        if at + 4 > len(data):
            return at + 4 - len(data)
        at += 4 + _word(data, at) * _word(data, at + 2) * 8
    return max(0, at - len(data))


def _cut(data: bytes) -> int:
    """GS V m, and for the functions that feed first n."""
    return 1 if not data else 2 - len(data) if data[0] in b"\x41\x42\x61\x62\x67\x68" else 0


_COUNTER_BYTES = {0x30: 2, 0x31: 6, 0x32: 2}
_REQUEST_BYTES = {1: 2, 2: 2, 3: 5, 7: 1, 8: 7}

_RULES: Mapping[str, _Rule] = {
    "nul": _up_to_nul,
    "length2": _after(3, lambda head: _word(head, 1)),
    "length4": _after(5, lambda head: int.from_bytes(head[1:5], "little")),
    "characters": _characters,
    "column_image": _after(3, lambda head: _word(head, 1) * (3 if head[0] & 0x20 else 1)),
    "panel": lambda data: 2 - len(data),
    "kanji_character": lambda data: 74 - len(data),
    "user_memory": _after(1, lambda head: 0 if head[0] != 0x31 else 7),
    "nv_images": _nv_images,
    "downloaded_image": _after(2, lambda head: head[0] * head[1] * 8),
    "counter": _after(1, lambda head: _COUNTER_BYTES.get(head[0], 0)),
    "windows_bitmap": _after(1, lambda _: 0),
    "rotated_image": _after(6, lambda head: _word(head, 2) * _word(head, 4)),
    "cut": _cut,
    "maintenance": _after(1, lambda head: 3 if head[0] in b"02" else 0),
    "bar_code": _bar_code,
    "raster_image": _after(6, lambda head: _word(head, 2) * _word(head, 4)),
    "realtime_status": _after(1, lambda head: 1 if head[0] in {7, 8} else 0),
    "realtime_request": _after(1, lambda head: _REQUEST_BYTES.get(head[0], 0)),
}
