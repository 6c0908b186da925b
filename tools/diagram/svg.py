"""Shapes as SVG 1.1, readable without any other file; numbers have at most one decimal."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from tools.diagram.shapes import Circle, Figure, Line, Point, Polygon, Rect, Scene, Shape, Text

FONTS = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"


def svg_of(scene: Scene) -> str:
    """The SVG document of a scene. Every figure is a group with an id and, where it has one, a tooltip."""
    size = f'width="{_number(scene.width)}" height="{_number(scene.height)}"'
    box = f'viewBox="0 0 {_number(scene.width)} {_number(scene.height)}"'
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {box} role="img" font-family="{FONTS}">',
        f"<title>{escape(scene.title)}</title>",
    ]
    for figure in scene.figures:
        lines += _figure(figure)
    return "\n".join([*lines, "</svg>", ""])


def _figure(figure: Figure) -> Iterator[str]:
    yield f'<g id="{escape(figure.name)}">'
    if figure.note:
        yield f"<title>{escape(figure.note)}</title>"
    for shape in figure.shapes:
        yield _shape(shape)
    yield "</g>"


def _shape(shape: Shape) -> str:
    match shape:
        case Rect():
            corner = f' rx="{_number(shape.radius)}"' if shape.radius else ""
            place = f'x="{_number(shape.x)}" y="{_number(shape.y)}"'
            size = f'width="{_number(shape.width)}" height="{_number(shape.height)}"'
            return f"<rect {place} {size}{corner}{_paint(shape.fill, shape.stroke, shape.stroke_width)}/>"
        case Text():
            place = f'x="{_number(shape.x)}" y="{_number(shape.y)}" font-size="{_number(shape.size)}"'
            weight = ' font-weight="bold"' if shape.bold else ""
            anchor = f' text-anchor="{shape.anchor}"' if shape.anchor != "start" else ""
            return f'<text {place}{weight}{anchor} fill="{shape.fill}">{escape(shape.text)}</text>'
        case Line():
            paint = _paint("", shape.stroke, shape.width)
            return f'<path d="{_path(shape.points, shape.radius)}"{paint} stroke-linejoin="round"/>'
        case Polygon():
            points = " ".join(f"{_number(x)},{_number(y)}" for x, y in shape.points)
            return f'<polygon points="{points}" fill="{shape.fill}"/>'
        case Circle():
            place = f'cx="{_number(shape.x)}" cy="{_number(shape.y)}" r="{_number(shape.radius)}"'
            return f"<circle {place}{_paint(shape.fill, shape.stroke, shape.stroke_width)}/>"


def _paint(fill: str, stroke: str, width: float) -> str:
    outline = f' stroke="{stroke}" stroke-width="{_number(width)}"' if stroke else ""
    return f' fill="{fill or "none"}"{outline}'


def _path(points: tuple[Point, ...], radius: float) -> str:
    """Straight pieces with round corners."""
    parts = [f"M{_pair(points[0])}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        if radius:
            start, end = corner_ends(before, corner, after, radius)
            parts.append(f"L{_pair(start)}Q{_pair(corner)} {_pair(end)}")
        else:
            parts.append(f"L{_pair(corner)}")
    return "".join([*parts, f"L{_pair(points[-1])}"])


def corner_ends(before: Point, corner: Point, after: Point, radius: float) -> tuple[Point, Point]:
    """Where the rounding of a corner begins and ends: at most half of each piece is used."""
    ends = []
    for other in (before, after):
        x, y = other[0] - corner[0], other[1] - corner[1]
        length = max(abs(x), abs(y))
        share = min(radius / length, 0.5) if length else 0
        ends.append((corner[0] + x * share, corner[1] + y * share))
    return ends[0], ends[1]


def _pair(point: Point) -> str:
    return f"{_number(point[0])},{_number(point[1])}"


def _number(value: float) -> str:
    return f"{round(value, 1):g}" if abs(value) < 1e5 else str(round(value))
