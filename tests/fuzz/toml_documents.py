"""TOML documents that are nearly right: an example in which values, keys and tables were changed for others.

Bytes that were changed anywhere seldom remain TOML. These always are, so that what is tried is what a program
does with a document that says something else than it expects.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from tests.fuzz.inputs import LARGE_BYTES, inputs

SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.sampled_from(["", " ", "0", "-1", "12.34", "3012", "9" * 40, "a\nb", "密码", "\0", "/dev/null"]),
    st.text(max_size=12),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text("abc._", max_size=4), inner, max_size=3)
    ),
    max_leaves=5,
)


def documents(target: str) -> st.SearchStrategy[bytes]:
    """An example of the target's corpus with up to three changes."""
    found = [read for path in inputs(target) if (read := _read(path.read_bytes())) is not None]
    changes = st.lists(st.tuples(st.integers(0, 10_000), VALUES, st.booleans()), min_size=1, max_size=3)
    return st.builds(_document, st.sampled_from(found), changes)


def _read(data: bytes) -> dict[str, Any] | None:
    if len(data) > LARGE_BYTES:
        return None
    try:
        return tomllib.loads(data.decode("utf-8")) or None
    except (ValueError, RecursionError):
        return None


def _document(example: dict[str, Any], changes: list[tuple[int, Any, bool]]) -> bytes:
    changed: Any = json.loads(json.dumps(example, default=str))
    for place, value, drops in changes:
        parents = list(_parents(changed))
        if parents:
            parent, key = parents[place % len(parents)]
            if drops and isinstance(parent, dict):
                del parent[key]
            else:
                parent[key] = value
    return "".join(f"{_key(key)} = {_written(value)}\n" for key, value in changed.items()).encode()


def _parents(node: Any) -> list[tuple[Any, Any]]:
    """Every place at which a value stands: what holds it, and its key or number there."""
    keys: Sequence[Any] = list(node) if isinstance(node, dict) else range(len(node))
    places = [(node, key) for key in keys]
    return places + [
        place for key in keys if isinstance(node[key], dict | list) for place in _parents(node[key])
    ]


def _written(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)} = {_written(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_written, value)) + "]"
    if isinstance(value, float):
        return repr(value)
    return _key(value) if isinstance(value, str) else str(value).lower()


def _key(text: str) -> str:
    """A basic string: JSON's, but for the characters that TOML wants escaped and JSON does not."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
