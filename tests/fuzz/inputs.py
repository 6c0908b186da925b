"""Inputs for targets, and what is asked of every one of them."""

from __future__ import annotations

from pathlib import Path

from hypothesis import strategies as st

from tools.fuzz.bounds import require_lines, require_memory
from tools.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"
LARGE_BYTES = 2 * 1024
"""Inputs of the corpus that are longer are replayed, and not made into others."""

Edit = tuple[int, int, bytes]
"""Where (modulo the length), how many bytes are taken out, what is put in instead."""


def inputs(target: str) -> list[Path]:
    """What the corpus has for a target."""
    return sorted((CORPUS / target).iterdir())


def check(target: str, data: bytes) -> None:
    """The target takes the input, within the bounds for its size."""
    function = TARGETS[target]
    function(b"")  # what is made once is not counted
    require_lines(target, function, data)
    require_memory(target, function, data)


def any_bytes(target: str) -> st.SearchStrategy[bytes]:
    """Bytes without meaning, and inputs of the corpus with pieces taken out, put in and exchanged."""
    known = [data for path in inputs(target) if len(data := path.read_bytes()) <= LARGE_BYTES]
    pieces = st.one_of(st.binary(max_size=8), st.sampled_from(known).map(lambda data: data[:64]))
    edits = st.lists(st.tuples(st.integers(0, LARGE_BYTES), st.integers(0, 12), pieces), max_size=5)
    changed = st.builds(_edited, st.sampled_from(known), edits)
    return st.one_of(st.binary(max_size=300), changed, changed)


def _edited(data: bytes, edits: list[Edit]) -> bytes:
    for place, length, piece in edits:
        at = place % (len(data) + 1)
        data = data[:at] + piece + data[at + length :]
    return data
