"""What the bank asks a terminal to do, by the sixth digit of the header of its answers (section 1.1).

A demand stands until the terminal has done it, and each answer tells the first that stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

DEMANDS: Final[Mapping[str, str]] = {
    "parameters": "1",
    "status": "2",
    "sign-in": "3",
    "keys": "4",
    "aids": "5",
}
"""What can be asked for, and its digit; in the order of the digits."""

FULFILS: Final[Mapping[tuple[str, str], str]] = {
    ("0800", "361"): "1",
    ("0820", "362"): "2",
    **{("0800", layout): "3" for layout in ("001", "003", "004", "005", "006")},
    ("0800", "371"): "4",
    ("0800", "381"): "5",
}
"""(MTI, 60.3) of the message with which a terminal has done it."""
