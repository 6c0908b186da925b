"""Displays in software: what the terminal shows, as text, as history and as a picture.

Models the grid of cells, the dots, and the look of the glass. Does not model response time, viewing angle,
fading or dead dots. Nothing is drawn until a picture is asked for.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hal.api import Clock, Screen, SelfTest
from hal.device import QuietDevice
from hal.raster.canvas import Canvas
from hal.raster.paints import dot_colours
from hal.raster.screen import Grid, Layout, draw, lay_out
from hal.virtual.glass import colour_picture, lcd_picture

if TYPE_CHECKING:
    from PIL.Image import Image

HISTORY_MAX = 10_000
"""Screens remembered; a simulation of days must not eat the memory."""

GRIDS = {"mono128x64": Grid(columns=16, rows=4), "colour320x240": Grid(columns=40, rows=15)}


class VirtualDisplay(QuietDevice):
    """A display of one of the models in `GRIDS`: a monochrome LCD of 128x64 dots, or colours on 320x240.

    Raises ValueError when the model is unknown. `screen` is what is shown now; `history` is what was shown
    when, in the clock's monotonic milliseconds (the last `HISTORY_MAX` screens at least; showing the same
    screen again is not a change).
    """

    def __init__(self, *, clock: Clock, model: str = "colour320x240") -> None:
        super().__init__()
        if model not in GRIDS:
            raise ValueError(f"display model {model!r} is unknown; known are {', '.join(GRIDS)}")
        self.model = model
        self._grid = GRIDS[model]
        self.columns = self._grid.columns
        self.rows = self._grid.rows
        self.shows_chinese = True
        self.screen = Screen()
        self.history: list[tuple[int, Screen]] = []
        self.contrast_percent = 50
        self._clock = clock

    def self_test(self) -> SelfTest:
        """Well while open."""
        health = super().self_test()
        return replace(health, detail=f"{self.model}, {self.columns} by {self.rows}") if health.ok else health

    def set_contrast(self, percent: int) -> None:
        """From now on its pictures have this contrast: 0 to 100, of which 50 is the usual one."""
        self.contrast_percent = percent

    def show(self, screen: Screen) -> None:
        """Replace what is shown."""
        if screen == self.screen:
            return
        self.screen = screen
        self.history.append((self._clock.monotonic_ms(), screen))
        if len(self.history) > 2 * HISTORY_MAX:
            del self.history[:-HISTORY_MAX]

    @property
    def text(self) -> str:
        """What a person reads now: `screen.text` without what was cut off."""
        return self._layout().text

    def dots(self) -> Canvas:
        """The screen's dots as values of `Paint`."""
        return draw(self._layout(), self._grid)

    def image(self) -> Image:
        """The screen's dots as a Pillow picture, one pixel a dot, without glass and frame (mode "P")."""
        from PIL import Image

        dots = self.dots()
        image = Image.frombytes("P", (dots.width, dots.height), bytes(dots.dots))
        image.putpalette([part for colour in dot_colours() for part in colour[:3]])
        return image

    def png(self, path: str | Path | None = None, *, scale: int | None = None) -> bytes:
        """The display with its glass and frame as a PNG file: returned, and written to `path` if given.

        `scale`: picture dots for one dot of the display (2 for the colour model, 6 for the LCD unless told).
        Raises OSError when the file cannot be written.
        """
        if self.model == "mono128x64":
            picture = lcd_picture(self.dots(), scale or 6, self.contrast_percent)
        else:
            picture = colour_picture(self.dots(), self._layout().bars, scale or 2, self.contrast_percent)
        if path is not None:
            Path(path).write_bytes(picture)
        return picture

    def _layout(self) -> Layout:
        return lay_out(self.screen, self._grid)
