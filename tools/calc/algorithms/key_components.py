"""A key in parts that say nothing alone: combined by exclusive or, one part a custodian."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

from firmware.secure.errors import BadInput
from tools.calc.algorithms.checks import xor

COUNT_MIN, COUNT_MAX = 2, 9


def combine(components: Sequence[bytes]) -> bytes:
    """The key. Raises BadInput: bad_length (fewer than two parts, or of different lengths), mismatch."""
    if not COUNT_MIN <= len(components) <= COUNT_MAX:
        raise BadInput("bad_length", f"a key is combined out of {COUNT_MIN} to {COUNT_MAX} components")
    if len({len(component) for component in components}) > 1 or not components[0]:
        raise BadInput("bad_length", "the components of a key have the same length")
    if len(set(components)) < len(components):
        raise BadInput("duplicate", "two components are the same: together they cancel out")
    return reduce(xor, components)


def split(key: bytes, count: int, random_bytes: Callable[[int], bytes]) -> list[bytes]:
    """`count` components of `key`; `random_bytes(n)` gives all but the last. Raises BadInput (bad_length)."""
    if not COUNT_MIN <= count <= COUNT_MAX or not key:
        raise BadInput("bad_length", f"a key is split into {COUNT_MIN} to {COUNT_MAX} components")
    components = [random_bytes(len(key)) for _ in range(count - 1)]
    return [*components, reduce(xor, components, key)]
