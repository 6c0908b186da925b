"""What `posterm simulate` can be asked for, and which of its options go with that."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import Enum


class Mode(Enum):
    """What is done. The text is what asks for it on the command line."""

    SEEDS = ""
    REPLAY = "--replay"
    REPLAY_JSON = "--replay --json"
    MATRIX = "--matrix"
    CELL = "--matrix --cell"
    CELL_STEP = "--matrix --cell --step"

    @classmethod
    def of(cls, given: Collection[str]) -> Mode:
        """What these options ask for."""
        if "--matrix" in given:
            if "--cell" not in given:
                return cls.MATRIX
            return cls.CELL_STEP if "--step" in given else cls.CELL
        if "--replay" in given:
            return cls.REPLAY_JSON if "--json" in given else cls.REPLAY
        return cls.SEEDS


_SEEDS = "--seed --runs --total --jobs --transactions --terminals --faults --all-on --without --hours"
GO_WITH: Mapping[Mode, frozenset[str]] = {
    Mode.SEEDS: frozenset([*_SEEDS.split(), "--hits", "--keep", "--json"]),
    Mode.REPLAY: frozenset({"--replay", "--step", "--from", "--language"}),
    Mode.REPLAY_JSON: frozenset({"--replay", "--json"}),
    Mode.MATRIX: frozenset({"--matrix", "--only", "--write", "--jobs", "--json"}),
    Mode.CELL: frozenset({"--matrix", "--cell", "--json"}),
    Mode.CELL_STEP: frozenset({"--matrix", "--cell", "--step", "--from", "--language"}),
}
"""The options of each: what is not here is refused, so that nothing is ignored in silence."""


def mode_of(given: Collection[str]) -> Mode:
    """What these options ask for. Raises ValueError if one of them does not go with the others."""
    mode = Mode.of(given)
    stray = [option for option in given if option not in GO_WITH[mode]]
    if not stray:
        return mode
    if mode is Mode.SEEDS:
        raise ValueError("; ".join(f"{option} goes with {_home(option)}" for option in stray))
    verb = "does" if len(stray) == 1 else "do"
    raise ValueError(f"{', '.join(stray)} {verb} not go with {mode.value}")


def _home(option: str) -> str:
    """What the first mode that knows it is asked for by."""
    mode = next(one for one in Mode if option in GO_WITH[one])
    return " ".join(word for word in mode.value.split() if word != option)
