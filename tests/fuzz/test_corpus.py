"""Every input that fuzzing has kept or that ever broke something, and inputs that are extreme by design."""

from __future__ import annotations

import pytest

from tests.fuzz.inputs import CORPUS, check, inputs
from tools.fuzz.bounds import TooCostlyError
from tools.fuzz.targets import TARGETS

CORPUS_BYTES_MAX = 256 * 1024
EXTREME_BYTES = 4 * 1024


@pytest.mark.parametrize(
    "target", [pytest.param(name, marks=[pytest.mark.slow] * (name == "escpos")) for name in TARGETS]
)
def test_no_input_of_the_corpus_breaks_its_target(target: str) -> None:
    paths = inputs(target)
    assert paths, "a target without inputs: make fuzz TARGET=..."
    for path in paths:
        try:
            check(target, path.read_bytes())
        except Exception as error:
            error.add_note(f"input: {path}")
            raise


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("piece", [b"\x00", b"\x01", b"\xff", b"9", b"\x6f\x7f", b"a=1\n"])
def test_a_long_input_takes_little_memory_and_few_lines(target: str, piece: bytes) -> None:
    check(target, piece * (EXTREME_BYTES // len(piece)))


def test_the_corpus_is_that_of_the_targets_and_small() -> None:
    assert {folder.name for folder in CORPUS.iterdir()} == set(TARGETS)
    assert sum(path.stat().st_size for target in TARGETS for path in inputs(target)) < CORPUS_BYTES_MAX


def _squares(data: bytes) -> None:
    for _ in data:
        for _ in data:
            pass


def _keeps(data: bytes) -> None:
    bytes(1_000 * len(data))


@pytest.mark.parametrize(("target", "what"), [(_squares, "lines"), (_keeps, "bytes of memory")])
def test_what_costs_too_much_is_noticed(target: object, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TARGETS, "costly", target)
    check("costly", bytes(10))
    with pytest.raises(TooCostlyError, match=f"costly: .* {what} for 1000 bytes"):
        check("costly", bytes(1_000))
