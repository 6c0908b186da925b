"""What a picture is made of. Units: points of the picture (one CSS pixel of the SVG); y grows downwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle, with round corners if `radius` is set; also the unit of all geometry."""

    x: float
    y: float
    width: float
    height: float
    fill: str = ""
    stroke: str = ""
    stroke_width: float = 1
    radius: float = 0
    dashed: bool = False

    @property
    def right(self) -> float:
        """The right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """The lower edge."""
        return self.y + self.height

    def moved(self, dx: float, dy: float) -> Rect:
        """The same, elsewhere."""
        return replace(self, x=self.x + dx, y=self.y + dy)

    def overlaps(self, other: Rect) -> bool:
        """Whether they share an area."""
        return (
            self.x < other.right and other.x < self.right and self.y < other.bottom and other.y < self.bottom
        )

    def contains(self, other: Rect) -> bool:
        """Whether `other` lies within."""
        return (
            self.x <= other.x
            and self.y <= other.y
            and other.right <= self.right
            and other.bottom <= self.bottom
        )


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text; `x` is its start, middle or end, `y` its base line."""

    x: float
    y: float
    text: str
    size: float = 12
    fill: str = "#1f2937"
    bold: bool = False
    anchor: Literal["start", "middle", "end"] = "start"

    def moved(self, dx: float, dy: float) -> Text:
        """The same, elsewhere."""
        return replace(self, x=self.x + dx, y=self.y + dy)


@dataclass(frozen=True, slots=True)
class Line:
    """A line through `points`, its corners rounded by `radius`."""

    points: tuple[Point, ...]
    stroke: str
    width: float = 1.5
    radius: float = 0

    def moved(self, dx: float, dy: float) -> Line:
        """The same, elsewhere."""
        return replace(self, points=_moved(self.points, dx, dy))


@dataclass(frozen=True, slots=True)
class Polygon:
    """A filled area."""

    points: tuple[Point, ...]
    fill: str

    def moved(self, dx: float, dy: float) -> Polygon:
        """The same, elsewhere."""
        return replace(self, points=_moved(self.points, dx, dy))


@dataclass(frozen=True, slots=True)
class Circle:
    """A disc or a ring."""

    x: float
    y: float
    radius: float
    fill: str = ""
    stroke: str = ""
    stroke_width: float = 1

    def moved(self, dx: float, dy: float) -> Circle:
        """The same, elsewhere."""
        return replace(self, x=self.x + dx, y=self.y + dy)


Shape = Rect | Text | Line | Polygon | Circle


@dataclass(frozen=True, slots=True)
class Figure:
    """Shapes that belong together; `name` becomes the id, `note` the text that appears under the pointer."""

    name: str
    shapes: tuple[Shape, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Scene:
    """A whole picture, back to front."""

    title: str
    width: float
    height: float
    figures: tuple[Figure, ...]


def _moved(points: Sequence[Point], dx: float, dy: float) -> tuple[Point, ...]:
    return tuple((x + dx, y + dy) for x, y in points)
