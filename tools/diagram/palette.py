"""The colours, in one place: of states by their role, of lines, of lanes."""

from __future__ import annotations

from dataclasses import dataclass

from tools.diagram.graph import Role


@dataclass(frozen=True, slots=True)
class Colours:
    """Of one role: the strong colour for borders and chips' text, the pale one for areas."""

    strong: str
    pale: str


ROLES = {
    Role.ENTRY: Colours("#b45309", "#fef3c7"),
    Role.WAITING: Colours("#1d4ed8", "#dbeafe"),
    Role.UNDOING: Colours("#7e22ce", "#f3e8ff"),
    Role.RESTING: Colours("#475569", "#e2e8f0"),
    Role.ENDED_WELL: Colours("#15803d", "#dcfce7"),
    Role.ENDED_BADLY: Colours("#b91c1c", "#fee2e2"),
}
INK = "#1f2937"
FAINT_INK = "#64748b"
RULE = "#e2e8f0"  # the thin lines between the rows of a box
PAPER = "#ffffff"
LANE = "#f8fafc"
LANE_BORDER = "#cbd5e1"
MAIN_LINE = "#0f766e"
SIDE_LINE = "#64748b"
MISSED = "#dc2626"  # what was never taken, where hits are counted
