"""The terminal's words, in English and Chinese: what displays show, what slips say, what F39 means.

The words are data: `en.toml` and `zh.toml` hold the same keys with the same placeholders, `floor_en.toml` and
`floor_zh.toml` those of the shop floor, and `response_codes.toml` holds the table of response codes.
`screens.toml` belongs to `firmware/screens.py`, `menus.toml` to `firmware/menus.py`. Each file is read once,
when it is first needed.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib import resources
from typing import Any, ClassVar

LANGUAGES = ("en", "zh")


class UnknownTextError(LookupError):
    """There is no such language or key: a mistake in the program or in a file of texts."""

    code: ClassVar[str] = "F500"


def text(language: str, key: str, **values: object) -> str:
    """The words for `key`, such as "screen.idle.title", with its placeholders filled from `values`.

    Raises UnknownTextError for an unknown language or key, KeyError for a placeholder without a value.
    """
    try:
        template = catalogue(language)[key]
    except KeyError:
        raise UnknownTextError(
            f"no text {key!r} in {language}.toml: add it there and to the other language"
        ) from None
    return template.format(**values)


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """All texts of a language by their dotted keys. Raises UnknownTextError for another language."""
    if language not in LANGUAGES:
        raise UnknownTextError(f"no texts in language {language!r}: choose one of {', '.join(LANGUAGES)}")
    return {
        key: words for name in ("", "floor_") for key, words in _flat(table(f"{name}{language}.toml"), "")
    }


def table(name: str) -> dict[str, Any]:
    """The content of one of this package's TOML files, read anew at each call."""
    return tomllib.loads(resources.files(__name__).joinpath(name).read_text(encoding="utf-8"))


def _flat(texts: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in texts.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


class ResponseClass(Enum):
    """What kind of answer a response code is. Source: iso8583-pos section 12."""

    APPROVED = "A"
    RETRY_MAY_HELP = "B"
    DO_NOT_RETRY = "C"
    OPERATOR_ACTS = "D"
    SYSTEM_TROUBLE = "E"


class Action(Enum):
    """What the operator is asked to do about an answer."""

    NONE = "none"
    CALL_ISSUER = "call_issuer"
    CALL_SUPPORT = "call_support"
    COLLECT_REST = "collect_rest"
    HOLD_CARD = "hold_card"
    NEW_PIN = "new_pin"
    READ_AGAIN = "read_again"
    REENTER_AMOUNT = "reenter_amount"
    RETRY = "retry"
    RETRY_LATER = "retry_later"
    SIGN_IN = "sign_in"
    USE_CHIP = "use_chip"


@dataclass(frozen=True, slots=True)
class ResponseCode:
    """One value of F39 and what it means to this terminal."""

    code: str
    text_zh: str
    text_en: str
    kind: ResponseClass
    action: Action

    @property
    def approved(self) -> bool:
        """True for 00 and for the flawed successes: 10 (a part of the amount only), 11, A2, A4, A5, A6."""
        return self.kind is ResponseClass.APPROVED

    def text(self, language: str) -> str:
        """The words for display and paper."""
        return self.text_zh if language == "zh" else self.text_en


def response_code(code: str) -> ResponseCode:
    """What `code` (F39, two characters) means; a code that is not in the table is a decline."""
    known = response_codes().get(code)
    if known is not None:
        return known
    return ResponseCode(code, "未知应答码", "Unknown response code", ResponseClass.DO_NOT_RETRY, Action.NONE)


@cache
def response_codes() -> Mapping[str, ResponseCode]:
    """The whole table of response codes, by code."""
    return {
        code: ResponseCode(code, row["zh"], row["en"], ResponseClass(row["class"]), Action(row["action"]))
        for code, row in table("response_codes.toml").items()
    }
