"""How wide a text is, without a font at hand.

The advance widths are those of DejaVu Sans, in hundredths of the size. It is wider than the fonts that the
pictures ask for, so a text that fits here fits on every machine, and every machine makes the same picture.
"""

from __future__ import annotations

# fmt: off
REGULAR = (
    32, 40, 46, 84, 64, 95, 78, 27, 39, 39, 50, 84, 32, 36, 32, 34, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 34, 34, 84, 84, 84, 53, 100, 68, 69, 70, 77, 63, 58, 77, 75, 29, 29, 66, 56, 86, 75, 79, 60, 79,
    69, 63, 61, 73, 68, 99, 69, 61, 69, 39, 34, 39, 84, 50, 50, 61, 63, 55, 63, 62, 35, 63, 63, 28, 28,
    58, 28, 97, 63, 61, 63, 63, 41, 52, 39, 63, 59, 82, 59, 59, 52, 64, 34, 64, 84,
)
BOLD = (
    35, 46, 52, 84, 70, 100, 87, 31, 46, 46, 52, 84, 38, 42, 38, 37, 70, 70, 70, 70, 70, 70, 70, 70, 70,
    70, 40, 40, 84, 84, 84, 58, 100, 77, 76, 73, 83, 68, 68, 82, 84, 37, 37, 77, 64, 100, 84, 85, 73,
    85, 77, 72, 68, 81, 77, 110, 77, 72, 73, 46, 37, 46, 84, 50, 50, 67, 72, 59, 72, 68, 44, 72, 71, 34,
    34, 67, 34, 104, 71, 69, 72, 72, 49, 60, 48, 71, 65, 92, 65, 65, 58, 71, 37, 71, 84,
)
# fmt: on
FIRST = 32  # both tables begin with the space
NO_BREAK = "\u00a0"
OTHER = 100  # everything outside ASCII


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """The width of `text` at `size`, in the unit of `size`."""
    table = BOLD if bold else REGULAR
    codes = (ord(character) - FIRST for character in text.replace(NO_BREAK, " "))
    return sum(table[code] if 0 <= code < len(table) else OTHER for code in codes) * size / 100


def wrap(text: str, width: float, size: float, *, bold: bool = False) -> list[str]:
    """Break `text` at its spaces into lines of at most `width`; at U+00A0 only where that does not help.

    A word that is wider than `width` stands alone.
    """
    lines: list[str] = []
    for phrase in text.split(" "):
        fits = text_width(phrase, size, bold=bold) <= width
        for word in [phrase] if fits else phrase.split(NO_BREAK):
            longer = f"{lines[-1]} {word}" if lines else word
            if lines and text_width(longer, size, bold=bold) <= width:
                lines[-1] = longer
            else:
                lines.append(word)
    return [line.replace(NO_BREAK, " ") for line in lines]
