"""What a driver has to know of the printer's model: its width, its code pages, what it can draw by itself.

Two models are ours (`models.toml`). Any other comes by name from python-escpos' list (package python-escpos,
extra `printer`): that is imported when such a name is given, because reading it takes a good part of a
second.
"""

from __future__ import annotations

import codecs
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from hal.api import DeviceMissing

_FONT_A_DOTS = 12


@dataclass(frozen=True, slots=True)
class PrinterModel:
    """`columns` of font A; `width_dots` of the print area; `code_pages`: number for ESC t -> a codec."""

    name: str
    columns: int
    width_dots: int
    code_pages: Mapping[int, str]
    has_cutter: bool = True
    has_partial_cut: bool = True
    draws_qr: bool = True
    draws_bar_codes: bool = True


def printer_model(name: str) -> PrinterModel:
    """One of our models, or one that python-escpos knows.

    Raises ValueError for a name that nobody knows, DeviceMissing where python-escpos would be asked and is
    not installed.
    """
    tables = _tables()
    if (ours := tables["models"].get(name)) is not None:
        pages = {int(number): codec for number, codec in tables["code_pages"].items()}
        cutter = ours["cutter"]
        return PrinterModel(name, ours["columns"], ours["dots"], pages, cutter != "none", cutter == "both")
    return _from_python_escpos(name)


def own_models() -> list[str]:
    """The names of our models."""
    return list(_tables()["models"])


@cache
def _tables() -> Mapping[str, Any]:
    return tomllib.loads((resources.files("hal") / "escpos" / "models.toml").read_text("utf-8"))


def _from_python_escpos(name: str) -> PrinterModel:
    try:
        from escpos.capabilities import CAPABILITIES
    except ImportError:
        raise DeviceMissing(
            f"printer model {name!r} is none of {', '.join(own_models())}: for the models that python-escpos "
            "knows: pip install 'posterm[printer]'"
        ) from None
    profiles = CAPABILITIES["profiles"]
    if name not in profiles:
        known = ", ".join([*own_models(), *sorted(profiles)])
        raise ValueError(f"printer model {name!r} is unknown; known are {known}")
    profile = profiles[name]
    columns, features = int(profile["fonts"]["0"]["columns"]), profile["features"]
    return PrinterModel(
        name,
        columns,
        _pixels(profile) or columns * _FONT_A_DOTS,
        _code_pages(profile["codePages"]),
        has_cutter=features["paperFullCut"] or features["paperPartCut"],
        has_partial_cut=features["paperPartCut"],
        draws_qr=features["qrCode"],
        draws_bar_codes=features["barcodeB"],
    )


def _pixels(profile: Mapping[str, Any]) -> int:
    """The width in dots; 0 where the list does not know it."""
    pixels = profile["media"]["width"]["pixels"]
    return int(pixels) if isinstance(pixels, int) or str(pixels).isdigit() else 0


def _code_pages(pages: Mapping[str, str]) -> dict[int, str]:
    """Those for which Python has a codec of one byte a character."""
    found = {}
    for number, page in pages.items():
        codec = page.lower().replace("iso_8859-", "iso8859-")
        if codec not in {"unknown", "cp932"} and _is_known(codec):
            found[int(number)] = codec
    return found


def _is_known(codec: str) -> bool:
    try:
        codecs.lookup(codec)
    except LookupError:
        return False
    return True
