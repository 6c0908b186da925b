"""The examples that come with the program, found by name: `approved`, or `example:approved` in any case.

They lie beside the program's own packages, in a checkout and in an installation alike.
"""

from __future__ import annotations

import argparse
from pathlib import Path

PREFIX = "example:"

_FOLDER = Path(__file__).parents[1] / "examples"


def names() -> list[str]:
    """Every example's name, sorted."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


def file_or_example(text: str) -> Path:
    """The file of that path, or the shipped example of that name. Raises ArgumentTypeError.

    A file of one's own goes before an example, unless `example:` stands in front. What looks like a path is
    taken for one, there or not, but for `examples/NAME.toml`, as this documentation writes it.
    """
    own = Path(text)
    name = text.removeprefix(PREFIX)
    if not text.startswith(PREFIX):
        if own.exists() or (own.name != text and own.parent.name != _FOLDER.name):
            return own
        name = own.stem if own.suffix == ".toml" else text
    shipped = _FOLDER / f"{name}.toml"
    if name in names():
        return shipped
    if own.suffix:
        return own
    from hal.profile import did_you_mean

    raise argparse.ArgumentTypeError(f"no file and no example {name!r}{did_you_mean(name, names())}")
