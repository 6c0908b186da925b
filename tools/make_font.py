"""Make hal/fonts/dots16.bin from GNU Unifont's `unifont.hex`.

Run it when the set of characters changes or a new Unifont is wanted:

    apt-get install unifont          # Debian; puts /usr/share/unifont/unifont.hex in place
    python -m tools.make_font /usr/share/unifont/unifont.hex
    python -m tools.make_font /usr/share/unifont/unifont.hex --check     # is the packed font up to date?

The input has one glyph a line, `code point:bits`, both in hexadecimal: 32 digits for 8x16 dots, 64 for 16x16.
The output's format is described in hal/raster/font.py.
"""

from __future__ import annotations

import argparse
import sys
import zlib
from pathlib import Path

from hal.raster.font import HEADER, MAGIC
from hal.raster.width import char_columns

OUTPUT = Path(__file__).resolve().parent.parent / "hal" / "fonts" / "dots16.bin"

BLOCKS = (
    range(0x0020, 0x007F),  # ASCII
    range(0x00A0, 0x0180),  # Latin-1, Latin Extended-A
    range(0x2010, 0x2028),  # dashes, quotation marks, bullet, ellipsis
    range(0x2190, 0x219A),  # arrows
    range(0x2460, 0x249C),  # enclosed numbers
    range(0x2500, 0x2600),  # box drawing, blocks, geometric shapes
    range(0x3000, 0x3040),  # CJK punctuation
    range(0xFF00, 0xFFE7),  # full-width forms
)
MORE = "₩€№℃™Ω√✓✔✗✘★☆♥\ufffd"


def gb2312() -> set[int]:
    """The code points of GB 2312-80: 6763 hanzi in rows 16 to 87, 682 other characters in rows 1 to 9."""
    found = set()
    for row in range(0xA1, 0xF8):
        for cell in range(0xA1, 0xFF):
            try:
                found.add(ord(bytes([row, cell]).decode("gb2312")))
            except UnicodeDecodeError:
                continue  # not every cell of the standard is used
    return found


def read_hex(text: str) -> dict[int, bytes]:
    """Parse the .hex format: code point -> 16 or 32 bytes."""
    pairs = (line.split(":") for line in text.split())
    return {int(point, 16): bytes.fromhex(bits) for point, bits in pairs}


def pack(glyphs: dict[int, bytes]) -> bytes:
    """The packed font. Characters whose dots are not as wide as their columns are left out.

    Raises ValueError when a character of GB 2312 is missing or has the wrong width.
    """
    wanted = gb2312() | {point for block in BLOCKS for point in block} | set(map(ord, MORE))
    chosen = {
        point: glyphs[point]
        for point in sorted(wanted & glyphs.keys())
        if len(glyphs[point]) == 16 * char_columns(chr(point))
    }
    if lost := gb2312() - chosen.keys():
        raise ValueError(f"{len(lost)} characters of GB 2312 are missing, first U+{min(lost):04X}")
    narrow = [point for point, dots in chosen.items() if len(dots) == 16]
    wide = [point for point, dots in chosen.items() if len(dots) == 32]
    points = b"".join(point.to_bytes(2, "little") for point in (*narrow, *wide))
    body = points + b"".join(chosen[point] for point in (*narrow, *wide))
    return HEADER.pack(MAGIC, len(narrow), len(wide)) + zlib.compress(body, 9)


def main(arguments: list[str] | None = None) -> int:
    """Write or check the packed font; returns the exit status."""
    parser = argparse.ArgumentParser(description="Pack GNU Unifont's glyphs for posterm.")
    parser.add_argument("hex_file", type=Path, help="unifont.hex of Debian's package `unifont`")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail when the packed font is stale"
    )
    options = parser.parse_args(arguments)
    packed = pack(read_hex(options.hex_file.read_text(encoding="ascii")))
    if options.check:
        fresh = OUTPUT.exists() and OUTPUT.read_bytes() == packed
        print(
            "up to date" if fresh else f"{OUTPUT} is stale: run `python -m tools.make_font` without --check"
        )
        return 0 if fresh else 1
    OUTPUT.write_bytes(packed)
    print(f"{OUTPUT}: {len(packed)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
