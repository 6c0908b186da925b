"""What is fuzzed of files that people write: each is read, or refused in one line."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from bank.errors import RecordError
from bank.provision import load_provision
from hal.profile import ProfileError, parse_profile
from tools.config import load_config
from tools.scenario import load_scenario
from tools.toml_table import ConfigError


def profile(data: bytes) -> None:
    """A profile of devices."""
    try:
        parse_profile("fuzz", data.decode("utf-8", "replace"))
    except ProfileError as error:
        _require_one_line(error)


def config(data: bytes) -> None:
    """A config file."""
    _load(load_config, data)


def scenario(data: bytes) -> None:
    """A scenario."""
    _load(load_scenario, data)


def bank_data(data: bytes) -> None:
    """A bank's merchants and cards."""
    _load(load_provision, data)


def _load(load: Callable[[Path], object], data: bytes) -> None:
    with tempfile.NamedTemporaryFile(suffix=".toml") as file:
        file.write(data)
        file.flush()
        try:
            load(Path(file.name))
        except (ConfigError, RecordError, ProfileError) as error:
            _require_one_line(error)


def _require_one_line(error: Exception) -> None:
    assert "\n" not in str(error), "an error is one line"
