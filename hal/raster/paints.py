"""The colours of a drawn screen on a display that has colours."""

from __future__ import annotations

from hal.raster.canvas import Rgba, opaque
from hal.raster.screen import Paint

COLOURS: dict[Paint, Rgba] = {
    Paint.GROUND: opaque(0xF7F9FC),
    Paint.TEXT: opaque(0x1F2A37),
    Paint.HEADING: opaque(0x0B3C6F),
    Paint.HEADER_BAR: opaque(0x0F3D73),
    Paint.HEADER_TEXT: opaque(0xFFFFFF),
    Paint.BAR: opaque(0x0E7C66),
    Paint.BAR_TEXT: opaque(0xFFFFFF),
    Paint.QR_LIGHT: opaque(0xFFFFFF),
    Paint.QR_DARK: opaque(0x000000),
}

LIGHT_PAINTS = frozenset({Paint.GROUND, Paint.HEADER_TEXT, Paint.BAR_TEXT, Paint.QR_LIGHT})
"""What is light where there are two colours only; everything else is dark."""


def dot_colours() -> list[Rgba]:
    """The colour of every value of `Paint`, in order."""
    return [COLOURS[paint] for paint in Paint]
