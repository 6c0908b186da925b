"""Every input that fuzzing has kept or that ever broke something, and inputs that are extreme by design."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from tools.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"
CORPUS_BYTES_MAX = 256 * 1024
EXTREME_BYTES = 8 * 1024
MEMORY_BYTES_MAX = 4 * 1024 * 1024


def inputs(target: str) -> list[Path]:
    return sorted((CORPUS / target).iterdir())


@pytest.mark.parametrize("target", TARGETS)
def test_no_input_of_the_corpus_breaks_its_target(target: str) -> None:
    paths = inputs(target)
    assert paths, "a target without inputs: make fuzz TARGET=..."
    for path in paths:
        try:
            TARGETS[target](path.read_bytes())
        except Exception as error:
            error.add_note(f"input: {path}")
            raise


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("piece", [b"\x00", b"\x01", b"\xff", b"9", b"\x6f\x7f", b"a=1\n"])
def test_a_long_input_takes_little_memory(target: str, piece: bytes) -> None:
    data = piece * (EXTREME_BYTES // len(piece))
    tracemalloc.start()
    try:
        TARGETS[target](data)
        assert tracemalloc.get_traced_memory()[1] < MEMORY_BYTES_MAX
    finally:
        tracemalloc.stop()


def test_the_corpus_is_that_of_the_targets_and_small() -> None:
    assert {folder.name for folder in CORPUS.iterdir()} == set(TARGETS)
    assert sum(path.stat().st_size for target in TARGETS for path in inputs(target)) < CORPUS_BYTES_MAX
