"""Which link a card wants, by its answer to reset."""

from __future__ import annotations

from hal.chip.t0_link import T0Link
from hal.chip.t1_link import T1Link
from wire.iso7816.atr import T0, T1, Atr


def link_for(atr: Atr) -> T0Link | T1Link | None:
    """The session that begins after this ATR; None for a protocol that is neither T=0 nor T=1."""
    if atr.protocol == T1:
        return T1Link(ifsc=atr.ifsc, crc=atr.t1_uses_crc)
    return T0Link() if atr.protocol == T0 else None
