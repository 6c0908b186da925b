"""The words of the tools that talk to people, in English and Chinese.

`en.toml` and `zh.toml` hold the same keys with the same placeholders. The terminal's own words (displays,
slips) are not here but in `firmware/texts`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

LANGUAGES = ("en", "zh")


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one of `LANGUAGES`."""

    language: str

    def __call__(self, key: str, **values: object) -> str:
        """The words for a key such as "demo.title", with its placeholders filled.

        Raises KeyError for an unknown key and for a placeholder without a value.
        """
        return catalogue(self.language)[key].format(**values)


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """All texts of a language by their dotted keys."""
    source = resources.files(__name__).joinpath(f"{language}.toml")
    return dict(_flat(tomllib.loads(source.read_text(encoding="utf-8")), ""))


def _flat(texts: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in texts.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
