"""The header of a TR-31 key block (ANSI X9.143): what a key is and what it may be used for.

Sixteen characters - version, length, key usage, algorithm, mode of use, key version, exportability, number of
optional blocks, two reserved - and then the optional blocks: identifier, length in hex that counts itself
and the identifier, data. A length of `00` announces a longer one: two digits say how many bytes it has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from firmware.secure.errors import BadInput

HEADER_CHARACTERS = 16
VERSIONS = "ABCD"
LENGTH_MAX = 9999
PADDING_BLOCK = "PB"

_OPTIONAL_HEAD = 4  # identifier and length
_EXTENDED_HEAD = 6  # identifier, 00, length of the length
_HEX = frozenset("0123456789ABCDEFabcdef")


@dataclass(frozen=True, slots=True)
class KeyBlockHeader:
    """What stands in front of the key. `optional_blocks`: identifier to data, the padding block left out."""

    version: str
    key_usage: str
    algorithm: str
    mode_of_use: str
    key_version: str = "00"
    exportability: str = "N"
    optional_blocks: Mapping[str, str] = field(default_factory=dict)

    def encode(self, key_characters: int, block_bytes: int) -> str:
        """The header's text, its length set. `key_characters`: what follows; `block_bytes`: the cipher's.

        A padding block is added where the optional blocks would not end on a cipher block. Raises BadInput:
        bad_format, bad_character, bad_length.
        """
        self._require_fields()
        optional = "".join(_optional_block(name, data) for name, data in self.optional_blocks.items())
        count = len(self.optional_blocks)
        if len(optional) % block_bytes:
            missing = -(len(optional) + _OPTIONAL_HEAD) % block_bytes
            optional += _optional_block(PADDING_BLOCK, "0" * missing)
            count += 1
        length = HEADER_CHARACTERS + len(optional) + key_characters
        if length > LENGTH_MAX or count > 99:
            raise BadInput("bad_length", "the key block would be longer than its header can say")
        fields = f"{self.key_usage}{self.algorithm}{self.mode_of_use}{self.key_version}{self.exportability}"
        return f"{self.version}{length:04d}{fields}{count:02d}00{optional}"

    def _require_fields(self) -> None:
        sizes = {
            "version": (self.version, 1),
            "key usage": (self.key_usage, 2),
            "algorithm": (self.algorithm, 1),
            "mode of use": (self.mode_of_use, 1),
            "key version": (self.key_version, 2),
            "exportability": (self.exportability, 1),
        }
        for name, (text, size) in sizes.items():
            if len(text) != size or not _is_alphanumeric(text):
                raise BadInput("bad_format", f"the {name} of a key block is {size} letters or digits")
        if self.version not in VERSIONS:
            raise BadInput("bad_version", f"the versions of key blocks are {', '.join(VERSIONS)}")


@dataclass(frozen=True, slots=True)
class ParsedHeader:
    """A header that was read: `length` as stated in it, `consumed` the characters that it takes."""

    header: KeyBlockHeader
    length: int
    consumed: int


def parse_header(text: str) -> ParsedHeader:
    """Read the header at the front of `text`, optional blocks included. Its length is not compared.

    Raises BadInput: truncated, bad_character, bad_version, bad_length, bad_format.
    """
    fixed = text[:HEADER_CHARACTERS]
    if len(fixed) < HEADER_CHARACTERS:
        raise BadInput("truncated", f"a key block begins with {HEADER_CHARACTERS} characters of header")
    if not _is_alphanumeric(fixed):
        raise BadInput("bad_character", "a key block's header has letters and digits only")
    if fixed[0] not in VERSIONS:
        raise BadInput("bad_version", f"the versions of key blocks are {', '.join(VERSIONS)}")
    if not fixed[1:5].isdigit():
        raise BadInput("bad_length", "the length in a key block's header is not four digits")
    if not fixed[12:14].isdigit():
        raise BadInput("bad_format", "the number of optional blocks is not two digits")
    optional, consumed = _parse_optional_blocks(text, int(fixed[12:14]))
    header = KeyBlockHeader(
        fixed[0], fixed[5:7], fixed[7], fixed[8], fixed[9:11], fixed[11], optional_blocks=optional
    )
    return ParsedHeader(header, int(fixed[1:5]), consumed)


def _parse_optional_blocks(text: str, count: int) -> tuple[dict[str, str], int]:
    blocks: dict[str, str] = {}
    position = HEADER_CHARACTERS
    for _ in range(count):
        name = text[position : position + 2]
        if len(name) < 2 or not _is_alphanumeric(name):
            raise BadInput("bad_format", "the identifier of an optional block is not two letters or digits")
        head, length = _optional_length(text[position:], name)
        if length < head:
            raise BadInput("bad_length", f"the length of optional block {name} does not count its own head")
        data = text[position + head : position + length]
        if len(data) < length - head:
            raise BadInput("truncated", f"the key block ends inside optional block {name}")
        if name in blocks:
            raise BadInput("bad_format", f"optional block {name} stands twice in the header")
        _require_printable(name, data)
        blocks[name] = data
        position += length
    blocks.pop(PADDING_BLOCK, None)
    return blocks, position


def _optional_length(text: str, name: str) -> tuple[int, int]:
    """How long the head of the block is, and the whole block, in characters."""
    length = _hex_number(text[2:4], 2, name)
    if length:
        return _OPTIONAL_HEAD, length
    digits = 2 * _hex_number(text[4:6], 2, name)
    if digits == 0:
        raise BadInput("bad_length", f"the extended length of optional block {name} has no digits")
    return _EXTENDED_HEAD + digits, _hex_number(text[6 : 6 + digits], digits, name)


def _hex_number(text: str, digits: int, name: str) -> int:
    if len(text) < digits or not _HEX.issuperset(text):
        raise BadInput("bad_length", f"the length of optional block {name} is not {digits} hex digits")
    return int(text, 16)


def _optional_block(name: str, data: str) -> str:
    if len(name) != 2 or not _is_alphanumeric(name):
        raise BadInput("bad_format", "the identifier of an optional block is not two letters or digits")
    _require_printable(name, data)
    length = _OPTIONAL_HEAD + len(data)
    if length <= 0xFF:
        return f"{name}{length:02X}{data}"
    length = _EXTENDED_HEAD + 4 + len(data)
    if length > LENGTH_MAX:
        raise BadInput("bad_length", f"optional block {name} is longer than a key block can be")
    return f"{name}0002{length:04X}{data}"


def _require_printable(name: str, data: str) -> None:
    if not (data.isascii() and data.isprintable()):
        raise BadInput(
            "bad_character", f"optional block {name} holds a character that is not printable ASCII"
        )


def _is_alphanumeric(text: str) -> bool:
    return text.isascii() and text.isalnum()
