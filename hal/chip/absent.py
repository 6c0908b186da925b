"""The slot of a terminal that has none: said in the profile, never assumed."""

from __future__ import annotations

from hal.chip.slot import SlotKeeper


class AbsentSlot(SlotKeeper):
    """hal.smart_card.SmartCardSlot into which no card goes: whatever is asked of it, ChipFailed(NO_CARD)."""

    def _stop(self) -> None:
        """Nothing has power."""
