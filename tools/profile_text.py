"""A profile as the text of its TOML file."""

from __future__ import annotations

import json
from collections.abc import Mapping

from hal.profile import Profile


def profile_text(profile: Profile, notes: Mapping[str, str]) -> str:
    """The TOML of a profile; `notes`: a comment for some of its devices, by kind."""
    lines = [f"description = {_value(profile.description)}"]
    for kind, choice in profile.devices.items():
        lines += ["", *([f"# {notes[kind]}"] if kind in notes else []), f"[devices.{kind}]"]
        lines.append(f"backend = {_value(choice.backend)}")
        lines += [f"{name} = {_value(value)}" for name, value in choice.options.items()]
    return "\n".join(lines) + "\n"


def _value(value: object) -> str:
    """A text, number or truth value: what options of devices are. TOML writes these as JSON does."""
    return json.dumps(value, ensure_ascii=False)
