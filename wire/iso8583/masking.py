"""What listings and logs may show of a data element.

`none` all of it; `pan` the first six and last four digits; `all` stars only; `details` stars unless the
value has the length of settlement totals (62), a record count (4) or a tip (12): detail records in the same
field hold card numbers.
"""

from __future__ import annotations

from typing import Literal

from wire.pan import mask_digits

Mask = Literal["none", "pan", "all", "details"]

_LENGTHS_WITHOUT_CARD_NUMBERS = frozenset({4, 12, 62})


def masked(mask: Mask, text: str) -> str:
    """Return `text` with as many characters, those starred that `mask` hides."""
    if mask == "none" or (mask == "details" and len(text) in _LENGTHS_WITHOUT_CARD_NUMBERS):
        return text
    return mask_digits(text) if mask == "pan" else "*" * len(text)
