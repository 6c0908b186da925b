"""What EMV's tags are called, in English and Chinese, and how their values are written (`emv_tags.toml`)."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

from wire.tlv import Format


@dataclass(frozen=True, slots=True)
class TagName:
    """One data element."""

    name: str
    name_zh: str
    format: Format


@functools.cache
def tag_names() -> Mapping[str, TagName]:
    """All known data elements by their tag, upper-case hex: `9F02`."""
    import tomllib
    from importlib import resources

    source = resources.files("wire").joinpath("emv_tags.toml")
    table = tomllib.loads(source.read_text(encoding="utf-8"))
    return {tag: TagName(**entry) for tag, entry in table.items()}


def formats() -> Mapping[str, Format]:
    """How each known element is cut and filled in a data object list (see `wire.tlv.build_dol`)."""
    return {tag: entry.format for tag, entry in tag_names().items()}
