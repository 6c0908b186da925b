"""How a virtual display looks: dots with their glass and frame around them, as PNG.

Each picture is one canvas whose dot values index the palette beside it. Sizes are in dots of the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

from hal.raster.canvas import Canvas, Rgba, opaque
from hal.raster.paints import COLOURS, LIGHT_PAINTS, dot_colours
from hal.raster.screen import Bar, Paint

_SHADES = 8
"""Steps of opacity with which a rounded corner fades into what is around the picture."""

_MARGIN = 8
"""Dots between the cells of the colour model and its frame."""

# The LCD: yellow-green glass, dots that are a shade darker than the glass even when off.
_LCD_GLASS, _LCD_OFF, _LCD_ON, _LCD_ON_GAP = range(4)
_LCD_COLOURS = (opaque(0xB7C465), opaque(0xAEBB5C), opaque(0x26301C), opaque(0x59643A))
_AS_GAP = bytes([_LCD_GLASS, _LCD_GLASS, _LCD_ON_GAP, _LCD_ON_GAP]).ljust(256, b"\0")


def colour_picture(screen: Canvas, bars: Sequence[Bar], scale: int, contrast_percent: int = 50) -> bytes:
    """A colour panel as PNG: the screen's dots, a margin in the screen's own colours, a dark frame."""
    glass = _with_margin(screen, bars).enlarged(scale)
    palette = _with_contrast(dot_colours(), COLOURS[Paint.GROUND], contrast_percent)
    return _framed(glass, palette, 5 * scale, opaque(0x20242B))


def lcd_picture(screen: Canvas, scale: int, contrast_percent: int = 50) -> bytes:
    """A monochrome LCD as PNG: dots (with gaps between them if `scale` is 3 or more), glass, a frame."""
    inks = bytes(_LCD_OFF if paint in LIGHT_PAINTS else _LCD_ON for paint in Paint)
    dots = Canvas(screen.width, screen.height)
    dots.dots[:] = screen.dots.translate(inks.ljust(256, b"\0"))
    large = dots.enlarged(scale)
    if scale >= 3:
        _cut_gaps(large, scale)
    margin = 3 * scale
    glass = Canvas(large.width + 2 * margin, large.height + 2 * margin, _LCD_GLASS)
    glass.paste(margin, margin, large)
    palette = _with_contrast(_LCD_COLOURS, _LCD_COLOURS[_LCD_GLASS], contrast_percent)
    return _framed(glass, palette, 3 * scale, opaque(0x2B2F33))


def _with_contrast(palette: Sequence[Rgba], ground: Rgba, percent: int) -> list[Rgba]:
    """The colours nearer to the ground below 50 percent, further from it above; a fifth is left at 0."""
    share = (20 + 8 * percent / 5) / 100

    def moved(base: int, part: int) -> int:
        return min(255, max(0, round(base + (part - base) * share)))

    red, green, blue, _ = ground
    return [(moved(red, r), moved(green, g), moved(blue, b), alpha) for r, g, b, alpha in palette]


def _with_margin(screen: Canvas, bars: Sequence[Bar]) -> Canvas:
    """The screen with a margin, through which bars run on to the frame.

    What stands on a bar at the top or bottom edge moves to the middle of the bar with its margin.
    """
    glass = Canvas(screen.width + 2 * _MARGIN, screen.height + 2 * _MARGIN, Paint.GROUND)
    glass.paste(_MARGIN, _MARGIN, screen)
    for bar in bars:
        top = 0 if bar.y == 0 else bar.y + _MARGIN
        bottom = bar.y + bar.height_dots + _MARGIN
        after = glass.height if bottom == screen.height + _MARGIN else bottom
        glass.fill(0, top, glass.width, after - top, bar.paint)
        glass.paste(_MARGIN, top + (after - top - bar.height_dots) // 2, _stripe(screen, bar))
    return glass


def _stripe(screen: Canvas, bar: Bar) -> Canvas:
    """The dots of a bar with what stands on it."""
    stripe = Canvas(screen.width, bar.height_dots)
    stripe.dots[:] = screen.dots[bar.y * screen.width : (bar.y + bar.height_dots) * screen.width]
    return stripe


def _cut_gaps(canvas: Canvas, scale: int) -> None:
    """Give the last line and column of every dot to the gap beside it."""
    for y in range(canvas.height):
        start, end = y * canvas.width, (y + 1) * canvas.width
        if y % scale == scale - 1:
            canvas.dots[start:end] = canvas.dots[start:end].translate(_AS_GAP)
        else:
            gaps = slice(start + scale - 1, end, scale)
            canvas.dots[gaps] = canvas.dots[gaps].translate(_AS_GAP)


def _framed(glass: Canvas, palette: list[Rgba], border: int, frame: Rgba) -> bytes:
    """Put a frame with round corners around the glass."""
    first = len(palette)  # palette[first + n]: the frame with n / _SHADES of its opacity
    palette = palette + [(*frame[:3], 255 * shade // _SHADES) for shade in range(_SHADES + 1)]
    picture = Canvas(glass.width + 2 * border, glass.height + 2 * border, first + _SHADES)
    picture.paste(border, border, glass)
    _round_corners(picture, radius=border, first=first)
    return picture.png(palette)


def _round_corners(picture: Canvas, *, radius: int, first: int) -> None:
    for y in range(radius):
        for x in range(radius):
            distance = sqrt((radius - x - 0.5) ** 2 + (radius - y - 0.5) ** 2)
            shade = first + round(_SHADES * min(1.0, max(0.0, radius - distance + 0.5)))
            for column in (x, picture.width - 1 - x):
                picture.dots[y * picture.width + column] = shade
                picture.dots[(picture.height - 1 - y) * picture.width + column] = shade
