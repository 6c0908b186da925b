"""The pictures of the README: four displays and the slip of one payment, as the program draws them.

`python -m tools.pictures` writes them; `--check` compares them dot by dot and ends with 1 when one is stale.
The payment is played in virtual time, so that the same program always draws the same picture.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from PIL import Image

from hal.profile import load_profile
from tools.config import Choices, check_settings
from tools.runtime import StationPlan, plan_of, start_station
from tools.station import Station

FOLDER = Path(__file__).parent.parent / "docs" / "pictures"
LANGUAGES = ("en", "zh")
GAP_DOTS = 24
WHITE = (255, 255, 255)


def picture_path(language: str) -> Path:
    """Where the picture in that language is kept."""
    return FOLDER / f"payment.{language}.png"


def draw(language: str) -> Image.Image:
    """Play the payment and put its displays, two by two, beside its slip."""
    with start_station(_plan(language)) as station:
        displays = _displays(station)
        slip = _opened(station.devices.printer.paper_png(slip=0))
    across, down = (dots + GAP_DOTS for dots in displays[0].size)
    top = max(0, slip.height - 2 * down + GAP_DOTS) // 2  # the displays stand at the middle of the slip
    picture = Image.new("RGB", (2 * across + slip.width, max(2 * down - GAP_DOTS, slip.height)), WHITE)
    places = [(x, y) for y in (top, top + down) for x in (0, across)]
    for display, place in zip(displays, places, strict=True):
        picture.paste(display, place, display)
    picture.paste(slip, (2 * across, 0), slip)
    return picture


def is_current(language: str) -> bool:
    """Whether the picture that is kept is the one that the program draws now."""
    path = picture_path(language)
    if not path.exists():
        return False
    with Image.open(path) as kept:
        return kept.convert("RGB").tobytes() == draw(language).tobytes()


def _plan(language: str) -> StationPlan:
    settings = check_settings("pictures", {"language": language})
    plan = plan_of(Choices(settings=settings))
    profile = load_profile("virtual").with_options("display", model="colour320x240")
    return StationPlan(profile=profile, settings=plan.settings, provision=plan.provision)


def _displays(station: Station) -> list[Image.Image]:
    """Present the card, authorised, PIN, approved."""
    seen = []

    def look() -> None:
        seen.append(_opened(station.devices.display.png()))

    station.enter_amount("12.34")
    look()
    station.swipe("good")
    station.wait_for("authorised")
    look()
    station.wait_for("pin")
    station.press(*"1234")
    look()
    station.press(*"56", "enter")
    station.wait_for("result")
    look()
    station.finish()
    return seen


def _opened(png: bytes) -> Image.Image:
    return Image.open(BytesIO(png)).convert("RGBA")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the pictures, or with --check say which of them are stale."""
    parser = argparse.ArgumentParser(prog="python -m tools.pictures", description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a picture is stale")
    if parser.parse_args(arguments).check:
        stale = [str(picture_path(language)) for language in LANGUAGES if not is_current(language)]
        for path in stale:
            print(f"{path} is not what the program draws now: make diagrams", file=sys.stderr)
        return 1 if stale else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for language in LANGUAGES:
        if not is_current(language):
            draw(language).quantize(64, dither=Image.Dither.NONE).save(picture_path(language), optimize=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
