"""Text to the bytes that a printer prints it from: ASCII, Chinese in Kanji mode, the rest by code page."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import lru_cache

from hal.raster.width import char_columns, text_columns

KANJI_ON, KANJI_OFF = b"\x1c&", b"\x1c."
SELECT_PAGE = b"\x1bt"
_UNPRINTABLE = "?"
_KANJI = -1


class TextEncoder:
    """The encoder of one printer. It switches where it must, and leaves the printer without Kanji mode.

    chinese: the printer has characters of GB 18030. A character that the printer has not is printed as "?",
    in as many columns as it would have taken, so that columns stay aligned.
    """

    def __init__(self, code_pages: Mapping[int, str], *, chinese: bool) -> None:
        self._code_pages = dict(code_pages)
        self._chinese = chinese

    def encode(self, text: str) -> bytes:
        """The bytes of a text without control characters; combining marks join their letters or are lost."""
        text = unicodedata.normalize("NFC", text)
        out = bytearray()
        page = None  # unknown: what is selected now may be anything
        kanji = False
        for char in text:
            if char.isascii():
                out += char.encode()
                continue
            where, data = self._place(char)
            if where is not None and (where == _KANJI) != kanji:
                kanji = where == _KANJI
                out += KANJI_ON if kanji else KANJI_OFF
            if where not in {None, _KANJI, page}:
                page = where
                out += SELECT_PAGE + bytes([page or 0])
            out += data
        return bytes(out + KANJI_OFF if kanji else out)

    def _place(self, char: str) -> tuple[int | None, bytes]:
        """The code page (or `_KANJI`) that has the character, and its bytes there; None: in all of them."""
        columns = char_columns(char)
        if columns == 2 and self._chinese:
            data = _encoded(char, "gb18030")
            if data is not None:
                return _KANJI, data
        elif columns == 1:
            for number, codec in self._code_pages.items():
                data = _encoded(char, codec)
                if data is not None:
                    return number, data
        return None, (_UNPRINTABLE * text_columns(char)).encode()


@lru_cache(maxsize=4096)
def _encoded(char: str, codec: str) -> bytes | None:
    try:
        data = char.encode(codec)
    except UnicodeEncodeError:
        return None
    return data if len(data) in {1, 2, 4} else None
