"""Board profiles: which backend stands for each device, and with which options.

A profile is a TOML file:

    description = "one line"
    [devices.printer]
    backend = "virtual"
    model = "58mm"          # every other key is a parameter of the backend's constructor

Whether the backends exist and their options fit is judged by `hal.registry`; this file knows only the shape.
Every device must be named in every profile: nothing falls back to a virtual device in silence.
"""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import ClassVar

from hal.api import HalError

Option = object
"""A value as TOML has it: str, int, float, bool, datetime, list, dict."""

_SUFFIX = ".toml"


class ProfileError(HalError):
    """The profile cannot be used: no device was made. The text names the place and what would fit."""

    code: ClassVar[str] = "H400"


@dataclass(frozen=True, slots=True)
class DeviceChoice:
    """The backend chosen for one device, and its options."""

    backend: str
    options: Mapping[str, Option] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile as it was read: {kind: choice}, where a kind is the name of a field of `hal.board.Board`."""

    name: str
    devices: Mapping[str, DeviceChoice]
    description: str = ""

    def with_device(self, kind: str, backend: str, **options: Option) -> Profile:
        """The same profile with another backend for one device; the options are those given here only."""
        return dataclasses.replace(self, devices={**self.devices, kind: DeviceChoice(backend, options)})

    def with_options(self, kind: str, **options: Option) -> Profile:
        """The same profile with some options of one device replaced. Raises ProfileError: no such device."""
        choice = self.devices.get(kind)
        if choice is None:
            raise ProfileError(
                f"profile {self.name}: it has no device {kind!r}{did_you_mean(kind, self.devices)}"
            )
        return self.with_device(kind, choice.backend, **{**choice.options, **options})


def shipped_profiles() -> list[str]:
    """The names of the profiles that come with the program, sorted."""
    folder = resources.files("hal") / "profiles"
    return sorted(f.name.removesuffix(_SUFFIX) for f in folder.iterdir() if f.name.endswith(_SUFFIX))


def load_profile(name_or_path: str | Path) -> Profile:
    """Read a shipped profile by its name, or any profile by the path of its `.toml` file.

    Raises ProfileError when there is none, or when it is not a profile.
    """
    text = str(name_or_path)
    if text.endswith(_SUFFIX):
        return parse_profile(Path(text).stem, _read_file(Path(text)))
    if text not in shipped_profiles():
        known = ", ".join(shipped_profiles())
        raise ProfileError(f"no profile {text!r}: take one of {known}, or the path of a .toml file")
    return parse_profile(text, (resources.files("hal") / "profiles" / f"{text}{_SUFFIX}").read_text("utf-8"))


def parse_profile(name: str, text: str) -> Profile:
    """Read a profile's text. Raises ProfileError when it is not TOML, or not shaped as a profile."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(f"profile {name}: not TOML: {error}") from None
    except (RecursionError, ValueError):  # tomllib's own limits are Python's
        text = "a list or table is nested too deeply, or a number has too many digits"
        raise ProfileError(f"profile {name}: {text}") from None
    _refuse_unknown(f"profile {name}", content, ("description", "devices"))
    description, tables = content.get("description", ""), content.get("devices")
    if not isinstance(description, str):
        raise ProfileError(f"profile {name}: description must be a text")
    if not isinstance(tables, dict) or not tables:
        raise ProfileError(f"profile {name}: there must be a table [devices.KIND] for every kind of device")
    devices = {kind: _choice(f"profile {name}: devices.{kind}", table) for kind, table in tables.items()}
    return Profile(name, devices, description)


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """The end of an error text: what was meant, or else everything that is known."""
    names = sorted(known)
    close = difflib.get_close_matches(wrong, names, n=1)
    return f" (did you mean {close[0]!r}?)" if close else f" (known: {', '.join(names) or 'none'})"


def _refuse_unknown(place: str, content: Mapping[str, Option], known: Iterable[str]) -> None:
    for key in content:
        if key not in known:
            raise ProfileError(f"{place}: unknown key {key!r}{did_you_mean(key, known)}")


def _choice(place: str, table: object) -> DeviceChoice:
    if not isinstance(table, dict):
        raise ProfileError(f"{place}: must be a table, as in [devices.KIND]")
    options = dict(table)
    backend = options.pop("backend", None)
    if not isinstance(backend, str):
        raise ProfileError(f'{place}: it must name its backend, as in backend = "virtual"')
    return DeviceChoice(backend, options)


def _read_file(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise ProfileError(f"profile {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ProfileError(f"profile {path}: not a text in UTF-8") from None
