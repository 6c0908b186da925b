"""Bytes of text to characters: code pages, national characters, and the double bytes of Kanji mode.

A character's bytes may come in pieces: what is not whole waits here. Bytes that mean nothing in the encoding
become U+FFFD, one for each, so that they are seen on the paper.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any, Literal

UNREADABLE = "\ufffd"
KanjiEncoding = Literal["gb18030", "shift_jis", "big5", "euc_kr"]

_REPLACED = "#$@[\\]^`{|}~"


class TextDecoder:
    """What the bytes of text mean now."""

    def __init__(self, kanji_encoding: KanjiEncoding) -> None:
        self.kanji_encoding: KanjiEncoding = kanji_encoding
        self.code_page = 0
        self.country = 0
        self.kanji = False
        self._pending = b""

    def reset(self, *, kanji: bool) -> None:
        """As after power-on."""
        self.code_page = self.country = 0
        self.kanji = kanji
        self._pending = b""

    def characters(self, data: bytes) -> Iterator[tuple[int, str]]:
        """Each character with its first byte; one that is cut off at the end waits for its rest."""
        data, self._pending = self._pending + data, b""
        at = 0
        while at < len(data):
            size = self._size(data, at)
            if not size:
                self._pending = data[at:]
                return
            yield data[at], self._character(data[at : at + size])
            at += size

    def end_of_text(self) -> Iterator[tuple[int, str]]:
        """A command follows: half a character that waits is unreadable."""
        pending, self._pending = self._pending, b""
        for byte in pending:
            yield byte, UNREADABLE

    def _size(self, data: bytes, at: int) -> int:
        """Bytes of the character at `at`; 0 when not all of them are there."""
        if not self.kanji or not _is_lead(self.kanji_encoding, data[at]):
            return 1
        rest = len(data) - at
        if rest < 2:
            return 0
        second = data[at + 1]
        if self.kanji_encoding == "gb18030" and 0x30 <= second <= 0x39:
            return 4 if rest >= 4 else 0
        return 2 if second >= 0x40 else 1

    def _character(self, data: bytes) -> str:
        if self.kanji and data[0] >= 0x80:  # a single byte too: half-width katakana of Shift JIS
            try:
                text = data.decode(self.kanji_encoding)
            except UnicodeDecodeError:
                return UNREADABLE
            return text if len(text) == 1 else UNREADABLE
        if data[0] >= 0x80:
            return _upper_half(self.code_page)[data[0] - 0x80]
        return _national(self.country).get(chr(data[0]), chr(data[0]))


def _is_lead(encoding: KanjiEncoding, byte: int) -> bool:
    """Whether the byte begins a character of two (GB 18030: or four) bytes."""
    if encoding == "shift_jis":
        return 0x81 <= byte <= 0x9F or 0xE0 <= byte <= 0xFC
    return 0x81 <= byte <= 0xFE


@cache
def _tables() -> Mapping[str, Mapping[str, Any]]:
    folder = resources.files("hal") / "peripherals"
    return tomllib.loads((folder / "printer_code_pages.toml").read_text("utf-8"))


@cache
def _upper_half(code_page: int) -> str:
    """The characters of 80h to FFh."""
    page, tables = str(code_page), _tables()
    if page in tables["tables"]:
        return str(tables["tables"][page])
    codec = tables["code_pages"].get(page)
    if codec is None:
        return UNREADABLE * 128
    later = tables["later"].get(page, {})
    characters = [later.get(f"0x{byte:02X}") or bytes([byte]).decode(codec, "replace") for byte in _UPPER]
    return "".join(char if char.isprintable() or char == "\xa0" else UNREADABLE for char in characters)


_UPPER = range(0x80, 0x100)


@cache
def _national(country: int) -> Mapping[str, str]:
    characters = _tables()["national"].get(str(country), _REPLACED)
    return dict(zip(_REPLACED, characters, strict=True))
