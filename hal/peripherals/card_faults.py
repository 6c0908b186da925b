"""How a card and its contacts go wrong, for the readers in software."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class CardFaults:
    """Faults of one card, switched at any time. All off: a good card."""

    mute: bool = False
    """No answer to a reset."""
    mute_at_command: bool = False
    """It answers resets only."""
    bad_check: bool = False
    """The last byte of its ATR is wrong (TCK, where it has one)."""
    wrong_procedure_byte: bool = False
    """T=0: a byte that means nothing where a procedure byte is due."""
    damaged_blocks: int = 0
    """T=1: as many of the next blocks have a bit flipped, as bad parity leaves it; counts down."""
    damaged_characters: int = 0
    """As many of the next characters have a bit flipped, and so the wrong parity; counts down."""
    one_by_one: bool = False
    """T=0: it asks for each data byte alone (INS xor FF). Allowed, and rare."""
    asks_for_time: bool = True
    """It says that it needs longer (NULL, S(WTX)); False: it just takes longer than it may."""

    def damage(self, block: bytes) -> bytes:
        """The block as it comes over bad contacts."""
        if self.damaged_blocks <= 0:
            return block
        self.damaged_blocks -= 1
        return block[:-2] + bytes([block[-2] ^ 0x10]) + block[-1:]
