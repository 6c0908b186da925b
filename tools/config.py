"""What a station is to be like: the `--config` file, and the choices that files and options make together.

A config file (examples/posterm.toml explains it) holds three names at the top, and the terminal's settings:

    profile = "headless"
    bank_data = "cards.toml"     # paths begin at the file's own folder
    state = "state"

    [terminal]
    flow = "pin-first"
    response_timeout_ms = 20_000
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from firmware.records import Flow
from firmware.secure.module import TMK_INDEX_MAX
from firmware.secure.scheme import SETTING_CHOICES
from firmware.settings import TerminalSettings
from firmware.terminal_work import LANGUAGES
from tools.toml_table import ConfigError, TomlTable, read_toml
from wire.iso8583.profile import PROFILES, Profile, profile
from wire.money import AmountError, currency

__all__ = ["Choices", "ConfigError", "check_settings", "load_config"]

FLOWS = tuple(flow.value for flow in Flow)
TIME_MS_MAX = 24 * 60 * 60 * 1000

_CHOICES: Mapping[str, tuple[str, ...]] = {
    "language": LANGUAGES,
    "flow": FLOWS,
    "acquirer_profile": PROFILES,
    **SETTING_CHOICES,
}
_TEXTS: Mapping[str, tuple[str, str]] = {  # pattern, and what it means in words
    "terminal_id": (r"[0-9A-Z]{8}", "8 digits or capital letters"),
    "merchant_id": (r"[0-9A-Z]{15}", "15 digits or capital letters"),
    "merchant_name": (r".{1,40}", "1 to 40 characters"),
    "merchant_name_zh": (r".{1,40}", "1 to 40 characters"),
    "currency": (r"\d{3}", "3 digits (ISO 4217)"),
    "tpdu": (r"60[0-9A-F]{8}", "10 hex digits that begin with 60"),
    "header": (r"\d{12}", "12 digits"),
    "operator": (r"\d{2}", "2 digits"),
    "switches": (r"|[0-9A-Fa-f]{8}", "8 hex digits, or nothing"),
}
_NUMBERS: Mapping[str, tuple[int, int]] = {
    "master_key_index": (0, TMK_INDEX_MAX),
    "sign_in_max_age_h": (0, 24 * 365),
    "password_tries": (1, 10),
    "password_lock_min": (0, 24 * 60),
    "clean_printer_slips": (0, 1_000_000),
    "clean_reader_swipes": (0, 1_000_000),
    "clean_reader_bad_percent": (0, 100),
    "slip_copies": (1, 2),
    "pin_tries": (1, 9),
    "swipe_tries": (1, 9),
    "pin_digits_min": (4, 12),
    "pin_digits_max": (4, 12),
    "tip_percent_max": (0, 99),
    "completion_percent_max": (100, 200),
    "offline_kept_max": (1, 99),
    "resends": (0, 9),
    "payments_kept": (1, 100_000),
    **{item.name: (1, TIME_MS_MAX) for item in fields(TerminalSettings) if item.name.endswith("_ms")},
}
_FLAGS = frozenset(item.name for item in fields(TerminalSettings) if item.type == "bool")
SETTINGS = frozenset({*_CHOICES, *_TEXTS, *_NUMBERS, *_FLAGS})
"""The settings that a file may change."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What was chosen; None: nothing was said about it. `settings`: fields of TerminalSettings, checked."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    profile: str | None = None
    bank_data: Path | None = None
    state: Path | None = None
    live: bool | None = None
    seed: int | None = None

    def overlaid(self, over: Choices) -> Choices:
        """These choices, and where `over` says something, `over`."""
        said = {item.name: value for item in fields(self) if (value := getattr(over, item.name)) is not None}
        return replace(self, **said | {"settings": {**self.settings, **over.settings}})


def load_config(path: Path) -> Choices:
    """Read a config file. Raises ConfigError, one line; whether profile and bank data fit is judged later."""
    table = read_toml(path)
    table.refuse_unknown(("profile", "bank_data", "state", "terminal"))
    return choices_of(table, path.parent)


def choices_of(table: TomlTable, folder: Path) -> Choices:
    """The choices in a file's top table. Relative paths begin at `folder`."""
    profile = table.text("profile") if "profile" in table else None
    if profile is not None and profile.endswith(".toml"):
        profile = str(folder / profile)
    return Choices(
        settings=read_settings(table.table("terminal")),
        profile=profile,
        bank_data=folder / table.text("bank_data") if "bank_data" in table else None,
        state=folder / table.text("state") if "state" in table else None,
    )


def check_settings(place: str, values: Mapping[str, object]) -> dict[str, Any]:
    """The same settings in the types of TerminalSettings. Raises ConfigError that begins with `place`."""
    return read_settings(TomlTable(place, values))


def read_settings(table: TomlTable) -> dict[str, Any]:
    """The settings in a table. Raises ConfigError: unknown (did you mean ...?), wrong type, out of range."""
    table.refuse_unknown(SETTINGS)
    settings: dict[str, Any] = {key: _setting(table, key) for key in table.values}
    if "acquirer_profile" in settings:
        settings = _defaults_of(profile(settings["acquirer_profile"])) | settings
    try:
        currency(settings.get("currency", "156"))
    except AmountError as error:
        raise table.wrong("currency", str(error)) from None
    whole = replace(TerminalSettings(), **settings)
    if whole.pin_digits_min > whole.pin_digits_max:
        raise table.wrong("pin_digits_min", "must not be above pin_digits_max")
    try:
        _ = whole.security
    except ValueError as error:
        name, _, text = str(error).partition(": ")
        raise table.wrong(name, text) from None
    return settings


def _defaults_of(acquirer: Profile) -> dict[str, Any]:
    """The settings that an acquirer's profile gives where the file itself does not."""
    return {
        "tip_percent_max": acquirer.tip_percent_max,
        "completion_percent_max": acquirer.completion_percent_max,
        "offline_kept_max": acquirer.offline_kept_max,
        "resends": acquirer.reversal_resends,
        "response_timeout_ms": acquirer.response_timeout_s * 1000,
    }


def _setting(table: TomlTable, key: str) -> object:
    if isinstance(flow := table.values[key], Flow):
        return flow
    if key in _CHOICES:
        text = table.choice(key, _CHOICES[key])
        return Flow(text) if key == "flow" else text
    if key in _TEXTS:
        pattern, words = _TEXTS[key]
        return table.text(key, pattern=pattern, words=words)
    if key in _FLAGS:
        return table.value(key, bool)
    return table.number(key, *_NUMBERS[key])
