"""What one input may cost: lines of Python that are run for it, and memory that is held at one time.

Both are counted, not timed, so that a bound is kept or broken on every machine alike. Each has a part that is
free and one that grows with the input. What a C function does inside (a regular expression, a copy) is no
line of Python: for that `make fuzz` has a limit in seconds.
"""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable, Mapping
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import TraceFunction

Target = Callable[[bytes], None]

LINES_PER_BYTE, PEAK_BYTES_PER_BYTE = 400, 256
FREE = (100_000, 512 * 1024)
FREE_OF: Mapping[str, tuple[int, int]] = {
    "escpos": (1_000_000, 4 * 1024 * 1024),
    **dict.fromkeys(("profile", "config", "scenario", "bank_data"), (100_000, 2 * 1024 * 1024)),
}
"""Lines and bytes. A slip is drawn for whatever was asked: the paper in the printer bounds its size.
`tomllib` calls itself for each bracket until Python stops it, and a call takes more memory where coverage is
measured.
"""


class TooCostlyError(AssertionError):
    """An input takes more than the bound for its size."""


def require_lines(name: str, target: Target, data: bytes) -> None:
    """Run a target on an input. Raises TooCostlyError when it runs too many lines, and what it raises."""
    _require(name, "lines", lines_of(target, data), _free(name)[0] + LINES_PER_BYTE * len(data), data)


def require_memory(name: str, target: Target, data: bytes) -> None:
    """Run a target on an input. Raises TooCostlyError when it holds too much, and what it raises."""
    tracemalloc.start()
    try:
        target(data)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    _require(name, "bytes of memory", peak_bytes, _free(name)[1] + PEAK_BYTES_PER_BYTE * len(data), data)


def lines_of(target: Target, data: bytes) -> int:
    """How many lines are run for an input."""
    count = 0

    def note(_frame: FrameType, _event: str, _argument: object) -> TraceFunction:
        nonlocal count
        count += 1
        return note

    before = sys.gettrace()
    sys.settrace(note)
    try:
        target(data)
    finally:
        sys.settrace(before)
    return count


def _free(name: str) -> tuple[int, int]:
    return FREE_OF.get(name, FREE)


def _require(name: str, what: str, count: int, most: int, data: bytes) -> None:
    if count > most:
        raise TooCostlyError(f"{name}: {count} {what} for {len(data)} bytes, at most {most}")
