"""Shapes as PNG, drawn with Pillow and the font that comes with it: every machine draws the same picture.

Areas and lines are drawn at `OVERSAMPLE` times the size and reduced, which makes their edges smooth; texts
are smooth already and are drawn last, at the final size. No shape ever lies above a text that is to be read.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING

from tools.diagram.shapes import Circle, Line, Point, Polygon, Rect, Scene, Shape, Text
from tools.diagram.svg import corner_ends

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

SCALE = 2  # pixels a point, in the finished picture
OVERSAMPLE = 2
CURVE_PIECES = 6
ANCHORS = {"start": "ls", "middle": "ms", "end": "rs"}


def png_of(scene: Scene) -> bytes:
    """The PNG file of a scene, `SCALE` pixels a point."""
    from PIL import Image, ImageDraw

    scale = SCALE * OVERSAMPLE
    size = (round(scene.width * SCALE) * OVERSAMPLE, round(scene.height * SCALE) * OVERSAMPLE)
    shapes = [shape for figure in scene.figures for shape in figure.shapes]
    large = Image.new("RGB", size, "#ffffff")
    draw = ImageDraw.Draw(large)
    for shape in shapes:
        _draw(draw, shape, scale)
    image = large.reduce(OVERSAMPLE)
    draw = ImageDraw.Draw(image)
    for shape in shapes:
        if isinstance(shape, Text):
            _write(draw, shape)
    file = BytesIO()
    image.save(file, "PNG", compress_level=6)
    return file.getvalue()


def _draw(draw: ImageDraw, shape: Shape, scale: int) -> None:
    match shape:
        case Rect():
            box = [shape.x * scale, shape.y * scale, shape.right * scale, shape.bottom * scale]
            width = round(shape.stroke_width * scale) if shape.stroke else 0
            half = width / 2  # Pillow draws inside, SVG on the edge
            outer = [box[0] - half, box[1] - half, box[2] + half, box[3] + half]
            draw.rounded_rectangle(
                outer, shape.radius * scale + half, shape.fill or None, shape.stroke or None, width
            )
        case Line():
            points = [(x * scale, y * scale) for x, y in _curved(shape.points, shape.radius)]
            draw.line(points, shape.stroke, max(1, round(shape.width * scale)), joint="curve")
        case Polygon():
            draw.polygon([(x * scale, y * scale) for x, y in shape.points], shape.fill)
        case Circle():
            radius = (shape.radius + (shape.stroke_width / 2 if shape.stroke else 0)) * scale
            x, y = shape.x * scale, shape.y * scale
            width = round(shape.stroke_width * scale) if shape.stroke else 0
            box = [x - radius, y - radius, x + radius, y + radius]
            draw.ellipse(box, shape.fill or None, shape.stroke or None, width)
        case Text():
            pass


def _curved(points: tuple[Point, ...], radius: float) -> Iterator[Point]:
    """The points with every corner replaced by a quadratic curve, as SVG's Q draws it."""
    yield points[0]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        if not radius:
            yield corner
            continue
        start, end = corner_ends(before, corner, after, radius)
        for piece in range(CURVE_PIECES + 1):
            t = piece / CURVE_PIECES
            weights = ((1 - t) ** 2, 2 * t * (1 - t), t**2)
            x, y = (
                sum(w * p[axis] for w, p in zip(weights, (start, corner, end), strict=True))
                for axis in (0, 1)
            )
            yield x, y
    yield points[-1]


def _write(draw: ImageDraw, text: Text) -> None:
    """The font has no bold cut: a thin outline in the same colour makes one."""
    place = (text.x * SCALE, text.y * SCALE)
    stroke = 0.5 if text.bold else 0
    draw.text(place, text.text, text.fill, _font(text.size), ANCHORS[text.anchor], stroke_width=stroke)


@cache
def _font(size: float) -> FreeTypeFont | ImageFont:
    from PIL import ImageFont

    return ImageFont.load_default(size * SCALE * 1.04)
